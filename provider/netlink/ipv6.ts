import { isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";

/**
 * An IPv6 address as inet_pton reads it; undefined for any other text, and for one with a zone. ipaddr by itself takes
 * `::192.0.2.1` for `::ffff:192.0.2.1`.
 */
export function parseIpv6(text: string): ipaddr.IPv6 | undefined {
  if (!isIPv6(text) || text.includes("%")) return undefined;
  const tail = text.slice(text.lastIndexOf(":") + 1);
  if (!tail.includes(".")) return ipaddr.IPv6.parse(text);
  const [a = 0, b = 0, c = 0, d = 0] = tail.split(".").map(Number);
  const groups = [(a << 8) | b, (c << 8) | d].map((group) => group.toString(16));
  return ipaddr.IPv6.parse(text.slice(0, -tail.length) + groups.join(":"));
}

/** The captures that capture.ts made. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { AF, RTM, splitMessages } from "../../provider/netlink/message";

function captured(name: string) {
  return JSON.parse(readFileSync(join(__dirname, "../fixtures/netlink", name), "utf8")).captured;
}

/** What `ip` sent, by command. */
export const requests = new Map<string, Buffer[]>(
  captured("requests.json").map(({ command, messages }: { command: string; messages: string[] }) => [
    command,
    messages.map((hex) => Buffer.from(hex, "hex")),
  ]),
);

const replies: { received: string[]; shown: Record<string, unknown>[] } = captured("replies.json");
const received = replies.received.flatMap((hex) => [...splitMessages(Buffer.from(hex, "hex"))]);

/** One dump of links and one of addresses. */
export const linkMessages = received.filter((message) => message.readUInt16LE(4) === RTM.NEWLINK);
export const addressMessages = received.filter((message) => message.readUInt16LE(4) === RTM.NEWADDR);

/** What `ip -N -j -d addr show` made of the same bytes. */
export const shown = replies.shown;

const routes: { received: string[]; shown: Record<string, unknown>[] } = captured("routes.json");

/** A dump of the routes of IPv4 and one of those of IPv6. */
export const routeMessages = routes.received
  .flatMap((hex) => [...splitMessages(Buffer.from(hex, "hex"))])
  .filter((message) => message.readUInt16LE(4) === RTM.NEWROUTE);

/** What `ip -N -j -d route show table all` made of the same bytes. */
export const shownRoutes = routes.shown;

interface Forwarding {
  requests: { command: string; messages: string[] }[];
  received: string[];
  entries: Record<string, unknown>[];
  links: Record<string, unknown>[];
}

const forwarding: Forwarding = captured("forwarding.json");

/** What `ip` and `bridge` sent for VXLAN interfaces, forwarding entries and VLANs of ports, by command. */
export const forwardingRequests = new Map(
  forwarding.requests.map(({ command, messages }) => [
    command,
    messages.map((hex) => Buffer.from(hex, "hex")),
  ]),
);

const forwarded = forwarding.received.flatMap((hex) => [...splitMessages(Buffer.from(hex, "hex"))]);

/** A dump of forwarding entries. */
export const neighbourMessages = forwarded.filter((message) => message.readUInt16LE(4) === RTM.NEWNEIGH);

/** A dump of VXLAN interfaces: the last of several answers that have them, and others. */
export const vxlanMessages = forwarded
  .filter((message) => message.readUInt16LE(4) === RTM.NEWLINK && message.includes("vxlan\0"))
  .slice(-forwarding.links.length);

/** What `bridge -j -d fdb show` and `ip -N -j -d link show type vxlan` made of the same bytes. */
export const shownEntries = forwarding.entries;
export const shownVxlans = forwarding.links;

const vlans: { received: string[]; shown: Record<string, unknown>[] } = captured("vlans.json");

/** A dump of a bridge's ports with their VLANs; of a kernel that has VLAN filtering. */
export const vlanMessages = vlans.received
  .flatMap((hex) => [...splitMessages(Buffer.from(hex, "hex"))])
  .filter((message) => message.readUInt16LE(4) === RTM.NEWLINK && message[16] === AF.BRIDGE);

/** What `bridge -j -compressvlans vlan show` made of the same. */
export const shownVlans = vlans.shown;

/** A message with its sequence and port set to 0, and without what was sent after its end. */
export function anonymous(message: Buffer): Buffer {
  const copy = Buffer.from(message.subarray(0, message.readUInt32LE(0)));
  copy.fill(0, 8, 16);
  return copy;
}

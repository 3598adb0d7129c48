import { canonicalAddress, canonicalCidr, isLinkLocal, networkOf, splitCidr } from "../../host/addresses";
import type { Host } from "../../host/host";
import { familyOf } from "../../host/routes";
import type { Inputs, Problem } from "../kind";
import { ipv6MinimumMtu } from "./addresses";
import { linkMissing, linksToCheck } from "./link";

/**
 * Canonical text of a valid destination: `default`, `::/0`, `192.0.2.0/24`.
 * @param hop an address of the same family, which says of which one `default` is; IPv4 without one.
 */
export function canonicalDestination(text: string, hop: unknown): string {
  if (text === "default") return typeof hop === "string" && hop.includes(":") ? "::/0" : "default";
  const cidr = canonicalCidr(text) as string;
  return cidr === "0.0.0.0/0" ? "default" : cidr;
}

/** Why a text is no destination of a route; undefined if it is one. */
export function destinationProblem(text: string): string | undefined {
  return text === "default" ? undefined : networkProblem(text, ', or as "default"');
}

/** Why a text is no network with a prefix length; undefined if it is one. @param or what else it may be. */
export function networkProblem(text: string, or = ""): string | undefined {
  const address = canonicalAddress(text);
  if (address !== undefined)
    return `has no prefix length; write it as ${text}/${address.includes(":") ? 128 : 32} for that one host`;
  const cidr = canonicalCidr(text);
  if (cidr === undefined)
    return `is no network with a prefix length; write it as 192.0.2.0/24 or 2001:db8::/48${or}`;
  const network = networkOf(cidr);
  return network === cidr
    ? undefined
    : `has bits beyond its prefix length; write the network, ${network}, or the host, ${splitCidr(cidr).address}/${cidr.includes(":") ? 128 : 32}`;
}

/** Why a text is no address of a gateway or of this host; undefined if it is one. */
export function hopProblem(text: string): string | undefined {
  if (text.includes("/")) return "has a prefix length; give the address alone";
  const address = canonicalAddress(text);
  if (address === undefined) return "is no address; give one such as 192.0.2.1 or 2001:db8::1";
  const first = Number(address.split(".")[0]);
  const isOfNobody = address.includes(":")
    ? address === "::" || address.startsWith("ff")
    : first === 0 || first >= 224;
  return isOfNobody ? "is not an address of one host; choose another" : undefined;
}

export function routeRules(inputs: Inputs): Problem[] {
  return [...hopRules(inputs), ...familyRules(inputs), ...ipv6Rules(inputs)];
}

function hopRules({ destination, type, gateway, interface: link, onlink, scope }: Inputs): Problem[] {
  const problems: Problem[] = [];
  if (type === "unicast" && gateway === undefined && link === undefined) {
    problems.push({
      property: "interface",
      message: `interface is not given, nor is \`gateway\`, and a route of \`type\` "unicast" leads over one of them; give \`interface\`, \`gateway\` or both, or another type`,
    });
  }
  if (type !== undefined && type !== "unicast") {
    for (const [property, value] of Object.entries({
      gateway,
      interface: link,
      onlink: onlink || undefined,
    })) {
      if (value === undefined) continue;
      const message = `${property} ${JSON.stringify(value)} is given, but \`type\` is ${JSON.stringify(type)}, which leads nowhere; take it out, or use type "unicast"`;
      problems.push({ property, message });
    }
    return problems;
  }
  if (onlink === true && (gateway === undefined || link === undefined)) {
    problems.push({
      property: "onlink",
      message:
        "onlink true says that `gateway` is reached directly over `interface`, so it needs both; give them, or take it out",
    });
  }
  if (typeof gateway === "string" && isLinkLocal(gateway) && link === undefined) {
    problems.push({
      property: "gateway",
      message: `gateway ${JSON.stringify(gateway)} is a link-local address, which says nothing without \`interface\`; give that too`,
    });
  }
  if (gateway !== undefined && (scope === "link" || scope === "host")) {
    problems.push({
      property: "scope",
      message: `scope ${JSON.stringify(scope)} is of what is reached directly, but \`gateway\` ${JSON.stringify(gateway)} of the route to ${destination} is given; take one of them out`,
    });
  }
  return problems;
}

/** The destination, the gateway and the source are of one family. */
function familyRules({ destination, gateway, source }: Inputs): Problem[] {
  const problems: Problem[] = [];
  const check = (property: string, value: unknown, other: string, otherValue: unknown) => {
    if (typeof value !== "string" || typeof otherValue !== "string" || otherValue === "default") return false;
    if (familyOf(value) === familyOf(otherValue)) return false;
    const [is, shouldBe] = value.includes(":") ? ["IPv6", "IPv4"] : ["IPv4", "IPv6"];
    problems.push({
      property,
      message: `${property} ${JSON.stringify(value)} is ${is}, but \`${other}\` ${JSON.stringify(otherValue)} is ${shouldBe}; give both of one family`,
    });
    return true;
  };
  check("gateway", gateway, "destination", destination);
  check("source", source, "destination", destination) || check("source", source, "gateway", gateway);
  return problems;
}

function ipv6Rules({ destination, gateway, source, scope, metric, mtu }: Inputs): Problem[] {
  if (typeof destination !== "string") return [];
  if (familyOf(canonicalDestination(destination, gateway ?? source)) === familyOf("default")) return [];
  const problems: Problem[] = [];
  const about = `of an IPv6 route, as \`destination\` ${JSON.stringify(destination)} is one`;
  if (scope !== undefined && scope !== "global") {
    const message = `scope ${JSON.stringify(scope)} cannot be that ${about}: the kernel has scopes for IPv4 only; take it out`;
    problems.push({ property: "scope", message });
  }
  if (metric === 0) {
    const message = `metric 0 cannot be that ${about}: the kernel takes 1024 instead; give 1 or more, or take it out`;
    problems.push({ property: "metric", message });
  }
  if (typeof mtu === "number" && mtu < ipv6MinimumMtu) {
    const message = `mtu ${mtu} is below ${ipv6MinimumMtu} bytes, the least ${about}; raise it, or take it out`;
    problems.push({ property: "mtu", message });
  }
  return problems;
}

/** What the host says of a declared interface. One that does not exist yet may be made by this very program. */
export async function interfaceProblems(
  inputs: Inputs,
  unknown: ReadonlySet<string>,
  host: Host,
): Promise<Problem[]> {
  const { interface: name, namespace } = inputs;
  const links = typeof name === "string" ? await linksToCheck(inputs, unknown, host) : undefined;
  if (typeof name !== "string" || links === undefined || links.named(name)) return [];
  return [linkMissing("interface", name, namespace)];
}

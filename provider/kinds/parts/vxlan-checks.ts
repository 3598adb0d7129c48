import { canonicalAddress, isLinkLocal } from "../../host/addresses";
import { mayHaveSeveral } from "../../host/forwarding";
import type { Host } from "../../host/host";
import { isInterimName } from "../../host/leases";
import { describeLink } from "../../host/links";
import type { Claim, Inputs, Problem } from "../kind";
import { linkMissing, linksToCheck } from "./link";
import { canonicalMac, notAMac } from "./link-settings";
import { desiredPeers, peerText } from "./vxlan-peers";
import { desiredVxlan, holdsVni } from "./vxlan-settings";

function isMulticast(address: string): boolean {
  const first = Number(address.split(".")[0]);
  return address.includes(":") ? /^ff..:/.test(address) : first >= 224 && first <= 239;
}

function isIpv6(address: string): boolean {
  return address.includes(":");
}

const example = "such as 192.0.2.1 or 2001:db8::1";

function plainProblem(text: string): string | undefined {
  if (text.includes("/")) return "has a prefix length, which an end of a tunnel has not; take it out";
  return canonicalAddress(text) === undefined
    ? `is no IPv4 or IPv6 address; give one, ${example}`
    : undefined;
}

/** Why a text is no address of one tunnel end; undefined if it is one. */
export function tunnelEndProblem(text: string): string | undefined {
  const problem = plainProblem(text);
  if (problem !== undefined) return problem;
  const address = canonicalAddress(text) as string;
  if (isMulticast(address))
    return "is a multicast group, not the address of one host; give it as `group`, or choose another";
  const unusable = address === "::" || address.startsWith("0.") || address === "255.255.255.255";
  return unusable ? `is not the address of one host; give one, ${example}` : undefined;
}

/** Why a text is no multicast group; undefined if it is one. */
export function groupProblem(text: string): string | undefined {
  const problem = plainProblem(text);
  if (problem !== undefined) return problem;
  return isMulticast(canonicalAddress(text) as string)
    ? undefined
    : "is no multicast group (224.0.0.0/4, ff00::/8); give one, such as 239.1.1.1, or give one host as `remote`";
}

/** Why a text is no MAC address of a forwarding entry, of whatever kind; undefined if it is one. */
export function forwardingMacProblem(text: string): string | undefined {
  return canonicalMac(text) === undefined ? notAMac : undefined;
}

export function vxlanRules(inputs: Inputs): Problem[] {
  return [...destinationRules(inputs), ...familyRules(inputs), ...peerRules(inputs)];
}

function destinationRules({ remote, group, local, device, name }: Inputs): Problem[] {
  const problems: Problem[] = [];
  const add = (property: string, message: string) => problems.push({ property, message });
  if (remote !== undefined && group !== undefined) {
    add(
      "group",
      `group ${JSON.stringify(group)} and \`remote\` ${JSON.stringify(remote)} exclude one another; leave one out, and give more hosts as \`peers\``,
    );
  }
  if (group !== undefined && device === undefined) {
    add(
      "group",
      `group ${JSON.stringify(group)} needs \`device\`, the interface on which the group is joined; give it`,
    );
  }
  if (device !== undefined && device === name) {
    add(
      "device",
      `device ${JSON.stringify(device)} is the interface itself (\`name\`); give the one by which its packets leave`,
    );
  }
  if (typeof local === "string" && same(local, remote)) {
    add(
      "remote",
      `remote ${JSON.stringify(remote)} is \`local\`, this very end of the tunnel; give the address of another host`,
    );
  }
  return problems;
}

function same(one: unknown, other: unknown): boolean {
  if (typeof one !== "string" || typeof other !== "string") return false;
  return canonicalAddress(one) === canonicalAddress(other);
}

/** All ends of one interface are of one family. */
function familyRules({ local, remote, group, peers }: Inputs): Problem[] {
  const ends = Object.entries({ local, remote, group }).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  const word = (address: string) => (isIpv6(address) ? "IPv6" : "IPv4");
  const [first, ...others] = ends;
  const odd = first && others.find(([, address]) => isIpv6(address) !== isIpv6(first[1]));
  if (odd) {
    return [
      {
        property: odd[0],
        message: `${odd[0]} ${JSON.stringify(odd[1])} is ${word(odd[1])}, but \`${first[0]}\` ${JSON.stringify(first[1])} is ${word(first[1])}; make them agree`,
      },
    ];
  }
  const list = desiredPeers({ peers }) ?? [];
  if (first === undefined) {
    const wide = list.find(({ address }) => isIpv6(address));
    if (wide === undefined) return [];
    const message = `peers has ${wide.address}, which is IPv6, and the kernel takes an interface for IPv4 unless it is told an address of its own; give \`local\`, or one of \`remote\` and \`group\``;
    return [{ property: "peers", message }];
  }
  const stranger = list.find(({ address }) => isIpv6(address) !== isIpv6(first[1]));
  if (stranger === undefined) return [];
  return [
    {
      property: "peers",
      message: `peers has ${stranger.address}, which is ${word(stranger.address)}, but \`${first[0]}\` ${JSON.stringify(first[1])} is ${word(first[1])}; make them agree`,
    },
  ];
}

function peerRules({ peers, local, remote }: Inputs): Problem[] {
  const problems: Problem[] = [];
  const add = (message: string) => problems.push({ property: "peers", message });
  const seen = new Map<string, string>();
  for (const peer of desiredPeers({ peers }) ?? []) {
    const { mac, address } = peer;
    const several = mayHaveSeveral(mac);
    const key = several ? peerText(peer) : mac;
    const before = seen.get(key);
    if (before === address) add(`peers has ${peerText(peer)} twice; give it once`);
    else if (before !== undefined)
      add(
        `peers has ${mac} at ${before} and at ${address}; a unicast MAC address is at one end, so take one out`,
      );
    seen.set(key, address);
    if (same(local, address))
      add(`peers has ${address}, which is \`local\`, this very end of the tunnel; take it out`);
    if (several && same(remote, address))
      add(
        `peers has ${address}, which is \`remote\`, to which all goes twice then; take it out of one of them`,
      );
  }
  return problems;
}

/** What the host says of `device` and of the id. What does not exist yet may be made by this very program. */
export async function underlayProblems(
  inputs: Inputs,
  unknown: ReadonlySet<string>,
  host: Host,
): Promise<Problem[]> {
  const { device, name, vni, destinationPort, namespace } = inputs;
  const links = await linksToCheck(inputs, unknown, host);
  if (links === undefined) return [];
  const problems: Problem[] = [];
  if (typeof device === "string" && links.named(device) === undefined)
    problems.push(linkMissing("device", device, namespace, "DEVICE_MISSING"));
  const wanted = desiredVxlan(inputs);
  const known = !unknown.has("name") && decidesOnVni.every((input) => !unknown.has(input));
  const other = known ? links.all.find(({ vxlan }) => holdsVni(vxlan, wanted)) : undefined;
  // One with a lease may be this very resource's, or give the number up in this run; so may one that is half made.
  const isStranger = other && other.leases.length === 0 && !isInterimName(other.name);
  if (isStranger && other.name !== name) {
    const message = `vni ${vni} at destinationPort ${destinationPort} is that of ${describeLink(other)} already: this will be refused; choose another \`vni\` or port`;
    problems.push({ property: "vni", code: "VNI_TAKEN", message, warning: true });
  }
  return problems;
}

/** The inputs that tell which other interfaces the kernel does not allow beside it. */
const decidesOnVni = ["vni", "destinationPort", "local", "remote", "group"];

/** Its VNI, which one of a program can have; of link-local addresses, which count by the device, nothing is said. */
export function vniClaims(inputs: Inputs, unknown: ReadonlySet<string>): Claim[] {
  const { vni, destinationPort, family = 4, local, remote } = desiredVxlan(inputs);
  const ofDevice = [local, remote].some((address) => address !== undefined && isLinkLocal(address));
  if (ofDevice || decidesOnVni.some((input) => unknown.has(input))) return [];
  return [
    {
      space: `vni:${family}:${inputs.namespace ?? ""}`,
      name: `${vni} at destinationPort ${destinationPort}`,
      input: "vni",
      advice: "choose another `vni` or `destinationPort`",
    },
  ];
}

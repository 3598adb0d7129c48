import { canonicalAddress, canonicalCidr, splitCidr } from "../../host/addresses";
import type { Inputs, Problem } from "../kind";
import { ipv6MinimumMtu, isInTheWay, netmaskLength } from "./addresses";

/** Why a text is no IPv4 `address`; undefined if it is one, with or without `/length`. */
export function ipv4Problem(text: string): string | undefined {
  const [address = "", length, ...rest] = text.split("/");
  if (address.includes(":"))
    return "is an IPv6 address; `address` takes IPv4. Put it, with its prefix length, into `addresses`";
  if (canonicalAddress(address) === undefined || rest.length > 0) {
    return "is no IPv4 address; give four numbers from 0 to 255, such as 192.0.2.1 or 192.0.2.1/24";
  }
  if (length !== undefined && !(/^\d{1,2}$/.test(length) && Number(length) <= 32)) {
    return "has a prefix length that is no number from 0 to 32";
  }
  return unusable(canonicalAddress(address) as string);
}

/** Why a text is no IPv4 address of a peer; undefined if it is one. */
export function peerProblem(text: string): string | undefined {
  return plainProblem(text) ?? unusable(canonicalAddress(text) as string);
}

/** Why a text is no IPv4 broadcast address; undefined if it is one. */
export function broadcastProblem(text: string): string | undefined {
  const problem = plainProblem(text);
  if (problem !== undefined) return problem;
  return canonicalAddress(text) === "0.0.0.0"
    ? "is what the kernel takes for none; take it out for the kernel's own, or give the last address of the subnet"
    : undefined;
}

function plainProblem(text: string): string | undefined {
  if (text.includes("/"))
    return "has a prefix length, which belongs to `address` or `netmask`; take it out here";
  if (text.includes(":")) return "is an IPv6 address; give an IPv4 address, such as 192.0.2.2";
  return canonicalAddress(text) === undefined
    ? "is no IPv4 address; give four numbers from 0 to 255, such as 192.0.2.2"
    : undefined;
}

/** Why a text is no address with prefix length; undefined if it is one. */
export function cidrProblem(text: string): string | undefined {
  const cidr = canonicalCidr(text);
  if (cidr !== undefined) return unusable(splitCidr(cidr).address);
  if (canonicalAddress(text) !== undefined)
    return `has no prefix length; write it as ${text}/${text.includes(":") ? 64 : 24}`;
  return "is no address with a prefix length; write it as 192.0.2.1/24 or 2001:db8::1/64";
}

/** Why a value is no netmask; undefined if it is one. */
export function netmaskProblem(value: string | number): string | undefined {
  if (typeof value === "number" || /^\d{1,2}$/.test(value)) {
    return Number(value) >= 0 && Number(value) <= 32 ? undefined : "is no prefix length from 0 to 32";
  }
  return netmaskLength(value) === undefined
    ? "is no netmask; give ones followed by zeros, such as 255.255.255.0, or a prefix length from 0 to 32"
    : undefined;
}

/** Addresses that no interface can have: they are refused before the kernel takes them. */
function unusable(address: string): string | undefined {
  const first = Number(address.split(".")[0]);
  if (
    !address.includes(":") &&
    (first === 0 || (first >= 224 && first <= 239) || address === "255.255.255.255")
  ) {
    return "is not an address of one interface (0.0.0.0/8, 224.0.0.0/4 and 255.255.255.255 are not); choose another";
  }
  if (address === "::" || /^ff..:/.test(address)) return "is not an address of one interface; choose another";
  return undefined;
}

export function addressRules(inputs: Inputs): Problem[] {
  return [...netmaskRules(inputs), ...pointToPointRules(inputs), ...ipv6Rules(inputs)];
}

function netmaskRules({ address, netmask, peerAddress, mode }: Inputs): Problem[] {
  if (address === undefined && netmask !== undefined) {
    return [
      {
        property: "netmask",
        message: `netmask ${JSON.stringify(netmask)} is given without \`address\`; add the address, or take the netmask out`,
      },
    ];
  }
  if (typeof address !== "string") return [];
  const length = address.split("/")[1];
  const mask = netmaskLength(netmask);
  if (length === undefined && netmask === undefined && peerAddress === undefined) {
    const peer = mode === "tun" ? ", or, on a point-to-point link, `peerAddress`" : "";
    return [
      {
        property: "address",
        message: `address ${JSON.stringify(address)} has no netmask; add \`netmask\` (for example "255.255.255.0"), or write the address as "${address}/24"${peer}`,
        dependsOn: ["peerAddress"],
      },
    ];
  }
  if (length !== undefined && mask !== undefined && Number(length) !== mask) {
    return [
      {
        property: "netmask",
        message: `netmask ${JSON.stringify(netmask)} is /${mask}, but \`address\` says /${length}; make them agree, or leave one out`,
      },
    ];
  }
  return [];
}

function pointToPointRules({ address, peerAddress, broadcast, mode }: Inputs): Problem[] {
  const problems: Problem[] = [];
  for (const [property, value, only] of [
    ["peerAddress", peerAddress, "tun"],
    ["broadcast", broadcast, "tap"],
  ] as const) {
    if (value === undefined) continue;
    const given = `${property} ${JSON.stringify(value)}`;
    if (mode !== undefined && mode !== only) {
      problems.push({
        property,
        message: `${given} is for a ${only.toUpperCase()} only, and \`mode\` is "${mode}"; take it out, or use mode "${only}"`,
      });
    } else if (address === undefined) {
      problems.push({
        property,
        message: `${given} is given without \`address\`, to which it belongs; add the address, or take it out`,
      });
    }
  }
  if (typeof peerAddress === "string" && typeof address === "string") {
    if (canonicalAddress(peerAddress) === canonicalAddress(address.split("/")[0] ?? "")) {
      problems.push({
        property: "peerAddress",
        message: `peerAddress ${JSON.stringify(peerAddress)} is the interface's own \`address\`; give the address at the other end`,
      });
    }
  }
  return problems;
}

function ipv6Rules({ addresses, mtu }: Inputs): Problem[] {
  const list = (Array.isArray(addresses) ? addresses : []) as string[];
  const problems: Problem[] = [];
  const canonical = list.map((text) => canonicalCidr(text) ?? text);
  for (const [index, cidr] of canonical.entries()) {
    const first = canonical.slice(0, index).findIndex((earlier) => isInTheWay(cidr, earlier));
    if (first < 0) continue;
    const message = `addresses[${index}] ${JSON.stringify(list[index])} is addresses[${first}] with another prefix length, and an interface has an IPv6 address only once; leave it at one length`;
    problems.push({ property: "addresses", message });
  }
  const wide = list.find((cidr) => cidr.includes(":"));
  if (wide === undefined || typeof mtu !== "number" || mtu >= ipv6MinimumMtu) return problems;
  return [
    ...problems,
    {
      property: "mtu",
      message: `mtu ${mtu} is below ${ipv6MinimumMtu} bytes, with which the kernel has no IPv6 on the interface, but \`addresses\` has ${wide}; raise the mtu or take that address out`,
    },
  ];
}

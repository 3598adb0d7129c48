import { constants } from "node:os";
import {
  type Address,
  addAddress,
  type Cidr,
  canonicalAddress,
  canonicalCidr,
  netmaskOf,
  prefixLengthOf,
  removeAddress,
  restoreAddress,
  splitCidr,
} from "../../host/addresses";
import { IFA_F } from "../../netlink/address";
import type { Difference, InputSchema, Inputs, Problem, Property, Write } from "../kind";

/** IPv6 needs this much (RFC 8200 §5); with less the kernel takes IPv6 off the interface. */
const ipv6MinimumMtu = 1280;

export const addressInputs = {
  address: {
    type: "string",
    format: "ipv4",
    change: "live",
    description: "IPv4 address, with `netmask` or with its prefix length (`192.0.2.1/24`). Default: none.",
  },
  netmask: {
    type: ["string", "integer"],
    format: "netmask",
    change: "live",
    description: "Netmask of `address`: dotted (`255.255.255.0`) or a prefix length (`24`).",
  },
  addresses: {
    type: "array",
    items: { type: "string", format: "cidr" },
    uniqueItems: true,
    change: "live",
    description:
      "More addresses, IPv4 and IPv6, each with its prefix length, in any order. IPv6 addresses are usable at once (no duplicate address detection). Default: none.",
  },
} as const satisfies Record<string, InputSchema>;

export const broadcastOutput = {
  type: "string",
  optional: true,
  description: "IPv4 broadcast address that belongs to `address`; absent on a TUN and for /31 and /32.",
} as const;

/** The addresses that an object shall have: `address` with `netmask`, and the rest. */
export interface DesiredAddresses {
  primary?: Cidr;
  /** All of them, the primary first. */
  all: readonly Cidr[];
}

interface WithAddresses {
  addresses?: DesiredAddresses;
}

interface ObservedAddresses {
  ifindex: number;
  hasBroadcast: boolean;
  addresses: readonly Address[];
}

/** undefined where neither `address` nor `addresses` is declared. */
export function desiredAddresses(inputs: Inputs): DesiredAddresses | undefined {
  if (inputs.address === undefined && inputs.addresses === undefined) return undefined;
  const primary = primaryOf(inputs);
  const more = ((inputs.addresses as string[] | undefined) ?? []).flatMap(
    (text) => canonicalCidr(text) ?? [],
  );
  return { primary, all: [...new Set(primary ? [primary, ...more] : more)] };
}

/** `address` and `netmask` as one; undefined where they do not (yet) make a whole. */
function primaryOf(inputs: Inputs): Cidr | undefined {
  if (typeof inputs.address !== "string") return undefined;
  const [address = "", length] = inputs.address.split("/");
  const prefixLength = length === undefined ? netmaskLength(inputs.netmask) : Number(length);
  return prefixLength === undefined ? undefined : canonicalCidr(`${address}/${prefixLength}`);
}

function netmaskLength(netmask: unknown): number | undefined {
  if (typeof netmask === "number") return netmask;
  if (typeof netmask !== "string") return undefined;
  return /^\d{1,2}$/.test(netmask) ? Number(netmask) : prefixLengthOf(netmask);
}

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
  return prefixLengthOf(value) === undefined
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
  const problems: Problem[] = [];
  const { address, netmask, addresses, mtu } = inputs;
  if (address === undefined && netmask !== undefined) {
    problems.push({
      property: "netmask",
      message: `netmask ${JSON.stringify(netmask)} is given without \`address\`; add the address, or take the netmask out`,
    });
  }
  if (typeof address === "string") {
    const length = address.split("/")[1];
    const mask = netmaskLength(netmask);
    if (length === undefined && netmask === undefined) {
      problems.push({
        property: "address",
        message: `address ${JSON.stringify(address)} has no netmask; add \`netmask\` (for example "255.255.255.0"), or write the address as "${address}/24"`,
      });
    } else if (length !== undefined && mask !== undefined && Number(length) !== mask) {
      problems.push({
        property: "netmask",
        message: `netmask ${JSON.stringify(netmask)} is /${mask}, but \`address\` says /${length}; make them agree, or leave one out`,
      });
    }
  }
  const wide = (Array.isArray(addresses) ? addresses : []).find((cidr: string) => cidr.includes(":"));
  if (wide !== undefined && typeof mtu === "number" && mtu < ipv6MinimumMtu) {
    problems.push({
      property: "mtu",
      message: `mtu ${mtu} is below ${ipv6MinimumMtu} bytes, with which the kernel has no IPv6 on the interface, but \`addresses\` has ${wide}; raise the mtu or take that address out`,
    });
  }
  return problems;
}

/** Those addresses of the object that the program declared, now or when they were written. */
function managed(observed: ObservedAddresses, desired: WithAddresses, recorded: Inputs | undefined): Cidr[] {
  const ours = new Set([...(desired.addresses?.all ?? []), ...(desiredAddresses(recorded ?? {})?.all ?? [])]);
  return observed.addresses.map((address) => address.cidr).filter((cidr) => ours.has(cidr));
}

/** The row of `address`, `netmask` and `addresses`: compared as a set, others' addresses left alone. */
export function addressProperty<D extends WithAddresses, O extends ObservedAddresses>(): Property<
  D,
  O,
  Cidr[]
> {
  return {
    name: "addresses",
    inputs: ["address", "netmask", "addresses"],
    verdict: { idle: "live", single: "live", multi: "live" },
    want: (desired, recorded) => {
      const wanted = desired.addresses ?? (desiredAddresses(recorded ?? {}) && { all: [] });
      return wanted && [...wanted.all].sort();
    },
    is: (observed, desired, recorded) => managed(observed, desired, recorded).sort(),
    show: (cidrs) => (cidrs.length === 0 ? "no address" : cidrs.join(", ")),
    messages: addressMessages,
  };
}

function addressMessages({
  observed,
  desired,
  is,
}: Difference<WithAddresses, ObservedAddresses, Cidr[]>): Write[] {
  const { ifindex, hasBroadcast, addresses } = observed;
  const wanted = desired.addresses?.all ?? [];
  const add = (cidr: Cidr): Write => ({
    bytes: addAddress(ifindex, cidr, hasBroadcast),
    what: `address ${cidr}`,
  });
  const surplus = addresses.filter(({ cidr }) => is.includes(cidr) && !wanted.includes(cidr));
  const missing = wanted.filter((cidr) => !is.includes(cidr));
  // With the first IPv4 address of a subnet the kernel takes the others of it away too (unless
  // promote_secondaries is set): ours and strangers' are written again behind it.
  const doomed = (cidr: Cidr) => surplus.some((gone) => sameSubnet(gone.cidr, cidr));
  const strangers = addresses.filter(
    (address) =>
      ((address.message.attributes.flags ?? 0) & IFA_F.SECONDARY) !== 0 &&
      !surplus.includes(address) &&
      !wanted.includes(address.cidr) &&
      doomed(address.cidr),
  );
  return [
    ...missing.map(add),
    ...surplus.map((address) => ({
      bytes: removeAddress(ifindex, address),
      what: `the removal of address ${address.cidr}`,
      alreadySo: constants.errno.EADDRNOTAVAIL,
    })),
    ...wanted.filter(doomed).map(add),
    ...strangers.map((address) => ({ bytes: restoreAddress(address), what: `address ${address.cidr}` })),
  ];
}

function sameSubnet(one: Cidr, other: Cidr): boolean {
  if (one.includes(":") || other.includes(":")) return false;
  const [a, b] = [splitCidr(one), splitCidr(other)];
  if (a.prefixLength !== b.prefixLength) return false;
  const bits = (address: string) => address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - a.prefixLength);
  return Math.floor(bits(a.address) / size) === Math.floor(bits(b.address) / size);
}

/** `address`, `netmask`, `addresses` and `broadcast` as observed, in the program's words where they are equal. */
export function presentAddresses(
  observed: ObservedAddresses,
  desired: WithAddresses,
  declared: Inputs,
  recorded: Inputs | undefined,
): Record<string, unknown> {
  const present = managed(observed, desired, recorded);
  const declaredPrimary = desired.addresses?.primary;
  const recordedPrimary = primaryOf(recorded ?? {});
  const primary = [declaredPrimary, recordedPrimary].find(
    (cidr) => cidr !== undefined && present.includes(cidr),
  );
  const outputs: Record<string, unknown> = {};
  if (primary !== undefined) {
    const { address, prefixLength } = splitCidr(primary);
    const sameWords = primary === declaredPrimary;
    outputs.address = sameWords && declared.address !== undefined ? declared.address : address;
    outputs.netmask =
      sameWords && declared.netmask !== undefined ? declared.netmask : netmaskOf(prefixLength);
    const broadcast = observed.addresses.find(({ cidr }) => cidr === primary)?.broadcast;
    if (broadcast !== undefined) outputs.broadcast = broadcast;
  }
  const declaredWords = new Map(
    ((declared.addresses as string[] | undefined) ?? []).map((text) => [canonicalCidr(text), text] as const),
  );
  // In the program's order, so that the kernel's order is no change; what it no longer declares comes behind.
  const order = [...declaredWords.keys()];
  const rest = present
    .filter((cidr) => cidr !== primary || declaredWords.has(cidr))
    .sort((a, b) => rank(order, a) - rank(order, b) || (a < b ? -1 : 1));
  outputs.addresses = rest.map((cidr) => declaredWords.get(cidr) ?? cidr);
  return outputs;
}

function rank(order: readonly (Cidr | undefined)[], cidr: Cidr): number {
  const position = order.indexOf(cidr);
  return position < 0 ? order.length : position;
}

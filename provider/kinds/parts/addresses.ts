import { constants } from "node:os";
import {
  type Address,
  addAddress,
  addressText,
  type Cidr,
  canonicalAddress,
  canonicalCidr,
  type NewAddress,
  netmaskOf,
  networkOf,
  prefixLengthOf,
  removeAddress,
  restoreAddress,
  splitCidr,
} from "../../host/addresses";
import { rememberedOf } from "../../remember";
import type { Difference, InputSchema, Inputs, Property, Write } from "../kind";
import { live } from "./verdicts";

/** IPv6 needs this much (RFC 8200 §5); with less the kernel takes IPv6 off the interface. */
export const ipv6MinimumMtu = 1280;

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
  exclusiveAddresses: {
    type: "boolean",
    default: false,
    change: "control",
    description:
      "Whether addresses that others added are drift, and removed. Those that the kernel makes itself (fe80::, router advertisements) never are.",
  },
} as const satisfies Record<string, InputSchema>;

/** Of the one `address`: what belongs to it on a broadcast link or on a point-to-point link. */
export const broadcastInput = {
  type: "string",
  format: "ipv4-broadcast",
  change: "live",
  description:
    "IPv4 broadcast address that belongs to `address`, on a TAP only. Default: not managed; the highest address of the subnet is set, and none for /31 and /32.",
} as const satisfies InputSchema;

export const peerAddressInput = {
  type: "string",
  format: "ipv4-peer",
  change: "live",
  description:
    "IPv4 address at the other end of a point-to-point link, on a TUN only. `netmask` is then the peer's, and 255.255.255.255 where it is not given. Default: none.",
} as const satisfies InputSchema;

/** The addresses that an object shall have: `address` with what belongs to it, and the rest. */
export interface DesiredAddresses {
  primary?: NewAddress;
  /** All of them, the primary first. */
  all: readonly NewAddress[];
  /** Addresses of others are drift. */
  exclusive: boolean;
}

interface WithAddresses {
  addresses?: DesiredAddresses;
}

interface ObservedAddresses {
  ifindex: number;
  hasBroadcast: boolean;
  addresses: readonly Address[];
}

/** undefined where no address is declared, and others' addresses do not matter. Inputs do not change. */
export const desiredAddresses = rememberedOf(readAddresses);

function readAddresses(inputs: Inputs): DesiredAddresses | undefined {
  const exclusive = inputs.exclusiveAddresses === true;
  if (inputs.address === undefined && inputs.addresses === undefined && !exclusive) return undefined;
  const primary = primaryOf(inputs);
  const more = ((inputs.addresses as string[] | undefined) ?? []).flatMap((text) => {
    const cidr = canonicalCidr(text);
    return cidr === undefined ? [] : [{ cidr }];
  });
  const all = primary ? [primary, ...more] : more;
  const texts = all.map(addressText);
  const once = all.filter((_, position) => texts.indexOf(texts[position] as string) === position);
  return { primary, all: once, exclusive };
}

/** `address` and what belongs to it as one; undefined where they do not (yet) make a whole. */
function primaryOf(inputs: Inputs): NewAddress | undefined {
  if (typeof inputs.address !== "string") return undefined;
  const [address = "", length] = inputs.address.split("/");
  const peer = canonical(inputs.peerAddress);
  const prefixLength = length === undefined ? netmaskLength(inputs.netmask) : Number(length);
  const cidr = canonicalCidr(`${address}/${prefixLength ?? (peer === undefined ? "" : 32)}`);
  return cidr === undefined ? undefined : { cidr, peer, broadcast: canonical(inputs.broadcast) };
}

function canonical(address: unknown): string | undefined {
  return typeof address === "string" ? canonicalAddress(address) : undefined;
}

/** Prefix length of a netmask in either notation; undefined where it is none. */
export function netmaskLength(netmask: unknown): number | undefined {
  if (typeof netmask === "number") return netmask;
  if (typeof netmask !== "string") return undefined;
  return /^\d{1,2}$/.test(netmask) ? Number(netmask) : prefixLengthOf(netmask);
}

/** An interface has an IPv6 address once: with another prefix length it keeps the declared one from being there. */
export function isInTheWay(one: Cidr, other: Cidr): boolean {
  return one !== other && one.includes(":") && splitCidr(one).address === splitCidr(other).address;
}

/**
 * Those addresses of the object that the program declared, now or when they were written, and those in the way of declared
 * ones; all where it owns all.
 */
function managed(
  observed: ObservedAddresses,
  desired: WithAddresses,
  recorded: Inputs | undefined,
): Address[] {
  const wanted = desired.addresses?.all ?? [];
  const now = wanted.map(addressText);
  // Mostly all that is there is declared, and what was declared before need not be read.
  if (observed.addresses.every((address) => now.includes(addressText(address))))
    return [...observed.addresses];
  const before = (desiredAddresses(recorded ?? {})?.all ?? []).map(addressText);
  const ours = new Set([...now, ...before]);
  const exclusive = desired.addresses?.exclusive ?? false;
  return observed.addresses.filter(
    (address) =>
      ours.has(addressText(address)) ||
      (exclusive && !address.kernelMade) ||
      wanted.some(({ cidr }) => isInTheWay(address.cidr, cidr)),
  );
}

/** An address as it is compared: with its broadcast address only where that is declared. */
function comparable(address: NewAddress, { addresses }: WithAddresses): string {
  const text = addressText(address);
  const primary = addresses?.primary;
  if (primary?.broadcast === undefined || text !== addressText(primary)) return text;
  return `${text} broadcast ${address.broadcast ?? "none"}`;
}

/** The row of all address inputs: compared as a set, others' addresses left alone unless they are drift. */
export function addressProperty<D extends WithAddresses, O extends ObservedAddresses>(
  ...more: string[]
): Property<D, O, string[]> {
  return {
    name: "addresses",
    inputs: ["address", "netmask", "addresses", ...more],
    verdict: live,
    want: (desired, recorded) => {
      if (desired.addresses) return texts(desired.addresses.all, desired);
      return desiredAddresses(recorded ?? {}) && [];
    },
    is: (observed, desired, recorded) => texts(managed(observed, desired, recorded), desired),
    show: (addresses) => (addresses.length === 0 ? "no address" : addresses.join(", ")),
    messages: addressMessages,
    back: (before, desired) =>
      desired.addresses
        ? { ...desired, addresses: { ...desired.addresses, all: managed(before, desired, undefined) } }
        : desired,
    explain: (errno) => {
      if (errno === constants.errno.EACCES)
        return "IPv6 is switched off on the interface: set the sysctls net.ipv6.conf.default.disable_ipv6 (of interfaces that are made) and net.ipv6.conf.NAME.disable_ipv6 (of one that is there) to 0, or take the IPv6 addresses out.";
      return errno === constants.errno.EINVAL
        ? `If it is an IPv6 address, look at the interface's mtu: below ${ipv6MinimumMtu} bytes the kernel has no IPv6 on it. Raise \`mtu\`, and where it follows from another interface (a tunnel's from its \`device\`, less the headers), that one's first.`
        : undefined;
    },
  };
}

function texts(addresses: readonly NewAddress[], desired: WithAddresses): string[] {
  return addresses.map((address) => comparable(address, desired)).sort();
}

function addressMessages({
  observed,
  desired,
  is,
}: Difference<WithAddresses, ObservedAddresses, string[]>): Write[] {
  const { ifindex, hasBroadcast, addresses } = observed;
  const wanted = desired.addresses?.all ?? [];
  const text = (address: NewAddress) => comparable(address, desired);
  const wantedTexts = new Set(wanted.map(text));
  const add = (address: NewAddress): Write => ({
    bytes: addAddress(ifindex, address, hasBroadcast),
    what: `address ${text(address)}`,
  });
  const surplus = addresses.filter(
    (address) => is.includes(text(address)) && !wantedTexts.has(text(address)),
  );
  const remove = (address: Address): Write => ({
    bytes: removeAddress(ifindex, address),
    what: `the removal of address ${text(address)}`,
    alreadySo: constants.errno.EADDRNOTAVAIL,
  });
  const blocks = (address: Address) => wanted.some(({ cidr }) => isInTheWay(address.cidr, cidr));
  const missing = wanted.filter((address) => !is.includes(text(address)));
  // With the first IPv4 address of a subnet the kernel takes the others of it away too (unless
  // promote_secondaries is set): ours and strangers' are written again behind it.
  const doomed = (address: NewAddress) => surplus.some((gone) => sameSubnet(gone, address));
  const strangers = addresses.filter(
    (address) =>
      address.secondary && !surplus.includes(address) && !wantedTexts.has(text(address)) && doomed(address),
  );
  return [
    ...surplus.filter(blocks).map(remove),
    ...missing.map(add),
    ...surplus.filter((address) => !blocks(address)).map(remove),
    ...wanted.filter(doomed).map(add),
    ...strangers.map((address) => ({ bytes: restoreAddress(address), what: `address ${text(address)}` })),
  ];
}

function sameSubnet(one: NewAddress, other: NewAddress): boolean {
  const [a, b] = [splitCidr(one.cidr), splitCidr(other.cidr)];
  if (a.family !== b.family || a.address.includes(":") || a.prefixLength !== b.prefixLength) return false;
  // On a point-to-point link the subnet is the peer's.
  const subnetOf = (address: string) => networkOf(`${address}/${a.prefixLength}`);
  return subnetOf(one.peer ?? a.address) === subnetOf(other.peer ?? b.address);
}

/** All address inputs as observed, in the program's words where they are equal. */
export function presentAddresses(
  observed: ObservedAddresses,
  desired: WithAddresses,
  declared: Inputs,
  recorded: Inputs | undefined,
): Record<string, unknown> {
  const present = managed(observed, desired, recorded);
  const declaredPrimary = desired.addresses?.primary;
  const candidates = [declaredPrimary, primaryOf(recorded ?? {})].flatMap((address) => address ?? []);
  const primaryTexts = candidates.map(addressText);
  const primary = primaryTexts
    .map((text) => present.find((address) => addressText(address) === text))
    .find((address) => address !== undefined);
  const outputs: Record<string, unknown> = {};
  if (primary !== undefined) {
    const sameWords = declaredPrimary !== undefined && addressText(primary) === addressText(declaredPrimary);
    const { address, prefixLength } = splitCidr(primary.cidr);
    const word = (input: string, value: unknown) =>
      sameWords && declared[input] !== undefined ? declared[input] : value;
    outputs.address = word("address", address);
    outputs.netmask = word("netmask", netmaskOf(prefixLength));
    if (primary.peer !== undefined) outputs.peerAddress = word("peerAddress", primary.peer);
    if (primary.broadcast !== undefined) {
      const same = canonical(declared.broadcast) === primary.broadcast;
      outputs.broadcast = same ? declared.broadcast : primary.broadcast;
    }
  }
  const declaredWords = new Map(
    ((declared.addresses as string[] | undefined) ?? []).map((text) => [canonicalCidr(text), text] as const),
  );
  // In the program's order, so that the kernel's order is no change; what it no longer declares comes behind.
  const order = [...declaredWords.keys()];
  const rest = present
    .filter((address) => address !== primary || declaredWords.has(address.cidr))
    .map(({ cidr }) => cidr)
    .sort((a, b) => rank(order, a) - rank(order, b) || (a < b ? -1 : 1));
  outputs.addresses = rest.map((cidr) => declaredWords.get(cidr) ?? cidr);
  return outputs;
}

function rank(order: readonly (Cidr | undefined)[], cidr: Cidr): number {
  const position = order.indexOf(cidr);
  return position < 0 ? order.length : position;
}

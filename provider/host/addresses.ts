import { isIPv4 } from "node:net";
import ipaddr from "ipaddr.js";
import { SharedDump } from "../kernel/dumps";
import type { Kernel, NamespaceName } from "../kernel/kernel";
import {
  type AddressAttributes,
  addressDecoder,
  decodeAddress,
  encodeAddress,
  IFA_F,
} from "../netlink/address";
import { parseIpv6 } from "../netlink/ipv6";
import { AF, NLM_F, RTM } from "../netlink/message";
import { RT_SCOPE } from "../netlink/route";
import { change } from "./batch";
import { decodingChanges } from "./changes";

/** An address with its prefix length, in canonical text: `192.0.2.1/24`, `2001:db8::1/64`. */
export type Cidr = string;

/** Writing an address that is there already is no error. */
const write = change | NLM_F.CREATE | NLM_F.REPLACE;

/** An address of a link as it is written. */
export interface NewAddress {
  /** The link's own address; the length is that of the peer's prefix where there is a peer. */
  cidr: Cidr;
  /** IPv4 address at the other end of a point-to-point link. */
  peer?: string;
  /** IPv4 broadcast address. */
  broadcast?: string;
}

/** An address of a link as the kernel shows it. */
export interface Address extends NewAddress {
  /** Made by the kernel itself: link-local, or of a router's advertisement. */
  kernelMade: boolean;
  /** IPv4: not the first of its subnet, and gone with that one. */
  secondary: boolean;
  /** The message as received, to write it again the same. */
  received: Buffer;
}

/** All addresses of a namespace at one moment, by ifindex. */
export type AddressTable = ReadonlyMap<number, readonly Address[]>;

export class Addresses {
  private readonly dump: SharedDump<AddressTable>;

  constructor(kernel: Kernel) {
    this.dump = new SharedDump(
      kernel,
      encodeAddress(RTM.GETADDR, NLM_F.REQUEST | NLM_F.DUMP, {}),
      decodingChanges(addressOf, tableOf),
    );
  }

  /** Errors: NAMESPACE_MISSING. */
  table(namespace: NamespaceName): Promise<AddressTable> {
    return this.dump.get(namespace);
  }
}

/** As `ip` writes it: `192.0.2.1/24`, or `192.0.2.1 peer 192.0.2.2/32`. The kernel keeps one address of each text. */
export function addressText({ cidr, peer }: NewAddress): string {
  if (peer === undefined) return cidr;
  const { address, prefixLength } = splitCidr(cidr);
  return `${address} peer ${peer}/${prefixLength}`;
}

/**
 * A message that adds an address. IPv6 skips duplicate address detection, so that it is usable at once also on
 * an interface that nobody reads.
 * @param hasBroadcast whether the link has broadcast addresses; then IPv4 gets the one of its subnet unless another
 * is given, as ifconfig sets it, or the prefix has none (/31, /32).
 */
export function addAddress(
  ifindex: number,
  { cidr, peer, broadcast }: NewAddress,
  hasBroadcast: boolean,
): Buffer {
  const { address, prefixLength, family } = splitCidr(cidr);
  const header = { family, prefixLength, index: ifindex };
  if (family === AF.INET6) {
    return encodeAddress(RTM.NEWADDR, write, { ...header, flags: IFA_F.NODAD }, { local: address, address });
  }
  const attributes: Partial<AddressAttributes> = { local: address, address: peer ?? address };
  if (broadcast !== undefined) attributes.broadcast = broadcast;
  else if (hasBroadcast && peer === undefined && prefixLength < 31)
    attributes.broadcast = broadcastOf(address, prefixLength);
  return encodeAddress(RTM.NEWADDR, write, header, attributes);
}

export function removeAddress(ifindex: number, address: Address): Buffer {
  const { header, attributes } = decodeAddress(address.received);
  const { local, address: peer } = attributes;
  return encodeAddress(
    RTM.DELADDR,
    change,
    { family: header.family, prefixLength: header.prefixLength, index: ifindex },
    { local: local ?? peer, address: peer },
  );
}

/** A message that writes an address again as it was seen. */
export function restoreAddress(address: Address): Buffer {
  const { header, attributes } = decodeAddress(address.received);
  return encodeAddress(RTM.NEWADDR, write, header, attributes);
}

/** Canonical text of `address/length`; undefined where it is not one. */
export function canonicalCidr(text: string): Cidr | undefined {
  const match = /^([^/%\s]+)\/(0|[1-9]\d{0,2})$/.exec(text);
  const address = match?.[1] === undefined ? undefined : canonicalAddress(match[1]);
  const length = Number(match?.[2]);
  if (address === undefined || length > (address.includes(":") ? 128 : 32)) return undefined;
  return `${address}/${length}`;
}

/** Canonical text of an IPv4 (four decimal parts) or IPv6 address; undefined where it is not one. */
export function canonicalAddress(text: string): string | undefined {
  // Of IPv4 there is one spelling.
  if (isIPv4(text)) return text;
  return parseIpv6(text)?.toRFC5952String();
}

/** Prefix length of a dotted netmask; undefined where it is none, or has holes. */
export function prefixLengthOf(netmask: string): number | undefined {
  if (!ipaddr.IPv4.isValidFourPartDecimal(netmask)) return undefined;
  return ipaddr.IPv4.parse(netmask).prefixLengthFromSubnetMask() ?? undefined;
}

export function netmaskOf(prefixLength: number): string {
  return ipaddr.IPv4.subnetMaskFromPrefixLength(prefixLength).toString();
}

export function splitCidr(cidr: Cidr): { address: string; prefixLength: number; family: number } {
  const slash = cidr.indexOf("/");
  const address = cidr.slice(0, slash);
  return {
    address,
    prefixLength: Number(cidr.slice(slash + 1)),
    family: address.includes(":") ? AF.INET6 : AF.INET,
  };
}

/** The network that an address with that prefix length is in; canonical. */
export function networkOf(cidr: Cidr): Cidr {
  const { address, prefixLength } = splitCidr(cidr);
  const kind = address.includes(":") ? ipaddr.IPv6 : ipaddr.IPv4;
  return `${canonicalAddress(kind.networkAddressFromCIDR(cidr).toString())}/${prefixLength}`;
}

/** Whether an IPv6 address is link-local (fe80::/10): its network is on every interface. */
export function isLinkLocal(address: string): boolean {
  return /^fe[89ab].:/i.test(address);
}

/** The highest address of an IPv4 subnet. */
function broadcastOf(address: string, prefixLength: number): string {
  return address
    .split(".")
    .map((part, position) => Number(part) | (0xff >> Math.min(Math.max(prefixLength - 8 * position, 0), 8)))
    .join(".");
}

const decodeSeen = addressDecoder("address", "local", "broadcast", "flags", "protocol");

type Seen = ReturnType<typeof decodeSeen>;

/** An address and whose it is; undefined for a message that is about something else. */
function addressOf(received: Buffer): { ifindex: number; address: Address } | undefined {
  const message = decodeSeen(received);
  const { type, header, attributes } = message;
  // On a point-to-point address IFA_ADDRESS is the peer; IFA_LOCAL is ours where it is given.
  const { local, address: prefix, broadcast } = attributes;
  const text = local ?? prefix;
  if (type !== RTM.NEWADDR || text === undefined) return undefined;
  const narrow = header.family === AF.INET;
  const address = {
    cidr: `${narrow ? text : canonicalAddress(text)}/${header.prefixLength}`,
    peer: narrow && local !== undefined && prefix !== local ? prefix : undefined,
    broadcast,
    kernelMade: isKernelMade(message),
    secondary: narrow && ((attributes.flags ?? header.flags) & IFA_F.SECONDARY) !== 0,
    // A copy: the message is a part of its dump, all of which would stay in memory with it.
    received: Buffer.from(received),
  };
  return { ifindex: header.index, address };
}

function tableOf(found: readonly { ifindex: number; address: Address }[]): AddressTable {
  const table = new Map<number, Address[]>();
  for (const { ifindex, address } of found) {
    const list = table.get(ifindex);
    if (list) list.push(address);
    else table.set(ifindex, [address]);
  }
  return table;
}

/** IFAPROT_KERNEL_* of linux/if_addr.h; kernels before 5.18 do not tell, so these are also known by their looks. */
function isKernelMade({ header, attributes }: Seen): boolean {
  const { protocol, flags = header.flags } = attributes;
  if (protocol !== undefined && protocol >= 1 && protocol <= 3) return true;
  if (header.family !== AF.INET6) return false;
  const linkLocal = header.scope === RT_SCOPE.LINK && (attributes.address ?? "").startsWith("fe80:");
  return linkLocal || (flags & IFA_F.PERMANENT) === 0;
}

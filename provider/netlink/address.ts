/** IP addresses of links: RTM_*ADDR, struct ifaddrmsg and IFA_* of linux/if_addr.h. */

import { only, table, type Values } from "./attribute";
import { decodeMessage, encodeMessage, type Family } from "./family";
import { type FieldValues, layout } from "./layout";
import { type Message, type RawAttribute, RTM } from "./message";
import { ip, s32, string, struct, u8, u32 } from "./value";

/** IFA_F_*, the flags of an address, linux/if_addr.h. */
export const IFA_F = {
  /** IPv4: not the first of its subnet. IPv6: temporary. */
  SECONDARY: 1,
  TEMPORARY: 1,
  NODAD: 2,
  OPTIMISTIC: 4,
  DADFAILED: 8,
  HOMEADDRESS: 0x10,
  DEPRECATED: 0x20,
  TENTATIVE: 0x40,
  PERMANENT: 0x80,
  MANAGETEMPADDR: 0x100,
  NOPREFIXROUTE: 0x200,
  MCAUTOJOIN: 0x400,
  STABLE_PRIVACY: 0x800,
} as const;

/** struct ifaddrmsg. */
const addressHeader = layout(8, {
  /** AF_INET 2, AF_INET6 10. */
  family: ["u8", 0],
  prefixLength: ["u8", 1],
  /** The low 8 bits of IFA_F_*; the attribute `flags` has all and wins. */
  flags: ["u8", 2],
  /** RT_SCOPE_* of linux/rtnetlink.h: 0 universe, 253 link, 254 host. */
  scope: ["u8", 3],
  /** ifindex. */
  index: ["u32", 4],
});

/**
 * struct ifa_cacheinfo. `preferred` and `valid` are seconds left, 0xffffffff for ever; `created` and `updated` are
 * hundredths of a second since boot.
 */
const cacheinfo = layout(16, {
  preferred: ["u32", 0],
  valid: ["u32", 4],
  created: ["u32", 8],
  updated: ["u32", 12],
});

const addressTable = table("address", {
  /** The prefix's address; on point-to-point links the peer's. */
  address: [1, ip],
  /** The link's own address; IPv6 gives it only where there is a peer. */
  local: [2, ip],
  /** IPv4 only; begins with the link's name. */
  label: [3, string(15)],
  broadcast: [4, ip],
  anycast: [5, ip],
  cacheinfo: [6, struct(cacheinfo)],
  multicast: [7, ip],
  /** IFA_F_* */
  flags: [8, u32],
  /** Metric of the prefix route. */
  routePriority: [9, u32],
  targetNetnsid: [10, s32],
  /** IFAPROT_*: who set it; 0 unspecified, 1 loopback, 2 router advertisement, 3 link-local, the rest free. */
  protocol: [11, u8],
});

export type AddressHeader = FieldValues<typeof addressHeader.shape>;
export type AddressAttributes = Values<typeof addressTable.rows>;

export const addressFamily = {
  types: [RTM.NEWADDR, RTM.DELADDR, RTM.GETADDR],
  header: addressHeader,
  attributes: addressTable,
} satisfies Family<typeof addressHeader.shape, typeof addressTable.rows>;

/** One message about an address: struct nlmsghdr, struct ifaddrmsg, IFA_*. Throws INVALID_INPUT; see `encodeLink`. */
export function encodeAddress(
  type: number,
  flags: number,
  header: Partial<AddressHeader>,
  attributes?: Partial<AddressAttributes>,
  unknown?: readonly RawAttribute[],
): Buffer {
  return encodeMessage(addressFamily, type, flags, header, attributes, unknown);
}

/** As `decodeAddress`, but of these attributes alone; what else the message has is passed over. */
export function addressDecoder<const K extends keyof AddressAttributes & string>(...names: K[]) {
  const family = { ...addressFamily, attributes: only(addressTable, names) };
  return (message: Buffer) => decodeMessage(family, message);
}

/** Reads one message about an address; throws MALFORMED_MESSAGE. */
export function decodeAddress(message: Buffer): Message<AddressHeader, AddressAttributes> {
  return decodeMessage(addressFamily, message);
}

/** Neighbours and forwarding entries (FDB): RTM_*NEIGH, struct ndmsg and NDA_* of linux/neighbour.h. */

import { table, type Values } from "./attribute";
import { decodeMessage, encodeMessage, type Family } from "./family";
import { type FieldValues, layout } from "./layout";
import { type Message, type RawAttribute, RTM } from "./message";
import { binary, ip, mac, s32, struct, u8, u16, u16be, u32 } from "./value";

/** NUD_*, the state of an entry. */
export const NUD = { REACHABLE: 2, STALE: 4, NOARP: 0x40, PERMANENT: 0x80 } as const;

/** NTF_*: whose table is meant, the link's own or that of the bridge that it is a port of. */
export const NTF = { SELF: 2, MASTER: 4 } as const;

/** struct ndmsg. */
const neighbourHeader = layout(12, {
  /** AF_INET 2, AF_INET6 10, AF_BRIDGE 7. */
  family: ["u8", 0],
  /** ifindex. */
  index: ["s32", 4],
  /** NUD_* */
  state: ["u16", 8],
  /** NTF_* */
  flags: ["u8", 10],
  /** RTN_* */
  type: ["u8", 11],
});

/** struct nda_cacheinfo. Times are in hundredths of a second. */
const cacheinfo = layout(16, {
  confirmed: ["u32", 0],
  used: ["u32", 4],
  updated: ["u32", 8],
  references: ["u32", 12],
});

const neighbourTable = table("neighbour", {
  /** Of a neighbour, its address; of a VXLAN forwarding entry, that of the other tunnel end. */
  destination: [1, ip],
  linkAddress: [2, mac],
  cacheinfo: [3, struct(cacheinfo)],
  probes: [4, u32],
  vlan: [5, u16],
  /** UDP port at the other tunnel end, where it is not that of the link. */
  port: [6, u16be],
  /** VNI at the other tunnel end, where it is not that of the link. */
  vni: [7, u32],
  /** ifindex of the link by which it is reached, where it is given. */
  interface: [8, u32],
  /** ifindex of the bridge. */
  master: [9, u32],
  linkNetnsid: [10, s32],
  sourceVni: [11, u32],
  /** RTPROT_* */
  protocol: [12, u8],
  /** A next hop object. */
  nextHopId: [13, u32],
  /** A nest, not looked into. */
  fdbAttributes: [14, binary],
  /** NTF_EXT_* */
  flagsExt: [15, u32],
  stateMask: [16, u16],
  flagsMask: [17, u8],
});

export type NeighbourHeader = FieldValues<typeof neighbourHeader.shape>;
export type NeighbourAttributes = Values<typeof neighbourTable.rows>;

export const neighbourFamily = {
  types: [RTM.NEWNEIGH, RTM.DELNEIGH, RTM.GETNEIGH],
  header: neighbourHeader,
  attributes: neighbourTable,
} satisfies Family<typeof neighbourHeader.shape, typeof neighbourTable.rows>;

/** One message about a neighbour: struct nlmsghdr, struct ndmsg, NDA_*. Throws INVALID_INPUT; see `encodeLink`. */
export function encodeNeighbour(
  type: number,
  flags: number,
  header: Partial<NeighbourHeader>,
  attributes?: Partial<NeighbourAttributes>,
  unknown?: readonly RawAttribute[],
): Buffer {
  return encodeMessage(neighbourFamily, type, flags, header, attributes, unknown);
}

/** Reads one message about a neighbour; throws MALFORMED_MESSAGE. */
export function decodeNeighbour(message: Buffer): Message<NeighbourHeader, NeighbourAttributes> {
  return decodeMessage(neighbourFamily, message);
}

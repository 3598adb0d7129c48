/** Links as a bridge sees them: RTM_*LINK of family AF_BRIDGE, whose IFLA_AF_SPEC holds IFLA_BRIDGE_* (linux/if_bridge.h). */

import { list, nested, table, type Values } from "./attribute";
import { integers } from "./bytes";
import { decodeMessage, encodeMessage, type Family } from "./family";
import { layout } from "./layout";
import { type LinkHeader, linkFamily } from "./link";
import { AF, type Message, NLM_F, RTM } from "./message";
import { binary, struct, u16, u32 } from "./value";

/** RTEXT_FILTER_BRVLAN_COMPRESSED (linux/rtnetlink.h): a dump shows VLANs, runs of alike ones as two entries. */
export const RTEXT_FILTER_BRVLAN_COMPRESSED = 4;

/** BRIDGE_VLAN_INFO_*. A run of VLANs is two entries, its first and its last. */
export const VLAN_INFO = { PVID: 2, UNTAGGED: 4, RANGE_BEGIN: 8, RANGE_END: 0x10 } as const;

/** struct bridge_vlan_info. */
const vlanInfo = struct(layout(4, { flags: ["u16", 0], vid: ["u16", 2] }));

const specTable = table("link.afSpec", {
  /** BRIDGE_FLAGS_*: the bridge, or the link itself. */
  flags: [0, u16],
  mode: [1, u16],
  vlanInfo: [2, list(vlanInfo)],
  vlanTunnelInfo: [3, binary],
  mrp: [4, binary],
  cfm: [5, binary],
  mst: [6, binary],
});

const bridgeLinkTable = table("link", {
  address: linkFamily.attributes.rows.address,
  ifname: linkFamily.attributes.rows.ifname,
  mtu: linkFamily.attributes.rows.mtu,
  link: linkFamily.attributes.rows.link,
  master: linkFamily.attributes.rows.master,
  protinfo: linkFamily.attributes.rows.protinfo,
  operstate: linkFamily.attributes.rows.operstate,
  afSpec: [26, nested(specTable)],
  extMask: [29, u32],
});

export type BridgeLinkAttributes = Values<typeof bridgeLinkTable.rows>;

export const bridgeLinkFamily = {
  types: linkFamily.types,
  header: linkFamily.header,
  attributes: bridgeLinkTable,
} satisfies Family<typeof linkFamily.header.shape, typeof bridgeLinkTable.rows>;

/** One message about a link of a bridge: struct nlmsghdr, struct ifinfomsg, IFLA_*. Throws INVALID_INPUT; see `encodeLink`. */
export function encodeBridgeLink(
  type: number,
  flags: number,
  header: Partial<LinkHeader>,
  attributes?: Partial<BridgeLinkAttributes>,
): Buffer {
  return encodeMessage(bridgeLinkFamily, type, flags, header, attributes);
}

/** Reads one message about a link of a bridge; throws MALFORMED_MESSAGE. */
export function decodeBridgeLink(message: Buffer): Message<LinkHeader, BridgeLinkAttributes> {
  return decodeMessage(bridgeLinkFamily, message);
}

/** RTM_GETVLAN: struct br_vlan_msg. Its answers are not read here: that there are any tells that the kernel knows VLANs. */
const vlanFamily = {
  types: [RTM.GETVLAN],
  header: layout(8, { family: ["u8", 0], index: ["u32", 4] }),
  attributes: table("vlan", {}),
} satisfies Family;

/** A dump request for the VLANs of all ports. */
export function encodeVlanQuery(): Buffer {
  return encodeMessage(vlanFamily, RTM.GETVLAN, NLM_F.REQUEST | NLM_F.DUMP, { family: AF.BRIDGE });
}

/** IFLA_AF_SPEC of an ordinary link message, with an empty nest for the family of bridges. */
export function emptyBridgeSpec(): Buffer {
  const bytes = Buffer.alloc(4);
  integers.u16.write(bytes, 0, bytes.length);
  integers.u16.write(bytes, 2, AF.BRIDGE);
  return bytes;
}

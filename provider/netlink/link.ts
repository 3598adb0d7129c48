/** Links: RTM_*LINK and RTM_*LINKPROP, struct ifinfomsg (linux/rtnetlink.h), IFLA_* (linux/if_link.h). */

import { list, NLA_F_NESTED, nested, only, table, type Values, variant } from "./attribute";
import { bridgePortTable, bridgeTable } from "./bridge";
import { decodeMessage, encodeMessage, type Family } from "./family";
import type { FieldValues } from "./layout";
import { linkHeader } from "./link-header";
import { type Message, type RawAttribute, RTM } from "./message";
import { tunTable } from "./tun";
import { binary, mac, s32, string, text, u8, u16, u32 } from "./value";
import { vethTable } from "./veth";
import { vxlanTable } from "./vxlan";

/** IFF_*, the flags of a link, linux/if.h. */
export const IFF = {
  UP: 1,
  BROADCAST: 2,
  DEBUG: 4,
  LOOPBACK: 8,
  POINTOPOINT: 0x10,
  NOTRAILERS: 0x20,
  RUNNING: 0x40,
  NOARP: 0x80,
  PROMISC: 0x100,
  ALLMULTI: 0x200,
  MASTER: 0x400,
  SLAVE: 0x800,
  MULTICAST: 0x1000,
  PORTSEL: 0x2000,
  AUTOMEDIA: 0x4000,
  DYNAMIC: 0x8000,
  LOWER_UP: 0x10000,
  DORMANT: 0x20000,
  ECHO: 0x40000,
} as const;

/** IFLA_INFO_*. Data of kinds and slave kinds without a table here is a Buffer. */
const linkinfoTable = table("link.linkinfo", {
  kind: [1, string()],
  data: [2, variant("kind", { tun: tunTable, bridge: bridgeTable, veth: vethTable, vxlan: vxlanTable })],
  xstats: [3, binary],
  slaveKind: [4, string()],
  slaveData: [5, variant("slaveKind", { bridge: bridgePortTable })],
});

const propListTable = table("link.propList", {
  /** Alternative names, at most 127 bytes each (ALTIFNAMSIZ 128). */
  altIfname: [53, list(string(127))],
});

const linkTable = table("link", {
  /** Empty for links without one, such as tun. */
  address: [1, mac],
  broadcast: [2, mac],
  /** At most 15 bytes (IFNAMSIZ 16). */
  ifname: [3, string(15)],
  /** Bytes. */
  mtu: [4, u32],
  /** ifindex of the link below; in namespace `linkNetnsid` where that is given. */
  link: [5, u32],
  qdisc: [6, string()],
  stats: [7, binary],
  /** ifindex of the bridge or bond; 0 takes the link out. */
  master: [10, u32],
  wireless: [11, binary],
  protinfo: [12, binary],
  /** Packets. */
  txqlen: [13, u32],
  map: [14, binary],
  weight: [15, u32],
  /** IF_OPER_*, RFC 2863: 0 unknown, 2 down, 6 up. */
  operstate: [16, u8],
  linkmode: [17, u8],
  linkinfo: [18, nested(linkinfoTable)],
  /** A process whose network namespace is meant. */
  netNsPid: [19, u32],
  /** At most 255 bytes; empty removes it. */
  ifalias: [20, text(255)],
  numVf: [21, u32],
  vfinfoList: [22, binary],
  stats64: [23, binary],
  vfPorts: [24, binary],
  portSelf: [25, binary],
  /** Per address family (sysctls, address generation). */
  afSpec: [26, binary],
  /** Any number; 0 is the default group. */
  group: [27, u32],
  /** A descriptor of the sender that stands for a network namespace. */
  netNsFd: [28, u32],
  /** RTEXT_FILTER_*: what a dump should include. */
  extMask: [29, u32],
  promiscuity: [30, u32],
  numTxQueues: [31, u32],
  numRxQueues: [32, u32],
  carrier: [33, u8],
  physPortId: [34, binary],
  carrierChanges: [35, u32],
  physSwitchId: [36, binary],
  /** Id of the namespace of `link`. */
  linkNetnsid: [37, s32],
  physPortName: [38, string()],
  protoDown: [39, u8],
  gsoMaxSegs: [40, u32],
  /** Bytes. */
  gsoMaxSize: [41, u32],
  xdp: [43, binary],
  /** IFLA_EVENT_*: why a notification was sent. */
  event: [44, u32],
  /** Id of the namespace into which the link moved. */
  newNetnsid: [45, s32],
  /** Id of the namespace in which a request acts. */
  targetNetnsid: [46, s32],
  carrierUpCount: [47, u32],
  carrierDownCount: [48, u32],
  newIfindex: [49, s32],
  /** Bytes. */
  minMtu: [50, u32],
  /** Bytes; 0 where the driver states none. */
  maxMtu: [51, u32],
  propList: [52, nested(propListTable), NLA_F_NESTED],
  /** Outside `propList`: selects a link in RTM_GETLINK and the like. */
  altIfname: [53, string(127)],
  permAddress: [54, mac],
  protoDownReason: [55, binary, NLA_F_NESTED],
  parentDevName: [56, string()],
  parentDevBusName: [57, string()],
  groMaxSize: [58, u32],
  tsoMaxSize: [59, u32],
  tsoMaxSegs: [60, u32],
  allmulti: [61, u32],
  devlinkPort: [62, binary, NLA_F_NESTED],
  gsoIpv4MaxSize: [63, u32],
  groIpv4MaxSize: [64, u32],
  dpllPin: [65, binary, NLA_F_NESTED],
  /** 4 or 8 bytes, as the value needs. */
  maxPacingOffloadHorizon: [66, binary],
  /** 1 where the link cannot leave its namespace. */
  netnsImmutable: [67, u8],
  /** Bytes. */
  headroom: [68, u16],
  tailroom: [69, u16],
});

export type LinkHeader = FieldValues<typeof linkHeader.shape>;
export type LinkAttributes = Values<typeof linkTable.rows>;

export const linkFamily = {
  types: [
    RTM.NEWLINK,
    RTM.DELLINK,
    RTM.GETLINK,
    RTM.SETLINK,
    RTM.NEWLINKPROP,
    RTM.DELLINKPROP,
    RTM.GETLINKPROP,
  ],
  header: linkHeader,
  attributes: linkTable,
} satisfies Family<typeof linkHeader.shape, typeof linkTable.rows>;

/**
 * One message about a link: struct nlmsghdr, struct ifinfomsg, IFLA_*. Header fields not given are 0; so are sequence
 * and port, for the transport to fill in. A value that cannot be encoded throws INVALID_INPUT.
 */
export function encodeLink(
  type: number,
  flags: number,
  header: Partial<LinkHeader>,
  attributes?: Partial<LinkAttributes>,
  unknown?: readonly RawAttribute[],
): Buffer {
  return encodeMessage(linkFamily, type, flags, header, attributes, unknown);
}

/** As `decodeLink`, but of these attributes alone; what else the message has is passed over. */
export function linkDecoder<const K extends keyof LinkAttributes & string>(
  names: readonly K[],
  /** Of a bridge's port, of which the kernel tells 40. */
  portNames: readonly (keyof typeof bridgePortTable.rows)[],
) {
  const slaveData = variant("slaveKind", { bridge: only(bridgePortTable, portNames) });
  const linkinfo = table(linkinfoTable.name, {
    ...linkinfoTable.rows,
    slaveData: [linkinfoTable.rows.slaveData[0], slaveData],
  });
  const attributes = table(linkTable.name, {
    ...linkTable.rows,
    linkinfo: [linkTable.rows.linkinfo[0], nested(linkinfo)],
  });
  const family = { ...linkFamily, attributes: only(attributes, names) };
  return (message: Buffer) => decodeMessage(family, message);
}

/** Reads one message about a link; throws MALFORMED_MESSAGE. Buffers in the result are views of `message`. */
export function decodeLink(message: Buffer): Message<LinkHeader, LinkAttributes> {
  return decodeMessage(linkFamily, message);
}

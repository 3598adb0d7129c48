/** IFLA_INFO_DATA of kind `vxlan`, IFLA_VXLAN_* of linux/if_link.h. Switches are 0 or 1 unless said otherwise. */

import { type NestedValues, table } from "./attribute";
import { layout } from "./layout";
import { binary, flag, ip, struct, u8, u16be, u32 } from "./value";

/** struct ifla_vxlan_port_range. */
const portRange = struct(layout(4, { low: ["u16be", 0], high: ["u16be", 2] }));

export const vxlanTable = table("vxlan", {
  /** The VNI, 24 bits. */
  id: [1, u32],
  /** Where frames for unknown addresses go, a group or one host; 0.0.0.0 is nowhere. IPv4. */
  group: [2, ip],
  /** ifindex of the link by which packets leave, in the namespace in which it was made. */
  link: [3, u32],
  /** Source address. IPv4. */
  local: [4, ip],
  /** 0: that of the route, and 1 for groups. */
  ttl: [5, u8],
  tos: [6, u8],
  learning: [7, u8],
  /** Seconds; 0 is taken for the kernel's 300. */
  ageing: [8, u32],
  /** 0: unlimited. */
  limit: [9, u32],
  /** UDP source ports; both 0: by a hash of the flow. */
  portRange: [10, portRange],
  proxy: [11, u8],
  rsc: [12, u8],
  l2miss: [13, u8],
  l3miss: [14, u8],
  /** UDP destination port. */
  port: [15, u16be],
  /** As `group`, of IPv6. */
  group6: [16, ip],
  /** As `local`, of IPv6. */
  local6: [17, ip],
  udpCsum: [18, u8],
  udpZeroCsum6Tx: [19, u8],
  udpZeroCsum6Rx: [20, u8],
  remcsumTx: [21, u8],
  remcsumRx: [22, u8],
  gbp: [23, flag],
  remcsumNopartial: [24, flag],
  collectMetadata: [25, u8],
  /** IPv6 flow label, in network byte order. */
  label: [26, binary],
  gpe: [27, flag],
  /** A flag where it is set; the kernel reports a byte. */
  ttlInherit: [28, binary],
  /** VXLAN_DF_*: 0 unset, 1 set, 2 as the inner packet. */
  df: [29, u8],
  vniFilter: [30, u8],
  localBypass: [31, u8],
  labelPolicy: [32, u32],
  /** Which bits of the VXLAN header must be 0. */
  reservedBits: [33, binary],
  mcRoute: [34, u8],
});

export type VxlanData = NestedValues<typeof vxlanTable.rows>;

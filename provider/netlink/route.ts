/** Routes: RTM_*ROUTE, struct rtmsg, RTA_* and RTAX_* of linux/rtnetlink.h. */

import { nested, only, table, type Values } from "./attribute";
import { decodeMessage, encodeMessage, type Family } from "./family";
import { type FieldValues, layout } from "./layout";
import { type Message, type RawAttribute, RTM } from "./message";
import { binary, ip, string, struct, u8, u16, u16be, u32 } from "./value";

/** RTN_*, the type of a route. */
export const RTN = { UNICAST: 1, BLACKHOLE: 6, UNREACHABLE: 7, PROHIBIT: 8 } as const;

/** RT_SCOPE_*, how far away a destination is. */
export const RT_SCOPE = { UNIVERSE: 0, SITE: 200, LINK: 253, HOST: 254, NOWHERE: 255 } as const;

/** RT_TABLE_* */
export const RT_TABLE = { UNSPEC: 0, MAIN: 254 } as const;

/** RTNH_F_*, flags of a next hop; those of a route with one next hop stand in its header. */
export const RTNH_F = { ONLINK: 4 } as const;

/** struct rtmsg. */
const routeHeader = layout(12, {
  /** AF_INET 2, AF_INET6 10; a dump of all families has others, too. */
  family: ["u8", 0],
  destinationLength: ["u8", 1],
  sourceLength: ["u8", 2],
  tos: ["u8", 3],
  /** Of a number beyond 255, the attribute `table` has it. */
  table: ["u8", 4],
  /** RTPROT_*: who made it. */
  protocol: ["u8", 5],
  /** RT_SCOPE_* */
  scope: ["u8", 6],
  /** RTN_* */
  type: ["u8", 7],
  /** RTM_F_* and RTNH_F_* */
  flags: ["u32", 8],
});

/** RTAX_*: what connections over the route start from. */
const metricsTable = table("route.metrics", {
  /** Bits by number of those that path discovery must not change. */
  lock: [1, u32],
  /** Bytes. */
  mtu: [2, u32],
  window: [3, u32],
  rtt: [4, u32],
  rttVariance: [5, u32],
  ssthresh: [6, u32],
  cwnd: [7, u32],
  advmss: [8, u32],
  reordering: [9, u32],
  hopLimit: [10, u32],
  initCwnd: [11, u32],
  features: [12, u32],
  rtoMin: [13, u32],
  initRwnd: [14, u32],
  quickAck: [15, u32],
  congestionControl: [16, string(15)],
  fastOpenNoCookie: [17, u32],
});

/** struct rta_cacheinfo. */
const cacheinfo = layout(32, {
  references: ["u32", 0],
  lastUse: ["u32", 4],
  /** Hundredths of a second left. */
  expires: ["s32", 8],
  error: ["u32", 12],
  used: ["u32", 16],
  id: ["u32", 20],
  timestamp: ["u32", 24],
  timestampAge: ["u32", 28],
});

const routeTable = table("route", {
  /** Absent for the default route. */
  destination: [1, ip],
  source: [2, ip],
  /** ifindex. */
  inInterface: [3, u32],
  /** ifindex. */
  outInterface: [4, u32],
  gateway: [5, ip],
  /** The metric: of several routes, the lowest is used. */
  priority: [6, u32],
  preferredSource: [7, ip],
  metrics: [8, nested(metricsTable)],
  /** Several next hops, each a struct rtnexthop with attributes. */
  multipath: [9, binary],
  flow: [11, u32],
  cacheinfo: [12, struct(cacheinfo)],
  table: [15, u32],
  mark: [16, u32],
  multicastStatistics: [17, binary],
  /** A next hop of another family than the destination's: struct rtvia. */
  via: [18, binary],
  newDestination: [19, binary],
  /** ICMPV6_ROUTER_PREF_* */
  preference: [20, u8],
  encapsulationType: [21, u16],
  encapsulation: [22, binary],
  /** Seconds. */
  expires: [23, u32],
  uid: [25, u32],
  ttlPropagate: [26, u8],
  ipProtocol: [27, u8],
  sourcePort: [28, u16be],
  destinationPort: [29, u16be],
  /** A next hop object of its own. */
  nextHopId: [30, u32],
});

export type RouteHeader = FieldValues<typeof routeHeader.shape>;
export type RouteAttributes = Values<typeof routeTable.rows>;

export const routeFamily = {
  types: [RTM.NEWROUTE, RTM.DELROUTE, RTM.GETROUTE],
  header: routeHeader,
  attributes: routeTable,
} satisfies Family<typeof routeHeader.shape, typeof routeTable.rows>;

/** One message about a route: struct nlmsghdr, struct rtmsg, RTA_*. Throws INVALID_INPUT; see `encodeLink`. */
export function encodeRoute(
  type: number,
  flags: number,
  header: Partial<RouteHeader>,
  attributes?: Partial<RouteAttributes>,
  unknown?: readonly RawAttribute[],
): Buffer {
  return encodeMessage(routeFamily, type, flags, header, attributes, unknown);
}

/** As `decodeRoute`, of these attributes only: a host may have hundreds of thousands of routes. */
export function routeDecoder<const K extends keyof RouteAttributes & string>(...names: K[]) {
  const family = { ...routeFamily, attributes: only(routeTable, names) };
  return (message: Buffer) => decodeMessage(family, message);
}

/** Reads one message about a route; throws MALFORMED_MESSAGE. */
export function decodeRoute(message: Buffer): Message<RouteHeader, RouteAttributes> {
  return decodeMessage(routeFamily, message);
}

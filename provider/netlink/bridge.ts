/**
 * IFLA_INFO_DATA of kind `bridge` (IFLA_BR_*) and IFLA_INFO_SLAVE_DATA of its ports (IFLA_BRPORT_*), linux/if_link.h.
 * Times are in hundredths of a second; switches are 0 or 1 unless said otherwise.
 */

import { type NestedValues, table } from "./attribute";
import { layout } from "./layout";
import { binary, flag, mac, struct, u8, u16, u16be, u32, u64 } from "./value";

/** struct br_boolopt_multi, linux/if_bridge.h: bit n of `mask` says that bit n of `value` counts. */
const boolopt = struct(layout(8, { value: ["u32", 0], mask: ["u32", 4] }));

export const bridgeTable = table("bridge", {
  forwardDelay: [1, u32],
  helloTime: [2, u32],
  maxAge: [3, u32],
  ageingTime: [4, u32],
  /** 0 off, 1 kernel STP, 2 user-space STP. */
  stpState: [5, u32],
  priority: [6, u16],
  vlanFiltering: [7, u8],
  /** An EtherType, 0x8100 or 0x88a8. */
  vlanProtocol: [8, u16be],
  /** Mask of the link-local groups 01:80:c2:00:00:0X that are forwarded. */
  groupFwdMask: [9, u16],
  /** struct ifla_bridge_id: priority, then MAC. */
  rootId: [10, binary],
  bridgeId: [11, binary],
  rootPort: [12, u16],
  rootPathCost: [13, u32],
  topologyChange: [14, u8],
  topologyChangeDetected: [15, u8],
  helloTimer: [16, u64],
  tcnTimer: [17, u64],
  topologyChangeTimer: [18, u64],
  gcTimer: [19, u64],
  groupAddress: [20, mac],
  fdbFlush: [21, flag],
  /** 0 never, 1 as learned, 2 always. */
  mcastRouter: [22, u8],
  mcastSnooping: [23, u8],
  mcastQueryUseIfaddr: [24, u8],
  mcastQuerier: [25, u8],
  mcastHashElasticity: [26, u32],
  mcastHashMax: [27, u32],
  mcastLastMemberCount: [28, u32],
  mcastStartupQueryCount: [29, u32],
  mcastLastMemberInterval: [30, u64],
  mcastMembershipInterval: [31, u64],
  mcastQuerierInterval: [32, u64],
  mcastQueryInterval: [33, u64],
  mcastQueryResponseInterval: [34, u64],
  mcastStartupQueryInterval: [35, u64],
  nfCallIptables: [36, u8],
  nfCallIp6tables: [37, u8],
  nfCallArptables: [38, u8],
  vlanDefaultPvid: [39, u16],
  vlanStatsEnabled: [41, u8],
  mcastStatsEnabled: [42, u8],
  mcastIgmpVersion: [43, u8],
  mcastMldVersion: [44, u8],
  vlanStatsPerPort: [45, u8],
  multiBoolopt: [46, boolopt],
  /** A nest, not looked into. */
  mcastQuerierState: [47, binary],
  fdbLearnedCount: [48, u32],
  /** 0: unlimited. */
  fdbMaxLearned: [49, u32],
});

export type BridgeData = NestedValues<typeof bridgeTable.rows>;

export const bridgePortTable = table("bridge-port", {
  /** BR_STATE_*: 0 disabled, 1 listening, 2 learning, 3 forwarding, 4 blocking. */
  state: [1, u8],
  priority: [2, u16],
  cost: [3, u32],
  /** Hairpin: frames may leave where they came in. */
  mode: [4, u8],
  guard: [5, u8],
  /** Root block. */
  protect: [6, u8],
  fastLeave: [7, u8],
  learning: [8, u8],
  unicastFlood: [9, u8],
  proxyArp: [10, u8],
  learningSync: [11, u8],
  proxyArpWifi: [12, u8],
  rootId: [13, binary],
  bridgeId: [14, binary],
  designatedPort: [15, u16],
  designatedCost: [16, u16],
  id: [17, u16],
  number: [18, u16],
  topologyChangeAck: [19, u8],
  configPending: [20, u8],
  messageAgeTimer: [21, u64],
  forwardDelayTimer: [22, u64],
  holdTimer: [23, u64],
  flush: [24, flag],
  multicastRouter: [25, u8],
  mcastFlood: [27, u8],
  mcastToUnicast: [28, u8],
  vlanTunnel: [29, u8],
  bcastFlood: [30, u8],
  groupFwdMask: [31, u16],
  neighSuppress: [32, u8],
  isolated: [33, u8],
  /** ifindex. */
  backupPort: [34, u32],
  mrpRingOpen: [35, u8],
  mrpInOpen: [36, u8],
  mcastEhtHostsLimit: [37, u32],
  mcastEhtHostsCount: [38, u32],
  locked: [39, u8],
  macAuthBypass: [40, u8],
  mcastGroups: [41, u32],
  mcastMaxGroups: [42, u32],
  neighVlanSuppress: [43, u8],
  backupNexthopId: [44, u32],
});

export type BridgePortData = NestedValues<typeof bridgePortTable.rows>;

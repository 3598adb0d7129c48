/** IFLA_INFO_DATA of kind `tun`, IFLA_TUN_* of linux/if_link.h. The kernel only reports it: it is never sent. */

import { type NestedValues, table } from "./attribute";
import { u8, u32 } from "./value";

export const tunTable = table("tun", {
  /** uid; absent where none is set. */
  owner: [1, u32],
  /** gid; absent where none is set. */
  group: [2, u32],
  /** 1 tun, 2 tap (IFF_TUN, IFF_TAP of linux/if_tun.h). */
  type: [3, u8],
  /** 1 where packets are preceded by struct tun_pi. */
  pi: [4, u8],
  /** 1 where packets are preceded by struct virtio_net_hdr. */
  vnetHdr: [5, u8],
  /** 1 where the link outlives its last descriptor. */
  persist: [6, u8],
  /** 1 where several descriptors may be attached. */
  multiQueue: [7, u8],
  /** Attached queues; reported for multi-queue links only. */
  numQueues: [8, u32],
  /** Queues that are held but detached; reported for multi-queue links only. */
  numDisabledQueues: [9, u32],
});

export type TunData = NestedValues<typeof tunTable.rows>;

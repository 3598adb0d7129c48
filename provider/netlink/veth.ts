/** IFLA_INFO_DATA of kind `veth` (VETH_INFO_*), linux/veth.h: only in requests, the kernel shows none of it. */

import { headed, table } from "./attribute";
import { linkHeader } from "./link-header";
import { mac, string, u32 } from "./value";

/** IFLA_* of the other end, as far as they are of use when it is made. */
const peerTable = table("veth.peer", {
  address: [1, mac],
  /** At most 15 bytes (IFNAMSIZ 16). */
  ifname: [3, string(15)],
  /** Bytes. */
  mtu: [4, u32],
  /** A process in whose network namespace it shall be. */
  netNsPid: [19, u32],
  /** A descriptor of the sender that stands for that namespace. Without either it is where the message is sent. */
  netNsFd: [28, u32],
});

export const vethTable = table("veth", {
  peer: [1, headed(linkHeader, peerTable)],
});

import { layout } from "./layout";

/** struct ifinfomsg (linux/rtnetlink.h), with which every message about a link begins, and every peer of one. */
export const linkHeader = layout(16, {
  /** AF_UNSPEC 0, or AF_BRIDGE 7 for the bridge's own view. */
  family: ["u8", 0],
  /** ARPHRD_* of linux/if_arp.h: 1 Ethernet, 0xfffe none (tun), 772 loopback. */
  type: ["u16", 2],
  index: ["s32", 4],
  /** IFF_* */
  flags: ["u32", 8],
  /** Which bits of `flags` a request changes. */
  change: ["u32", 12],
});

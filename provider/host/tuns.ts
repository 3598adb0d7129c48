import { constants } from "node:os";
import type { TunResult } from "../kernel/kernel";
import type { Batch } from "./batch";
import { addAlternativeName, type Link } from "./links";

/** Of linux/if_tun.h; the same on every architecture. */
const IFF_TUN = 0x0001;
const IFF_TAP = 0x0002;
const IFF_MULTI_QUEUE = 0x0100;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;

export interface NewTun {
  name: string;
  mode: "tun" | "tap";
  /** uid; absent: anybody may attach. */
  owner?: number;
  /** gid; absent: anybody may attach. */
  group?: number;
  lease: string;
}

/** TUN and TAP interfaces: what only `/dev/net/tun` can do. */
export class Tuns {
  constructor(private readonly batch: Batch) {}

  /** Creates a persistent interface, down, without packet information; never one that exists (EBUSY). */
  create(namespace: string | undefined, tun: NewTun): Promise<TunResult> {
    return this.batch.tun(namespace, {
      operation: "create",
      name: tun.name,
      flags: (tun.mode === "tun" ? IFF_TUN : IFF_TAP) | IFF_NO_PI,
      // The kernel side fills in the ifindex.
      message: addAlternativeName(0, tun.lease),
      owner: tun.owner,
      group: tun.group,
      persist: true,
    });
  }

  /**
   * Sets owner, group or persistence of an existing interface, by attaching for a moment with the very flags it
   * has. A single-queue interface that a process holds gives EBUSY.
   */
  adjust(
    namespace: string | undefined,
    link: Link,
    wanted: { owner?: number; group?: number; persist?: boolean },
  ): Promise<TunResult> {
    const tun = link.tun;
    if (!tun) return Promise.resolve({ errno: constants.errno.EINVAL, step: "TUNSETIFF" });
    const flags =
      (tun.mode === "tun" ? IFF_TUN : IFF_TAP) |
      (tun.packetInformation ? 0 : IFF_NO_PI) |
      (tun.vnetHeader ? IFF_VNET_HDR : 0) |
      (tun.multiQueue ? IFF_MULTI_QUEUE : 0);
    return this.batch.tun(namespace, {
      operation: "attach",
      name: link.name,
      ifindex: link.ifindex,
      flags,
      ...wanted,
    });
  }
}

import { constants } from "node:os";
import { KeyedCollectors } from "../kernel/collector";
import type { HoldOperation, HoldResult, Kernel, NamespaceName, TunResult } from "../kernel/kernel";
import type { Batch } from "./batch";
import { addAlternativeName, type Link, type Tun } from "./links";

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
  /** IFF_MULTI_QUEUE: several descriptors may be attached. */
  multiQueue: boolean;
  /** Without IFF_NO_PI: packets are preceded by struct tun_pi. */
  packetInformation: boolean;
  /** IFF_VNET_HDR: packets are preceded by struct virtio_net_hdr. */
  vnetHeader: boolean;
  lease: string;
}

/** What only an attached descriptor can change. */
export interface TunChange {
  owner?: number;
  group?: number;
  persist?: boolean;
  packetInformation?: boolean;
  vnetHeader?: boolean;
}

/** TUN and TAP interfaces: what only `/dev/net/tun` can do. */
export class Tuns {
  private readonly holds: KeyedCollectors<NamespaceName, HoldOperation, HoldResult>;

  constructor(
    kernel: Kernel,
    private readonly batch: Batch,
  ) {
    this.holds = new KeyedCollectors((namespace, operations) => kernel.hold(namespace, operations));
  }

  /** Creates a persistent interface, down; never one that exists (EBUSY). */
  create(namespace: string | undefined, tun: NewTun): Promise<TunResult> {
    return this.batch.tun(namespace, {
      operation: "create",
      name: tun.name,
      flags: flagsOf(tun),
      // The kernel side fills in the ifindex.
      message: addAlternativeName(0, tun.lease),
      owner: tun.owner,
      group: tun.group,
      persist: true,
    });
  }

  /**
   * Changes an existing interface, by attaching for a moment with the very flags it has but for those to be
   * changed. A single-queue interface that a process holds gives EBUSY; one with several queues then keeps its flags.
   */
  adjust(namespace: string | undefined, link: Link, wanted: TunChange): Promise<TunResult> {
    if (!link.tun) return Promise.resolve({ errno: constants.errno.EINVAL, step: "TUNSETIFF" });
    const { packetInformation, vnetHeader, ...settings } = wanted;
    const { tun } = link;
    return this.batch.tun(namespace, {
      operation: "attach",
      name: link.name,
      ifindex: link.ifindex,
      flags: flagsOf({
        ...tun,
        packetInformation: packetInformation ?? tun.packetInformation,
        vnetHeader: vnetHeader ?? tun.vnetHeader,
      }),
      ...settings,
    });
  }

  /** Starts the process that keeps a multi-queue interface alive, unless it has one. */
  keep(namespace: string | undefined, link: Link, lease: string): Promise<HoldResult> {
    const { name, ifindex, tun } = link;
    const flags = tun ? flagsOf(tun) : 0;
    return this.holds.add(namespace, { operation: "start", name, ifindex, flags, lease });
  }

  /** Ends that process. */
  letGo(namespace: string | undefined, { name, ifindex }: Link): Promise<HoldResult> {
    return this.holds.add(namespace, { operation: "end", name, ifindex });
  }
}

function flagsOf(tun: Pick<Tun, "mode" | "multiQueue" | "packetInformation" | "vnetHeader">): number {
  return (
    (tun.mode === "tun" ? IFF_TUN : IFF_TAP) |
    (tun.packetInformation ? 0 : IFF_NO_PI) |
    (tun.vnetHeader ? IFF_VNET_HDR : 0) |
    (tun.multiQueue ? IFF_MULTI_QUEUE : 0)
  );
}

import { constants } from "node:os";
import { isTuntapError } from "../errors";
import { SharedDump } from "../kernel/dumps";
import type { Kernel, NamespaceName } from "../kernel/kernel";
import {
  decodeBridgeLink,
  emptyBridgeSpec,
  encodeBridgeLink,
  encodeVlanQuery,
  RTEXT_FILTER_BRVLAN_COMPRESSED,
  VLAN_INFO,
} from "../netlink/bridge-link";
import { AF, NLM_F, RTM, splitMessages } from "../netlink/message";
import { change } from "./batch";
import { type Link, type LinkTable, setLink } from "./links";
import { loopbackIndex } from "./namespaces";

/** Of one VLAN of a port. */
export interface VlanFlags {
  /** Untagged frames that come in are of this one. */
  pvid: boolean;
  /** Frames of it go out without a tag. */
  untagged: boolean;
}

/** The VLANs of a port, by number. */
export type PortVlans = ReadonlyMap<number, VlanFlags>;

/** A run of VLANs that are alike. */
export interface VlanRun extends VlanFlags {
  first: number;
  last: number;
}

/** The VLANs of the ports of a namespace, by ifindex. */
export type VlanTable = ReadonlyMap<number, PortVlans>;

export class Vlans {
  private readonly dump: SharedDump<VlanTable>;
  private known: Promise<boolean | undefined> | undefined;

  constructor(private readonly kernel: Kernel) {
    const request = encodeBridgeLink(
      RTM.GETLINK,
      NLM_F.REQUEST | NLM_F.DUMP,
      { family: AF.BRIDGE },
      { extMask: RTEXT_FILTER_BRVLAN_COMPRESSED },
    );
    this.dump = new SharedDump(kernel, request, decodeTable);
  }

  /** Errors: NAMESPACE_MISSING. */
  table(namespace: NamespaceName): Promise<VlanTable> {
    return this.dump.get(namespace);
  }

  /**
   * Those of one port; undefined where it is none, or the kernel has no VLAN filtering.
   * @param links those beside it.
   */
  async ofPort(namespace: NamespaceName, link: Link, links: LinkTable): Promise<PortVlans | undefined> {
    // Only a kernel with VLAN filtering tells the default of a bridge.
    const filters = links.at(link.master)?.bridge?.vlanDefaultPvid !== undefined;
    if (link.port === undefined || !filters) return undefined;
    return (await this.table(namespace)).get(link.ifindex) ?? new Map();
  }

  /**
   * Whether the kernel was built with VLAN filtering (CONFIG_BRIDGE_VLAN_FILTERING); undefined where that cannot be
   * told, because the bridge module is not loaded yet.
   */
  supported(): Promise<boolean | undefined> {
    this.known ??= this.ask().catch((error: unknown) => {
      this.known = undefined;
      throw error;
    });
    return this.known;
  }

  private async ask(): Promise<boolean | undefined> {
    try {
      await this.kernel.dump(undefined, encodeVlanQuery());
      return true;
    } catch (error) {
      if (!isTuntapError(error) || error.errno !== constants.errno.EOPNOTSUPP) throw error;
    }
    // Refused in any case, and so without effect: EAFNOSUPPORT while there is no bridge module, EOPNOTSUPP with one, as
    // nothing can be set in this way (validate_linkmsg() in net/core/rtnetlink.c).
    const probe = setLink(loopbackIndex, { afSpec: emptyBridgeSpec() });
    const [reply] = await this.kernel.request(undefined, [probe]);
    return reply?.errno === constants.errno.EOPNOTSUPP ? false : undefined;
  }
}

/** A message that gives VLANs to a port; of one that it has, the flags are set. The port may be on its bridge by now only. */
export function addVlans(ifindex: number, vlans: PortVlans): Buffer {
  return encode(RTM.SETLINK, ifindex, vlanRuns(vlans));
}

/** A message that takes VLANs off a port. */
export function removeVlans(ifindex: number, ids: Iterable<number>): Buffer {
  const plain = new Map([...ids].map((id) => [id, { pvid: false, untagged: false }]));
  return encode(RTM.DELLINK, ifindex, vlanRuns(plain));
}

function encode(type: number, index: number, runs: readonly VlanRun[]): Buffer {
  const vlanInfo = runs.flatMap(({ first, last, pvid, untagged }) => {
    const flags = (pvid ? VLAN_INFO.PVID : 0) | (untagged ? VLAN_INFO.UNTAGGED : 0);
    if (first === last) return [{ flags, vid: first }];
    return [
      { flags: flags | VLAN_INFO.RANGE_BEGIN, vid: first },
      { flags: flags | VLAN_INFO.RANGE_END, vid: last },
    ];
  });
  return encodeBridgeLink(type, change, { family: AF.BRIDGE, index }, { afSpec: { vlanInfo } });
}

/** Runs of VLANs with the same flags, by number. The kernel takes no run for that of untagged frames, which is one. */
export function vlanRuns(vlans: PortVlans): VlanRun[] {
  const runs: VlanRun[] = [];
  for (const [id, { pvid, untagged }] of [...vlans].sort(([one], [other]) => one - other)) {
    const last = runs.at(-1);
    if (last && last.last === id - 1 && !last.pvid && !pvid && last.untagged === untagged) last.last = id;
    else runs.push({ first: id, last: id, pvid, untagged });
  }
  return runs;
}

function decodeTable(bytes: Buffer): VlanTable {
  const table = new Map<number, PortVlans>();
  for (const raw of splitMessages(bytes)) {
    const { type, header, attributes } = decodeBridgeLink(raw);
    if (type !== RTM.NEWLINK) continue;
    const vlans = new Map<number, VlanFlags>();
    let first: number | undefined;
    for (const { flags, vid } of attributes.afSpec?.vlanInfo ?? []) {
      if (flags & VLAN_INFO.RANGE_BEGIN) {
        first = vid;
        continue;
      }
      const found = { pvid: (flags & VLAN_INFO.PVID) !== 0, untagged: (flags & VLAN_INFO.UNTAGGED) !== 0 };
      for (let id = first ?? vid; id <= vid; id++) vlans.set(id, found);
      first = undefined;
    }
    table.set(header.index, vlans);
  }
  return table;
}

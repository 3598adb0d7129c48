import { SharedDump } from "../kernel/dumps";
import type { Kernel, NamespaceName } from "../kernel/kernel";
import type { BridgePortData } from "../netlink/bridge";
import { encodeLink, linkDecoder } from "../netlink/link";
import { NLM_F, RTM, splitMessages } from "../netlink/message";
import { setLink, skipStatistics } from "./links";

/**
 * All that can be set of a bridge's port (br_setport() in net/bridge/br_netlink.c), in an order in which the kernel takes it:
 * `macAuthBypass` is for a port that learns and is locked, `backupNexthopId` for one with a backup. Not its state, which the
 * spanning tree and the carrier decide on.
 */
const settable = [
  "cost",
  "priority",
  "mode",
  "guard",
  "protect",
  "fastLeave",
  "learning",
  "unicastFlood",
  "mcastFlood",
  "bcastFlood",
  "mcastToUnicast",
  "multicastRouter",
  "mcastEhtHostsLimit",
  "mcastMaxGroups",
  "proxyArp",
  "proxyArpWifi",
  "neighSuppress",
  "neighVlanSuppress",
  "vlanTunnel",
  "groupFwdMask",
  "isolated",
  "locked",
  "macAuthBypass",
  "backupPort",
  "backupNexthopId",
] as const satisfies readonly (keyof BridgePortData)[];

/** Settings of a bridge's port; those that the kernel does not know are not there. */
export type PortSettings = Partial<Record<(typeof settable)[number], number>>;

const decode = linkDecoder(["linkinfo"], settable);

/** By ifindex. */
type PortTable = ReadonlyMap<number, PortSettings>;

/** All settings of bridges' ports, which are more than what is read of every link. */
export class Ports {
  private readonly dump: SharedDump<PortTable>;

  constructor(kernel: Kernel) {
    const request = encodeLink(RTM.GETLINK, NLM_F.REQUEST | NLM_F.DUMP, {}, { extMask: skipStatistics });
    this.dump = new SharedDump(kernel, request, decodeTable);
  }

  /** undefined for what is no port of a bridge. Errors: NAMESPACE_MISSING. */
  async settings(namespace: NamespaceName, ifindex: number): Promise<PortSettings | undefined> {
    return (await this.dump.get(namespace)).get(ifindex);
  }
}

function decodeTable(bytes: Buffer): PortTable {
  const table = new Map<number, PortSettings>();
  for (const { type, header, attributes } of splitMessages(bytes).map(decode)) {
    const { slaveKind, slaveData } = attributes.linkinfo ?? {};
    if (type === RTM.NEWLINK && slaveKind === "bridge" && slaveData)
      table.set(header.index, slaveData as PortSettings);
  }
  return table;
}

/** A message that sets some of them. */
export function setPort(ifindex: number, slaveData: PortSettings): Buffer {
  return setLink(ifindex, { linkinfo: { slaveKind: "bridge", slaveData } });
}

/** Messages that make the settings of a port what they were: one for each that is another now. */
export function portWrites(ifindex: number, now: PortSettings, then: PortSettings): Buffer[] {
  return settable
    .filter((name) => then[name] !== undefined && then[name] !== now[name])
    .map((name) => setPort(ifindex, { [name]: then[name] }));
}

import { consistentDump, SharedDump } from "../kernel/dumps";
import type { Kernel, NamespaceName } from "../kernel/kernel";
import type { BridgeData, BridgePortData } from "../netlink/bridge";
import { encodeLink, IFF, type LinkAttributes, linkDecoder } from "../netlink/link";
import { NLM_F, RTM, splitMessages } from "../netlink/message";
import type { TunData } from "../netlink/tun";
import type { VxlanData } from "../netlink/vxlan";
import { change } from "./batch";
import { decodingChanges } from "./changes";
import { isLease } from "./leases";

/** RTEXT_FILTER_SKIP_STATS (linux/rtnetlink.h): the counters are most of a dump, and nobody here reads them. */
export const skipStatistics = 1 << 3;

/** What the kernel says of a TUN or TAP interface beyond what every link has. */
export interface Tun {
  mode: "tun" | "tap";
  /** uid, undefined where unset. */
  owner?: number;
  /** gid, undefined where unset. */
  group?: number;
  persistent: boolean;
  multiQueue: boolean;
  packetInformation: boolean;
  vnetHeader: boolean;
  /** Queues that are held and used; undefined for a single-queue interface, where the kernel does not tell. */
  queues?: number;
  /** Queues that are held without being used; 0 for a single-queue interface. */
  detachedQueues: number;
}

/** A link as the kernel shows it. */
export interface Link {
  ifindex: number;
  name: string;
  alternativeNames: string[];
  /** Those alternative names that are leases. */
  leases: string[];
  /** Kind of IFLA_LINKINFO (`tun`, `bridge`, `veth` …); undefined for hardware and loopback. */
  kind?: string;
  /** IFF_UP, the administrative state. */
  up: boolean;
  /** IFF_BROADCAST: the link has broadcast addresses. */
  broadcast: boolean;
  /** IFF_LOWER_UP; false also while the link is down. */
  carrier: boolean;
  /** IFF_PROMISC as it was set, not as a bridge port has it by itself. */
  promiscuous: boolean;
  /** IFF_ALLMULTI */
  allMulticast: boolean;
  /** IFF_MULTICAST */
  multicast: boolean;
  /** Without IFF_NOARP. */
  arp: boolean;
  /** Bytes. */
  mtu: number;
  /** Packets. */
  txQueueLength: number;
  /** ifindex of the bridge or bond it is a port of; 0 for none. */
  master: number;
  /** The link below it; of a veth, its other end. */
  below?: {
    ifindex: number;
    /** Id, in the namespace of this link, of the namespace of that one; undefined where it is the same. */
    namespaceId?: number;
  };
  /** undefined for links without one, such as a TUN. */
  macAddress?: string;
  alias?: string;
  /** IFLA_GROUP, 0 by default. */
  group: number;
  tun?: Tun;
  /** What the kernel says of a bridge. */
  bridge?: BridgeData;
  /** What the kernel says of a bridge's port. */
  port?: PortData;
  /** What the kernel says of a VXLAN interface. */
  vxlan?: VxlanData;
}

/** All links of a namespace at one moment. */
export class LinkTable {
  private readonly names = new Map<string, Link>();
  private readonly indexes = new Map<number, Link>();

  constructor(readonly all: readonly Link[]) {
    for (const link of all) {
      this.indexes.set(link.ifindex, link);
      for (const name of [link.name, ...link.alternativeNames]) this.names.set(name, link);
    }
  }

  /** By name or alternative name, which share one space in the kernel. */
  named(name: string): Link | undefined {
    return this.names.get(name);
  }

  at(ifindex: number): Link | undefined {
    return this.indexes.get(ifindex);
  }
}

export class Links {
  private readonly dump: SharedDump<LinkTable>;

  constructor(private readonly kernel: Kernel) {
    const request = encodeLink(RTM.GETLINK, NLM_F.REQUEST | NLM_F.DUMP, {}, { extMask: skipStatistics });
    this.dump = new SharedDump(kernel, request, decodingChanges(linkOf, tableOf));
  }

  /** Errors: NAMESPACE_MISSING. */
  table(namespace: NamespaceName): Promise<LinkTable> {
    return this.dump.get(namespace);
  }

  /**
   * The links of a namespace that a link elsewhere leads to, whether or not it has a name (IFLA_TARGET_NETNSID).
   * @param namespaceId as a link of `from` gives it.
   */
  async behind(from: NamespaceName, namespaceId: number): Promise<LinkTable> {
    const attributes = { extMask: skipStatistics, targetNetnsid: namespaceId };
    const request = encodeLink(RTM.GETLINK, NLM_F.REQUEST | NLM_F.DUMP, {}, attributes);
    const bytes = await consistentDump(this.kernel, from, request);
    return tableOf(splitMessages(bytes).flatMap((message) => linkOf(message) ?? []));
  }
}

/**
 * A question of which only the acknowledgement is taken. Before it answers, the kernel takes note whether the link has a
 * carrier; otherwise it does so for a hundred links in a second (net/core/link_watch.c), and until then a bridge lets a
 * new port forward to which nobody is attached, and looks at all such ports whenever one comes or goes.
 */
export function noteCarrier(ifindex: number): Buffer {
  return encodeLink(RTM.GETLINK, NLM_F.REQUEST | NLM_F.ACK, { index: ifindex }, { extMask: skipStatistics });
}

/**
 * A message that makes a link, down; EEXIST where the name is taken.
 * @param data IFLA_INFO_DATA of that kind.
 */
export function createLink(
  name: string,
  kind: string,
  attributes: Partial<LinkAttributes>,
  data?: NonNullable<LinkAttributes["linkinfo"]>["data"],
): Buffer {
  const flags = change | NLM_F.CREATE | NLM_F.EXCL;
  return encodeLink(RTM.NEWLINK, flags, {}, { ...attributes, ifname: name, linkinfo: { kind, data } });
}

/** A message that deletes a link by its name. */
export function deleteNamed(name: string): Buffer {
  return encodeLink(RTM.DELLINK, change, {}, { ifname: name });
}

/** A message that sets attributes of a link; IFLA_LINKINFO must not be among them for a TUN or TAP. */
export function setLink(ifindex: number, attributes: Partial<LinkAttributes>): Buffer {
  return encodeLink(RTM.NEWLINK, change, { index: ifindex }, attributes);
}

/** A message that sets or clears one of IFF_*. */
export function setLinkFlag(ifindex: number, flag: number, on: boolean): Buffer {
  return encodeLink(RTM.NEWLINK, change, { index: ifindex, flags: on ? flag : 0, change: flag });
}

export function setLinkUp(ifindex: number, up: boolean): Buffer {
  return setLinkFlag(ifindex, IFF.UP, up);
}

/** RTM_NEWLINKPROP: the only message by which the kernel accepts alternative names. Kernel 5.5 or newer. */
export function addAlternativeName(ifindex: number, name: string): Buffer {
  const flags = change | NLM_F.CREATE | NLM_F.EXCL | NLM_F.APPEND;
  return encodeLink(
    RTM.NEWLINKPROP,
    flags,
    { index: ifindex },
    { propList: { altIfname: [name], unknown: [] } },
  );
}

export function removeAlternativeName(ifindex: number, name: string): Buffer {
  return encodeLink(
    RTM.DELLINKPROP,
    change,
    { index: ifindex },
    { propList: { altIfname: [name], unknown: [] } },
  );
}

const portAttributes = [
  "priority",
  "cost",
  "mode",
  "guard",
  "protect",
  "fastLeave",
  "learning",
  "unicastFlood",
  "mcastFlood",
  "isolated",
] as const;

/** What is read of a bridge's port. */
export type PortData = Pick<BridgePortData, (typeof portAttributes)[number]>;

const decodeLink = linkDecoder(
  [
    "address",
    "ifname",
    "mtu",
    "link",
    "master",
    "txqlen",
    "linkinfo",
    "ifalias",
    "group",
    "linkNetnsid",
    "propList",
  ],
  portAttributes,
);

function tableOf(links: readonly Link[]): LinkTable {
  return new LinkTable(links);
}

/** undefined for a message that is about something else. */
function linkOf(message: Buffer): Link | undefined {
  const { type, header, attributes } = decodeLink(message);
  if (type !== RTM.NEWLINK) return undefined;
  const alternativeNames = attributes.propList?.altIfname ?? [];
  const { kind, data, slaveKind, slaveData } = attributes.linkinfo ?? {};
  return {
    ifindex: header.index,
    name: attributes.ifname ?? "",
    alternativeNames,
    leases: alternativeNames.filter(isLease),
    kind,
    up: (header.flags & IFF.UP) !== 0,
    broadcast: (header.flags & IFF.BROADCAST) !== 0,
    carrier: (header.flags & IFF.LOWER_UP) !== 0,
    promiscuous: (header.flags & IFF.PROMISC) !== 0,
    allMulticast: (header.flags & IFF.ALLMULTI) !== 0,
    multicast: (header.flags & IFF.MULTICAST) !== 0,
    arp: (header.flags & IFF.NOARP) === 0,
    mtu: attributes.mtu ?? 0,
    txQueueLength: attributes.txqlen ?? 0,
    master: attributes.master ?? 0,
    below: attributes.link ? { ifindex: attributes.link, namespaceId: attributes.linkNetnsid } : undefined,
    macAddress: attributes.address || undefined,
    alias: attributes.ifalias,
    group: attributes.group ?? 0,
    tun: kind === "tun" ? decodeTun(data as TunData | undefined) : undefined,
    bridge: kind === "bridge" ? (data as BridgeData | undefined) : undefined,
    port: slaveKind === "bridge" ? (slaveData as PortData | undefined) : undefined,
    vxlan: kind === "vxlan" ? (data as VxlanData | undefined) : undefined,
  };
}

function decodeTun(data: TunData = {}): Tun {
  return {
    mode: data.type === 1 ? "tun" : "tap",
    owner: data.owner,
    group: data.group,
    persistent: data.persist === 1,
    multiQueue: data.multiQueue === 1,
    packetInformation: data.pi === 1,
    vnetHeader: data.vnetHdr === 1,
    queues: data.numQueues,
    detachedQueues: data.numDisabledQueues ?? 0,
  };
}

/** A link in a few words, for messages: `tap "vmtap0" (ifindex 7, owner uid 1000, alternative names …)`. */
export function describeLink(link: Link): string {
  const facts = [`ifindex ${link.ifindex}`];
  if (link.tun?.owner !== undefined) facts.push(`owner uid ${link.tun.owner}`);
  if (link.macAddress) facts.push(`MAC ${link.macAddress}`);
  if (link.alias) facts.push(`alias "${link.alias}"`);
  facts.push(describeLeases(link.leases));
  return `${link.tun?.mode ?? link.kind ?? "interface"} "${link.name}" (${facts.join(", ")})`;
}

export function describeLeases(leases: readonly string[]): string {
  return leases.length > 0 ? `lease ${leases.join(", ")}` : "no lease";
}

import { SharedDump } from "../kernel/dumps";
import type { Kernel, NamespaceName } from "../kernel/kernel";
import { AF, messageHeader, NLM_F, RTM, splitMessages } from "../netlink/message";
import { decodeNeighbour, encodeNeighbour, NTF, NUD } from "../netlink/neighbour";
import { canonicalAddress } from "./addresses";
import { change } from "./batch";

/** What frames for unknown addresses, broadcast and multicast go by. */
export const floodingMac = "00:00:00:00:00:00";

/** An entry of the forwarding table of a VXLAN interface: frames for that MAC go to the tunnel end of that address. */
export interface ForwardingEntry {
  mac: string;
  /** In canonical text. */
  address: string;
  /** ifindex of the link by which it is reached; undefined where the route decides. */
  interface?: number;
}

/** One as the kernel shows it. */
export interface KernelForwardingEntry extends ForwardingEntry {
  /** It has a port, VNI or next hop of its own. */
  intricate: boolean;
}

/** The entries of a namespace that somebody set, by ifindex; those that were learned are not among them. */
export type ForwardingTable = ReadonlyMap<number, readonly KernelForwardingEntry[]>;

export class Forwarding {
  private readonly dump: SharedDump<ForwardingTable>;

  constructor(kernel: Kernel) {
    const request = encodeNeighbour(RTM.GETNEIGH, NLM_F.REQUEST | NLM_F.DUMP, { family: AF.BRIDGE });
    this.dump = new SharedDump(kernel, request, decodeTable);
  }

  /** Errors: NAMESPACE_MISSING. */
  table(namespace: NamespaceName): Promise<ForwardingTable> {
    return this.dump.get(namespace);
  }
}

/** Whether frames for a MAC address may go to several tunnel ends: those for one interface go to one. */
export function mayHaveSeveral(mac: string): boolean {
  return mac === floodingMac || (Number.parseInt(mac.slice(0, 2), 16) & 1) !== 0;
}

/** A message that adds an entry; of one interface's MAC address it takes the place of the one that is there. */
export function addForwarding(ifindex: number, entry: ForwardingEntry): Buffer {
  const flags = change | NLM_F.CREATE | (mayHaveSeveral(entry.mac) ? NLM_F.APPEND : NLM_F.REPLACE);
  return encode(RTM.NEWNEIGH, flags, ifindex, entry);
}

/** A message that removes an entry; ENOENT where there is none. */
export function removeForwarding(ifindex: number, entry: ForwardingEntry): Buffer {
  return encode(RTM.DELNEIGH, change, ifindex, entry);
}

function encode(type: number, flags: number, index: number, entry: ForwardingEntry): Buffer {
  const { mac: linkAddress, address: destination, interface: via } = entry;
  const header = { family: AF.BRIDGE, index, state: NUD.PERMANENT, flags: NTF.SELF };
  return encodeNeighbour(type, flags, header, { linkAddress, destination, interface: via });
}

/** Offsets in struct ndmsg. */
const stateOffset = messageHeader.size + 8;
const flagsOffset = messageHeader.size + 10;

function decodeTable(bytes: Buffer): ForwardingTable {
  const table = new Map<number, KernelForwardingEntry[]>();
  for (const raw of splitMessages(bytes)) {
    // Most entries are learned, or a bridge's: they are passed over undecoded. Both states are below 256.
    const isSet = ((raw[stateOffset] ?? 0) & (NUD.PERMANENT | NUD.NOARP)) !== 0;
    if (!isSet || ((raw[flagsOffset] ?? 0) & NTF.SELF) === 0) continue;
    const { type, header, attributes } = decodeNeighbour(raw);
    const { linkAddress: mac, destination, port, vni, sourceVni, nextHopId } = attributes;
    if (type !== RTM.NEWNEIGH || mac === undefined || destination === undefined) continue;
    const entry = {
      mac,
      address: canonicalAddress(destination) as string,
      interface: attributes.interface,
      intricate: [port, vni, sourceVni, nextHopId].some((value) => value !== undefined),
    };
    const others = table.get(header.index);
    if (others) others.push(entry);
    else table.set(header.index, [entry]);
  }
  return table;
}

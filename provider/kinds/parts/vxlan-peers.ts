import { constants } from "node:os";
import { canonicalAddress } from "../../host/addresses";
import {
  addForwarding,
  type ForwardingEntry,
  floodingMac,
  type KernelForwardingEntry,
  mayHaveSeveral,
  removeForwarding,
} from "../../host/forwarding";
import type { Difference, InputSchema, Inputs, Property, Write } from "../kind";
import type { ObservedLink } from "./link";
import { canonicalMac } from "./link-settings";
import { live } from "./verdicts";

export const peersInput = {
  type: "array",
  items: {
    type: "object",
    properties: {
      address: {
        type: "string",
        format: "tunnel-end",
        required: true,
        description: "Address of the other end of the tunnel, of the family of `local`.",
      },
      macAddress: {
        type: "string",
        format: "forwarding-mac",
        description:
          "Destination whose frames go there. Default: 00:00:00:00:00:00, frames for addresses that are not known, broadcast and multicast; each such peer gets them all.",
      },
    },
  },
  change: "live",
  description:
    "Other ends of the tunnel, as fixed entries of the forwarding table (`bridge fdb`), in any order. Entries of others, and those that are learned, stay. Default: none.",
} as const satisfies InputSchema;

interface WithPeers {
  peers: readonly ForwardingEntry[] | undefined;
}

/** What is observed of a VXLAN interface. */
export interface ObservedVxlan extends ObservedLink {
  /** The entries of its forwarding table that somebody set. */
  forwarding: readonly KernelForwardingEntry[];
}

/** With canonical addresses; undefined where none is declared. */
export function desiredPeers({ peers }: Inputs): ForwardingEntry[] | undefined {
  if (!Array.isArray(peers)) return undefined;
  return (peers as { address?: string; macAddress?: string }[]).flatMap((peer) => entryOf(peer) ?? []);
}

/** undefined for what is no peer (yet). */
function entryOf({
  address,
  macAddress,
}: {
  address?: string;
  macAddress?: string;
}): ForwardingEntry | undefined {
  const canonical = typeof address === "string" ? canonicalAddress(address) : undefined;
  if (canonical === undefined) return undefined;
  const mac = macAddress === undefined ? floodingMac : canonicalMac(macAddress);
  return mac === undefined ? undefined : { mac, address: canonical };
}

/** `192.0.2.2`, or `52:54:00:12:34:56 at 192.0.2.2`. */
export function peerText({ mac, address }: ForwardingEntry): string {
  return mac === floodingMac ? address : `${mac} at ${address}`;
}

/** Of a unicast MAC address there is one entry, whatever its address is: so it is the declared one that differs. */
function keyOf(entry: ForwardingEntry): string {
  return mayHaveSeveral(entry.mac) ? peerText(entry) : entry.mac;
}

/** Those entries that the program declared, now or when they were written. */
function managed(
  observed: ObservedVxlan,
  desired: WithPeers,
  recorded: Inputs | undefined,
): KernelForwardingEntry[] {
  const declared = new Set((desired.peers ?? []).map(keyOf));
  const written = new Set((desiredPeers(recorded ?? {}) ?? []).map(peerText));
  const { group, group6, link: device = 0 } = observed.link.vxlan ?? {};
  const remote = canonicalAddress(group ?? group6 ?? "");
  return observed.forwarding.filter((entry) => {
    if (declared.has(keyOf(entry))) return isPlain(entry) || !mayHaveSeveral(entry.mac);
    // A peer that became the remote address has the same entry.
    const isRemote = entry.mac === floodingMac && entry.address === remote && device === 0;
    return isPlain(entry) && !isRemote && written.has(peerText(entry));
  });
}

/** One as it is written here. */
function isPlain({ interface: via, intricate }: KernelForwardingEntry): boolean {
  return via === undefined && !intricate;
}

function shownText(entry: KernelForwardingEntry): string {
  return isPlain(entry) ? peerText(entry) : `${peerText(entry)}, by another way`;
}

/** The row of `peers`: compared as a set, others' entries left alone. */
export const peersProperty: Property<WithPeers, ObservedVxlan, string[]> = {
  name: "peers",
  inputs: ["peers"],
  verdict: live,
  want: (desired, recorded) => {
    if (desired.peers) return desired.peers.map(peerText).sort();
    return recorded?.peers === undefined ? undefined : [];
  },
  is: (observed, desired, recorded) => managed(observed, desired, recorded).map(shownText).sort(),
  show: (peers) => (peers.length === 0 ? "no peer" : peers.join(", ")),
  messages: peerMessages,
  back: (before, desired) => ({ ...desired, peers: managed(before, desired, undefined) }),
};

function peerMessages({ observed, desired, is }: Difference<WithPeers, ObservedVxlan, string[]>): Write[] {
  const { ifindex, forwarding } = observed;
  const wanted = desired.peers ?? [];
  const keys = new Set(wanted.map(keyOf));
  const surplus = forwarding.filter((entry) => is.includes(shownText(entry)) && !keys.has(keyOf(entry)));
  return [
    ...wanted
      .filter((entry) => !is.includes(peerText(entry)))
      .map((entry) => ({ bytes: addForwarding(ifindex, entry), what: `peer ${peerText(entry)}` })),
    ...surplus.map((entry) => ({
      bytes: removeForwarding(ifindex, entry),
      what: `the removal of peer ${peerText(entry)}`,
      alreadySo: constants.errno.ENOENT,
    })),
  ];
}

/** `peers` as observed, where it is declared: in the program's words and order, what it no longer declares behind. */
export function presentPeers(
  observed: ObservedVxlan,
  desired: WithPeers,
  declared: Inputs,
  recorded: Inputs | undefined,
): { peers: object[] | undefined } {
  if (desired.peers === undefined) return { peers: undefined };
  const present = managed(observed, desired, recorded);
  const texts = new Set(present.map(shownText));
  const words = declared.peers as { address: string; macAddress?: string }[];
  const kept = words.filter((word) => {
    const entry = entryOf(word);
    return entry && texts.has(peerText(entry));
  });
  const keptTexts = new Set(desired.peers.map(peerText));
  const others = present.filter((entry) => !keptTexts.has(shownText(entry)));
  return {
    peers: [
      ...kept,
      ...others.map(({ mac, address }) => (mac === floodingMac ? { address } : { address, macAddress: mac })),
    ],
  };
}

import ipaddr from "ipaddr.js";
import type { NftObject, Statement } from "../../host/nftables";
import { statementText } from "./nft-text";

/*
 * Which packets a rule is for, as far as it can be told from what `nft -j` prints of it. A packet stands for many: all
 * that a network sends, or all the answers to it.
 */

/** Where packets come from, or go to. */
export type Place =
  /** Any address of this network. */
  | { within: string }
  /** Any address that is not in it. */
  | { beyond: string }
  /** Any at all, or it is not known. */
  | undefined;

/** Packets that are forwarded, as a forward chain sees them. */
export interface Packet {
  protocol: "ip" | "ip6";
  source: Place;
  destination: Place;
  /** Names of the interfaces by which they come and go; undefined where that is not known. */
  inName: string | undefined;
  outName: string | undefined;
  /** Names by which they certainly do not come or go, where it is not known by which they do. */
  notIn?: readonly string[];
  notOut?: readonly string[];
  state: "new" | "established";
  direction: "original" | "reply";
  /** Of a connection to a port that is forwarded: one protocol and one port, not all. */
  isTranslated: boolean;
  /** What a bridge passes from port to port. */
  isBridged: boolean;
}

/**
 * Whether a rule is for such packets. `all`: for every one. `none`: for no one, or only for a part, as those of a port.
 * `some`: for a part, which may be all that matters. `unclear`: it is not understood.
 */
export type Match = "all" | "some" | "unclear" | "none";

const order: readonly Match[] = ["none", "some", "unclear", "all"];

/** What holds where all of them must. */
export function both(one: Match, other: Match): Match {
  return order[Math.min(order.indexOf(one), order.indexOf(other))] as Match;
}

/** @returns undefined for a statement that is no condition. */
export function matchOf(statement: Statement, packet: Packet): Match | undefined {
  const [[key, value] = ["", undefined]] = Object.entries(statement);
  if (key === "match") return comparison(value as Comparison, packet);
  // Only so many of them.
  if (key === "limit" || key === "quota" || key === "ct count") return "none";
  if (key === "xt") return extension(value as Extension | null, packet);
  return undefined;
}

export interface Comparison {
  op: string;
  left: NftObject;
  right: unknown;
}

export function comparison({ op, left, right }: Comparison, packet: Packet): Match {
  if (op !== "==" && op !== "in" && op !== "!=") return isPort(left) ? portMatch(packet) : "unclear";
  const isNot = op === "!=";
  const [[key, value] = ["", {}]] = Object.entries(left) as [string, NftObject][];
  if (key === "payload") return payload(value, right, isNot, packet);
  if (key === "meta") return meta(String(value.key), right, isNot, packet);
  if (key === "ct" && value.dir === undefined) return tracked(String(value.key), right, isNot, packet);
  return "unclear";
}

const isPort = ({ payload: of }: NftObject) => isTransport((of as NftObject | undefined)?.protocol);
const isTransport = (protocol: unknown) => ["tcp", "udp", "th"].includes(protocol as string);

/** All that a network sends is more than one port; what a forwarded port gets may be just that. */
function portMatch({ isTranslated }: Packet): Match {
  return isTranslated ? "some" : "none";
}

function payload({ protocol, field }: NftObject, right: unknown, isNot: boolean, packet: Packet): Match {
  if (isTransport(protocol)) return portMatch(packet);
  if (protocol !== "ip" && protocol !== "ip6") return protocol === "ether" ? "unclear" : "none";
  if (protocol !== packet.protocol) return "none";
  if (field === "saddr") return addressMatch(packet.source, right, isNot);
  if (field === "daddr") return addressMatch(packet.destination, right, isNot);
  return field === "protocol" || field === "nexthdr" ? portMatch(packet) : "none";
}

function meta(key: string, right: unknown, isNot: boolean, packet: Packet): Match {
  if (key === "iifname" || key === "iif") return nameMatch(packet.inName, packet.notIn, right, isNot);
  if (key === "oifname" || key === "oif") return nameMatch(packet.outName, packet.notOut, right, isNot);
  if (key === "nfproto") return wordMatch([packet.protocol === "ip" ? "ipv4" : "ipv6"], right, isNot);
  if (key === "protocol") return wordMatch([packet.protocol], right, isNot);
  return key === "l4proto" ? portMatch(packet) : "unclear";
}

function tracked(key: string, right: unknown, isNot: boolean, packet: Packet): Match {
  if (key === "state") return wordMatch([packet.state], right, isNot);
  if (key === "direction") return wordMatch([packet.direction], right, isNot);
  if (key !== "status") return "unclear";
  const flags = elementsOf(right);
  if (flags === undefined || flags.some((flag) => flag !== "dnat")) return "unclear";
  return packet.isTranslated === isNot ? "none" : "all";
}

/** The elements of a right side; undefined of a set that has a name. */
function elementsOf(right: unknown): unknown[] | undefined {
  const list = typeof right === "object" && right !== null && "set" in right ? right.set : right;
  const elements = Array.isArray(list) ? list : [list];
  return elements.some((element) => typeof element === "string" && element.startsWith("@"))
    ? undefined
    : elements;
}

function wordMatch(words: readonly string[], right: unknown, isNot: boolean): Match {
  const elements = elementsOf(right);
  if (elements === undefined) return "unclear";
  return words.every((word) => elements.includes(word)) === isNot ? "none" : "all";
}

function nameMatch(
  name: string | undefined,
  others: readonly string[] | undefined,
  right: unknown,
  isNot: boolean,
): Match {
  const elements = elementsOf(right);
  if (elements === undefined) return "unclear";
  if (name !== undefined) {
    const isMeant = elements.some((element) => {
      const text = String(element);
      return text.endsWith("*") ? name.startsWith(text.slice(0, -1)) : name === text;
    });
    return isMeant === isNot ? "none" : "all";
  }
  const ruledOut = elements.every((element) => others?.includes(String(element)));
  if (ruledOut) return isNot ? "all" : "none";
  return isNot ? "unclear" : "some";
}

type Interval = readonly [bigint, bigint];

function addressMatch(place: Place, right: unknown, isNot: boolean): Match {
  const intervals = elementsOf(right)?.map(intervalOf);
  if (intervals === undefined || intervals.some((interval) => interval === undefined)) return "unclear";
  const meant = intervals as Interval[];
  const covers = ([low, high]: Interval) => meant.some(([from, until]) => from <= low && high <= until);
  if (place !== undefined && "within" in place) {
    const [low, high] = networkOf(place.within);
    if (!isNot) return covers([low, high]) ? "all" : "none";
    return meant.every(([from, until]) => until < low || high < from) ? "all" : "none";
  }
  if (!isNot && meant.some(isEverything)) return "all";
  if (place === undefined) return isNot ? "unclear" : "some";
  const [low, high] = networkOf(place.beyond);
  if (meant.every(([from, until]) => low <= from && until <= high)) return isNot ? "all" : "none";
  return isNot ? "unclear" : "none";
}

function intervalOf(element: unknown): Interval | undefined {
  if (typeof element === "string") return ipaddr.isValid(element) ? networkOf(element) : undefined;
  const { prefix, range } = (element ?? {}) as { prefix?: { addr: string; len: number }; range?: string[] };
  if (prefix !== undefined && ipaddr.isValid(prefix.addr)) return networkOf(`${prefix.addr}/${prefix.len}`);
  if (range?.length === 2 && range.every((end) => ipaddr.isValid(end)))
    return [networkOf(range[0] as string)[0], networkOf(range[1] as string)[1]];
  return undefined;
}

/** Its first and its last address. */
function networkOf(text: string): Interval {
  const [address = "", length] = text.split("/");
  const bytes = ipaddr.parse(address).toByteArray();
  const value = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  const free = BigInt(bytes.length * 8 - Number(length ?? bytes.length * 8));
  const low = (value >> free) << free;
  return [low, low | ((1n << free) - 1n)];
}

/** Of its version: the last address says which that is. */
function isEverything([low, high]: Interval): boolean {
  return low === 0n && (high === (1n << 32n) - 1n || high === (1n << 128n) - 1n);
}

/**
 * A condition of iptables on the states of connections, of which nft does not print which: mostly those of answers. With
 * the one address to which a port is forwarded it is taken for DNAT, as the remedy has it.
 */
export function statesMatch(expr: readonly Statement[], packet: Packet): Match {
  const { state, isTranslated, destination, protocol } = packet;
  if (state === "established") return "all";
  if (!isTranslated || destination === undefined || !("within" in destination)) return "some";
  const one = `${protocol} daddr ${destination.within}`;
  return expr.some((statement) => statementText(statement) === one) ? "all" : "some";
}

/** Whether it is such a condition. */
export function isStates({ xt }: Statement): boolean {
  const { type, name } = (xt ?? {}) as Extension;
  return type === "match" && (name === "conntrack" || name === "state");
}

interface Extension {
  type?: string;
  name?: string;
}

/** Those of iptables, of which nft prints only the name. */
function extension(value: Extension | null, packet: Packet): Match | undefined {
  if (value?.type === "target") return undefined;
  switch (value?.name) {
    case "comment":
      return "all";
    case "physdev":
      return packet.isBridged ? "all" : "unclear";
    case "tcp":
    case "udp":
    case "multiport":
      return portMatch(packet);
    case "icmp":
    case "icmp6":
    case "limit":
    case "hashlimit":
      return "none";
    default:
      return "unclear";
  }
}

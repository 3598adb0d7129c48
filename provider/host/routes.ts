import { SharedDump } from "../kernel/dumps";
import type { Kernel, NamespaceName } from "../kernel/kernel";
import { AF, messageHeader, NLM_F, RTM, splitMessages } from "../netlink/message";
import {
  encodeRoute,
  type RouteAttributes,
  RT_SCOPE,
  RT_TABLE,
  RTN,
  RTNH_F,
  routeDecoder,
} from "../netlink/route";
import { canonicalAddress } from "./addresses";
import { change } from "./batch";
import type { LinkTable } from "./links";

/**
 * The protocol number (RTPROT_*) of the routes made here, which says whose they are. Free in linux/rtnetlink.h and in
 * the rt_protos of iproute2.
 */
export const routeProtocol = 116;

/** IP6_RT_PRIO_USER (linux/ipv6_route.h): what the kernel takes for an IPv6 route without a metric. */
const defaultMetrics: Readonly<Record<number, number>> = { [AF.INET]: 0, [AF.INET6]: 1024 };

export const routeTypes = {
  unicast: RTN.UNICAST,
  blackhole: RTN.BLACKHOLE,
  unreachable: RTN.UNREACHABLE,
  prohibit: RTN.PROHIBIT,
} as const;

export const routeScopes = {
  global: RT_SCOPE.UNIVERSE,
  site: RT_SCOPE.SITE,
  link: RT_SCOPE.LINK,
  host: RT_SCOPE.HOST,
} as const;

/** What tells routes of a namespace apart. */
export interface RouteKey {
  /** In canonical text: `default` and `::/0`, `192.0.2.0/24`, `2001:db8::/32`. */
  destination: string;
  /** RT_TABLE_* */
  table: number;
  /** Of several routes, the lowest is used. undefined for what the kernel takes by itself. */
  metric?: number;
}

/** A route with at most one next hop. */
export interface Route extends RouteKey {
  metric: number;
  /** RTN_* */
  type: number;
  gateway?: string;
  /** ifindex. */
  interface?: number;
  source?: string;
  /** RT_SCOPE_*; for IPv6 always 0. */
  scope: number;
  /** Bytes. */
  mtu?: number;
  onlink: boolean;
}

/** A route as the kernel shows it. */
export interface KernelRoute extends Route {
  /** RTPROT_*: whose it is. */
  protocol: number;
  /** It has several next hops, or one that is not told here. */
  intricate: boolean;
  metrics: RouteAttributes["metrics"];
}

/** All routes of a namespace at one moment, by their keys as text. */
export type RouteTable = ReadonlyMap<string, readonly KernelRoute[]>;

export class Routes {
  private readonly dump: SharedDump<RouteTable>;
  /** By namespace and key: the lease of who wrote or took up a route in this run, as the kernel keeps no lease. */
  private readonly keepers = new Map<string, string>();

  constructor(kernel: Kernel) {
    this.dump = new SharedDump(
      kernel,
      encodeRoute(RTM.GETROUTE, NLM_F.REQUEST | NLM_F.DUMP, {}),
      decodeTable,
    );
  }

  /** Errors: NAMESPACE_MISSING. */
  table(namespace: NamespaceName): Promise<RouteTable> {
    return this.dump.get(namespace);
  }

  /** From now on the route of that key is that resource's, also where another one's record names it. */
  keep(namespace: NamespaceName, key: string, lease: string): void {
    this.keepers.set(`${namespace ?? ""}\0${key}`, lease);
  }

  /** Whether another resource wrote it in this run: two that change places, or one that was given another name. */
  isKeptByOther(namespace: NamespaceName, key: string, lease: string): boolean {
    const keeper = this.keepers.get(`${namespace ?? ""}\0${key}`);
    return keeper !== undefined && keeper !== lease;
  }
}

/** What the kernel takes for a route to that destination that is given without a metric. */
export function defaultMetric(destination: string): number {
  return defaultMetrics[familyOf(destination)] as number;
}

/** The text of a key, for maps, messages and ids: `192.0.2.0/24 table 100 metric 5`. */
export function routeKey({ destination, table, metric }: RouteKey): string {
  const words = [destination];
  if (table !== RT_TABLE.MAIN) words.push(`table ${table}`);
  if (metric !== undefined && metric !== defaultMetric(destination)) words.push(`metric ${metric}`);
  return words.join(" ");
}

const writing = { add: NLM_F.EXCL, replace: NLM_F.REPLACE, append: NLM_F.APPEND } as const;

/**
 * A message that writes a route of ours.
 * @param how `add` where there is none of that key, `replace` in the place of the first of that key, whosever it is,
 * `append` beside others of that key.
 * @param metrics what it has beside the mtu.
 */
export function writeRoute(
  route: Route,
  how: keyof typeof writing,
  metrics?: RouteAttributes["metrics"],
  protocol = routeProtocol,
): Buffer {
  const flags = change | NLM_F.CREATE | writing[how];
  const { header, attributes } = encodedKey(route);
  const { mtu } = route;
  return encodeRoute(
    RTM.NEWROUTE,
    flags,
    {
      ...header,
      protocol,
      type: route.type,
      scope: route.scope,
      flags: route.onlink ? RTNH_F.ONLINK : 0,
    },
    {
      ...attributes,
      gateway: route.gateway,
      preferredSource: route.source,
      outInterface: route.interface,
      metrics: mtu === undefined && !metrics ? undefined : { ...metrics, ...(mtu !== undefined && { mtu }) },
    },
  );
}

/** A message that removes a route of ours, and no other of that key. */
export function removeRoute(route: KernelRoute): Buffer {
  const { header, attributes } = encodedKey(route);
  return encodeRoute(
    RTM.DELROUTE,
    change,
    { ...header, protocol: routeProtocol, type: route.type, scope: RT_SCOPE.NOWHERE },
    // Of a route with several next hops, all.
    route.intricate ? attributes : { ...attributes, gateway: route.gateway, outInterface: route.interface },
  );
}

function encodedKey({ destination, table, metric }: RouteKey) {
  const family = familyOf(destination);
  const [address, length] = destination === "default" ? [undefined, 0] : destination.split("/");
  return {
    header: {
      family,
      destinationLength: Number(length),
      table: table < 256 ? table : RT_TABLE.UNSPEC,
    },
    attributes: {
      destination: Number(length) === 0 ? undefined : address,
      // Without one, a removal takes the first of any metric.
      priority: metric || undefined,
      table: table < 256 ? undefined : table,
    },
  };
}

/** `default via 192.0.2.1 dev tap0 table 100 metric 5 (made by protocol 4, static)`, for messages. */
export function describeRoute(route: KernelRoute, links: LinkTable): string {
  const type = nameIn(routeTypes, route.type);
  const words = [...(type === "unicast" ? [] : [type]), route.destination];
  if (route.gateway !== undefined) words.push("via", route.gateway);
  if (route.intricate) words.push("via several next hops");
  if (route.interface !== undefined)
    words.push("dev", links.at(route.interface)?.name ?? `ifindex ${route.interface}`);
  const rest = routeKey(route).slice(route.destination.length).trim();
  if (rest !== "") words.push(rest);
  const maker = protocolNames[route.protocol];
  const whose = `protocol ${route.protocol}${maker === undefined ? "" : `, ${maker}`}`;
  return `route ${words.join(" ")} (${whose})`;
}

/** Who makes routes of a protocol, of linux/rtnetlink.h. */
const protocolNames: Readonly<Record<number, string>> = {
  2: "the kernel's own",
  3: "added by hand",
  4: "of the administrator",
  9: "of a router advertisement",
  11: "of zebra",
  12: "of bird",
  16: "of a DHCP client",
  [routeProtocol]: "of pulumi-tuntap",
};

/** The word for a number of such a table; the number where it has none. */
export function nameIn(words: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(words).find((word) => words[word] === value) ?? String(value);
}

/** 2 for IPv4, 10 for IPv6. `default` is that of IPv4, `::/0` that of IPv6. */
export function familyOf(destination: string): number {
  return destination.includes(":") ? AF.INET6 : AF.INET;
}

const decodeRoute = routeDecoder(
  "destination",
  "outInterface",
  "gateway",
  "priority",
  "preferredSource",
  "metrics",
  "multipath",
  "table",
  "via",
  "nextHopId",
);

function decodeTable(bytes: Buffer): RouteTable {
  const table = new Map<string, KernelRoute[]>();
  for (const message of splitMessages(bytes)) {
    // The family is the first byte of struct rtmsg. Multicast routing and MPLS use the attributes for something else.
    const family = message[messageHeader.size];
    if (family !== AF.INET && family !== AF.INET6) continue;
    const { type, header, attributes } = decodeRoute(message);
    // Routes for a type of service or a range of sources are other ones, with keys of their own.
    if (type !== RTM.NEWROUTE || header.tos !== 0 || header.sourceLength !== 0) continue;
    const { priority = 0, metrics, multipath, via, nextHopId } = attributes;
    const route: KernelRoute = {
      destination: destinationText(header.family, attributes.destination, header.destinationLength),
      table: attributes.table ?? header.table,
      metric: priority,
      type: header.type,
      gateway: canonical(attributes.gateway),
      // IPv6 shows `lo` for what goes nowhere.
      interface: header.type === RTN.UNICAST ? attributes.outInterface : undefined,
      source: canonical(attributes.preferredSource),
      scope: header.scope,
      mtu: metrics?.mtu,
      onlink: (header.flags & RTNH_F.ONLINK) !== 0,
      protocol: header.protocol,
      intricate: multipath !== undefined || via !== undefined || nextHopId !== undefined,
      metrics,
    };
    const key = routeKey(route);
    const others = table.get(key);
    if (others) others.push(route);
    else table.set(key, [route]);
  }
  return table;
}

function destinationText(family: number, address: string | undefined, length: number): string {
  if (length === 0) return family === AF.INET ? "default" : "::/0";
  return `${canonical(address)}/${length}`;
}

function canonical(address: string | undefined): string | undefined {
  return address === undefined ? undefined : canonicalAddress(address);
}

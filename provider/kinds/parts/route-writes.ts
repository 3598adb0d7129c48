import { constants } from "node:os";
import { type ErrorFacts, TuntapError } from "../../errors";
import type { Host } from "../../host/host";
import type { LinkTable } from "../../host/links";
import { placeText } from "../../host/namespaces";
import { accepted, refusal } from "../../host/refusals";
import {
  defaultMetric,
  describeRoute,
  familyOf,
  type KernelRoute,
  type Route,
  removeRoute,
  routeKey,
  routeProtocol,
  routeScopes,
  routeTypes,
  writeRoute,
} from "../../host/routes";
import type { Target } from "../kind";

const { errno } = constants;

/** Canonical; undefined is not declared. */
export interface DesiredRoute {
  destination: string | undefined;
  gateway: string | undefined;
  interface: string | undefined;
  source: string | undefined;
  metric: number | undefined;
  table: number | undefined;
  scope: keyof typeof routeScopes | undefined;
  type: keyof typeof routeTypes | undefined;
  mtu: number | undefined;
  onlink: boolean | undefined;
}

export interface ObservedRoute {
  route: KernelRoute;
  /** Others of the same key, of other makers. */
  beside: readonly KernelRoute[];
  links: LinkTable;
  bootId: string;
}

/**
 * The route as it is to be. What is not declared stays as it was, but for what follows from the rest: the way, the scope
 * and the metric.
 */
function routeOf(desired: DesiredRoute, target: Target, links: LinkTable, former?: KernelRoute): Route {
  const { destination = "default", gateway, table = 254, type = "unicast", scope } = desired;
  const link = desired.interface === undefined ? undefined : links.named(desired.interface);
  if (desired.interface !== undefined && link === undefined) {
    throw new TuntapError("ROUTE_REFUSED", {
      message: `there is no interface ${desired.interface}${placeText(target.namespace)}`,
      property: "interface",
      remedy: "Make it first, or pass the `.name` of the resource that makes it.",
    });
  }
  const isDirect = familyOf(destination) === familyOf("default") && type === "unicast" && !gateway;
  return {
    destination,
    table,
    metric: desired.metric ?? defaultMetric(destination),
    type: routeTypes[type],
    gateway,
    interface: link?.ifindex,
    source: desired.source ?? former?.source,
    scope: routeScopes[scope ?? (isDirect ? "link" : "global")],
    mtu: desired.mtu ?? former?.mtu,
    onlink: desired.onlink ?? false,
  };
}

/** Errors: FOREIGN_ROUTE, ROUTE_REFUSED. */
export async function createRoute(target: Target, desired: DesiredRoute, host: Host): Promise<void> {
  const links = await host.links.table(target.namespace);
  const route = routeOf(desired, target, links);
  host.routes.keep(target.namespace, target.name, target.lease);
  await write(target, route, writeRoute(route, "add"), links, host);
}

/**
 * Writes a route anew: in its place where the kernel can, without a moment in which there is none. One of another key is
 * added before the old one goes.
 */
export async function rewriteRoute(
  target: Target,
  { route: former, beside, links }: ObservedRoute,
  desired: DesiredRoute,
  host: Host,
): Promise<void> {
  const { namespace, lease } = target;
  // What was of the other family is nothing that could stay.
  const sameFamily = familyOf(former.destination) === familyOf(desired.destination ?? "default");
  const kept = sameFamily ? former : undefined;
  const route = routeOf(desired, target, links, kept);
  const formerKey = routeKey(former);
  host.routes.keep(namespace, target.name, lease);
  if (formerKey === target.name) {
    // The kernel replaces the first of that key, which may be somebody else's.
    const isAlone = beside.length === 0 && !former.intricate;
    if (!isAlone) await erase(target, former, links, host);
    await write(target, route, writeRoute(route, isAlone ? "replace" : "append", kept?.metrics), links, host);
    return;
  }
  const there = (await host.routes.table(namespace)).get(target.name) ?? [];
  const isOurs = there.length === 1 && there[0]?.protocol === routeProtocol;
  await write(target, route, writeRoute(route, isOurs ? "replace" : "add", kept?.metrics), links, host);
  if (!host.routes.isKeptByOther(namespace, formerKey, lease)) await erase(target, former, links, host);
}

/** Why a route cannot be taken over: FOREIGN_ROUTE. */
export async function unfitRoute(
  _target: Target,
  { route, links }: ObservedRoute,
): Promise<TuntapError | undefined> {
  if (!route.intricate) return undefined;
  return new TuntapError("FOREIGN_ROUTE", {
    message: `${describeRoute(route, links)} cannot be taken over`,
    property: "destination",
    remedy: "Remove it by hand; only a route with one next hop can be declared.",
  });
}

/** Makes another maker's route ours, as it is. */
export async function takeOverRoute(target: Target, observed: ObservedRoute, host: Host): Promise<void> {
  const { route, links } = observed;
  host.routes.keep(target.namespace, target.name, target.lease);
  if (route.protocol === routeProtocol) return;
  await write(target, route, writeRoute(route, "replace", route.metrics), links, host);
}

/** Makes a route that was taken over its maker's again, as it was. */
export async function giveBackRoute(
  target: Target,
  { route, links }: ObservedRoute,
  host: Host,
): Promise<void> {
  if (route.protocol === routeProtocol) return;
  const message = writeRoute(route, "replace", route.metrics, route.protocol);
  await write(target, route, message, links, host);
}

export async function eraseRoute(target: Target, { route, links }: ObservedRoute, host: Host): Promise<void> {
  await erase(target, route, links, host);
}

async function erase(target: Target, route: KernelRoute, links: LinkTable, host: Host): Promise<void> {
  const [reply] = await host.batch.send(target.namespace, [removeRoute(route)]);
  if (reply === undefined || accepted(reply, errno.ESRCH)) return;
  throw refusal(reply, {
    message: `${describeRoute(route, links)} could not be removed`,
    operation: "RTM_DELROUTE",
  });
}

async function write(
  target: Target,
  route: Route,
  message: Buffer,
  links: LinkTable,
  host: Host,
): Promise<void> {
  const [reply] = await host.batch.send(target.namespace, [message]);
  if (reply === undefined || accepted(reply)) return;
  const facts = { errno: reply.errno, extack: reply.extack, operation: "RTM_NEWROUTE" };
  if (reply.errno === errno.EEXIST) {
    const there = (await host.routes.table(target.namespace)).get(target.name) ?? [];
    const taken = there.map((other) => describeRoute(other, links)).join(", ") || "another route";
    throw new TuntapError("FOREIGN_ROUTE", {
      ...facts,
      message: `the destination is taken by ${taken}, and it is left as it is`,
      property: "destination",
    });
  }
  const reason = explain(reply.errno, route, links);
  if (reason === undefined)
    throw refusal(reply, {
      message: `the kernel refused the route to ${target.name}`,
      operation: "RTM_NEWROUTE",
    });
  throw new TuntapError("ROUTE_REFUSED", { ...facts, ...reason });
}

/** What an errno means as the answer to such a route. */
function explain(
  number: number,
  { destination, gateway, interface: index, source }: Route,
  links: LinkTable,
): Pick<ErrorFacts, "message" | "property" | "remedy"> | undefined {
  const link = index === undefined ? undefined : links.at(index);
  const over = link === undefined ? "" : ` over ${link.name}`;
  // With a gateway, IPv4 says of an interface that is down that the gateway is out of reach.
  const isDown = link?.up === false && [errno.ENETUNREACH, errno.EHOSTUNREACH].includes(number);
  switch (isDown ? errno.ENETDOWN : number) {
    case errno.ENETDOWN:
      return {
        message: `the route to ${destination}${over} leads over an interface that is down`,
        property: "interface",
        remedy: "Set it up (`up: true`): an interface that is down has no routes.",
      };
    case errno.EACCES:
      return {
        message: `IPv6 is switched off${link === undefined ? "" : ` on ${link.name}`}, so that the route to ${destination} leads nowhere`,
        property: "interface",
        remedy:
          "Set the sysctls net.ipv6.conf.default.disable_ipv6 (of interfaces that are made) and net.ipv6.conf.NAME.disable_ipv6 (of one that is there) to 0, or take the route out.",
      };
    case errno.ENODEV:
      return {
        message: `the interface of the route to ${destination} is gone`,
        property: "interface",
        remedy: "Make it first, or pass the `.name` of the resource that makes it.",
      };
    case errno.ENETUNREACH:
    case errno.EHOSTUNREACH:
      return {
        message: `gateway ${gateway} of the route to ${destination} is not reached directly${over}`,
        property: "gateway",
        remedy:
          "Give the interface that leads to it an address of its subnet, and pass that resource's `.name` as `interface`, so that it is there first; or, if it is reached there all the same, set `onlink: true`.",
      };
    case errno.EINVAL:
      if (source !== undefined) {
        return {
          message: `the kernel refused the route to ${destination} with source ${source}`,
          property: "source",
          remedy:
            "The source must be an address of this host in the same namespace: give it to an interface first, and pass that resource's `.name` as `interface`. If it is one, see the kernel's words.",
        };
      }
      return {
        message: `the kernel refused the route to ${destination}${gateway === undefined ? over : ` by gateway ${gateway}${over}`}`,
        property: gateway === undefined ? "destination" : "gateway",
        remedy: "A gateway is another host's address, not this host's. See the kernel's words.",
      };
    default:
      return undefined;
  }
}

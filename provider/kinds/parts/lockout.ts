import { type Address, isLinkLocal, networkOf, splitCidr } from "../../host/addresses";
import type { Host } from "../../host/host";
import type { Link, LinkTable } from "../../host/links";
import { describeRoute, type KernelRoute, routeProtocol } from "../../host/routes";
import { sshConnections } from "../../host/ssh";
import { RT_TABLE, RTN } from "../../netlink/route";

interface Place {
  link: Link;
  namespace: string | undefined;
  links: LinkTable;
}

/**
 * What would be cut off if an interface joined, or left, a bridge: the default route (IPv4 or IPv6, also in two halves) or
 * the ssh connection in use, where these are on the interface or on what it is a port of. Of routes, the main table's.
 * @param more `others` passes over routes that this package made, which go by themselves.
 * @returns for people, to follow "it is"; undefined where nothing is known to depend on it.
 */
export async function lifeline(
  { link, namespace, links }: Place,
  host: Host,
  only: "all" | "others" = "all",
): Promise<string | undefined> {
  const chain = new Map<number, string>();
  for (let next: Link | undefined = link; next && !chain.has(next.ifindex); next = links.at(next.master))
    chain.set(next.ifindex, next.name);
  const [routes, addresses] = await Promise.all([
    host.routes.table(namespace),
    host.addresses.table(namespace),
  ]);
  const main = [...routes.values()]
    .flat()
    .filter(({ table, type }) => table === RT_TABLE.MAIN && type === RTN.UNICAST);
  const concerns = (route: KernelRoute) =>
    (only === "all" || route.protocol !== routeProtocol) &&
    // Of several next hops it is not told over which interfaces they lead.
    (route.interface === undefined ? route.intricate : chain.has(route.interface));
  const usage = (route: KernelRoute, what: string) =>
    `in use: it ${route.interface === undefined ? "may be" : "is"} on the way of ${what}${describeRoute(route, links)}`;
  const route = defaultRoutes(main).find(concerns);
  if (route) return usage(route, "the default ");
  for (const { client, server } of sshConnections()) {
    const holds = ({ cidr }: Address) => splitCidr(cidr).address === server;
    for (const [ifindex, name] of chain) {
      const used = (addresses.get(ifindex) ?? []).find(holds);
      if (used) return `in use: the ssh connection of this run comes in at ${used.cidr} on ${name}`;
    }
    // That address may be of another interface than the packets to the client leave by; or of another namespace.
    if (![...addresses.values()].flat().some(holds)) continue;
    const way = routeTo(client, main);
    if (way && concerns(way)) return usage(way, `the ssh connection of this run, from ${client}: `);
  }
  return undefined;
}

const halves = [
  ["0.0.0.0/1", "128.0.0.0/1"],
  ["::/1", "8000::/1"],
] as const;

/** Those to everywhere; two that lead to a half each are one. */
function defaultRoutes(routes: readonly KernelRoute[]): KernelRoute[] {
  const to = (...destinations: readonly string[]) =>
    routes.filter(({ destination }) => destinations.includes(destination));
  const inHalves = halves.flatMap(([one, other]) =>
    to(one).length > 0 && to(other).length > 0 ? to(one, other) : [],
  );
  return [...to("default", "::/0"), ...inHalves];
}

/** The route of these by which packets go to an address: the narrowest, and of equal ones that with the lowest metric. */
function routeTo(address: string, routes: readonly KernelRoute[]): KernelRoute | undefined {
  const around = new Map(networksAround(address).map((network, position) => [network, position]));
  const rank = ({ destination }: KernelRoute) => around.get(destination) ?? around.size;
  return routes
    .filter((route) => rank(route) < around.size)
    .sort((one, other) => rank(one) - rank(other) || one.metric - other.metric)[0];
}

/** As destinations of routes, the narrowest first; none of a link-local address, whose network is on every interface. */
function networksAround(address: string): string[] {
  if (isLinkLocal(address)) return [];
  const [bits, all] = address.includes(":") ? [128, "::/0"] : [32, "default"];
  return [...Array.from({ length: bits }, (_, position) => networkOf(`${address}/${bits - position}`)), all];
}

import { splitCidr } from "../../host/addresses";
import type { Host } from "../../host/host";
import type { Link, LinkTable } from "../../host/links";
import { describeRoute, type KernelRoute, routeProtocol } from "../../host/routes";
import { sshAddresses } from "../../host/ssh";
import { RT_TABLE, RTN } from "../../netlink/route";

interface Place {
  link: Link;
  namespace: string | undefined;
  links: LinkTable;
}

/**
 * What would be cut off if an interface joined, or left, a bridge: the default route (main table, IPv4 or IPv6) or the ssh
 * connection in use, where these are on the interface or on what it is a port of.
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
  const concerns = (route: KernelRoute) =>
    isDefault(route) &&
    (only === "all" || route.protocol !== routeProtocol) &&
    // Of several next hops it is not told over which interfaces they lead.
    (route.interface === undefined ? route.intricate : chain.has(route.interface));
  const route = [...routes.values()].flat().find(concerns);
  if (route) {
    const may = route.interface === undefined ? "may be" : "is";
    return `in use: it ${may} on the way of the default ${describeRoute(route, links)}`;
  }
  const connections = new Set(sshAddresses());
  for (const [ifindex, name] of chain) {
    const used = (addresses.get(ifindex) ?? []).find(({ cidr }) => connections.has(splitCidr(cidr).address));
    if (used) return `in use: the ssh connection of this run comes in at ${used.cidr} on ${name}`;
  }
  return undefined;
}

function isDefault({ destination, table, type }: KernelRoute): boolean {
  return (
    (destination === "default" || destination === "::/0") && table === RT_TABLE.MAIN && type === RTN.UNICAST
  );
}

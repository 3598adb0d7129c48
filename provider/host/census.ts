import { isTuntapError } from "../errors";
import type { NamespaceName } from "../kernel/kernel";
import type { Host } from "./host";
import { isOfStack, type LeaseStack } from "./leases";
import type { Link } from "./links";
import { loopbackIndex } from "./namespaces";
import type { NftTable } from "./nftables";

/** A namespace that could not be looked into. */
export interface Unseen {
  namespace: string | undefined;
  reason: string;
}

/** A link and where it is. */
export interface Located {
  namespace: NamespaceName;
  link: Link;
}

export interface Census {
  links: Located[];
  unseen: Unseen[];
}

/** The links of some namespaces; of the host's and all that have a name (`/run/netns`) where none are given. */
export async function census(host: Host, namespaces?: readonly NamespaceName[]): Promise<Census> {
  const places = namespaces ?? (await everyPlace(host));
  const found: Census = { links: [], unseen: [] };
  const tables = await Promise.all(places.map((namespace) => linksOf(host, namespace)));
  for (const [index, namespace] of places.entries()) {
    const links = tables[index] ?? [];
    if (typeof links === "string") found.unseen.push({ namespace, reason: links });
    else found.links.push(...links.map((link) => ({ namespace, link })));
  }
  return found;
}

/** The host's namespace and all that have a name. */
async function everyPlace(host: Host): Promise<NamespaceName[]> {
  return [undefined, ...(await host.namespaces.names()).sort()];
}

/** The links, or why they cannot be read; a namespace that went away meanwhile has none. */
async function linksOf(host: Host, namespace: NamespaceName): Promise<readonly Link[] | string> {
  try {
    return (await host.links.table(namespace)).all;
  } catch (error) {
    if (!isTuntapError(error)) throw error;
    return error.code === "NAMESPACE_MISSING" ? [] : error.message;
  }
}

/** The links with leases in some namespaces, as they were at most a moment ago. */
export async function leasedIn(host: Host, namespaces: readonly NamespaceName[]): Promise<Located[]> {
  const tables = await Promise.all(
    namespaces.map(async (namespace) => {
      if (!(await host.namespaces.exists(namespace))) return [];
      const { links } = await host.scenes.lately(namespace);
      return links.all.filter(({ leases }) => leases.length > 0).map((link) => ({ namespace, link }));
    }),
  );
  return tables.flat();
}

/** A link that carries a lease of one of the stacks. */
export interface Leased extends Located {
  lease: string;
}

export function leasedBy(links: readonly Located[], stacks: readonly LeaseStack[]): Leased[] {
  return links.flatMap(({ namespace, link }) => {
    const lease = leaseOf(link.leases, stacks);
    return lease === undefined ? [] : [{ namespace, link, lease }];
  });
}

function leaseOf(leases: readonly string[], stacks: readonly LeaseStack[]): string | undefined {
  return leases.find((candidate) => stacks.some((stack) => isOfStack(candidate, stack)));
}

/** A table of nftables that carries a lease of one of the stacks. */
export interface LeasedTable {
  namespace: NamespaceName;
  table: NftTable;
  lease: string;
}

/** In the host's namespace and all that have a name; none of where tables cannot be listed, as without nft. */
export async function tablesLeasedBy(host: Host, stacks: readonly LeaseStack[]): Promise<LeasedTable[]> {
  if (stacks.length === 0) return [];
  const places = await everyPlace(host);
  const tables = await Promise.all(places.map((namespace) => tablesOf(host, namespace)));
  return places.flatMap((namespace, index) =>
    (tables[index] ?? []).flatMap((table) => {
      const lease = leaseOf(table.leases, stacks);
      return lease === undefined ? [] : [{ namespace, table, lease }];
    }),
  );
}

async function tablesOf(host: Host, namespace: NamespaceName): Promise<readonly NftTable[]> {
  try {
    return await host.nftables.tables(namespace);
  } catch (error) {
    if (isTuntapError(error)) return [];
    throw error;
  }
}

/** The words of a command that deletes it by hand. */
export function tableRemovalOf({ namespace, table: { family, name } }: LeasedTable): string[] {
  const words = ["nft", "delete", "table", family, name];
  return namespace === undefined ? words : ["ip", "netns", "exec", namespace, ...words];
}

/** The lease of a namespace stands on its `lo`. */
export function standsForNamespace({ namespace, link }: Located): boolean {
  return namespace !== undefined && link.ifindex === loopbackIndex;
}

/** The words of a command that removes it by hand. */
export function removalOf(located: Located): string[] {
  const { namespace, link } = located;
  if (namespace === undefined) return ["ip", "link", "del", "dev", link.name];
  if (standsForNamespace(located)) return ["ip", "netns", "del", namespace];
  return ["ip", "-n", namespace, "link", "del", "dev", link.name];
}

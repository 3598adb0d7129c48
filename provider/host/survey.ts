import type { ProcessInfo } from "../kernel/kernel";
import type { Database } from "./accounts";
import { addressText } from "./addresses";
import { census, type Located, type Unseen } from "./census";
import { eachProcess, type Host } from "./host";
import { leaseUid } from "./leases";
import type { Link } from "./links";
import { loopbackIndex } from "./namespaces";

/** A user or group; without a name where the host's database has none. */
export interface NamedAccount {
  id: number;
  name?: string;
}

/** A process with the name of its user. */
export interface NamedProcess extends ProcessInfo {
  user?: string;
}

/** A TUN or TAP interface, whoever made it, or a link of another kind that carries a lease. */
export interface SurveyedLink {
  name: string;
  namespace: string | undefined;
  ifindex: number;
  /** `tun`, `tap`, or the kernel's word for another kind (IFLA_INFO_KIND): `bridge`, `veth`. */
  kind: string;
  /** `address/length`, or `address peer PEER/length` */
  addresses: string[];
  macAddress?: string;
  /** Bytes. */
  mtu: number;
  up: boolean;
  carrier: boolean;
  alias?: string;
  /** The leases it carries, and on whose behalf they were given. */
  leases: { lease: string; user: NamedAccount }[];
  /** What only a TUN or TAP interface has. */
  tun?: SurveyedTun;
}

export interface SurveyedTun {
  mode: "tun" | "tap";
  owner?: NamedAccount;
  group?: NamedAccount;
  multiQueue: boolean;
  /** Queues in use; undefined for a single-queue interface. */
  queues?: number;
  detachedQueues: number;
  /** Whether it outlives the last process that holds it. */
  persistent: boolean;
  packetInformation: boolean;
  vnetHeader: boolean;
  /** The processes that use it. */
  holders: NamedProcess[];
  /** The process that keeps it alive instead of the persist flag (`persistence: "process"`). */
  keeper?: NamedProcess;
}

export interface Survey {
  links: SurveyedLink[];
  unseen: Unseen[];
}

/**
 * Every TUN and TAP interface of a namespace, and every other link there that carries a lease; of the host's and all that have a name where none is given.
 * Errors: NAMESPACE_MISSING for one that is given.
 */
export async function survey(host: Host, namespace?: string): Promise<Survey> {
  if (namespace !== undefined) await host.links.table(namespace);
  const { links, unseen } = await census(host, namespace === undefined ? undefined : [namespace]);
  // The loopback interface carries the lease of its namespace.
  const shown = links.filter(
    ({ link }) => link.tun || (link.leases.length > 0 && link.ifindex !== loopbackIndex),
  );
  return { links: await Promise.all(shown.map((located) => lookAt(host, located))), unseen };
}

async function lookAt(host: Host, { namespace, link }: Located): Promise<SurveyedLink> {
  const { name, ifindex, macAddress, mtu, up, carrier, alias, kind } = link;
  const [addresses, leases, tun] = await Promise.all([
    host.addresses.table(namespace),
    Promise.all(
      link.leases.map(async (lease) => ({ lease, user: await named(host, "user", leaseUid(lease) ?? 0) })),
    ),
    link.tun && lookAtTun(host, namespace, name, link.tun),
  ]);
  return {
    name,
    namespace,
    ifindex,
    kind: tun?.mode ?? kind ?? "none",
    addresses: (addresses.get(ifindex) ?? []).map(addressText),
    macAddress,
    mtu,
    up,
    carrier,
    alias,
    leases,
    ...(tun && { tun }),
  };
}

async function lookAtTun(
  host: Host,
  namespace: string | undefined,
  name: string,
  { owner, group, ...settings }: NonNullable<Link["tun"]>,
): Promise<SurveyedTun> {
  const account = (database: Database, id: number | undefined) =>
    id === undefined ? undefined : named(host, database, id);
  const [user, members, holders, keepers] = await Promise.all([
    account("user", owner),
    account("group", group),
    host.consumers(namespace, name).then((found) => nameUsers(host, found)),
    host.keeper(namespace, name).then((found) => nameUsers(host, found ? [found] : [])),
  ]);
  const { mode, multiQueue, queues, detachedQueues, persistent, packetInformation, vnetHeader } = settings;
  return {
    mode,
    ...(user && { owner: user }),
    ...(members && { group: members }),
    multiQueue,
    ...(queues !== undefined && { queues }),
    detachedQueues,
    persistent,
    packetInformation,
    vnetHeader,
    holders,
    ...(keepers[0] && { keeper: keepers[0] }),
  };
}

async function named(host: Host, database: Database, id: number): Promise<NamedAccount> {
  return { id, name: await host.accounts.name(database, id) };
}

/** Each process once, whatever it holds several times, with the name of its user. */
export async function nameUsers(host: Host, processes: readonly ProcessInfo[]): Promise<NamedProcess[]> {
  return Promise.all(
    eachProcess(processes).map(async ({ pid, command, uid }) => ({
      pid,
      command,
      uid,
      user: await host.accounts.name("user", uid),
    })),
  );
}

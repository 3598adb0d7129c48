import type { ProcessInfo } from "../kernel/kernel";
import type { Database } from "./accounts";
import { addressText } from "./addresses";
import { census, type Located, type Unseen } from "./census";
import { eachProcess, type Host } from "./host";
import { leaseUid } from "./leases";

/** A user or group; without a name where the host's database has none. */
export interface NamedAccount {
  id: number;
  name?: string;
}

/** A process with the name of its user. */
export interface NamedProcess extends ProcessInfo {
  user?: string;
}

/** A TUN or TAP interface, whoever made it. */
export interface SurveyedTun {
  name: string;
  namespace: string | undefined;
  ifindex: number;
  mode: "tun" | "tap";
  owner?: NamedAccount;
  group?: NamedAccount;
  /** `address/length`, or `address peer PEER/length` */
  addresses: string[];
  macAddress?: string;
  /** Bytes. */
  mtu: number;
  up: boolean;
  carrier: boolean;
  multiQueue: boolean;
  /** Queues in use; undefined for a single-queue interface. */
  queues?: number;
  detachedQueues: number;
  /** Whether it outlives the last process that holds it. */
  persistent: boolean;
  packetInformation: boolean;
  vnetHeader: boolean;
  alias?: string;
  /** The leases it carries, and on whose behalf they were given. */
  leases: { lease: string; user: NamedAccount }[];
  /** The processes that use it. */
  holders: NamedProcess[];
  /** The process that keeps it alive instead of the persist flag (`persistence: "process"`). */
  keeper?: NamedProcess;
}

export interface Survey {
  links: SurveyedTun[];
  unseen: Unseen[];
}

/**
 * Every TUN and TAP interface of a namespace; of the host's and all that have a name where none is given.
 * Errors: NAMESPACE_MISSING for one that is given.
 */
export async function survey(host: Host, namespace?: string): Promise<Survey> {
  if (namespace !== undefined) await host.links.table(namespace);
  const { links, unseen } = await census(host, namespace === undefined ? undefined : [namespace]);
  const tuns = links.filter(({ link }) => link.tun);
  return { links: await Promise.all(tuns.map((located) => lookAt(host, located))), unseen };
}

async function lookAt(host: Host, { namespace, link }: Located): Promise<SurveyedTun> {
  const tun = link.tun as NonNullable<typeof link.tun>;
  const account = (database: Database, id: number | undefined) =>
    id === undefined ? undefined : named(host, database, id);
  const [owner, group, addresses, holders, keepers, leases] = await Promise.all([
    account("user", tun.owner),
    account("group", tun.group),
    host.addresses.table(namespace),
    host.consumers(namespace, link.name).then((found) => nameUsers(host, found)),
    host.keeper(namespace, link.name).then((found) => nameUsers(host, found ? [found] : [])),
    Promise.all(
      link.leases.map(async (lease) => ({ lease, user: await named(host, "user", leaseUid(lease) ?? 0) })),
    ),
  ]);
  const { name, ifindex, macAddress, mtu, up, carrier, alias } = link;
  const { mode, multiQueue, queues, detachedQueues, persistent, packetInformation, vnetHeader } = tun;
  return {
    name,
    namespace,
    ifindex,
    mode,
    owner,
    group,
    addresses: (addresses.get(ifindex) ?? []).map(addressText),
    macAddress,
    mtu,
    up,
    carrier,
    multiQueue,
    queues,
    detachedQueues,
    persistent,
    packetInformation,
    vnetHeader,
    alias,
    leases,
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

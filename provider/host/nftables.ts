import { isTuntapError, TuntapError } from "../errors";
import { KeyedCollectors } from "../kernel/collector";
import type { Kernel, NamespaceName } from "../kernel/kernel";
import { isLease } from "./leases";
import { Queues } from "./turns";

/** One object of a listing, or of a command, as libnftables-json(5) has it. */
export type NftObject = Readonly<Record<string, unknown>>;

/** One command, as libnftables-json(5) has it: `{ add: { table: … } }`. */
export type NftCommand = Readonly<Record<string, Readonly<Record<string, NftObject>>>>;

/** A statement of a rule; one key, which names it. */
export type Statement = Readonly<Record<string, unknown>>;

export interface NftChain {
  name: string;
  /** Only of a base chain: `nat`, `filter`, `route`. */
  type?: string;
  hook?: string;
  /** Priority: what is lower sees a packet earlier. */
  prio?: number;
  policy?: string;
}

export interface NftRule {
  chain: string;
  expr: readonly Statement[];
}

/** What is in a table beside chains and rules; its flags, too. */
export interface NftThing {
  /** `set`, `map`, `counter` …, `flags` */
  type: string;
  name: string;
}

/** A table without its rules. */
export interface NftTable {
  family: string;
  name: string;
  /** Number in its namespace; never given twice before the host restarts. */
  handle: number;
  chains: readonly NftChain[];
  /**
   * The lease is the name of a chain without rules: tables have no alternative names, and their comments are not in
   * what every version of nft lists.
   */
  leases: readonly string[];
}

export interface NftContents extends NftTable {
  rules: readonly NftRule[];
  things: readonly NftThing[];
}

/** Tables of nftables, by the program nft; and whether there are others beside them. */
export class Nftables {
  private readonly listing: KeyedCollectors<NamespaceName, undefined, readonly NftTable[]>;
  private readonly changes = new Queues<NamespaceName>();

  /** @param uid of this process: root is refused for other reasons than others. */
  constructor(
    private readonly kernel: Kernel,
    private readonly uid: number,
  ) {
    this.listing = new KeyedCollectors<NamespaceName, undefined, readonly NftTable[]>(
      async (namespace, askers) => {
        const tables = tablesOf(
          await this.run(namespace, [{ list: { tables: null } }, { list: { chains: null } }], "listed"),
        );
        return askers.map(() => tables);
      },
    );
  }

  /** All tables, of all families. Errors: NAMESPACE_MISSING, NFT_MISSING, NFT_REFUSED, PERMISSION_DENIED. */
  tables(namespace: NamespaceName): Promise<readonly NftTable[]> {
    return this.listing.add(namespace, undefined);
  }

  /** With their rules; undefined where one went away meanwhile. Errors: as `tables`. */
  async contents(namespace: NamespaceName, table: NftTable): Promise<NftContents | undefined> {
    const { family, name } = table;
    try {
      const found = contentsOf(await this.run(namespace, [{ list: { table: { family, name } } }], "listed"));
      // Another one may have the name by now.
      return found?.handle === table.handle ? found : undefined;
    } catch (error) {
      const there = (await this.tables(namespace)).some(({ handle }) => handle === table.handle);
      if (there) throw error;
      return undefined;
    }
  }

  /** Of iptables-legacy, which nft does not show; none for others than root, who may not see them. Errors: NAMESPACE_MISSING. */
  async legacyTables(namespace: NamespaceName, version: 4 | 6): Promise<readonly string[]> {
    try {
      return (await this.kernel.legacyTables(namespace, version)).split("\n").filter(Boolean);
    } catch (error) {
      if (isTuntapError(error) && error.code === "PERMISSION_DENIED") return [];
      throw error;
    }
  }

  /**
   * Changes that go by which tables there are: no other of these is made in the namespace meanwhile. Errors: as `tables`.
   */
  inTurn<T>(namespace: NamespaceName, change: (tables: readonly NftTable[]) => Promise<T>): Promise<T> {
    return this.changes.add(namespace, async () => change(await this.tables(namespace)));
  }

  /** One transaction: all of it or nothing. Errors: as `tables`. @param what was not done, for the message. */
  async apply(namespace: NamespaceName, commands: readonly NftCommand[], what: string): Promise<void> {
    await this.run(namespace, commands, what);
  }

  private async run(
    namespace: NamespaceName,
    commands: readonly object[],
    what: string,
  ): Promise<NftObject[]> {
    const { status, output, errors } = await this.kernel.nft(
      namespace,
      JSON.stringify({ nftables: commands }),
    );
    if (status === 0) return output.split("\n").filter(Boolean).flatMap(objectsOf);
    const complaint = errors.trim().split("\n").filter(Boolean).slice(0, 3).join(" ");
    const said = complaint === "" ? `it ended with ${status}` : `it says: ${complaint}`;
    throw new TuntapError(this.uid === 0 ? "NFT_REFUSED" : "PERMISSION_DENIED", {
      message: `tables of nftables were not ${what}; ${said}`,
      operation: "nft",
      remedy: status > signalled ? flagsRemedy : undefined,
    });
  }
}

/** Whether a table is that one. */
export function sameTable({ family, name }: { family: string; name: string }): (other: NftTable) => boolean {
  return (other) => other.family === family && other.name === name;
}

/** An exit status above it is that of a program that a signal ended. */
const signalled = 128;

const flagsRemedy =
  "nft 1.0.6 and older cannot list a table with flags: one that has an owner (`flags owner`, as firewalld makes its own), or is switched off (`flags dormant`). Update nftables, or take the flag away (`NftablesTableOwner=no` in firewalld.conf; `nft add table FAMILY NAME` switches a table on).";

/** All that there are. */
const tableFlags = ["dormant", "owner", "persist"];

/** The flags of a table. nft 1.0.6 prints something else for them. */
function flagsOf(table: { flags?: unknown } | undefined): NftThing[] {
  if (table?.flags === undefined) return [];
  const known = [table.flags].flat().filter((flag) => tableFlags.includes(String(flag)));
  return [{ type: "flags", name: known.join(", ") || "dormant" }];
}

function objectsOf(line: string): NftObject[] {
  try {
    return (JSON.parse(line) as { nftables?: NftObject[] }).nftables ?? [];
  } catch (cause) {
    // nft 1.0.6 prints whatever is in memory where the name of that flag should be.
    throw new TuntapError("NFT_REFUSED", {
      message: `tables of nftables were not listed; what nft prints of them is no JSON: ${JSON.stringify(line.slice(0, 300))}`,
      operation: "nft",
      remedy: flagsRemedy,
      cause,
    });
  }
}

type Listed = Record<string, unknown> & { family: string; name: string; table: string; handle: number };

function tablesOf(objects: readonly NftObject[]): NftTable[] {
  const of = (type: string) => objects.flatMap((object) => (object[type] as Listed | undefined) ?? []);
  const chains = of("chain");
  return of("table").map(({ family, name, handle }) => {
    const own = chains.filter((chain) => chain.family === family && chain.table === name);
    return {
      family,
      name,
      handle,
      chains: own.filter((chain) => !isLease(chain.name)) as unknown as NftChain[],
      leases: own.map((chain) => chain.name).filter(isLease),
    };
  });
}

const apart = new Set(["metainfo", "table", "chain", "rule"]);

function contentsOf(objects: readonly NftObject[]): NftContents | undefined {
  const [table] = tablesOf(objects);
  if (table === undefined) return undefined;
  const things = objects.flatMap((object) =>
    Object.entries(object)
      .filter(([type]) => !apart.has(type))
      .map(([type, value]) => ({ type, name: String((value as Listed).name) })),
  );
  things.push(...objects.flatMap((object) => flagsOf(object.table as { flags?: unknown } | undefined)));
  const rules = objects.flatMap(({ rule }) => (rule as NftRule | undefined) ?? []);
  return { ...table, rules, things };
}

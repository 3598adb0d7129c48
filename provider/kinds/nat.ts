import { isDeepStrictEqual } from "node:util";
import { TuntapError } from "../errors";
import { canonicalAddress } from "../host/addresses";
import type { Host } from "../host/host";
import { sameStack } from "../host/leases";
import { type NftCommand, type NftContents, type NftTable, sameTable } from "../host/nftables";
import type { InputSchema, Inputs, Kind, Obstacle, Problem, Property, Sighting, Target } from "./kind";
import { forwardDrops } from "./parts/forward-drops";
import { adoptInput, linkClaim } from "./parts/names";
import {
  canonicalForwards,
  canonicalNetworks,
  natRules,
  portClaims,
  tableNameBytes,
  tableNameProblem,
} from "./parts/nat-checks";
import {
  deleteTable,
  deviations,
  type Forward,
  type Nat,
  natOf,
  tableCommands,
  tableFamily,
} from "./parts/nat-rules";
import { live } from "./parts/verdicts";

interface Desired extends Nat {
  name: string | undefined;
}

interface Observed {
  table: NftTable;
  nat: Nat;
  /** What does not follow from it: rules of others, and those that are missing. */
  deviations: string[];
  bootId: string;
}

const inputs = {
  name: {
    type: "string",
    format: "table-name",
    change: "live",
    observed: true,
    description:
      "Name of the table (family inet), as `nft list tables` shows it. Default: the logical name, shortened with a hash where it is no such name.",
  },
  source: {
    type: "array",
    items: { type: "string", format: "network" },
    minItems: 1,
    uniqueItems: true,
    change: "live",
    description:
      "Networks of IPv4 or IPv6, with their prefix lengths, whose packets leave with another source address: that of the interface they leave by, or `snatTo`. Every network (`0.0.0.0/0`, `::/0`) needs `outInterface`. Default: none.",
  },
  snatTo: {
    type: "string",
    format: "hop",
    change: "live",
    description:
      "Address of this host that those packets get, of the family of `source`. Default: that of the interface they leave by (masquerade).",
  },
  outInterface: {
    type: "string",
    format: "link-name",
    change: "live",
    description:
      "Interface to the outside, by name, in the same namespace: packets that leave by it are translated, and ports are forwarded for what comes in by it. Default: any; what the networks in `source` send one another is not translated then.",
  },
  forwards: {
    type: "array",
    items: {
      type: "object",
      properties: {
        protocol: { type: "string", enum: ["tcp", "udp"], required: true, description: "Of the port." },
        port: {
          type: ["integer", "string"],
          format: "ports",
          minimum: 1,
          maximum: 65535,
          required: true,
          description: 'Port of this host, or a range of ports: `"8000-8010"`.',
        },
        to: {
          type: "string",
          format: "hop",
          required: true,
          description: "Address to which it is forwarded, of IPv4 or IPv6.",
        },
        toPort: {
          type: "integer",
          minimum: 1,
          maximum: 65535,
          description: "Port there. Default: the same; a range keeps its numbers.",
        },
      },
    },
    minItems: 1,
    change: "live",
    description:
      "Ports that are forwarded: connections from elsewhere to any address of this host. Those that the host itself opens are not. No two `Nat` of one program and namespace may forward the same port by the same interface. Default: none.",
  },
  allowForwarding: {
    type: "boolean",
    default: false,
    change: "live",
    description:
      "Show in the table what is meant to pass: a forward chain that accepts packets from `source`, those to and from `forwards`, and the answers to both. By itself it changes nothing for any packet: the kernel forwards what the chains of all tables let pass, so that it does not overrule a chain of another table that drops them, as Docker's does, and where none does, nothing need be accepted. Such chains are warned of, with the rule that they need.",
  },
  namespace: {
    type: "string",
    format: "namespace-name",
    change: "replace",
    description:
      "Network namespace that translates, by its name in /run/netns. Default: the host's. Pass the `.name` of a `Namespace` resource, so that it is made first.",
  },
  adopt: {
    ...adoptInput,
    description:
      "Take over a table of that name that this program did not make: what is in it is replaced, and from then on it is managed, and deleted, like one that it made.",
  },
} as const satisfies Record<string, InputSchema>;

type Row<Value> = Property<Desired, Observed, Value>;

const none = "";
const listed = (texts: readonly string[]) => (texts.length === 0 ? "none" : texts.join(", "));

function forwardText({ protocol, port, to, toPort }: Forward): string {
  const target = to.includes(":") ? `[${to}]` : to;
  return `${protocol} ${port} to ${toPort === undefined ? to : `${target}:${toPort}`}`;
}

const nothing: Nat = {
  source: [],
  snatTo: undefined,
  outInterface: undefined,
  forwards: [],
  allowForwarding: false,
};

/** A row for what a table of ours does: all of it is ours, so what is not declared is not there. */
function row<Value>(name: keyof Nat, pick: (nat: Nat) => Value, show: (value: Value) => string): Row<Value> {
  return {
    name,
    inputs: [name],
    verdict: live,
    want: (desired) => pick({ ...nothing, ...desired }),
    is: ({ nat }) => pick(nat),
    show,
  };
}

const properties = [
  {
    name: "name",
    inputs: ["name"],
    verdict: live,
    want: ({ name }) => name,
    is: ({ table }) => table.name,
  } satisfies Row<string>,
  row("source", ({ source }) => source, listed),
  row(
    "snatTo",
    ({ snatTo }) => snatTo ?? none,
    (address) => address || "masquerade",
  ),
  row(
    "outInterface",
    ({ outInterface }) => outInterface ?? none,
    (name) => name || "any",
  ),
  row(
    "forwards",
    ({ forwards }) => forwards,
    (forwards) => listed(forwards.map(forwardText)),
  ),
  row(
    "allowForwarding",
    ({ allowForwarding }) => allowForwarding,
    (on) => (on ? "on" : "off"),
  ),
  {
    name: "rules",
    inputs: ["source", "snatTo", "outInterface", "forwards", "allowForwarding"],
    verdict: live,
    want: () => [],
    is: ({ deviations: found }) => found,
    show: (lines) => (lines.length === 0 ? "as they follow from that" : lines.join("; ")),
  } satisfies Row<readonly string[]>,
] as unknown as Row<never>[];

async function observe(target: Target, table: NftTable, bootId: string, host: Host) {
  const contents = await host.nftables.contents(target.namespace, table);
  return contents && observed(contents, bootId);
}

function observed(contents: NftContents, bootId: string): Observed {
  const nat = natOf(contents);
  return { table: contents, nat, deviations: deviations(contents, nat), bootId };
}

/** Ours carries the lease, or is the recorded one with none. */
async function sight(target: Target, host: Host): Promise<Sighting<Observed>> {
  const { namespace, lease, recorded } = target;
  if (!(await host.namespaces.exists(namespace))) return { namespaceMissing: namespace };
  const [tables, bootId] = await Promise.all([host.nftables.tables(namespace), host.bootId()]);
  const own = tables.filter(({ family }) => family === tableFamily);
  const leased = own.find(({ leases }) => leases.includes(lease));
  const isRecorded = ({ leases, handle }: NftTable) =>
    leases.length === 0 && recorded?.__handle === handle && recorded.__bootId === bootId;
  const ours = leased ?? own.find(isRecorded);
  const other = own.find((table) => table.name === target.name && table !== ours);
  const [object, obstacle] = await Promise.all([
    ours && observe(target, ours, bootId, host),
    other && obstacleOf(target, other, bootId, host),
  ]);
  return {
    ...(object && { object, leaseLost: leased === undefined }),
    ...(obstacle && { obstacle }),
  };
}

async function obstacleOf(
  target: Target,
  table: NftTable,
  bootId: string,
  host: Host,
): Promise<Obstacle<Observed> | undefined> {
  const object = await observe(target, table, bootId, host);
  return (
    object && {
      object,
      sameStack: isOfOurStack(table, target),
      leased: table.leases.length > 0,
    }
  );
}

function isOfOurStack({ leases }: NftTable, { lease }: Target): boolean {
  return leases.some((other) => sameStack(other, lease));
}

function describe({ table: { name, family, leases }, nat, deviations: found }: Observed): string {
  const does = [
    nat.source.length > 0 && `translates ${nat.source.join(", ")}`,
    nat.forwards.length > 0 && `forwards ${nat.forwards.map(forwardText).join(", ")}`,
    found.length > 0 && `has ${found.length} other lines`,
  ].filter(Boolean);
  const lease = leases.length === 0 ? "no lease" : `lease ${leases.join(", ")}`;
  return `table ${family} ${name} (${[...does, lease].join("; ")})`;
}

/** A table of another resource of the same stack that has the name: it is made anew under its own by its resource. */
function inTheWay(target: Target, name: string, tables: readonly NftTable[]): NftCommand[] {
  const other = tables.find(sameTable({ family: tableFamily, name }));
  if (other === undefined || other.leases.includes(target.lease)) return [];
  if (isOfOurStack(other, target)) return [deleteTable(name)];
  throw new TuntapError("FOREIGN_TABLE", {
    message: `the name ${name} is taken by table ${tableFamily} ${name}, and it is left as it is`,
    property: "name",
  });
}

/** The table that was seen, if it is still there: another resource of the stack may have taken its name meanwhile. */
function stillThere({ table: { handle } }: Observed, tables: readonly NftTable[]): NftTable | undefined {
  return tables.find((table) => table.handle === handle);
}

function make(target: Target, desired: Desired, before: readonly NftCommand[], host: Host): Promise<void> {
  const commands = [...before, ...tableCommands(target.name, target.lease, desired)];
  return host.nftables.apply(target.namespace, commands, "written");
}

async function takeOver(target: Target, { table }: Observed, host: Host): Promise<void> {
  const place = { family: table.family, table: table.name };
  const others = table.leases.filter((lease) => lease !== target.lease);
  const commands: NftCommand[] = [
    ...others.flatMap((name): NftCommand[] => [
      { flush: { chain: { ...place, name } } },
      { delete: { chain: { ...place, name } } },
    ]),
    { add: { chain: { ...place, name: target.lease } } },
  ];
  await host.nftables.apply(target.namespace, commands, "marked with their lease");
}

/** Takes the lease off a table that was not written, and gives those of others back. */
async function giveBack(target: Target, before: Observed, host: Host): Promise<void> {
  const { object } = await sight(target, host);
  if (!object || !isDeepStrictEqual([object.nat, object.deviations], [before.nat, before.deviations])) return;
  const { family, name: table, leases } = before.table;
  const own = { chain: { family, table, name: target.lease } };
  const commands: NftCommand[] = [
    ...(leases.includes(target.lease) ? [] : [{ flush: own }, { delete: own }]),
    ...leases.map((name): NftCommand => ({ add: { chain: { family, table, name } } })),
  ];
  await host.nftables.apply(target.namespace, commands, "given back");
}

async function hostRules(values: Inputs, unknown: ReadonlySet<string>, host: Host): Promise<Problem[]> {
  const namespace = values.namespace as string | undefined;
  if (unknown.has("namespace") || !(await host.namespaces.exists(namespace))) return [];
  return [...(await missingInterface(values, host)), ...(await forwardDrops(values, host))];
}

async function missingInterface({ outInterface, namespace }: Inputs, host: Host): Promise<Problem[]> {
  if (typeof outInterface !== "string") return [];
  const place = namespace as string | undefined;
  if ((await host.links.table(place)).named(outInterface)) return [];
  const message = `there is no interface ${JSON.stringify(outInterface)}, so nothing is translated or forwarded until there is one. If a resource of this program makes it, pass that resource's \`.name\``;
  const unless = [linkClaim(outInterface, { namespace })];
  return [{ property: "outInterface", message, warning: true, unless }];
}

const tableSpace = (namespace: string | undefined) => `table:${namespace ?? ""}`;

export const nat: Kind<Desired, Observed> = {
  name: "Nat",
  description:
    "Network address translation for networks behind this host (source) and ports forwarded into them (forwards): one table of nftables, replaced as a whole in one transaction, and deleted as one. Other tables are never touched. A chain in it without rules, named by the lease, says whose it is. Forwarding itself is a `Sysctl` (net.ipv4.ip_forward); where that is off, or a chain of another table drops what is forwarded, as Docker's does, the plan says so.",
  example: `const forwarding = new tuntap.Sysctl("forwarding", { name: "net.ipv4.ip_forward", value: 1 });
const nat = new tuntap.Nat("guests", {
  source: ["192.0.2.0/24"],
  outInterface: "eth0",
  forwards: [{ protocol: "tcp", port: 8080, to: "192.0.2.10", toPort: 80 }],
}, { dependsOn: forwarding });

export const table = nat.name;`,
  inputs,
  outputs: {},
  naming: {
    bytes: tableNameBytes,
    problem: tableNameProblem,
    space: tableSpace,
  },
  claims: (values, unknown) => [
    { space: tableSpace(values.namespace as string | undefined), name: String(values.name) },
    ...portClaims(values, unknown),
  ],
  leasedApart: true,
  inside: (target) => target.namespace,
  rules: natRules,
  hostRules,
  async desire(values: Inputs) {
    const { name, snatTo, outInterface, allowForwarding } = values;
    return {
      name: name as string | undefined,
      source: canonicalNetworks(values.source),
      snatTo: snatTo === undefined ? undefined : canonicalAddress(snatTo as string),
      outInterface: outInterface as string | undefined,
      forwards: canonicalForwards(values.forwards),
      allowForwarding: allowForwarding === true,
    };
  },
  sight,
  describe,
  properties,
  create: (target, desired, host) => make(target, desired, [], host),
  makeWay(target, host) {
    const { namespace, name } = target;
    return host.nftables.inTurn(namespace, async (tables) => {
      const commands = inTheWay(target, name, tables);
      if (commands.length > 0) await host.nftables.apply(namespace, commands, "moved out of the way");
    });
  },
  rewrite(target, seen, desired, host) {
    return host.nftables.inTurn(target.namespace, async (tables) => {
      const table = stillThere(seen, tables);
      if (table === undefined) {
        throw new TuntapError("LINK_VANISHED", {
          message: `table ${tableFamily} ${seen.table.name} was deleted while it was being changed`,
        });
      }
      const other = table.name === target.name ? [] : inTheWay(target, target.name, tables);
      await make(target, desired, [deleteTable(table.name), ...other], host);
    });
  },
  takeOver,
  giveBack,
  async inUse() {
    return undefined;
  },
  async whereabouts({ namespace }) {
    return { namespace, processes: [] };
  },
  codes: { inUse: "NFT_REFUSED", foreign: "FOREIGN_TABLE" },
  otherHands:
    "Look for what else writes tables of nftables (a script that flushes the ruleset, firewalld, another program with the same table) and exclude the table there.",
  onBusy: () => ({ mode: "fail", seconds: 0 }),
  remove({ namespace }, seen, host) {
    return host.nftables.inTurn(namespace, async (tables) => {
      const table = stillThere(seen, tables);
      if (table) await host.nftables.apply(namespace, [deleteTable(table.name)], "deleted");
    });
  },
  present({ table, nat: seen }, desired, declared) {
    const value = (name: keyof Nat, is: unknown, empty: boolean) =>
      JSON.stringify(seen[name]) === JSON.stringify(desired[name]) ? declared[name] : empty ? undefined : is;
    return {
      name: table.name,
      source: value("source", seen.source, seen.source.length === 0),
      snatTo: value("snatTo", seen.snatTo, false),
      outInterface: value("outInterface", seen.outInterface, false),
      forwards: value("forwards", seen.forwards.map(inWords), seen.forwards.length === 0),
      allowForwarding: seen.allowForwarding,
    };
  },
  remember: ({ table, bootId }) => ({ __handle: table.handle, __bootId: bootId }),
};

/** As a program would write it. */
function inWords({ protocol, port, to, toPort }: Forward) {
  return {
    protocol,
    port: port.includes("-") ? port : Number(port),
    to,
    ...(toPort !== undefined && { toPort }),
  };
}

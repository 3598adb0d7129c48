import { constants } from "node:os";
import { isTuntapError, TuntapError } from "../errors";
import type { Database } from "../host/accounts";
import type { Address } from "../host/addresses";
import type { Host } from "../host/host";
import { sameStack } from "../host/leases";
import {
  addAlternativeName,
  describeLink,
  type Link,
  removeAlternativeName,
  setLink,
  setLinkUp,
} from "../host/links";
import { freeName, renameLink } from "../host/names";
import { accepted, refusal, tunRefusal } from "../host/refusals";
import type {
  Difference,
  InputSchema,
  Inputs,
  Kind,
  Problem,
  Property,
  Sighting,
  Target,
  Verdict,
} from "./kind";
import { accountId, accountInput, accountProblems, none } from "./parts/accounts";
import {
  addressInputs,
  addressProperty,
  addressRules,
  broadcastOutput,
  type DesiredAddresses,
  desiredAddresses,
  presentAddresses,
} from "./parts/addresses";
import {
  adoptInput,
  linkNameBytes,
  linkNameProblem,
  linkSpace,
  nameInput,
  namespaceInput,
} from "./parts/names";

const { errno } = constants;

interface Desired {
  name: string | undefined;
  mode: "tun" | "tap" | undefined;
  /** uid, or -1 for none. */
  owner: number | undefined;
  /** gid, or -1 for none. */
  group: number | undefined;
  addresses: DesiredAddresses | undefined;
  mtu: number | undefined;
  up: boolean | undefined;
}

interface Observed {
  link: Link;
  ifindex: number;
  hasBroadcast: boolean;
  addresses: readonly Address[];
  bootId: string;
  /** Inode of the namespace it is in, 0 for the host's. */
  namespaceInode: number;
}

const always = (verdict: Verdict) => ({ idle: verdict, single: verdict, multi: verdict });

const inputs = {
  name: nameInput,
  mode: {
    type: "string",
    enum: ["tun", "tap"],
    default: "tap",
    change: "replace",
    description: "`tun` carries IP packets, `tap` carries Ethernet frames (IFF_TUN, IFF_TAP).",
  },
  owner: accountInput("user", "TUNSETOWNER"),
  group: accountInput("group", "TUNSETGROUP"),
  ...addressInputs,
  mtu: {
    type: "integer",
    minimum: 68,
    maximum: 65535,
    change: "live",
    observed: true,
    description:
      "Largest packet in bytes: 68 to 65535 for a TUN, 68 to 65521 for a TAP. Default: not managed (the kernel starts with 1500).",
  },
  up: {
    type: "boolean",
    default: true,
    change: "live",
    description:
      "Administrative state (IFF_UP). Setting it down takes IPv6 addresses and routes off the interface.",
  },
  persistence: {
    type: "string",
    enum: ["runtime", "process", "boot"],
    default: "runtime",
    change: "live",
    description:
      "How long the device lives: `runtime` until it is deleted or the host restarts (TUNSETPERSIST). `process` and `boot` are not available yet.",
  },
  namespace: namespaceInput,
  adopt: adoptInput,
  onBusy: {
    type: "string",
    enum: ["fail", "force"],
    default: "fail",
    change: "control",
    description:
      "What to do when a process holds an interface that must be deleted or made anew: `fail` names the process and leaves all as it is, `force` pulls the interface from under it.",
  },
} as const satisfies Record<string, InputSchema>;

function accountProperty(database: Database, input: "owner" | "group"): Property<Desired, Observed, number> {
  return {
    name: input,
    inputs: [input],
    // A single-queue device admits nobody beside its holder; with several queues one more is opened for a moment.
    verdict: { idle: "live", single: "blocked", multi: "live" },
    needsReplace: (want, is) => want === none && is !== none,
    want: (desired) => desired[input],
    is: ({ link }) => link.tun?.[input] ?? none,
    show: (id) => (id === none ? "none" : `${database === "user" ? "uid" : "gid"} ${id}`),
    apply: (difference, host) => adjust(difference, host, { [input]: difference.want }),
  };
}

/** Writes what only an attached descriptor can change. */
async function adjust(
  { property, observed, target }: Difference<Desired, Observed>,
  host: Host,
  wanted: { owner?: number; group?: number; persist?: boolean },
): Promise<void> {
  const result = await host.tuns.adjust(target.namespace, observed.link, wanted);
  if (result.errno === 0) return;
  if (result.errno !== errno.EBUSY) {
    throw tunRefusal(result, { message: `${property.name} could not be changed`, property: property.name });
  }
  const by = (await holders(target, observed, host)) ?? "held by a process that ended meanwhile";
  throw new TuntapError("LINK_BUSY", {
    message: `${property.name} cannot be changed while a process holds the interface; it is ${by}.`,
    errno: errno.EBUSY,
    property: property.name,
  });
}

const properties = [
  {
    name: "name",
    inputs: ["name"],
    verdict: always("live"),
    want: (desired) => desired.name,
    is: ({ link }) => link.name,
    apply: ({ want, observed, target }, host) =>
      renameLink(host, target.namespace, observed.link, target.lease, want),
  } satisfies Property<Desired, Observed, string>,
  {
    name: "mode",
    inputs: ["mode"],
    verdict: always("replace"),
    want: (desired) => desired.mode,
    is: ({ link }) => link.tun?.mode ?? "tap",
  } satisfies Property<Desired, Observed, "tun" | "tap">,
  accountProperty("user", "owner"),
  accountProperty("group", "group"),
  {
    // The persist flag: `tunctl -d` clears it, and the device then ends with its last holder.
    name: "persistence",
    inputs: ["persistence"],
    verdict: { idle: "live", single: "blocked", multi: "live" },
    want: () => "runtime",
    is: ({ link }) => (link.tun?.persistent ? "runtime" : "process"),
    show: (value) =>
      value === "runtime" ? "runtime" : "not persistent (the device ends with its last holder)",
    apply: (difference, host) => adjust(difference, host, { persist: true }),
  } satisfies Property<Desired, Observed, string>,
  {
    name: "mtu",
    inputs: ["mtu"],
    verdict: always("live"),
    want: (desired) => desired.mtu,
    is: ({ link }) => link.mtu,
    messages: ({ want, observed }) => [{ bytes: setLink(observed.ifindex, { mtu: want }) }],
  } satisfies Property<Desired, Observed, number>,
  addressProperty<Desired, Observed>(),
  {
    name: "up",
    inputs: ["up"],
    verdict: always("live"),
    want: (desired) => desired.up,
    is: ({ link }) => link.up,
    show: (up) => (up ? "up" : "down"),
    // Down takes IPv6 addresses away, so it comes before they are written, and up comes after.
    first: (want) => !want,
    messages: ({ want, observed }) => [{ bytes: setLinkUp(observed.ifindex, want) }],
  } satisfies Property<Desired, Observed, boolean>,
] as Property<Desired, Observed, never>[];

async function observe(link: Link, target: Target, host: Host): Promise<Observed> {
  const [addresses, bootId, entry] = await Promise.all([
    host.addresses.of(target.namespace, link.ifindex),
    host.bootId(),
    target.namespace === undefined ? undefined : host.namespaces.find(target.namespace),
  ]);
  return {
    link,
    ifindex: link.ifindex,
    hasBroadcast: link.broadcast,
    addresses,
    bootId,
    namespaceInode: entry?.inode ?? 0,
  };
}

async function sight(target: Target, host: Host): Promise<Sighting<Observed>> {
  let table: Awaited<ReturnType<Host["links"]["table"]>>;
  try {
    table = await host.links.table(target.namespace);
  } catch (error) {
    if (isTuntapError(error) && error.code === "NAMESPACE_MISSING") return { namespaceMissing: true };
    throw error;
  }
  const leased = table.named(target.lease);
  const ours = leased ?? (await withoutLease(table.at(Number(target.recorded?.ifindex)), target, host));
  const sighting: Sighting<Observed> = {};
  if (ours) {
    sighting.object = await observe(ours, target, host);
    sighting.leaseLost = leased === undefined;
  }
  const namesake = table.named(target.name);
  if (namesake && namesake !== ours) {
    sighting.obstacle = {
      object: await observe(namesake, target, host),
      sameStack: namesake.leases.some((lease) => sameStack(lease, target.lease)),
      leased: namesake.leases.length > 0,
    };
  }
  return sighting;
}

/** The recorded link, if it is certainly that one and has lost nothing but its lease. */
async function withoutLease(link: Link | undefined, target: Target, host: Host): Promise<Link | undefined> {
  const { recorded } = target;
  if (!link?.tun || !recorded || link.leases.length > 0 || link.name !== recorded.name) return undefined;
  const seen = await observe(link, target, host);
  return seen.bootId === recorded.__bootId && seen.namespaceInode === recorded.__namespaceInode
    ? link
    : undefined;
}

async function holders(target: Target, observed: Observed, host: Host): Promise<string | undefined> {
  const found = await host.holders(target.namespace, observed.link.name);
  return found.length > 0 ? `held by ${await host.describeHolders(found)}` : undefined;
}

async function create(target: Target, desired: Desired, host: Host): Promise<void> {
  const { namespace, name, lease } = target;
  const id = (value: number | undefined) => (value === none ? undefined : value);
  const result = await host.tuns.create(namespace, {
    name,
    mode: desired.mode ?? "tap",
    owner: id(desired.owner),
    group: id(desired.group),
    lease,
  });
  if (result.errno !== 0) throw await creationError(result, target, host);
  if (target.longName !== undefined && result.ifindex !== undefined) {
    // Only a convenience for people: another link may have it already, and then this one goes without.
    await host.batch.send(namespace, [addAlternativeName(result.ifindex, target.longName)]);
  }
}

async function creationError(
  result: { errno: number; step?: string; extack?: string },
  target: Target,
  host: Host,
): Promise<TuntapError> {
  if (result.step === "TUNSETIFF" && result.errno === errno.EBUSY) {
    const other = (await host.links.table(target.namespace)).named(target.name);
    return new TuntapError("FOREIGN_LINK", {
      message: `the name ${target.name} is taken by ${other ? describeLink(other) : "another link"}`,
      errno: result.errno,
      operation: result.step,
      property: "name",
    });
  }
  return tunRefusal(result, { message: `the interface could not be created at ${result.step}` });
}

async function takeOver(target: Target, observed: Observed, host: Host): Promise<void> {
  if (!observed.link.tun) {
    throw new TuntapError("FOREIGN_LINK", {
      message: `${describeLink(observed.link)} is no TUN or TAP interface, so it cannot be taken over`,
      property: "name",
      remedy: "Choose another `name`, or remove that link by hand.",
    });
  }
  const replies = await host.batch.send(target.namespace, [
    ...observed.link.leases.map((lease) => removeAlternativeName(observed.ifindex, lease)),
    addAlternativeName(observed.ifindex, target.lease),
  ]);
  const refused = replies.find((reply) => !accepted(reply));
  if (refused)
    throw refusal(refused, { message: "its lease could not be written", operation: "RTM_NEWLINKPROP" });
}

async function remove(target: Target, observed: Observed, host: Host): Promise<void> {
  const reply = await host.batch.deleteLink(target.namespace, observed.ifindex);
  if (accepted(reply, errno.ENODEV)) return;
  throw refusal(reply, { message: "it could not be deleted", operation: "RTM_DELLINK" });
}

function rules(values: Inputs): Problem[] {
  const problems = addressRules(values);
  const { mode, mtu, persistence } = values;
  if (mode === "tap" && typeof mtu === "number" && mtu > 65521) {
    problems.push({
      property: "mtu",
      message: `mtu ${mtu} is above 65521 bytes, the limit of a TAP; lower it, or use mode "tun" (up to 65535)`,
    });
  }
  if (persistence === "process" || persistence === "boot") {
    problems.push({
      property: "persistence",
      message: `persistence "${persistence}" is not available yet; use "runtime"`,
    });
  }
  return problems;
}

function warnings(values: Inputs): Problem[] {
  const unset = (account: unknown) => account === undefined || account === none;
  if (!unset(values.owner) || !unset(values.group)) return [];
  return [
    {
      property: "owner",
      message:
        "neither owner nor group is set: any user with access to /dev/net/tun may attach to the interface and delete it; set `owner` or `group`",
    },
  ];
}

function present(observed: Observed, desired: Desired, declared: Inputs, recorded: Inputs | undefined) {
  const { link } = observed;
  const account = (input: "owner" | "group") => {
    const is = link.tun?.[input] ?? none;
    return desired[input] === is ? declared[input] : is;
  };
  return {
    name: link.name,
    mode: link.tun?.mode,
    owner: account("owner"),
    group: account("group"),
    ...presentAddresses(observed, desired, declared, recorded),
    mtu: link.mtu,
    up: link.up,
    persistence: link.tun?.persistent ? "runtime" : "process",
    macAddress: link.macAddress,
    ifindex: link.ifindex,
  };
}

export const tunInterface: Kind<Desired, Observed> = {
  name: "TunInterface",
  description:
    "A TUN or TAP interface that exists until it is deleted or the host restarts, so that programs come and go on it. What is not declared is not managed.",
  example: `const tap = new tuntap.TunInterface("vmtap0", {
  owner: "nobody",
  address: "192.0.2.1",
  netmask: "255.255.255.0",
});

export const name = tap.name;`,
  inputs,
  outputs: {
    broadcast: broadcastOutput,
    macAddress: {
      type: "string",
      optional: true,
      description: "MAC address as the kernel shows it; absent on a TUN.",
    },
    ifindex: { type: "integer", description: "Index of the interface in its namespace." },
  },
  naming: { bytes: linkNameBytes, problem: linkNameProblem, space: linkSpace },
  inside: (target) => target.namespace,
  rules,
  hostRules: accountProblems,
  warnings,
  async desire(values, host) {
    const [owner, group] = await Promise.all([
      accountId(host, "user", values.owner),
      accountId(host, "group", values.group),
    ]);
    return {
      name: values.name as string | undefined,
      mode: values.mode as Desired["mode"],
      owner,
      group,
      addresses: desiredAddresses(values),
      mtu: values.mtu as number | undefined,
      up: values.up as boolean | undefined,
    };
  },
  sight,
  describe: ({ link }) => describeLink(link),
  properties,
  async attachment(target, observed, host) {
    if ((await holders(target, observed, host)) === undefined) return "idle";
    return observed.link.tun?.multiQueue ? "multi" : "single";
  },
  create,
  takeOver,
  makeWay: (target, host) => freeName(host, target.namespace, target.name, target.lease),
  inUse: holders,
  codes: { inUse: "LINK_BUSY", foreign: "FOREIGN_LINK" },
  forced: (values) => values.onBusy === "force",
  remove,
  present,
  remember: ({ bootId, namespaceInode }) => ({ __bootId: bootId, __namespaceInode: namespaceInode }),
};

import { constants } from "node:os";
import { TuntapError } from "../../errors";
import type { Database } from "../../host/accounts";
import type { Host } from "../../host/host";
import { keeperRefusal, tunRefusal } from "../../host/refusals";
import type { TunChange } from "../../host/tuns";
import type { Difference, InputSchema, Inputs, Problem, Property, Target } from "../kind";
import { accountInput, none } from "./accounts";
import type { ObservedLink } from "./link";
import { giveBack } from "./taking-over";
import { replace } from "./verdicts";

const { errno } = constants;

/** What `/dev/net/tun` alone can do. */
export const tunInputs = {
  mode: {
    type: "string",
    enum: ["tun", "tap"],
    default: "tap",
    change: "replace",
    description: "`tun` carries IP packets, `tap` carries Ethernet frames (IFF_TUN, IFF_TAP).",
  },
  owner: accountInput("user", "TUNSETOWNER"),
  group: accountInput("group", "TUNSETGROUP"),
  multiQueue: {
    type: "boolean",
    default: false,
    change: "replace",
    description:
      'Whether several descriptors may be attached at once, one for each queue (IFF_MULTI_QUEUE). A program must open the interface the way it was made: one that wants several queues of an interface without this (QEMU with `queues=2`), or one queue the plain way of an interface with it (openvpn, QEMU without `queues=`), gets "Invalid argument" (EINVAL).',
  },
  packetInformation: {
    type: "boolean",
    default: false,
    change: "live",
    description:
      "Whether packets are preceded by struct tun_pi (no IFF_NO_PI). Only a first setting: every program that attaches chooses for itself, so another value is never drift. A changed one is written only while nobody holds the interface.",
  },
  vnetHeader: {
    type: "boolean",
    default: false,
    change: "live",
    description:
      "Whether packets are preceded by struct virtio_net_hdr (IFF_VNET_HDR), as QEMU uses it. Only a first setting, as `packetInformation`.",
  },
  persistence: {
    type: "string",
    enum: ["runtime", "process", "boot"],
    default: "runtime",
    change: "live",
    description:
      "How long the device lives: `runtime` until it is deleted or the host restarts (TUNSETPERSIST); `process` as long as a small process that is started for it and keeps one unused queue, so that consumers come and go and the carrier stays (needs `multiQueue`). `boot` is not available yet.",
  },
} as const satisfies Record<string, InputSchema>;

export interface DesiredTun {
  mode: "tun" | "tap" | undefined;
  /** uid, or -1 for none. */
  owner: number | undefined;
  /** gid, or -1 for none. */
  group: number | undefined;
  multiQueue: boolean | undefined;
  packetInformation: boolean | undefined;
  vnetHeader: boolean | undefined;
  persistence: "runtime" | "process" | undefined;
}

/** What keeps the device alive: TUNSETPERSIST, a keeper, both on the way from one to the other, or its consumers. */
export type Persistence = "runtime" | "process" | "both" | "none";

export interface ObservedTun extends ObservedLink {
  persistence: Persistence;
}

export function tunRules({ persistence, multiQueue }: Inputs): Problem[] {
  if (persistence === "boot") {
    return [
      {
        property: "persistence",
        message: `persistence "boot" is not available yet; use "runtime"`,
      },
    ];
  }
  if (persistence === "process" && multiQueue !== true) {
    return [
      {
        property: "persistence",
        message:
          'persistence "process" needs `multiQueue`: true, as the process that keeps the interface has a queue of its own; set it, or use "runtime"',
      },
    ];
  }
  return [];
}

/** Who may attach, where that is probably not meant. */
export function tunWarnings({ owner, group }: Inputs): Problem[] {
  const unset = (account: unknown) => account === undefined || account === none;
  if (unset(owner) && unset(group)) {
    return [
      {
        property: "owner",
        message:
          "neither owner nor group is set: any user with access to /dev/net/tun may attach to the interface and delete it; set `owner` or `group`",
      },
    ];
  }
  if (unset(owner) || unset(group)) return [];
  return [
    {
      property: "group",
      message:
        "both `owner` and `group` are set, and a process needs both: the owner that is not in the group may not attach, nor may another member of the group; set one of them unless that is meant",
    },
  ];
}

/** The processes that use an interface, for people; undefined where none does. Its keeper is none of them. */
export async function consumers(observed: ObservedLink, host: Host): Promise<string | undefined> {
  const found = await host.consumers(observed.namespace, observed.link.name);
  return found.length > 0 ? `held by ${await host.describeHolders(found)}` : undefined;
}

export function persistenceOf(
  { link, namespace }: ObservedLink,
  host: Host,
): Persistence | Promise<Persistence> {
  const of = (kept: boolean): Persistence => {
    if (link.tun?.persistent) return kept ? "both" : "runtime";
    return kept ? "process" : "none";
  };
  // Only who keeps a queue without using it can be a keeper, so mostly no process need be looked at.
  if ((link.tun?.detachedQueues ?? 0) === 0) return of(false);
  return host.keeper(namespace, link.name).then((keeper) => of(keeper !== undefined));
}

type Row<T> = Property<DesiredTun, ObservedTun, T>;

// A single-queue device admits nobody beside its holder; with several queues one more is opened for a moment.
const byAttaching = { idle: "live", single: "blocked", multi: "live" } as const;

function accountProperty(database: Database, input: "owner" | "group"): Row<number> {
  return {
    name: input,
    inputs: [input],
    verdict: byAttaching,
    needsReplace: (want, is) => want === none && is !== none,
    want: (desired) => desired[input],
    is: ({ link }) => link.tun?.[input] ?? none,
    show: (id) => (id === none ? "none" : `${database === "user" ? "uid" : "gid"} ${id}`),
    apply: (difference, host) => adjust(difference, host, { [input]: difference.want }),
  };
}

/** A first setting: written when the program changes it, and never compared with what an attacher has made of it. */
function hintProperty(input: "packetInformation" | "vnetHeader"): Row<boolean> {
  return {
    name: input,
    inputs: [input],
    verdict: { idle: "live", single: "blocked", multi: "blocked" },
    want: (desired, recorded) =>
      recorded === undefined || (recorded[input] ?? false) === desired[input] ? undefined : desired[input],
    is: ({ link }) => link.tun?.[input] ?? false,
    show: (on) => (on ? "on" : "off"),
    async apply(difference, host) {
      // An interface with several queues would take the request, and keep its flags: also beside its keeper's queue.
      const by = await consumers(difference.observed, host);
      if (by !== undefined) throw busy(difference, by);
      const { persistence } = difference.observed;
      const kept = persistence === "process" || persistence === "both";
      if (kept) await keepByFlag(difference, host);
      await adjust(difference, host, { [input]: difference.want });
      if (persistence === "process") await keepByProcess(difference, host, { [input]: difference.want });
    },
  };
}

const persistenceTexts: Readonly<Record<Persistence, string>> = {
  runtime: "runtime",
  process: "process",
  both: "runtime, and kept by a process too",
  none: "not persistent (the device ends with its last holder)",
};

const persistenceProperty: Row<Persistence> = {
  name: "persistence",
  inputs: ["persistence"],
  verdict: byAttaching,
  want: (desired) => desired.persistence ?? "runtime",
  is: ({ persistence }) => persistence,
  show: (value) => persistenceTexts[value],
  // One keeps it before the other lets go, whichever way it goes.
  async apply(difference, host) {
    const { want, is, observed } = difference;
    if (want !== "process") return keepByFlag(difference, host);
    if (is === "runtime" || is === "none") return keepByProcess(difference, host);
    if (observed.link.tun?.persistent) await adjust(difference, host, { persist: false });
  },
};

type Change = Difference<DesiredTun, ObservedTun>;

/** From the persist flag, or nothing, to a process. @param hints that were written since it was observed. */
async function keepByProcess(difference: Change, host: Host, hints: TunChange = {}): Promise<void> {
  const { namespace, link } = difference.observed;
  // Who attaches says anew what they are.
  const now = { ...link, ...(link.tun && { tun: { ...link.tun, ...hints } }) } as typeof link;
  const result = await host.tuns.keep(namespace, now, difference.target.lease);
  if (result.errno !== 0) {
    throw keeperRefusal(result, {
      message: "no process could be started that keeps the interface",
      property: "persistence",
    });
  }
  await adjust(difference, host, { persist: false });
}

/** To the persist flag, and no process. */
async function keepByFlag(difference: Change, host: Host): Promise<void> {
  const { namespace, link, persistence } = difference.observed;
  if (!link.tun?.persistent) await adjust(difference, host, { persist: true });
  if (persistence !== "process" && persistence !== "both") return;
  const result = await host.tuns.letGo(namespace, link);
  if (result.errno !== 0) {
    throw tunRefusal(result, {
      message: "the process that keeps the interface could not be ended",
      property: "persistence",
    });
  }
}

/** The rows of what is fixed when the interface is made, then of what only an attached descriptor can change. */
export const tunProperties = [
  {
    name: "mode",
    inputs: ["mode"],
    verdict: replace,
    want: (desired) => desired.mode,
    is: ({ link }) => link.tun?.mode ?? "tap",
  } satisfies Row<"tun" | "tap">,
  {
    name: "multiQueue",
    inputs: ["multiQueue"],
    verdict: replace,
    want: (desired) => desired.multiQueue,
    is: ({ link }) => link.tun?.multiQueue ?? false,
    show: (several) => (several ? "several queues" : "a single queue"),
  } satisfies Row<boolean>,
  accountProperty("user", "owner"),
  accountProperty("group", "group"),
  // The persist flag: `tunctl -d` clears it, and the device then ends with its last holder.
  persistenceProperty,
  hintProperty("packetInformation"),
  hintProperty("vnetHeader"),
] as Property<DesiredTun, ObservedTun, never>[];

/** Writes what only an attached descriptor can change. */
async function adjust(
  difference: Difference<DesiredTun, ObservedTun>,
  host: Host,
  wanted: TunChange,
): Promise<void> {
  const { property, observed } = difference;
  const result = await host.tuns.adjust(observed.namespace, observed.link, wanted);
  if (result.errno === 0) return;
  if (result.errno !== errno.EBUSY) {
    throw tunRefusal(result, { message: `${property.name} could not be changed`, property: property.name });
  }
  throw busy(
    difference,
    (await consumers(observed, host)) ?? "held by a process that ended meanwhile",
    result.errno,
  );
}

/** Writes the first settings of an interface that was taken over, unless a process holds it, whose choice they are. */
export async function settleHints(target: Target, before: ObservedTun, host: Host): Promise<void> {
  await writeHints(before, target.wanted ?? {}, host);
}

/** Takes the lease off again, and puts the first settings back. */
export async function giveBackTun(target: Target, before: ObservedTun, host: Host): Promise<void> {
  const now = (await host.links.table(before.namespace)).at(before.ifindex);
  if (now?.tun && before.link.tun) await writeHints({ ...before, link: now }, before.link.tun, host);
  await giveBack(target, before, host);
}

async function writeHints(
  observed: ObservedTun,
  wanted: { [hint in "packetInformation" | "vnetHeader"]?: unknown },
  host: Host,
): Promise<void> {
  const { namespace, link } = observed;
  const hints = { packetInformation: wanted.packetInformation, vnetHeader: wanted.vnetHeader } as TunChange;
  const differs = (hint: keyof typeof hints) =>
    hints[hint] !== undefined && hints[hint] !== link.tun?.[hint as never];
  if (!differs("packetInformation") && !differs("vnetHeader")) return;
  if ((await consumers(observed, host)) !== undefined) return;
  const result = await host.tuns.adjust(namespace, link, hints);
  if (result.errno !== 0 && result.errno !== errno.EBUSY)
    throw tunRefusal(result, { message: "its first settings could not be written", property: "vnetHeader" });
}

function busy({ property }: Difference<DesiredTun, ObservedTun>, by: string, errno?: number): TuntapError {
  return new TuntapError("LINK_BUSY", {
    message: `${property.name} cannot be changed while a process holds the interface; it is ${by}.`,
    errno,
    property: property.name,
  });
}

export function presentTun(
  { link }: ObservedTun,
  desired: DesiredTun,
  declared: Inputs,
): Record<string, unknown> {
  const { tun } = link;
  const account = (input: "owner" | "group") => {
    const is = tun?.[input] ?? none;
    return desired[input] === is ? declared[input] : is;
  };
  return {
    mode: tun?.mode,
    owner: account("owner"),
    group: account("group"),
    multiQueue: tun?.multiQueue,
    // What the program set first: what an attacher has made of it is no change.
    packetInformation: declared.packetInformation,
    vnetHeader: declared.vnetHeader,
    persistence: tun?.persistent ? "runtime" : "process",
  };
}

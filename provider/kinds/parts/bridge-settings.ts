import { constants } from "node:os";
import { TuntapError } from "../../errors";
import { setLink } from "../../host/links";
import type { BridgeData } from "../../netlink/bridge";
import type { InputSchema, Inputs, Problem, Property, Write } from "../kind";
import type { ObservedLink } from "./link";
import { live } from "./verdicts";

const { errno } = constants;

/** What the kernel takes while STP is on (BR_MIN_FORWARD_DELAY, net/bridge/br_private_stp.h), in seconds. */
const leastForwardDelayOfStp = 2;

/** Of the bridge itself, as `ip link set … type bridge` has them (IFLA_BR_* of linux/if_link.h). */
export const bridgeSettingInputs = {
  stp: {
    type: "boolean",
    change: "live",
    observed: true,
    description:
      "Whether the bridge takes part in the spanning tree protocol. With it a new port forwards nothing for twice `forwardDelay`. Default: not managed (the kernel starts with off).",
  },
  priority: {
    type: "integer",
    minimum: 0,
    maximum: 65535,
    change: "live",
    observed: true,
    description:
      "Priority among the bridges of a spanning tree; the lowest is the root. Default: not managed (the kernel starts with 32768).",
  },
  forwardDelay: {
    type: "number",
    format: "tenths",
    minimum: 0,
    maximum: 30,
    change: "live",
    observed: true,
    description:
      "How long a new port listens, and then learns, before it forwards, in seconds: 2 to 30 with `stp`, 0 to 30 without. Default: not managed (the kernel starts with 15).",
  },
  helloTime: {
    type: "number",
    format: "tenths",
    minimum: 1,
    maximum: 10,
    change: "live",
    observed: true,
    description:
      "Time between two hellos of the root bridge, in seconds. Default: not managed (the kernel starts with 2).",
  },
  maxAge: {
    type: "number",
    format: "tenths",
    minimum: 6,
    maximum: 40,
    change: "live",
    observed: true,
    description:
      "After how long without a hello the root is taken for gone, in seconds. Default: not managed (the kernel starts with 20).",
  },
  ageingTime: {
    type: "number",
    format: "tenths",
    minimum: 0,
    maximum: 42_949_672,
    change: "live",
    observed: true,
    description:
      "How long a learned address is kept after its last frame, in seconds; 0 keeps none. Default: not managed (the kernel starts with 300).",
  },
  vlanFiltering: {
    type: "boolean",
    change: "live",
    observed: true,
    description:
      "Whether ports take only frames of their VLANs. On a kernel without VLAN filtering (CONFIG_BRIDGE_VLAN_FILTERING) the plan refuses it with NOT_SUPPORTED. Default: not managed (the kernel starts with off).",
  },
  vlanDefaultPvid: {
    type: "integer",
    minimum: 0,
    maximum: 4094,
    change: "live",
    description:
      "VLAN of untagged frames on new ports; 0 is none. Filtering is off for a moment while it changes: the kernel has no other way. Needs a kernel with VLAN filtering. Default: not managed (the kernel starts with 1).",
  },
  multicastSnooping: {
    type: "boolean",
    change: "live",
    description:
      "Whether multicast goes only to ports where somebody asked for it (IGMP, MLD). Default: not managed (the kernel starts with on).",
  },
  multicastQuerier: {
    type: "boolean",
    change: "live",
    description:
      "Whether the bridge itself asks who wants multicast, as is needed where no router does. Default: not managed (the kernel starts with off).",
  },
  groupForwardMask: {
    type: "integer",
    format: "group-forward-mask",
    minimum: 0,
    maximum: 65535,
    change: "live",
    observed: true,
    description:
      "Which link-local groups 01:80:c2:00:00:0X are forwarded, as a mask with bit X; bits 0 to 2 (STP, pause frames, LACP) cannot be set. LLDP is 16384. Default: not managed (the kernel starts with 0).",
  },
} as const satisfies Record<string, InputSchema>;

type Name = keyof typeof bridgeSettingInputs;

/** As they are declared; what is not declared is undefined. */
export type DesiredBridgeSettings = { [N in Name]: boolean | number | undefined };

export function desiredBridgeSettings(inputs: Inputs): DesiredBridgeSettings {
  const names = Object.keys(bridgeSettingInputs) as Name[];
  return Object.fromEntries(names.map((name) => [name, inputs[name]])) as DesiredBridgeSettings;
}

/** Why a number is no time; undefined if it is one. With 250 ticks a second the kernel rounds what is finer. */
export function tenthsProblem(seconds: number): string | undefined {
  return Number.isInteger(Math.round(seconds * 1e6) / 1e5)
    ? undefined
    : "is finer than the kernel keeps time; give whole tenths of a second";
}

/** Why a number is no mask of forwarded groups; undefined if it is one (BR_GROUPFWD_RESTRICTED). */
export function groupForwardMaskProblem(mask: number): string | undefined {
  return (mask & 7) === 0
    ? undefined
    : "has one of the bits 0 to 2 set (STP, pause frames, LACP), which the kernel never forwards; clear them";
}

export function bridgeSettingRules({ stp, forwardDelay }: Inputs): Problem[] {
  if (stp !== true || typeof forwardDelay !== "number" || forwardDelay >= leastForwardDelayOfStp) return [];
  return [
    {
      property: "forwardDelay",
      message: `forwardDelay ${forwardDelay} is below ${leastForwardDelayOfStp} seconds, the least with \`stp\`; raise it, or leave stp off`,
    },
  ];
}

/** Attributes that are a number. */
type Attribute = {
  [N in keyof BridgeData]-?: BridgeData[N] extends number | undefined ? N : never;
}[keyof BridgeData];

/** How a value is in the program and in the kernel. */
interface Form {
  read(value: number): boolean | number;
  write(value: boolean | number): number;
  show(value: boolean | number): string;
}

const onOff: Form = { read: (value) => value !== 0, write: Number, show: (on) => (on ? "on" : "off") };
const number: Form = { read: (value) => value, write: Number, show: String };
/** The kernel has hundredths. */
const seconds: Form = {
  read: (value) => value / 100,
  write: (value) => Math.round(Number(value) * 100),
  show: (value) => `${value} s`,
};

type Row = Property<DesiredBridgeSettings, ObservedLink, boolean | number | undefined>;

function row(name: Name, attribute: Attribute, { read, write, show }: Form, more: Partial<Row> = {}): Row {
  return {
    name,
    inputs: [name],
    verdict: live,
    want: (desired) => desired[name],
    is: ({ link }) => {
      const value = link.bridge?.[attribute];
      return value === undefined ? undefined : read(value);
    },
    show: (value) => (value === undefined ? "unknown to this kernel" : show(value)),
    messages: ({ want, is, observed }) => {
      // A kernel that was built without it takes such an attribute, and does nothing.
      if (want === undefined || is === undefined) throw notSupported(name);
      return [set(observed, { [attribute]: write(want) })];
    },
    ...more,
  };
}

function set({ ifindex }: ObservedLink, data: Partial<BridgeData>): Write {
  return { bytes: setLink(ifindex, { linkinfo: { kind: "bridge", data } }) };
}

function notSupported(name: Name): TuntapError {
  return new TuntapError("NOT_SUPPORTED", {
    message: `this kernel does not know ${name} of a bridge`,
    property: name,
    remedy: withoutIt(name),
  });
}

function withoutIt(name: Name): string {
  const option = name.startsWith("vlan") ? "CONFIG_BRIDGE_VLAN_FILTERING" : "CONFIG_BRIDGE_IGMP_SNOOPING";
  return `Take \`${name}\` out, or use a kernel that was built with it (${option}).`;
}

/**
 * While STP tells of a topology change, up to a minute after a port went up, the kernel shows twice `forwardDelay`
 * instead, and then again what was set (__br_set_topology_change, net/bridge/br_stp.c).
 */
function ageingTime(
  { link }: ObservedLink,
  desired: DesiredBridgeSettings,
  recorded: Inputs | undefined,
): number | undefined {
  const { ageingTime: shown, forwardDelay = 0, topologyChange } = link.bridge ?? {};
  if (shown === undefined) return undefined;
  const isPassing = topologyChange === 1 && shown === 2 * forwardDelay;
  const set = (desired.ageingTime ?? recorded?.ageingTime) as number | undefined;
  return isPassing && set !== undefined ? set : shown / 100;
}

/** What may be shown as it is wanted without being set: it is written once, where it is newly declared. */
function isNew(name: Name): Row["unset"] {
  return (desired, recorded) => desired[name] !== undefined && desired[name] !== recorded?.[name];
}

/**
 * While another bridge is the root of the spanning tree, the kernel shows the times of that one
 * (br_record_config_timeout_values, net/bridge/br_stp.c). What was set of this one cannot be read until it is the root
 * itself, so it is taken for what was last written or seen.
 */
function ownTime(name: "forwardDelay" | "helloTime" | "maxAge"): Partial<Row> {
  return {
    is: ({ link }, desired, recorded) => {
      const { [name]: shown, rootPort = 0 } = link.bridge ?? {};
      const known = (desired[name] ?? recorded?.[name]) as number | undefined;
      if (shown !== undefined && rootPort !== 0 && known !== undefined) return known;
      return shown === undefined ? undefined : seconds.read(shown);
    },
    unset: isNew(name),
  };
}

/** In the order in which they are written. */
export const bridgeSettings = [
  row("priority", "priority", number),
  row("forwardDelay", "forwardDelay", seconds, {
    ...ownTime("forwardDelay"),
    explain: (code) =>
      code === errno.ERANGE
        ? `STP is on, so the kernel takes ${leastForwardDelayOfStp} to 30 seconds: raise it, or declare \`stp\`: false.`
        : undefined,
  }),
  row("helloTime", "helloTime", seconds, ownTime("helloTime")),
  row("maxAge", "maxAge", seconds, ownTime("maxAge")),
  row("ageingTime", "ageingTime", seconds, { is: ageingTime, unset: isNew("ageingTime") }),
  // Delays that the protocol does not allow are written after it is off, and gone before it is on.
  row("stp", "stpState", onOff, { first: (want) => want === false }),
  row("vlanDefaultPvid", "vlanDefaultPvid", number, {
    // Refused (EPERM) while VLANs are filtered.
    messages: ({ want, is, observed, desired }) => {
      if (want === undefined || is === undefined) throw notSupported("vlanDefaultPvid");
      const write = set(observed, { vlanDefaultPvid: Number(want) });
      const filtered = observed.link.bridge?.vlanFiltering === 1;
      if (!filtered || desired.vlanFiltering === false) return [write];
      return [set(observed, { vlanFiltering: 0 }), write, set(observed, { vlanFiltering: 1 })];
    },
  }),
  row("vlanFiltering", "vlanFiltering", onOff, {
    first: (want) => want === false,
    explain: (code) => (code === errno.EOPNOTSUPP ? withoutIt("vlanFiltering") : undefined),
  }),
  row("multicastSnooping", "mcastSnooping", onOff),
  row("multicastQuerier", "mcastQuerier", onOff),
  row("groupForwardMask", "groupFwdMask", number),
];

/** The settings as observed. */
export function presentBridgeSettings(
  observed: ObservedLink,
  desired: DesiredBridgeSettings,
  recorded: Inputs | undefined,
): Record<string, unknown> {
  return Object.fromEntries(
    bridgeSettings.map((property) => [property.name, property.is(observed, desired, recorded)]),
  );
}

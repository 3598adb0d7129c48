import type { PortData } from "../../host/links";
import { setPort } from "../../host/ports";
import type { FieldSchema, InputSchema, Inputs, Problem, Property } from "../kind";
import type { ObservedLink } from "./link";
import { type DeclaredVlan, presentVlans, vlanRules, vlansField, vlansProperty } from "./port-vlans";
import { live } from "./verdicts";

/** Of a bridge's port, as `ip link set … type bridge_slave` has them (IFLA_BRPORT_* of linux/if_link.h). */
const settings = {
  isolated: {
    type: "boolean",
    description:
      "Whether it exchanges frames only with ports that are not isolated, so that the machines on isolated ports cannot reach one another. The kernel starts with off.",
  },
  learning: {
    type: "boolean",
    description: "Whether addresses are learned from the frames that come in. The kernel starts with on.",
  },
  flood: {
    type: "boolean",
    description: "Whether unicast to unknown addresses goes out here. The kernel starts with on.",
  },
  multicastFlood: {
    type: "boolean",
    description: "Whether multicast that nobody is known to want goes out here. The kernel starts with on.",
  },
  hairpin: {
    type: "boolean",
    description: "Whether frames may go out where they came in. The kernel starts with off.",
  },
  guard: {
    type: "boolean",
    description:
      "Whether the port is shut where a spanning tree message (BPDU) comes in. The kernel starts with off.",
  },
  rootBlock: {
    type: "boolean",
    description:
      "Whether the port can never lead to the root of the spanning tree. The kernel starts with off.",
  },
  fastLeave: {
    type: "boolean",
    description:
      "Whether multicast ends at once when a receiver leaves, without asking for others. The kernel starts with off.",
  },
  cost: {
    type: "integer",
    minimum: 1,
    maximum: 65535,
    description:
      "Cost of the path in the spanning tree. The kernel starts with one by the speed of the link.",
  },
  priority: {
    type: "integer",
    minimum: 0,
    maximum: 63,
    description:
      "Priority among the ports of the bridge in the spanning tree; the lowest is preferred. The kernel starts with 32.",
  },
} as const satisfies Record<string, FieldSchema>;

export const portInput = {
  type: "object",
  properties: { ...settings, vlans: vlansField },
  change: "live",
  description:
    "Settings of the interface as a port of `bridge`. The kernel forgets them when the port leaves the bridge; they are written again when it is back. One that is no longer declared goes back to what the kernel starts with, but for `cost`, which stays. Default: none is managed.",
} as const satisfies InputSchema;

type Name = keyof typeof settings;

/** As they are declared; what is not declared is undefined. */
export type DesiredPort = { [N in Name]?: boolean | number } & { vlans?: DeclaredVlan[] };

interface WithPort {
  port: DesiredPort | undefined;
  bridge?: string | undefined;
}

/** With what a port starts; the cost of one goes by the speed of the link, and cannot be asked for again. */
const kernelDefaults: Readonly<Record<Exclude<Name, "cost">, boolean | number>> & { cost?: never } = {
  isolated: false,
  learning: true,
  flood: true,
  multicastFlood: true,
  hairpin: false,
  guard: false,
  rootBlock: false,
  fastLeave: false,
  priority: 32,
};

function recordedValue(recorded: Inputs | undefined, name: Name): boolean | number | undefined {
  return (recorded?.port as DesiredPort | undefined)?.[name];
}

const attributes = {
  isolated: "isolated",
  learning: "learning",
  flood: "unicastFlood",
  multicastFlood: "mcastFlood",
  hairpin: "mode",
  guard: "guard",
  rootBlock: "protect",
  fastLeave: "fastLeave",
  cost: "cost",
  priority: "priority",
} as const satisfies Record<Name, keyof PortData>;

function read({ link }: ObservedLink, name: Name): boolean | number | undefined {
  const value = link.port?.[attributes[name]];
  return value === undefined || settings[name].type === "integer" ? value : value !== 0;
}

function show(value: boolean | number | undefined): string {
  if (value === undefined) return "no port of a bridge";
  return typeof value === "number" ? String(value) : value ? "on" : "off";
}

const eachSetting = (Object.keys(settings) as Name[]).map(
  (name): Property<WithPort, ObservedLink, boolean | number | undefined> => ({
    name: `port.${name}`,
    inputs: [`port.${name}`],
    endsWith: "bridge",
    verdict: live,
    // What the program no longer declares is taken back, if it is still what was written.
    want: ({ port }, recorded) =>
      port?.[name] ?? (recordedValue(recorded, name) === undefined ? undefined : kernelDefaults[name]),
    is: (observed, { port, bridge }, recorded) => {
      const value = read(observed, name);
      const ours = port?.[name] !== undefined || (bridge && value === recordedValue(recorded, name));
      return ours ? value : kernelDefaults[name];
    },
    show,
    messages: ({ want, observed }) => [
      { bytes: setPort(observed.ifindex, { [attributes[name]]: Number(want) }) },
    ],
  }),
);

/** The rows of `port`, each setting by itself. They stand behind `bridge`: whoever joins one starts with none. */
export const portSettings = [...eachSetting, vlansProperty] as Property<WithPort, ObservedLink, never>[];

/** The declared settings as observed; none of what is no port. */
export function presentPort(observed: ObservedLink, { port }: WithPort): { port: DesiredPort | undefined } {
  if (port === undefined) return { port: undefined };
  const { vlans, ...others } = port;
  const entries = (Object.keys(others) as Name[]).map((name) => [name, read(observed, name)]);
  const present = Object.fromEntries(entries.filter(([, value]) => value !== undefined));
  return { port: { ...present, ...presentVlans(observed, { port }) } };
}

export function portRules(inputs: Inputs): Problem[] {
  const { port, bridge } = inputs;
  if (port === undefined || bridge !== undefined) return vlanRules(inputs);
  return [
    {
      property: "port",
      message: `port ${JSON.stringify(port)} is given without \`bridge\`, to which its settings belong; add the bridge, or take it out`,
    },
  ];
}

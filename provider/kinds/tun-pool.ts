import type { FieldSchema, InputSchema, Inputs, Problem, SetKind } from "./kind";
import { consumerOutputs } from "./parts/consumer-outputs";
import {
  bridgeOf,
  defaultPattern,
  isNumbered,
  type MacPlan,
  numbered,
  type PlannedAddress,
  planInputs,
  plannedAddress,
  plannedMac,
  planRules,
} from "./parts/member-plans";
import { automaticName, linkNameProblem, linkSpace } from "./parts/names";
import { tunHostRules, tunInterface } from "./tun-interface";

const { name, address, netmask, peerAddress, broadcast, macAddress, guestMacAddress, ...shared } =
  tunInterface.inputs as Record<string, InputSchema>;

const inputs: Readonly<Record<string, InputSchema>> = {
  count: planInputs.count,
  namePattern: planInputs.namePattern,
  addressPlan: planInputs.addressPlan,
  macPlan: planInputs.macPlan,
  bridges: planInputs.bridges,
  namespacePattern: planInputs.namespacePattern,
  ...shared,
};

/** Inputs of which a member has none of that name. */
const own = Object.keys(planInputs);

function plannedFor(values: Inputs, number: number): PlannedAddress {
  const plan = values.addressPlan as Parameters<typeof plannedAddress>[0] | undefined;
  const bridged = bridgeOf(values, number) !== undefined;
  return plan ? plannedAddress(plan, number, bridged) : {};
}

function member(values: Inputs, shape: Inputs, number: number): Inputs {
  const { namePattern, namespacePattern, macPlan } = values;
  const bridge = bridgeOf(values, number);
  const { base, guestBase } = (macPlan as MacPlan | undefined) ?? {};
  const planned = plannedFor(values, number);
  const made: Record<string, unknown> = { ...shape, name: numbered(namePattern as string, number) };
  if (planned.address !== undefined) made.address = planned.address;
  if (base !== undefined) made.macAddress = plannedMac(base, number);
  if (guestBase !== undefined) made.guestMacAddress = plannedMac(guestBase, number);
  if (bridge !== undefined) made.bridge = bridge;
  if (namespacePattern !== undefined) made.namespace = numbered(namespacePattern as string, number);
  return made;
}

function expand(values: Inputs): Inputs[] {
  const common = Object.fromEntries(
    Object.entries(values).filter(([input, value]) => !own.includes(input) && value !== undefined),
  );
  return Array.from({ length: values.count as number }, (_, number) => member(values, common, number));
}

/** The names of the interfaces that are ports of that bridge, as `bridgeOf` deals them out. */
function portNames(
  { count, namePattern, bridges }: Inputs,
  unknown: ReadonlySet<string>,
  bridge: unknown,
): (string | undefined)[] {
  const known = typeof namePattern === "string" && !unknown.has("namePattern");
  const list = (bridges as readonly unknown[] | undefined) ?? [bridge];
  const names: (string | undefined)[] = [];
  for (let number = list.indexOf(bridge); number < Number(count ?? 0); number += list.length)
    names.push(known ? numbered(namePattern, number) : undefined);
  return names;
}

function rules(values: Inputs): Problem[] {
  const planned = planRules(values);
  if (planned.length > 0 || typeof values.count !== "number" || typeof values.namePattern !== "string")
    return planned;
  // What holds of one interface holds of all; what its plan made of it is not at fault.
  const first = member({ ...values, count: 1 }, values, 0);
  const problems = tunInterface.rules?.(first) ?? [];
  return problems.map((problem) =>
    problem.property === "bridge" && values.bridges ? { ...problem, property: "bridges" } : problem,
  );
}

/** What there is of each in the output `members`, the input that it tells, and the one without which all have it alike. */
const memberOutputs: readonly [output: string, tells: string, only?: string][] = [
  ["name", "namePattern"],
  ["namespace", "namespacePattern", "namespacePattern"],
  ["address", "addressPlan"],
  ["peerAddress", "addressPlan"],
  ["macAddress", "macPlan"],
  ["guestMacAddress", "macPlan"],
  ["bridge", "bridges", "bridges"],
  // They tell the name and the guest's MAC address.
  ["qemuArguments", "macPlan"],
  ["libvirtXml", "macPlan"],
  ["firecracker", "macPlan"],
  ["cloudHypervisor", "macPlan"],
];

/** One of the output `members`. */
type Member = Inputs;

/** Those that are recorded of each nowhere else. */
const recalled = ["name", "namespace", "address", "macAddress", "bridge"];

/** What the consumer of each is told, as of a single interface. */
const tellings: Readonly<Record<string, FieldSchema>> = Object.fromEntries(
  Object.entries(consumerOutputs).map(([output, { optional, from, ...schema }]) => [output, schema]),
);

export const tunPool: SetKind = {
  name: "TunPool",
  description:
    "Many TUN or TAP interfaces as one resource: as many as `count`, alike but for name, address, MAC address, bridge and namespace, which follow from the number of each. More or fewer of them, a change, and the repair of what others changed touch only the interfaces concerned. The engine keeps one record of them all, so that a thousand cost it no more than one.",
  example: `const pool = new tuntap.TunPool("fc", {
  count: 64,
  owner: "nobody",
  addressPlan: { subnet: "172.16.0.0/24", each: "/30" },
});

export const guests = pool.members.apply((members) => members.map(({ peerAddress }) => peerAddress));`,
  inputs,
  outputs: {
    members: {
      type: "array",
      description: "The interfaces, by their numbers.",
      asText: true,
      items: {
        type: "object",
        properties: {
          name: { type: "string", required: true, description: "Interface name." },
          namespace: {
            type: "string",
            description: "Network namespace it is in, with `namespacePattern`; else that is the pool's.",
          },
          address: {
            type: "string",
            description:
              "IPv4 address of the interface with its prefix length, where `addressPlan` gives one.",
          },
          peerAddress: {
            type: "string",
            description:
              "IPv4 address for whoever is at the other end (the guest), with its prefix length, where `addressPlan` gives one.",
          },
          macAddress: { type: "string", description: "MAC address of the interface, on TAPs." },
          guestMacAddress: {
            type: "string",
            description: "MAC address of the guest, with `consumer`.",
          },
          bridge: {
            type: "string",
            description: "The bridge it is a port of, with `bridges`; else that is the pool's.",
          },
          ...tellings,
        },
      },
    },
  },
  naming: {
    of: ({ namePattern }, unknown) =>
      unknown?.has("namePattern") ? undefined : (namePattern as string | undefined),
    property: "namePattern",
    form: "`PATTERN`, or `NAMESPACE/PATTERN` in a namespace: `fc%d`, `blue/fc%d`.",
    space: linkSpace,
  },
  member: tunInterface,
  defaults: (logicalName) => ({
    namePattern: defaultPattern((bytes) => automaticName(logicalName, bytes, nameProblem(bytes))),
  }),
  shape: ["count", "namePattern", "namespace", "namespacePattern", "addressPlan", "macPlan", "bridges"],
  derived: {
    addressPlan: ["address", "netmask"],
    macPlan: ["macAddress", "guestMacAddress"],
    bridges: ["bridge"],
    namePattern: ["name"],
    namespacePattern: ["namespace"],
  },
  mayBeIn: ({ namespacePattern }, namespace) =>
    namespacePattern !== undefined && isNumbered(namespacePattern as string, namespace),
  counted: "count",
  expand,
  rules,
  async hostRules(values, unknown, host) {
    const { bridges, namespacePattern } = values as { bridges?: string[]; namespacePattern?: string };
    // Where each has a namespace of its own, bridges are looked for when they are needed.
    const places = namespacePattern !== undefined || unknown.has("namespacePattern");
    const each = places ? [undefined] : (bridges ?? [values.bridge]);
    const found = await Promise.all(
      each.map((bridge) => {
        const ports = portNames(values, unknown, bridge);
        return tunHostRules({ ...values, bridge }, unknown, host, ports);
      }),
    );
    const once = new Map(found.flat().map((problem) => [problem.message, problem]));
    const property = bridges ? "bridges" : "bridge";
    return [...once.values()].map((problem) =>
      problem.property === "bridge" ? { ...problem, property } : problem,
    );
  },
  warnings: (values) => tunInterface.warnings?.(values) ?? [],
  present(values, members, secrets) {
    // What is the pool's own is not said again of each: the engine passes all of it on several times in every run.
    const told = memberOutputs.filter(
      ([, from, only]) => !secrets.includes(from) && (only === undefined || values[only] !== undefined),
    );
    const shown = [...members].map(([number, outputs]): Member => {
      const one: Record<string, unknown> = {};
      for (const [name] of told) {
        const value = name === "peerAddress" ? plannedFor(values, number).peer : outputs[name];
        // Left out, not undefined: the engine takes plain values only.
        if (value !== undefined) one[name] = value;
      }
      return one;
    });
    return { members: shown };
  },
  recall: ({ members }) =>
    ((members as Member[] | undefined) ?? []).map((one) => {
      const known: Record<string, unknown> = {};
      for (const name of recalled) if (one[name] !== undefined) known[name] = one[name];
      return known;
    }),
};

function nameProblem(bytes: number): (text: string) => string | undefined {
  return (text) => (Buffer.byteLength(text) > bytes ? "is too long" : linkNameProblem(text));
}

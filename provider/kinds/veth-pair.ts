import { sameStack } from "../host/leases";
import { describeLink } from "../host/links";
import type { FieldSchema, InputSchema, Inputs, Kind, Problem, Property } from "./kind";
import { addressRules } from "./parts/address-checks";
import {
  addressInputs,
  addressProperty,
  type DesiredAddresses,
  desiredAddresses,
  presentAddresses,
} from "./parts/addresses";
import {
  bridgeInput,
  bridgeProblems,
  bridgeProperty,
  bridgeWarnings,
  presentBridge,
} from "./parts/bridge-port";
import { busyInputs, onBusy } from "./parts/busy";
import {
  bothEnds,
  type DesiredPair,
  type End,
  endLease,
  endOf,
  endRows,
  type ObservedPair,
} from "./parts/ends";
import { linkKind, type ObservedLink } from "./parts/link";
import {
  type DesiredSettings,
  desiredSettings,
  linkSetting,
  linkSettingInputs,
  linkUp,
  presentSettings,
} from "./parts/link-settings";
import {
  adoptInput,
  automaticName,
  linkNameProblem,
  linkSpace,
  nameInput,
  namespaceInput,
} from "./parts/names";
import { nameProperty, namespaceProperty } from "./parts/placement";
import { type DesiredPort, portInput, portRules, portSettings, presentPort } from "./parts/port-settings";
import { vlanProblems } from "./parts/port-vlans";
import { replace } from "./parts/verdicts";
import { linksOnTop, sightPair } from "./parts/veth";
import { createPair, giveBackPair, takeOverPair, unfitPair } from "./parts/veth-making";

interface DesiredEnd extends DesiredSettings {
  name: string | undefined;
  namespace: string | undefined;
  addresses: DesiredAddresses | undefined;
  bridge: string | undefined;
  port: DesiredPort | undefined;
}

type Desired = DesiredPair<DesiredEnd>;

/** What the automatic names of the ends have behind the logical name. */
const suffixes = ["-a", "-b"] as const;
const suffixBytes = 2;

/** An input of a whole resource as one of an end. */
function field({ change, ...rest }: InputSchema, more: Partial<FieldSchema> = {}): FieldSchema {
  return { ...rest, ...more };
}

const end = {
  name: field(nameInput, {
    description:
      "Interface name, 1 to 15 bytes. Default: the logical name with `-a` for the first end and `-b` for the second, shortened with a hash where it is too long.",
  }),
  namespace: field(namespaceInput, {
    description:
      "Network namespace the end lives in, by its name in /run/netns. Default: the host's. When it changes the end moves. Pass the `.name` of a `Namespace` resource, so that it is made first.",
  }),
  address: field(addressInputs.address),
  netmask: field(addressInputs.netmask),
  addresses: field(addressInputs.addresses, { observed: true }),
  macAddress: field(linkSettingInputs.macAddress, {
    observed: true,
    description:
      "MAC address, six bytes in hexadecimal (`52:54:00:12:34:56`), unicast. Default: not managed (the kernel makes one at random).",
  }),
  mtu: field(linkSettingInputs.mtu, {
    description:
      "Largest packet in bytes, 68 to 65535. What is larger than the other end's is lost there. Default: not managed (the kernel starts with 1500).",
  }),
  up: field(linkSettingInputs.up, {
    description:
      "Administrative state (IFF_UP); there is a carrier while both ends are up. Setting it down takes IPv6 addresses and routes off the end.",
  }),
  bridge: field(bridgeInput, {
    description:
      "Bridge that the end is a port of, by name, in the end's namespace. Pass the `.name` of the resource that makes the bridge, or the name of one that exists. Default: none.",
  }),
  port: field(portInput),
  ifindex: {
    type: "integer",
    output: true,
    observed: true,
    description: "Index of the end in its namespace; only an output.",
  },
} satisfies Record<string, FieldSchema>;

const inputs = {
  ends: {
    type: "array",
    items: { type: "object", properties: end },
    minItems: 2,
    maxItems: 2,
    required: true,
    change: "live",
    description:
      "The two ends: what goes in at one comes out at the other. Each has a name, and may be in a namespace of its own and a port of a bridge there.",
  },
  adopt: {
    ...adoptInput,
    description:
      "Take over a pair that has one of the two names and that this program did not make; from then on it is managed, and deleted, like one that it made. Its other end is found in every namespace that has a name.",
  },
  onBusy: {
    ...busyInputs.onBusy,
    description:
      "What to do when the pair must be deleted, or made anew, while links that are not of this stack lie on top of an end (such as a macvlan), which the kernel deletes with it: `fail` names them and leaves all as it is, `wait` waits 60 seconds for them to go, `force` deletes them with the pair. `tuntap up` and `tuntap down` take `--on-busy` instead for one run.",
  },
} as const satisfies Record<string, InputSchema>;

const presence = { seen: "there", unseen: "in a namespace that has no name" } as const;

/** An end that was moved to where it cannot be reached: only a new pair brings it back. */
function endProperty(which: End): Property<Desired, ObservedPair, string> {
  return {
    name: `ends[${which}]`,
    inputs: [`ends.${which}.namespace`],
    verdict: replace,
    want: () => presence.seen,
    is: ({ ends }) => (ends[which] ? presence.seen : presence.unseen),
  };
}

/** In the order in which they are written. */
const properties = [
  ...bothEnds.map(endProperty),
  ...endRows<DesiredEnd, ObservedLink>([
    namespaceProperty,
    nameProperty,
    linkSetting("macAddress"),
    linkSetting("mtu"),
    bridgeProperty,
    ...portSettings,
    addressProperty<DesiredEnd, ObservedLink>(),
    linkUp,
  ] as Property<DesiredEnd, ObservedLink, never>[]),
] as Property<Desired, ObservedPair, never>[];

/** The name of an end that has none. */
function complete(values: Inputs, logicalName: string): Inputs {
  if (!Array.isArray(values.ends)) return values;
  const ends = values.ends.map((given, position) => {
    const suffix = suffixes[position];
    if (suffix === undefined || typeof given !== "object" || given === null || given.name !== undefined)
      return given;
    const problem = (text: string) => linkNameProblem(text + suffix);
    const name = automaticName(logicalName, linkKind.naming.bytes - suffixBytes, problem) + suffix;
    return { ...given, name };
  });
  return { ...values, ends };
}

/** Where an end is, for people and ids: `vm-a`, or `blue/vm-a`. */
function placeText({ name, namespace }: Inputs): string {
  return namespace === undefined ? String(name) : `${namespace}/${name}`;
}

/** Problems of each end, with its place in the words. */
function perEnd(values: Inputs, look: (end: Inputs) => Problem[]): Problem[] {
  return bothEnds.flatMap((which) => look(endOf(values, which)).map((problem) => ofEnd(which, problem)));
}

function ofEnd(which: End, problem: Problem): Problem {
  const { property, message } = problem;
  // Most messages begin with the name of their input.
  const named = [" ", ".", "["].some((next) => message.startsWith(property + next));
  const text = named ? `ends[${which}].${message}` : `ends[${which}]: ${message}`;
  return { ...problem, property: "ends", message: text };
}

function rules(values: Inputs): Problem[] {
  const problems = perEnd(values, (each) => [...addressRules(each), ...portRules(each)]);
  const [a, b] = bothEnds.map((which) => endOf(values, which)) as [Inputs, Inputs];
  if (a.name !== undefined && a.name === b.name && a.namespace === b.namespace) {
    problems.push({
      property: "ends",
      message: `ends[1].name ${JSON.stringify(b.name)} is the name of ends[0] too, in the same namespace; give one of them another name, or another namespace`,
    });
  }
  return problems;
}

export const vethPair: Kind<Desired, ObservedPair> = {
  name: "VethPair",
  description:
    "A pair of virtual Ethernet interfaces, joined as by a cable: what one sends the other receives. Each end may be in a namespace of its own, so that a pair leads into a namespace, or joins two bridges. What is not declared is not managed.",
  example: `const lab = new tuntap.Namespace("lab");
const cable = new tuntap.VethPair("cable", {
  ends: [
    { address: "192.0.2.1/24" },
    { name: "eth0", namespace: lab.name, address: "192.0.2.2/24" },
  ],
});

export const outside = cable.ends.apply(([end]) => end.name);`,
  inputs,
  outputs: {},
  naming: {
    of: (values, unknown) =>
      unknown?.has("ends") ? undefined : bothEnds.map((which) => placeText(endOf(values, which))).join(":"),
    property: "ends",
    form: "`NAME:NAME`, each end with `NAMESPACE/` before it where it is in one: `cable-a:lab/eth0`. It may be stale after a rename, so programs use `.ends[0].name`. To take over a pair that exists, declare it with `adopt: true`: the classes of the npm package are dynamic resources, which `pulumi import` cannot import.",
    space: linkSpace,
  },
  complete,
  claims: (values) =>
    bothEnds.map((which) => {
      const { name, namespace } = endOf(values, which);
      const space = linkSpace(namespace as string | undefined);
      return { space, name: String(name), input: `ends[${which}].name` };
    }),
  memberLeases: (lease) => [endLease(lease, 1)],
  // Of each end its own.
  inside: () => undefined,
  rules,
  async hostRules(values, unknown, host) {
    const found = await Promise.all(
      bothEnds.map(async (which) => {
        const own = endOf(values, which);
        const problems = [
          ...(await bridgeProblems(own, unknown, host)),
          ...(await vlanProblems(own, unknown, host)),
        ];
        return problems.map((problem) => ofEnd(which, problem));
      }),
    );
    return found.flat();
  },
  warnings: (values) => perEnd(values, bridgeWarnings),
  async desire(values) {
    const [a, b] = bothEnds.map((which): DesiredEnd => {
      const given = endOf(values, which) as Inputs & Partial<DesiredEnd>;
      return {
        name: given.name,
        namespace: given.namespace,
        ...desiredSettings(given),
        addresses: desiredAddresses(given),
        bridge: given.bridge,
        port: given.port,
      };
    }) as [DesiredEnd, DesiredEnd];
    return { ends: [a, b] };
  },
  sight: sightPair,
  describe: ({ ends }) => ends.flatMap((each) => (each ? [describeLink(each.link)] : [])).join(" and "),
  properties,
  create: createPair,
  unfit: unfitPair,
  takeOver: takeOverPair,
  giveBack: giveBackPair,
  inUse: async ({ lease }, observed) =>
    linksOnTop(observed, (leases) => leases.some((other) => sameStack(other, lease))),
  async whereabouts({ lease }, { ends: [a, b] }) {
    return {
      namespace: a?.namespace,
      members: b && [{ lease: endLease(lease, 1), namespace: b.namespace }],
      carrier: (a ?? b)?.link.carrier === true,
      processes: [],
    };
  },
  codes: { inUse: "LINK_BUSY", foreign: "FOREIGN_LINK" },
  onBusy,
  async remove(target, { ends }, host) {
    const observed = ends[0] ?? ends[1];
    if (observed) await linkKind.remove(target, observed, host);
  },
  present(observed, desired, declared, recorded) {
    return {
      ends: bothEnds.map((which) => {
        const link = observed.ends[which];
        if (link === undefined) return {};
        const [want, words] = [desired.ends[which], endOf(declared, which)];
        const { macAddress, mtu, up } = presentSettings(link, want, words);
        const before = recorded && endOf(recorded, which);
        const { address, netmask, addresses } = presentAddresses(link, want, words, before);
        const shown = {
          name: link.link.name,
          namespace: link.namespace,
          address,
          netmask,
          addresses,
          macAddress,
          mtu,
          up,
          ...presentBridge(link, want),
          ...presentPort(link, want),
          ifindex: link.ifindex,
        };
        return Object.fromEntries(Object.entries(shown).filter(([, value]) => value !== undefined));
      }),
    };
  },
  remember: ({ ends }) => ({
    __bootId: (ends[0] ?? ends[1])?.bootId,
    __ends: ends.map((each) => (each ? { __namespaceInode: each.namespaceInode } : {})),
  }),
};

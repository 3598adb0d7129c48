/** What all interfaces have in common, and what others may do to them; bridges. */

import fc from "fast-check";
import {
  anyPlace,
  type ExpectedLink,
  type Mutation,
  model,
  type Place,
  placed,
  places,
  type Resource,
} from "./topology";

export type Inputs = Readonly<Record<string, unknown>>;

const mostlyUp = fc.constantFrom(true, true, true, false);
const often = fc.constantFrom(false, true, true, true);
export const rarely = fc.constantFrom(false, false, false, true);
export const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });
/** Not fc.option, which for some seeds gives nothing in all of a run. */
export const half = <T>(of: fc.Arbitrary<T>) =>
  fc.tuple(fc.boolean(), of).map(([is, value]) => (is ? value : undefined));
export const wish = fc.noBias(fc.nat(1000));
/** Large enough for IPv6. */
const mtus = fc.constantFrom(1280, 1400, 1500, 9000);

export const common = {
  place: anyPlace,
  up: mostlyUp,
  mtu: maybe(mtus),
  v4: often,
  more: rarely,
  v6: fc.boolean(),
  adopt: rarely,
  named: rarely,
};

/** What none of them is by itself. */
export const flags = {
  promiscuous: maybe(fc.boolean()),
  allMulticast: maybe(fc.boolean()),
  multicast: maybe(fc.boolean()),
  arp: maybe(fc.boolean()),
};
export const busy = {
  onBusy: maybe(fc.constantFrom("fail", "wait", "force")),
  seconds: maybe(fc.constantFrom(1, 60)),
};

/** Without those that are undefined. */
function declared(inputs: Inputs): Record<string, unknown> {
  return Object.fromEntries(Object.entries(inputs).filter(([, value]) => value !== undefined));
}

export function inPlace(place: Place, inputs: Inputs): Record<string, unknown> {
  return declared({ ...inputs, namespace: `@${place}` });
}

interface Common {
  up: boolean;
  mtu: number | undefined;
  v4: boolean;
  more: boolean;
  v6: boolean;
  adopt?: boolean;
}

export function commonInputs({ up, mtu, v4, more, v6, adopt }: Common, number: number): Inputs {
  const others = [
    ...(more ? [`10.${number}.0.77/24`, `10.${number}.9.1/28`] : []),
    ...(v6 ? [v6Address(number)] : []),
  ];
  return {
    ...(v4 && { address: `10.${number}.0.1`, netmask: "255.255.255.0" }),
    ...(others.length > 0 && { addresses: others }),
    mtu,
    // It is up by default.
    up: up ? undefined : false,
    adopt: adopt || undefined,
  };
}

export function macAddress(number: number): string {
  return `52:54:00:00:00:${number.toString(16).padStart(2, "0")}`;
}

export function v6Address(number: number): string {
  return `2001:db8:${number + 1}::1/64`;
}

function addresses({ address, peerAddress, addresses = [] }: Inputs): string[] | undefined {
  const peer = peerAddress === undefined ? "" : ` peer ${peerAddress}`;
  const all = [...(address === undefined ? [] : [`${address}${peer}/24`]), ...(addresses as string[])];
  return all.length > 0 ? all : undefined;
}

/** What `ip` calls the settings of a port. */
const portWords = {
  isolated: "isolated",
  hairpin: "hairpin",
  learning: "learning",
  flood: "flood",
  multicastFlood: "mcast_flood",
  guard: "guard",
  rootBlock: "root_block",
  fastLeave: "fastleave",
  cost: "cost",
  priority: "priority",
};
const { cost, priority, ...portSwitches } = portWords;
const portChoices = {
  ...Object.fromEntries(Object.keys(portSwitches).map((name) => [name, fc.boolean()])),
  cost: fc.constantFrom(1, 100, 65535),
  priority: fc.constantFrom(0, 7, 63),
};
export const ports = fc
  .record(portChoices, { requiredKeys: [], noNullPrototype: true })
  .filter((port) => Object.keys(port).length > 0);

/** As `ip` shows them. */
export function portFacts(port: unknown = {}): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(port as Inputs).map(([key, value]) => [portWords[key as keyof typeof portWords], value]),
  );
}

export function expected(name: string, { place, inputs }: Resource, shown: Inputs): ExpectedLink {
  const { up = true, mtu, bridge, port, broadcast, exclusiveAddresses } = inputs;
  const slave = Object.entries(portFacts(port)).map(([word, value]) => [
    `linkinfo.info_slave_data.${word}`,
    value,
  ]);
  return {
    name,
    place,
    up: up as boolean,
    flags: declared({
      PROMISC: inputs.promiscuous,
      ALLMULTI: inputs.allMulticast,
      MULTICAST: inputs.multicast,
      NOARP: inputs.arp === undefined ? undefined : !inputs.arp,
    }) as Record<string, boolean>,
    addresses: addresses(inputs),
    broadcast: broadcast as string | undefined,
    exclusive: exclusiveAddresses === true,
    shown: declared({ mtu, master: bridge, ...shown, ...Object.fromEntries(slave) }),
  };
}

/** A mutation of one of the links of a resource. */
export function ofLink(
  name: string,
  by: (
    hand: Parameters<Mutation["by"]>[0],
    link: ExpectedLink,
    value: number,
    resource: Resource,
  ) => Promise<boolean>,
  suits?: (resource: Resource) => boolean,
): (links: (resource: Resource) => ExpectedLink[]) => Mutation {
  return (links) => ({
    name,
    suits,
    by: (hand, resource, value) => {
      const all = links(resource);
      return by(hand, all[value % all.length] as ExpectedLink, value, resource);
    },
  });
}

type Of = ReturnType<typeof ofLink>;
export const declares =
  (input: string) =>
  ({ inputs }: Resource) =>
    [inputs, ...((inputs.ends as Inputs[] | undefined) ?? [])].some((each) => each[input] !== undefined);

const otherMtu = ofLink("mtu", (hand, { name }, value) =>
  hand.set(name, "mtu", String(1300 + (value % 100))),
);
const down = ofLink("down", (hand, { name }) => hand.set(name, "down"));
const up = ofLink(
  "up",
  async (hand, { name, up: declaredUp }) => !declaredUp && hand.set(name, "up"),
  ({ inputs }) =>
    [inputs, ...((inputs.ends as Inputs[] | undefined) ?? [])].some((each) => each.up === false),
);
const gone = ofLink("deleted", (hand, { name }) => hand.delete(name));
const renamed = ofLink("renamed", (hand, { name }, value) => hand.rename(name, `x${value}`));
const unleased = ofLink("lease taken off", (hand, { name }) => hand.unlease(name));
export const moved = ofLink("moved", (hand, { name, place }, value) => {
  const others = places.filter((other) => other !== place && hand.witness.exists(other));
  return hand.move(name, others[value % others.length] as Place);
});
const addressDeleted = ofLink(
  "address deleted",
  async (hand, { name, addresses: all = [] }, value) => {
    const at = hand.at(name);
    const address = all[value % Math.max(1, all.length)];
    return at && address
      ? hand.run(at.place, "ip", "addr", "del", ...address.split(" "), "dev", at.name)
      : false;
  },
  (resource) => ["address", "addresses", "addressPlan"].some((input) => declares(input)(resource)),
);
/** In the subnet of a declared one, or in another; IPv6 goes with every down, also a declared one. */
const addressAdded = ofLink(
  "address added",
  async (hand, { name, up: declaredUp, addresses: all = [] }, value) => {
    const at = hand.at(name);
    const [octets] = /^\d+\.\d+\.\d+/.exec(all.find((each) => !each.includes(":")) ?? "198.18.0.1/24") ?? [];
    const host = 100 + (value % 100);
    const possible = [`${octets}.${host}/24`, `198.19.${host}.1/30`, `2001:db8:ffff::${host}/64`];
    const address = possible[value % (declaredUp ? 3 : 2)] as string;
    return at ? hand.run(at.place, "ip", "addr", "add", address, "dev", at.name, "nodad") : false;
  },
);
const offItsBridge = ofLink(
  "off its bridge",
  (hand, { name }) => hand.set(name, "nomaster"),
  declares("bridge"),
);
const offAndOn = ofLink(
  "off its bridge and on",
  async (hand, { name, shown: { master } }) => {
    const bridge = master === undefined ? undefined : hand.at(master as string);
    return bridge?.place === hand.at(name)?.place && (await hand.set(name, "nomaster"))
      ? hand.set(name, "master", bridge?.name as string)
      : false;
  },
  declares("bridge"),
);
const portChanged = ofLink(
  "port changed",
  (hand, { name }, value) => {
    const words = Object.values(portSwitches);
    const word = words[value % words.length] as string;
    return hand.set(name, "type", "bridge_slave", word, value % 3 === 0 ? "off" : "on");
  },
  declares("port"),
);
const macChanged = ofLink(
  "MAC changed",
  (hand, { name }, value) =>
    hand.set(name, "address", `52:54:00:00:01:${(value % 256).toString(16).padStart(2, "0")}`),
  ({ inputs }) => inputs.mode !== "tun",
);
export const ofAnyLink: Of[] = [
  otherMtu,
  down,
  up,
  gone,
  renamed,
  unleased,
  addressDeleted,
  addressAdded,
  macChanged,
];
export const ofPort: Of[] = [offItsBridge, offAndOn, portChanged];

export const isBridge = ({ kind }: Resource) => kind === "Bridge";

/** As `ip` has them; times in hundredths of a second. */
const bridgeWords: Record<string, [string, (value: never) => unknown]> = {
  stp: ["stp_state", Number],
  priority: ["priority", Number],
  ageingTime: ["ageing_time", (value) => value * 100],
  forwardDelay: ["forward_delay", (value) => value * 100],
  helloTime: ["hello_time", (value) => value * 100],
  maxAge: ["max_age", (value) => value * 100],
  multicastQuerier: ["mcast_querier", Number],
  multicastSnooping: ["mcast_snooping", Number],
  groupForwardMask: ["group_fwd_mask", (value: number) => `0x${value.toString(16)}`],
};

function bridgeLinks(resource: Resource): ExpectedLink[] {
  const facts = Object.entries(bridgeWords).flatMap(([input, [word, of]]) => {
    const value = resource.inputs[input];
    // A topology change of STP hides the ageing time for a while.
    const hidden = input === "ageingTime" && resource.inputs.stp !== false;
    return value === undefined || hidden ? [] : [[`linkinfo.info_data.${word}`, of(value as never)]];
  });
  return [
    expected(resource.name, resource, {
      "linkinfo.info_kind": "bridge",
      address: resource.inputs.macAddress,
      ...Object.fromEntries(facts),
    }),
  ];
}

const bridgeChanged = ofLink("setting changed", (hand, { name }, value) => {
  const settings = [
    ["stp_state", String(value % 2)],
    ["ageing_time", String(100 * (value % 50))],
    ["mcast_snooping", String(value % 2)],
    ["priority", String(value)],
  ];
  return hand.set(name, "type", "bridge", ...(settings[value % settings.length] as string[]));
});

/** A port of others, which is nobody's here, and stays. */
const portAdded: Mutation = {
  name: "a stranger's port",
  async by(hand, { name }, value) {
    const at = hand.at(name);
    if (!at) return false;
    const stranger = `str${value}`;
    if (!(await hand.run(at.place, "ip", "tuntap", "add", stranger, "mode", "tap"))) return false;
    const lab = hand.witness.lab(at.place);
    hand.onEnd(() => (hand.witness.exists(at.place) ? lab.ip("link", "del", stranger) : Promise.resolve()));
    return hand.run(at.place, "ip", "link", "set", stranger, "master", at.name);
  },
};

export const bridge = model({
  kind: "Bridge",
  choices: fc.record({
    ...common,
    ...busy,
    mac: fc.boolean(),
    settings: fc.record(
      {
        stp: fc.boolean(),
        priority: fc.constantFrom(0, 4096, 65535),
        ageingTime: fc.constantFrom(0, 60, 300),
        forwardDelay: fc.constantFrom(2, 15, 30),
        helloTime: fc.constantFrom(1, 2.5, 10),
        maxAge: fc.constantFrom(6, 20, 40),
        multicastSnooping: fc.boolean(),
        multicastQuerier: fc.boolean(),
        groupForwardMask: fc.constantFrom(8, 16384),
      },
      { requiredKeys: [], noNullPrototype: true },
    ),
  }),
  build({ place: wished, settings, mac, named, onBusy, ...more }, number, before) {
    const name = `br${number}`;
    const place = placed(wished, before);
    const inputs = inPlace(place, {
      ...commonInputs(more, number),
      ...settings,
      macAddress: mac ? macAddress(number) : undefined,
      name: named ? name : undefined,
      onBusy,
    });
    return { kind: "Bridge", name, place, inputs };
  },
  links: bridgeLinks,
  mutations: [...[...ofAnyLink, bridgeChanged].map((of) => of(bridgeLinks)), portAdded],
});

/** What is no interface: namespaces, routes, sysctls. */

import fc from "fast-check";
import { anyPlace, type Mutation, model, pick, placed, type Resource } from "./topology";

const wish = fc.noBias(fc.nat(1000));
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });

export const namespace = model({
  kind: "Namespace",
  choices: fc.record({ loopbackUp: fc.boolean(), force: fc.boolean() }),
  build: ({ loopbackUp, force }, _, before) =>
    before.length > 0
      ? undefined
      : {
          kind: "Namespace",
          name: "made",
          place: "made",
          inputs: { name: "@made", loopbackUp, ...(force && { force }) },
        },
  async faults({ inputs }, witness) {
    const lo = (await witness.links("made")).find(({ ifname }) => ifname === "lo");
    if (!lo) return ["made: it is not there"];
    const up = lo.flags.includes("UP");
    return up === inputs.loopbackUp ? [] : [`made: loopback is ${up ? "up" : "down"}`];
  },
  mutations: [
    { name: "deleted", by: (hand) => hand.deleteNamespace("made") },
    {
      name: "loopback changed",
      by: async (hand, { inputs }) =>
        hand.witness.exists("made") &&
        hand.run("made", "ip", "link", "set", "lo", inputs.loopbackUp === true ? "down" : "up"),
    },
    {
      name: "lease taken off",
      async by(hand) {
        const lo = (await hand.witness.links("made")).find(({ ifname }) => ifname === "lo");
        const [lease] = lo?.altnames ?? [];
        return (
          lease !== undefined &&
          hand.run("made", "ip", "link", "property", "del", "dev", "lo", "altname", lease)
        );
      },
    },
  ],
});

/** As `ip route` names what is declared. */
function routeWords({ inputs }: Resource): string[] {
  const { destination, gateway, interface: link, metric, table = 254, type = "unicast", mtu } = inputs;
  const option = (word: string, value: unknown) => (value === undefined ? [] : [word, String(value)]);
  return [
    ...(type === "unicast" ? [] : [String(type)]),
    String(destination),
    ...option("via", gateway),
    ...option("dev", link),
    ...option("metric", metric),
    ...option("table", table),
    ...option("mtu", mtu),
    "proto",
    "116",
  ];
}

const family = ({ inputs }: Resource) => (String(inputs.destination).includes(":") ? "-6" : "-4");

function onRoute(name: string, words: (resource: Resource, value: number) => string[]): Mutation {
  return {
    name,
    by: async (hand, resource, value) =>
      hand.witness.exists(resource.place) &&
      hand.run(resource.place, "ip", family(resource), "route", ...words(resource, value)),
  };
}

const leadsOn = ({ kind, inputs }: Resource) =>
  ["TunInterface", "Bridge"].includes(kind) && inputs.address !== undefined && inputs.up !== false;
const leadsOnV6 = (resource: Resource) =>
  leadsOn(resource) &&
  ((resource.inputs.addresses as string[] | undefined) ?? []).some((each) => each.includes(":"));

const nowhere = ["blackhole", "unreachable", "prohibit"] as const;

export const route = model({
  kind: "Route",
  choices: fc.record({
    place: anyPlace,
    link: wish,
    v6: fc.boolean(),
    direct: fc.boolean(),
    nowhere: fc.constantFrom(undefined, undefined, undefined, undefined, ...nowhere),
    onlink: fc.boolean(),
    scope: maybe(fc.constantFrom("global", "site", "link", "host")),
    adopt: fc.boolean(),
    source: fc.boolean(),
    metric: maybe(fc.constantFrom(1, 77, 4096)),
    table: maybe(fc.constantFrom(100, 70_000)),
    mtu: maybe(fc.constantFrom(1280, 1400)),
  }),
  build(
    { place: wished, link, v6, direct, nowhere: type, onlink, scope, adopt, source, metric, table, mtu },
    number,
    before,
  ) {
    const over = type ? undefined : pick(before, link, v6 ? leadsOnV6 : leadsOn);
    // What is reached by a gateway, or from anywhere, is not this host's own.
    const scopes = direct ? ["global", "site", "link", "host"] : ["global", "site"];
    const place = over?.place ?? placed(wished, before);
    const at = (tail: string) => {
      const ours = (over?.inputs.addresses as string[] | undefined)?.find((each) => each.includes(":"));
      return v6 ? ours?.replace("1/64", tail) : String(over?.inputs.address).replace(/1$/, tail);
    };
    const inputs = {
      destination: v6 ? `2001:db8:f${number}::/48` : `172.${16 + number}.0.0/16`,
      ...(over ? { interface: over.name } : { type: type ?? "blackhole" }),
      ...(over && !direct && { gateway: at("2"), ...(onlink && { onlink }) }),
      ...(over && !v6 && scope !== undefined && scopes.includes(scope) && { scope }),
      ...(adopt && { adopt }),
      ...(over && source && { source: at("1") }),
      ...(metric !== undefined && { metric }),
      ...(table !== undefined && { table }),
      ...(over && mtu !== undefined && { mtu }),
      namespace: `@${place}`,
    };
    return { kind: "Route", name: `route${number}`, place, inputs };
  },
  async faults({ name, place, inputs }, witness) {
    const { destination, gateway, interface: dev, source, metric, table, mtu, type, onlink } = inputs;
    // What `ip` leaves out.
    const scope = inputs.scope === "global" ? undefined : inputs.scope;
    const seen = (await witness.routes(place)).filter(({ dst }) => dst === destination);
    const wanted = {
      gateway,
      dev,
      prefsrc: source,
      metric,
      type,
      scope,
      table: table && String(table),
      protocol: "116",
    };
    const differs = (route: Record<string, unknown>) =>
      Object.entries(wanted).filter(([word, value]) => value !== undefined && route[word] !== value);
    const [only, ...others] = seen;
    if (!only || others.length > 0) return [`${name}: there are ${seen.length} of it`];
    const [metrics] = (only.metrics as { mtu?: number }[] | undefined) ?? [];
    const wrong = differs(only).map(([word]) => word);
    if (mtu !== undefined && metrics?.mtu !== mtu) wrong.push("mtu");
    const flags = (only.flags as string[] | undefined) ?? [];
    if (flags.includes("onlink") !== (onlink === true)) wrong.push("onlink");
    return wrong.map((word) => `${name}: ${word} is not as declared: ${JSON.stringify(only)}`);
  },
  mutations: [
    onRoute("deleted", (resource) => ["del", ...routeWords(resource)]),
    {
      ...onRoute("changed", (resource, value) => [
        "change",
        ...routeWords(resource),
        "mtu",
        "lock",
        String(1290 + (value % 100)),
      ]),
      suits: ({ inputs }) =>
        inputs.interface !== undefined &&
        ["mtu", "source", "scope", "onlink"].every((input) => inputs[input] === undefined),
    },
    {
      name: "a stranger's route",
      async by(hand, { place, inputs }, value) {
        const at = inputs.namespace === "@made" ? "here" : place;
        const words = [
          "blackhole",
          `192.168.${value % 200}.0/24`,
          "table",
          String(200 + (value % 7)),
          "proto",
          "static",
        ];
        if (!(await hand.run(at, "ip", "route", "add", ...words))) return false;
        // It must still be there.
        hand.onEnd(() => hand.witness.lab(at).ip("route", "del", ...words));
        return true;
      },
    },
  ],
});

/** Names, and the values that they may get. */
const settings: Record<string, (number | string)[]> = {
  "net.ipv4.ip_forward": [0, 1],
  "net.ipv4.ip_default_ttl": [33, 99],
  "net.ipv4.ip_local_port_range": ["20000 30000", "1024\t2000"],
  "net.ipv6.conf.all.forwarding": [0, 1],
  "net.core.somaxconn": [128, 1000],
};
const linkSettings: Record<string, (number | string)[]> = {
  "net.ipv4.conf.LINK.rp_filter": [0, 1, 2],
  "net.ipv4.conf.LINK.arp_notify": [0, 1],
  "net.ipv6.conf.LINK.accept_ra": [0, 2],
};

/** Those that outlive a topology. */
export const sysctls = Object.keys(settings);

const chosen = (all: (number | string)[], wished: number) => all[wished % all.length] as number | string;
const all = Object.entries({ ...settings, ...linkSettings });

export const sysctl = model({
  kind: "Sysctl",
  choices: fc.record({ place: anyPlace, which: wish, value: wish, link: wish }),
  build({ place: wished, which, value, link }, number, before) {
    const [pattern, values] = all[which % all.length] as [string, (number | string)[]];
    // A tunnel over a device of 1280 bytes has no IPv6, and no such settings.
    const kinds = ["TunInterface", "Bridge", ...(pattern.includes("ipv6") ? [] : ["Vxlan"])];
    const isLink = ({ kind }: Resource) => kinds.includes(kind);
    const over = pattern.includes("LINK") ? pick(before, link, isLink) : undefined;
    if (pattern.includes("LINK") && !over) return undefined;
    const place = over?.place ?? placed(wished, before);
    const name = pattern.replace("LINK", over?.name ?? "");
    if (
      before.some((other) => other.kind === "Sysctl" && other.place === place && other.inputs.name === name)
    )
      return undefined;
    const inputs = { name, value: chosen(values, value), namespace: `@${place}` };
    return { kind: "Sysctl", name: `sysctl${number}`, place, inputs };
  },
  async faults({ name, place, inputs }, witness) {
    const is = await witness.sysctl(place, String(inputs.name));
    const declared = String(inputs.value).replaceAll(/\s+/g, "\t");
    return is === declared
      ? []
      : [`${name}: ${inputs.name} is ${JSON.stringify(is)}, declared ${JSON.stringify(declared)}`];
  },
  mutations: [
    {
      name: "changed",
      async by(hand, { place, inputs }, value) {
        const [, values] = all.find(([pattern]) => {
          const [head = "", tail = ""] = pattern.split("LINK");
          const name = String(inputs.name);
          return pattern.includes("LINK") ? name.startsWith(head) && name.endsWith(tail) : name === pattern;
        }) as [string, (number | string)[]];
        const other = values.filter((each) => String(each) !== String(inputs.value));
        return (
          hand.witness.exists(place) &&
          hand.run(place, "sysctl", "-qw", `${inputs.name}=${chosen(other, value)}`)
        );
      },
    },
  ],
});

const table = (words: string, { place, inputs }: Resource) =>
  [place, "nft", `${words} inet ${inputs.name}`] as const;

interface Forward {
  protocol: string;
  port: number | string;
  to: string;
  toPort?: number;
}

export const nat = model({
  kind: "Nat",
  choices: fc.record({
    place: anyPlace,
    source: fc.boolean(),
    out: maybe(wish),
    snat: fc.boolean(),
    forwards: fc.integer({ min: 0, max: 4 }),
    allowForwarding: fc.boolean(),
    adopt: fc.boolean(),
  }),
  build({ place: wished, source, snat, out, forwards, allowForwarding, adopt }, number, before) {
    const over = pick(before, out, ({ kind }) => ["TunInterface", "Bridge"].includes(kind));
    const place = over?.place ?? placed(wished, before);
    // Each has ports of its own: no two of a place may forward the same one.
    const own = (port: number) => port + 500 * number;
    const all = [
      { protocol: "tcp", port: own(80), to: "10.99.0.3" },
      { protocol: "udp", port: `${own(100)}-${own(110)}`, to: "2001:db8:99::2" },
      { protocol: "tcp", port: own(443), to: "10.99.0.2", toPort: 8443 },
      { protocol: "udp", port: own(53), to: "10.99.0.4", toPort: 53 },
    ].slice(0, forwards);
    const translates = source || forwards === 0;
    const inputs = {
      name: `nat${number}`,
      ...(translates && { source: [`10.${number}.0.0/24`] }),
      ...(translates && snat && { snatTo: "192.0.2.77" }),
      ...(over && { outInterface: over.name }),
      ...(forwards > 0 && { forwards: all }),
      allowForwarding,
      ...(adopt && { adopt }),
      namespace: `@${place}`,
    };
    return { kind: "Nat", name: `nat${number}`, place, inputs };
  },
  async faults({ name, place, inputs }, witness) {
    const shown = (await witness.lab(place).exec("nft", "list", "ruleset")).split(/^(?=table)/m);
    const ours = shown.find((each) => each.startsWith(`table inet ${inputs.name} `));
    if (!ours) return [`${name}: there is no such table`];
    const [network] = (inputs.source as string[] | undefined) ?? [];
    const { snatTo } = inputs;
    const needed = [
      ...(network === undefined ? [] : [`ip saddr ${network}`]),
      ...(network === undefined ? [] : [snatTo === undefined ? "masquerade" : `snat ip to ${snatTo}`]),
      ...((inputs.forwards as Forward[] | undefined) ?? []).map(({ protocol, port, to, toPort = port }) => {
        const family = to.includes(":") ? "ip6" : "ip";
        const target = toPort === port ? to : `${to}:${toPort}`;
        return `${protocol} dport ${port} dnat ${family} to ${target}\n`;
      }),
      ...(inputs.outInterface === undefined ? [] : [`"${inputs.outInterface}"`]),
    ];
    return [
      ...needed.filter((text) => !ours.includes(text)).map((text) => `${name}: ${text} is missing:\n${ours}`),
      ...(ours.includes("198.18.") ? [`${name}: a rule of others is in it:\n${ours}`] : []),
    ];
  },
  mutations: [
    {
      name: "deleted",
      by: async (hand, resource) =>
        hand.witness.exists(resource.place) && hand.run(...table("delete table", resource)),
    },
    {
      name: "flushed",
      by: async (hand, resource) =>
        hand.witness.exists(resource.place) && hand.run(...table("flush table", resource)),
    },
    {
      name: "a rule added",
      by: async (hand, resource, value) => {
        if (!hand.witness.exists(resource.place)) return false;
        const [place, program, words] = table("add chain", resource);
        return (
          (await hand.run(place, program, `${words} byhand`)) &&
          hand.run(
            place,
            program,
            `${words.replace("chain", "rule")} byhand ip saddr 198.18.0.${value % 200} drop`,
          )
        );
      },
    },
  ],
});

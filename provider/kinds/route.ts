import { canonicalAddress } from "../host/addresses";
import type { Host } from "../host/host";
import {
  defaultMetric,
  describeRoute,
  type KernelRoute,
  nameIn,
  routeKey,
  routeProtocol,
  routeScopes,
  routeTypes,
} from "../host/routes";
import type { InputSchema, Inputs, Kind, Property, Sighting, Target } from "./kind";
import { adoptInput } from "./parts/names";
import { canonicalDestination, interfaceProblems, routeRules } from "./parts/route-checks";
import {
  createRoute,
  type DesiredRoute,
  eraseRoute,
  giveBackRoute,
  type ObservedRoute,
  rewriteRoute,
  takeOverRoute,
  unfitRoute,
} from "./parts/route-writes";
import { live } from "./parts/verdicts";

const inputs = {
  destination: {
    type: "string",
    format: "destination",
    change: "live",
    required: true,
    description:
      'Network that is reached, with its prefix length, or `"default"`: that is of IPv6 if `gateway` or `source` is (as `::/0` always is), else of IPv4.',
  },
  gateway: {
    type: "string",
    format: "hop",
    change: "live",
    description:
      "Address of the next router, of the destination's family. Default: none, the destination is reached directly.",
  },
  interface: {
    type: "string",
    format: "link-name",
    change: "live",
    description:
      "Interface that it leads over, by name, in the same namespace. Pass the `.name` of the resource that makes it: then it is there first, and the route is put back in the run that took the interface down or made it anew. Default: the one on which the kernel finds the gateway.",
  },
  namespace: {
    type: "string",
    format: "namespace-name",
    change: "replace",
    description:
      "Network namespace whose route it is, by its name in /run/netns. Default: the host's. Pass the `.name` of a `Namespace` resource, so that it is made first.",
  },
  source: {
    type: "string",
    format: "hop",
    change: "live",
    description:
      "Address of this host that it prefers for what it sends there. Default: the kernel's choice.",
  },
  metric: {
    type: "integer",
    minimum: 0,
    maximum: 4294967295,
    change: "live",
    observed: true,
    description:
      "Of several routes to one destination, that with the lowest is used. Default: the kernel's, 0 for IPv4 and 1024 for IPv6.",
  },
  table: {
    type: "integer",
    minimum: 1,
    maximum: 4294967295,
    default: 254,
    change: "live",
    description: "Number of the routing table; 254 is the main one (`ip rule` says when others are used).",
  },
  scope: {
    type: "string",
    enum: ["global", "site", "link", "host"],
    change: "live",
    observed: true,
    description:
      "How far away the destination is; of IPv4 only. Default: `link` where it is reached directly, else `global`.",
  },
  type: {
    type: "string",
    enum: ["unicast", "blackhole", "unreachable", "prohibit"],
    default: "unicast",
    change: "live",
    description:
      "`unicast` leads to the destination; `blackhole` drops silently what is sent there, `unreachable` and `prohibit` say so to the sender (no route to host, administratively prohibited).",
  },
  mtu: {
    type: "integer",
    minimum: 68,
    maximum: 65520,
    change: "live",
    description: "Largest packet on the way there, in bytes. Default: that of the interface.",
  },
  onlink: {
    type: "boolean",
    default: false,
    change: "live",
    description:
      "Take the gateway for reachable over the interface, even if no address there is of its subnet.",
  },
  adopt: {
    ...adoptInput,
    description:
      "Take over a route of the same destination, metric and table that another program made, or the kernel; from then on it is managed, and deleted, like one that this program made.",
  },
} as const satisfies Record<string, InputSchema>;

type RouteProperty<Value> = Property<DesiredRoute, ObservedRoute, Value>;

const none = "";
const shown = (text: string) => (text === none ? "none" : text);

/** A row for an input that is compared as it is, and not managed where it is not declared. */
function plain<Value>(
  name: keyof DesiredRoute,
  is: (observed: ObservedRoute, desired: DesiredRoute) => Value,
  show?: (value: Value) => string,
): RouteProperty<Value> {
  return {
    name,
    inputs: [name],
    verdict: live,
    want: (desired) => desired[name] as Value | undefined,
    is,
    show,
  };
}

const destination: RouteProperty<string> = {
  ...plain("destination", ({ route }) => route.destination),
  // `default` is of their family.
  follows: ["gateway", "source"],
};

const metric: RouteProperty<number> = {
  ...plain("metric", ({ route }) => route.metric),
  follows: ["destination", "gateway", "source"],
  // It decides which route it is, so not declaring it means the usual one.
  want: (desired, recorded) => {
    const destination = desired.destination ?? (recorded && keyOf(recorded)?.destination);
    return desired.metric ?? (destination === undefined ? undefined : defaultMetric(destination));
  },
};

const gateway: RouteProperty<string> = {
  ...plain(
    "gateway",
    ({ route }) => (route.intricate ? "several next hops" : (route.gateway ?? none)),
    shown,
  ),
  want: (desired) => desired.gateway ?? none,
};

const properties: RouteProperty<never>[] = [
  destination as RouteProperty<never>,
  plain("table", ({ route }) => route.table) as RouteProperty<never>,
  metric as RouteProperty<never>,
  plain("type", ({ route }) => nameIn(routeTypes, route.type)) as RouteProperty<never>,
  gateway as RouteProperty<never>,
  plain("interface", interfaceName, shown) as RouteProperty<never>,
  plain(
    "onlink",
    ({ route }) => route.onlink,
    (on) => (on ? "on" : "off"),
  ) as RouteProperty<never>,
  plain("source", ({ route }) => route.source ?? none, shown) as RouteProperty<never>,
  plain("scope", ({ route }) => nameIn(routeScopes, route.scope)) as RouteProperty<never>,
  plain(
    "mtu",
    ({ route }) => route.mtu ?? 0,
    (bytes) => (bytes === 0 ? "none" : String(bytes)),
  ) as RouteProperty<never>,
];

/** As the program calls it where it means that one. */
function interfaceName({ route, links }: ObservedRoute, desired: DesiredRoute): string {
  const { interface: index } = route;
  if (index === undefined) return none;
  if (desired.interface !== undefined && links.named(desired.interface)?.ifindex === index)
    return desired.interface;
  return links.at(index)?.name ?? `ifindex ${index}`;
}

function desiredOf(values: Inputs): DesiredRoute {
  const { destination, gateway: hop, source } = values;
  const address = (value: unknown) => (typeof value === "string" ? canonicalAddress(value) : undefined);
  return {
    ...(values as unknown as DesiredRoute),
    destination:
      typeof destination === "string" ? canonicalDestination(destination, hop ?? source) : undefined,
    gateway: address(hop),
    source: address(source),
  };
}

/** undefined while an input that decides on it is not known. */
function keyOf(values: Inputs, unknown?: ReadonlySet<string>) {
  const open = (name: string) => unknown?.has(name) === true;
  if (open("destination") || open("table") || open("metric")) return undefined;
  if (values.destination === "default" && (open("gateway") || open("source"))) return undefined;
  const { destination, table = 254, metric: order } = desiredOf(values);
  return destination === undefined ? undefined : { destination, table, metric: order };
}

function keyText(values: Inputs, unknown?: ReadonlySet<string>): string | undefined {
  const key = keyOf(values, unknown);
  return key && routeKey(key);
}

/** Ours is what has our protocol, at its recorded key or, else, at the wanted one. */
async function sight(target: Target, host: Host): Promise<Sighting<ObservedRoute>> {
  const { namespace, name, lease, recorded } = target;
  if (!(await host.namespaces.exists(namespace))) return { namespaceMissing: namespace };
  const [routes, links, bootId] = await Promise.all([
    host.routes.table(namespace),
    host.links.table(namespace),
    host.bootId(),
  ]);
  const ours = (key: string | undefined) =>
    key === undefined || host.routes.isKeptByOther(namespace, key, lease)
      ? undefined
      : routes.get(key)?.find(({ protocol }) => protocol === routeProtocol);
  const observed = (route: KernelRoute) => {
    const beside = (routes.get(routeKey(route)) ?? []).filter((other) => other !== route);
    return { route, beside, links, bootId };
  };
  const route = ours(recorded && keyText(recorded)) ?? ours(name);
  const other = routes.get(name)?.find(({ protocol }) => protocol !== routeProtocol);
  const isElsewhere = route !== undefined && routeKey(route) !== name;
  const known = recorded && keyText(recorded);
  const found = known === name ? undefined : ours(name);
  return {
    ...(found && {
      caution: `${describeRoute(found, links)} is there already, and this resource has no record of it: if another program declares it, they share it, so each writes it as it declares it, and it goes with the first of them that goes`,
    }),
    // One that no record names is taken up.
    ...(route && { object: observed(route), leaseLost: recorded === undefined }),
    ...(other &&
      (route === undefined || isElsewhere) && {
        obstacle: { object: observed(other), sameStack: false, leased: false },
      }),
  };
}

async function explainLoss({ recorded, namespace }: Target, host: Host): Promise<string | undefined> {
  const name = recorded?.interface;
  if (typeof name !== "string") return undefined;
  const link = (await host.links.table(namespace)).named(name);
  if (link === undefined) return `its interface ${name} is gone`;
  if (!link.up) return `its interface ${name} is down, which takes routes away`;
  const { __interface: before = link.ifindex } = recorded ?? {};
  return before === link.ifindex ? undefined : `its interface ${name} was made anew, which takes routes away`;
}

export const route: Kind<DesiredRoute, ObservedRoute> = {
  name: "Route",
  description: `A route of the host or of one network namespace. Routes made here have the protocol number ${routeProtocol} (\`ip route show proto ${routeProtocol}\`), which says whose they are. A route goes when its interface goes down: it is put back in the same run if that was done by the resource whose \`.name\` is its \`interface\`, else by the next one.`,
  example: `const lab = new tuntap.Namespace("lab");
const tap = new tuntap.TunInterface("vmtap0", { address: "192.0.2.1/24", namespace: lab.name });
const route = new tuntap.Route("guests", {
  destination: "198.51.100.0/24",
  gateway: "192.0.2.2",
  interface: tap.name,
  namespace: lab.name,
});

export const where = route.destination;`,
  inputs,
  outputs: {},
  naming: {
    of: keyText,
    property: "destination",
    form: "`DESTINATION`, with ` table NUMBER` and ` metric NUMBER` where they are not the usual ones, and with `NAMESPACE/` before it in a namespace: `default`, `198.51.100.0/24 metric 7`, `blue/2001:db8::/32 table 100`. To take over a route that exists, declare it with `adopt: true`.",
    space: (namespace) => `route:${namespace ?? ""}`,
  },
  unleased: true,
  inherited: true,
  inside: (target) => target.namespace,
  rules: routeRules,
  hostRules: interfaceProblems,
  async desire(values: Inputs) {
    return desiredOf(values);
  },
  sight,
  describe: ({ route: seen, links }) => describeRoute(seen, links),
  properties,
  create: createRoute,
  rewrite: rewriteRoute,
  unfit: unfitRoute,
  takeOver: takeOverRoute,
  giveBack: giveBackRoute,
  async inUse() {
    return undefined;
  },
  explainLoss,
  async whereabouts({ namespace }) {
    return { namespace, processes: [] };
  },
  codes: { inUse: "ROUTE_REFUSED", foreign: "FOREIGN_ROUTE" },
  otherHands:
    "Look for what else changes routes (a routing daemon, systemd-networkd's ManageForeignRoutes=, NetworkManager, a VPN or DHCP client) and exclude the route there.",
  onBusy: () => ({ mode: "fail", seconds: 0 }),
  remove: eraseRoute,
  present(observed, desired, declared) {
    const { route: seen } = observed;
    const inWords = (name: "destination" | "gateway" | "source") =>
      desired[name] !== undefined && desired[name] === seen[name] ? declared[name] : seen[name];
    // `default` says of which family it is only beside an address.
    const word = inWords("destination") as string;
    const isClear = canonicalDestination(word, seen.gateway ?? seen.source) === seen.destination;
    return {
      destination: isClear ? word : seen.destination,
      gateway: inWords("gateway"),
      interface: interfaceName(observed, desired) || undefined,
      source: inWords("source"),
      metric: seen.metric,
      table: seen.table,
      scope: nameIn(routeScopes, seen.scope),
      type: nameIn(routeTypes, seen.type),
      mtu: seen.mtu,
      onlink: seen.onlink,
    };
  },
  remember: ({ bootId, route: { interface: index } }) => ({
    __bootId: bootId,
    ...(index !== undefined && { __interface: index }),
  }),
};

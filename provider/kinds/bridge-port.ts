import { constants } from "node:os";
import { EXFULL, TuntapError } from "../errors";
import { addressText } from "../host/addresses";
import type { Host } from "../host/host";
import {
  addAlternativeName,
  describeLink,
  type Link,
  type LinkTable,
  removeAlternativeName,
  setLink,
} from "../host/links";
import { accepted, refusal } from "../host/refusals";
import type { Reply } from "../kernel/kernel";
import type { Difference, InputSchema, Inputs, Kind, Problem, Property, Sighting, Target } from "./kind";
import { bridgeIndex, bridgeInput, bridgeProblems, bridgeProperty, presentBridge } from "./parts/bridge-port";
import { noteFormerPort, restoreFormerPort } from "./parts/former-port";
import { linksToCheck, type ObservedLink, observeLink } from "./parts/link";
import { lifeline } from "./parts/lockout";
import { adoptInput, linkClaim, namespaceInput } from "./parts/names";
import {
  formerIn,
  isMarked,
  markedLink,
  marksOf,
  marksOfStack,
  othersMarks,
  portMark,
} from "./parts/port-marks";
import { type DesiredPort, portInput, portRules, portSettings, presentPort } from "./parts/port-settings";
import { vlanProblems } from "./parts/port-vlans";

const { errno } = constants;

interface Desired {
  interface: string | undefined;
  bridge: string | undefined;
  port: DesiredPort | undefined;
  allowLockout: boolean;
}

interface Observed extends ObservedLink {
  /** What it was a port of before; empty for nothing. */
  former: string;
  /** Its settings and VLANs as that one's port, a text of JSON; undefined where they are not known, or it was none. */
  formerPort: string | undefined;
}

const inputs = {
  interface: {
    type: "string",
    format: "link-name",
    change: "replace",
    required: true,
    description:
      "Interface that is put on the bridge, by name: one that this program did not make, such as a network card. Those that it makes have an input `bridge`. It is left up, or down, as it is.",
  },
  bridge: {
    ...bridgeInput,
    required: true,
    description:
      "Bridge that the interface becomes a port of, by name, in the same namespace. Pass the `.name` of the resource that makes the bridge, or the name of one that exists.",
  },
  port: portInput,
  namespace: {
    ...namespaceInput,
    change: "replace",
    description:
      "Network namespace in which both are, by its name in /run/netns. Default: the host's. Pass the `.name` of a `Namespace` resource, so that it is made first.",
  },
  allowLockout: {
    type: "boolean",
    default: false,
    change: "control",
    description:
      "Whether the interface may be put on the bridge, and taken off again, although the default route (of the main table, IPv4 or IPv6) leads over it, or the ssh connection of the run comes in at it or goes out by it: the host does not answer to addresses of a bridge's port, so both are cut off, until the bridge has the address and the route.",
  },
  adopt: {
    ...adoptInput,
    description:
      "Take the interface off the bridge, or whatever it is a port of, where others put it; when the resource goes, it is put back there.",
  },
} as const satisfies Record<string, InputSchema>;

function formerOf(target: Target, link: Link): string | undefined {
  const [own] = marksOf(link, target.lease);
  return noted(target, "__former") ?? (own && formerIn(own));
}

/** What is recorded, or was found when this run put it on the bridge. */
function noted({ recorded, made }: Target, name: "__former" | "__formerPort"): string | undefined {
  return (recorded?.[name] ?? made?.[name]) as string | undefined;
}

function masterOf({ link, neighbours }: ObservedLink): Link | undefined {
  return link.master === 0 ? undefined : neighbours.at(link.master);
}

/** It is this resource's from the first write on: before, it is on no bridge as far as we are concerned. */
async function sight(target: Target, host: Host): Promise<Sighting<Observed>> {
  const { namespace, name, wanted = {} } = target;
  if (!(await host.namespaces.exists(namespace))) return { namespaceMissing: namespace };
  const find = (links: LinkTable) => markedLink(links, target.lease) ?? links.named(name);
  const observed = await observeLink(namespace, find, target, host);
  if (observed === undefined) return {};
  const former = formerOf(target, observed.link);
  const caution = shares(observed, target);
  if (former !== undefined)
    return { object: { ...observed, former, formerPort: noted(target, "__formerPort") }, caution };
  const master = masterOf(observed);
  if (!master || wanted.adopt === true || isNamed(observed, master, wanted.bridge)) return { caution };
  const object = { ...observed, former: master.name, formerPort: undefined };
  // Put there by a resource that this one takes the place of: it goes over from that one's bridge.
  const sameStack = marksOfStack(observed.link, target.lease).length > 0;
  return { obstacle: { object, sameStack, leased: false } };
}

function shares({ link, namespace }: ObservedLink, { lease }: Target): string | undefined {
  const marks = othersMarks(link, lease);
  if (marks.length === 0) return undefined;
  const inside = namespace === undefined ? "" : ` -n ${namespace}`;
  return `interface ${JSON.stringify(link.name)} is put on a bridge by another BridgePort, too, of another program or under another name (${marks.join(", ")}): it stays there until the last of them goes. If that one is declared nowhere any more, take its mark off: \`ip${inside} link property del dev ${link.name} altname ${marks[0]}\``;
}

/** Whether it stays on the bridge for the sake of another resource that put it there, too, when this one goes. */
function isKept(observed: Observed, { lease }: Target): boolean {
  const { link, former } = observed;
  const bridge = masterOf(observed)?.name;
  return othersMarks(link, lease)
    .map(formerIn)
    .some((other) => other === former || other === bridge);
}

function isNamed({ neighbours }: ObservedLink, link: Link, name: unknown): boolean {
  return typeof name === "string" && neighbours.named(name)?.ifindex === link.ifindex;
}

/** Whether it is a port of the bridge that this resource put it on, which others may have renamed. */
function isOnOurs(observed: ObservedLink, { recorded, wanted }: Target): boolean {
  const master = masterOf(observed);
  if (master === undefined) return false;
  const isRecorded = recorded?.__bootId === observed.bootId && recorded.__bridgeIndex === master.ifindex;
  return isRecorded || isNamed(observed, master, recorded?.bridge ?? wanted?.bridge);
}

function describe(observed: ObservedLink): string {
  const master = masterOf(observed);
  return `${describeLink(observed.link)}${master ? `, which is a port of ${master.name}` : ""}`;
}

const { messages: _, ...bridgeRow } = bridgeProperty;

/**
 * What the program may call the interface: an alternative name will do, and so will the name that it had, as long as no
 * other interface has that.
 */
function nameAs(wanted: string | undefined, observed: Observed, recorded: Inputs | undefined): string {
  const { link, ifindex, neighbours } = observed;
  const before = recorded?.interface as string | undefined;
  const namesake = wanted === undefined ? undefined : neighbours.named(wanted);
  if (wanted !== undefined && namesake?.ifindex === ifindex) return wanted;
  if (wanted === undefined || (before !== undefined && before !== wanted)) return before ?? link.name;
  return namesake ? link.name : wanted;
}

const interfaceRow: Property<Desired, Observed, string> = {
  name: "interface",
  inputs: ["interface"],
  verdict: { idle: "replace", single: "replace", multi: "replace" },
  want: (desired) => desired.interface,
  is: (observed, desired, recorded) => nameAs(desired.interface, observed, recorded),
};

const properties = [
  interfaceRow,
  { ...bridgeRow, apply: join } satisfies Property<Desired, Observed, string>,
  ...portSettings,
] as Property<Desired, Observed, never>[];

async function join(difference: Difference<Desired, Observed, string>, host: Host): Promise<void> {
  const { observed, desired, target } = difference;
  await refuseLockout(observed, desired, host);
  const writes = bridgeProperty.messages?.({ ...difference, property: bridgeProperty }) ?? [];
  const replies = await host.batch.send(
    target.namespace,
    writes.map(({ bytes }) => bytes),
  );
  const refused = replies.findIndex((reply) => !accepted(reply));
  if (refused < 0) return;
  const reply = replies[refused] as Reply;
  throw refusal(reply, {
    message: `the kernel refused ${writes[refused]?.what}`,
    operation: "RTM_NEWLINK",
    property: "bridge",
    ...(reply.errno !== EXFULL && { remedy: refusedPort }),
  });
}

const refusedPort =
  "A bridge takes Ethernet interfaces only, and none that is a bridge itself, loopback, or marked as not to be forwarded (netns_immutable, IFF_DONT_BRIDGE). See the kernel's words.";

async function refuseLockout(observed: ObservedLink, { allowLockout }: Desired, host: Host): Promise<void> {
  if (allowLockout) return;
  const { link, namespace, neighbours } = observed;
  const reason = await lifeline({ link, namespace, links: neighbours }, host);
  if (reason === undefined) return;
  throw new TuntapError("LOCKOUT", {
    message: `${describeLink(link)} is left where it is: it is ${reason}`,
    property: "interface",
  });
}

async function create(target: Target, desired: Desired, host: Host): Promise<Inputs> {
  const { namespace, name } = target;
  const observed = await observeLink(namespace, (links) => links.named(name), target, host);
  if (observed === undefined) throw missing(name, namespace);
  const { link, neighbours, ifindex } = observed;
  const wanted = bridgeIndex(neighbours, desired.bridge ?? "");
  if (link.master !== wanted) await refuseLockout(observed, desired, host);
  // Put there by another resource, its way back is that one's.
  const [other] = link.master === wanted ? othersMarks(link, target.lease) : marksOfStack(link, target.lease);
  const former = other === undefined ? (masterOf(observed)?.name ?? "") : formerIn(other);
  const formerPort = other === undefined ? await noteFormerPort(observed, host) : undefined;
  const mark = addAlternativeName(ifindex, portMark(target.lease, former));
  const [reply] = await host.batch.send(namespace, [mark]);
  if (accepted(reply, errno.EEXIST)) return { __former: former, __formerPort: formerPort };
  throw refusal(reply as { errno: number }, {
    message: "what it was a port of before could not be noted as an alternative name",
    operation: "RTM_NEWLINKPROP",
  });
}

function missing(name: string, namespace: string | undefined): TuntapError {
  const where = namespace === undefined ? "" : ` in namespace ${JSON.stringify(namespace)}`;
  return new TuntapError("INTERFACE_MISSING", {
    message: `interface ${JSON.stringify(name)} does not exist${where}`,
    property: "interface",
  });
}

/**
 * Puts it back to where it was, unless somebody else has put it elsewhere meanwhile, or another resource has it on the
 * bridge, too; then only the note goes.
 */
async function remove(target: Target, observed: Observed, host: Host): Promise<void> {
  const { link, namespace, neighbours, ifindex, former, formerPort } = observed;
  const back = former === "" ? 0 : (neighbours.named(former)?.ifindex ?? 0);
  const writes = marksOf(link, target.lease).map((name) => removeAlternativeName(ifindex, name));
  const stayed = isOnOurs(observed, target) && !isKept(observed, target);
  if (stayed && back !== link.master) writes.unshift(setLink(ifindex, { master: back }));
  const replies = await host.batch.send(namespace, writes);
  if (stayed && back !== 0 && formerPort !== undefined && replies.every((reply) => accepted(reply)))
    replies.push(...(await restoreFormerPort(formerPort, observed, host)));
  const refused = replies.find((reply) => !accepted(reply, errno.ENODEV));
  if (refused === undefined) return;
  throw refusal(refused, {
    message: `it could not be put back to where it was (${former === "" ? "no bridge" : former})`,
    operation: "RTM_NEWLINK",
    property: "bridge",
  });
}

async function hostRules(values: Inputs, unknown: ReadonlySet<string>, host: Host): Promise<Problem[]> {
  const { interface: name, namespace, bridge, adopt, allowLockout } = values;
  const problems = [
    ...(await bridgeProblems(values, unknown, host, [typeof name === "string" ? name : undefined])),
    ...(await vlanProblems(values, unknown, host)),
  ];
  const links = typeof name === "string" ? await linksToCheck(values, unknown, host) : undefined;
  if (typeof name !== "string" || links === undefined) return problems;
  const place = namespace as string | undefined;
  const link = links.named(name);
  if (link === undefined) {
    const { code, facts, remedy } = missing(name, place);
    const message = `${facts.message}. ${remedy}`;
    const unless = [linkClaim(name, values)];
    return [...problems, { property: "interface", code, message, warning: true, unless }];
  }
  if (!link.up && link.leases.length === 0) {
    const inside = place === undefined ? "" : ` -n ${place}`;
    const message = `interface ${JSON.stringify(name)} is down, and is left so: nothing passes over it until it is set up (\`ip${inside} link set ${link.name} up\`)`;
    problems.push({ property: "interface", message, warning: true });
  }
  const { addresses } = await host.scenes.lately(place);
  const own = (addresses.get(link.ifindex) ?? []).filter(({ kernelMade }) => !kernelMade).map(addressText);
  if (own.length > 0) {
    const message = `interface ${JSON.stringify(name)} has addresses (${own.join(", ")}), and the host does not answer to addresses of a bridge's port; give them to the bridge`;
    problems.push({ property: "interface", message, warning: true });
  }
  const wanted = typeof bridge === "string" ? links.named(bridge)?.ifindex : undefined;
  if (link.master === wanted) return problems;
  const reason = allowLockout === true ? undefined : await lifeline({ link, namespace: place, links }, host);
  // What it is on may be that very bridge, under the name that it has now; then nothing is cut off.
  if (reason !== undefined && wanted === undefined && link.master !== 0 && isMarked(link)) {
    const message = `bridge ${JSON.stringify(bridge)} is not there yet: unless the one that interface ${JSON.stringify(name)} is on gets that name, this will be refused, as it is ${reason}`;
    problems.push({ property: "bridge", message, warning: true });
  } else if (reason !== undefined) {
    const message = `interface ${JSON.stringify(name)} cannot be put on a bridge: it is ${reason}`;
    const { remedy } = new TuntapError("LOCKOUT", { message });
    problems.push({ property: "interface", code: "LOCKOUT", message: `${message}. ${remedy}` });
  }
  if (link.leases.length > 0) {
    const message = `interface ${JSON.stringify(name)} was made by a resource of this package (${describeLink(link)}); if that has an input for the bridge, use that instead of this, lest they take it from each other`;
    problems.push({ property: "interface", message, warning: true });
  }
  const master = link.master === 0 ? undefined : links.at(link.master);
  if (master && adopt === true) {
    const message = `interface ${JSON.stringify(name)} is taken off ${master.name}, which it is a port of; it is put back there when this resource goes`;
    problems.push({ property: "interface", message, warning: true });
  }
  return problems;
}

/** To take it off cuts off what leads over the bridge by it, but for routes that this package made. */
async function inUse(target: Target, observed: Observed, host: Host): Promise<string | undefined> {
  const { link, namespace, neighbours } = observed;
  const { allowLockout } = target.recorded ?? target.wanted ?? {};
  if (allowLockout === true || !isOnOurs(observed, target) || isKept(observed, target)) return undefined;
  return lifeline({ link, namespace, links: neighbours }, host, "others");
}

export const bridgePort: Kind<Desired, Observed> = {
  name: "BridgePort",
  description:
    "Puts an interface that this program did not make, such as a network card, on a bridge, and back to where it was when the resource goes. Refused while the default route or the ssh connection in use would be cut off by it.",
  example: `const br = new tuntap.Bridge("br0");
const uplink = new tuntap.BridgePort("uplink", { interface: "eth1", bridge: br.name });

export const port = uplink.interface;`,
  inputs,
  outputs: {
    ifindex: { type: "integer", description: "Index of the interface in its namespace." },
  },
  naming: {
    of: (values, unknown) =>
      unknown?.has("interface") ? undefined : (values.interface as string | undefined),
    property: "interface",
    form: "`INTERFACE`, or `NAMESPACE/INTERFACE` in a namespace: `eth1`, `blue/eth1`.",
    space: (namespace) => `port:${namespace ?? ""}`,
  },
  unleased: true,
  permanent: true,
  inside: (target) => target.namespace,
  rules: portRules,
  hostRules,
  async desire(values) {
    const { interface: name, bridge, port, allowLockout } = values as Partial<Desired>;
    return { interface: name, bridge, port, allowLockout: allowLockout === true };
  },
  sight,
  describe,
  properties,
  create,
  async takeOver() {},
  inUse,
  async explainLoss() {
    return "the interface is gone, or has another name";
  },
  async whereabouts({ namespace }, { link }) {
    return { namespace, carrier: link.carrier, processes: [] };
  },
  codes: { inUse: "LOCKOUT", foreign: "PORT_TAKEN" },
  onBusy: () => ({ mode: "fail", seconds: 0 }),
  remove,
  present: (observed, desired, declared, recorded) => ({
    interface: nameAs(declared.interface as string | undefined, observed, recorded),
    namespace: observed.namespace,
    ...presentBridge(observed, desired),
    ...presentPort(observed, desired),
    ifindex: observed.ifindex,
  }),
  remember: ({ bootId, link, former, formerPort }) => ({
    __bootId: bootId,
    __bridgeIndex: link.master,
    __former: former,
    ...(formerPort !== undefined && { __formerPort: formerPort }),
  }),
};

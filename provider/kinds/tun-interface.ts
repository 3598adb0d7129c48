import { constants } from "node:os";
import type { TuntapError } from "../errors";
import type { Host } from "../host/host";
import { type Link, LinkTable } from "../host/links";
import { tunRefusal } from "../host/refusals";
import type { InputSchema, Inputs, Kind, Problem, Property, Sighting, Target } from "./kind";
import { accountId, accountProblems, none } from "./parts/accounts";
import { addressRules } from "./parts/address-checks";
import {
  addressInputs,
  addressProperty,
  broadcastInput,
  type DesiredAddresses,
  desiredAddresses,
  peerAddressInput,
  presentAddresses,
} from "./parts/addresses";
import {
  bridgeInput,
  bridgeNamed,
  bridgeProblems,
  bridgeProperty,
  bridgeRules,
  bridgeWarnings,
  presentBridge,
} from "./parts/bridge-port";
import { busyInputs, busyWarnings, onBusy } from "./parts/busy";
import {
  consumerOutputs,
  type DesiredConsumer,
  desiredConsumer,
  presentConsumer,
} from "./parts/consumer-outputs";
import { consumerInputs, consumerRules, consumerWarnings } from "./parts/consumers";
import { leaseOf, linkKind, nameTaken, sightLink, writeLongName, wrongKind } from "./parts/link";
import {
  type DesiredSettings,
  desiredSettings,
  linkSettingInputs,
  linkSettings,
  linkUp,
  macRules,
  presentSettings,
} from "./parts/link-settings";
import { adoptInput, nameInput, namespaceInput } from "./parts/names";
import { nameProperty, namespaceProperty } from "./parts/placement";
import { type DesiredPort, portInput, portRules, portSettings, presentPort } from "./parts/port-settings";
import { vlanProblems } from "./parts/port-vlans";
import { takeOver } from "./parts/taking-over";
import {
  consumers,
  type DesiredTun,
  giveBackTun,
  type ObservedTun,
  persistenceOf,
  presentTun,
  settleHints,
  tunInputs,
  tunProperties,
  tunRules,
  tunWarnings,
} from "./parts/tun-device";

const { errno } = constants;

interface Desired extends DesiredTun, DesiredSettings {
  name: string | undefined;
  namespace: string | undefined;
  addresses: DesiredAddresses | undefined;
  bridge: string | undefined;
  port: DesiredPort | undefined;
  consumer: DesiredConsumer;
}

const { mode, owner, group, ...otherTunInputs } = tunInputs;

const inputs = {
  name: nameInput,
  mode,
  owner,
  group,
  ...addressInputs,
  peerAddress: peerAddressInput,
  broadcast: broadcastInput,
  ...linkSettingInputs,
  bridge: bridgeInput,
  port: portInput,
  ...otherTunInputs,
  ...consumerInputs,
  namespace: namespaceInput,
  adopt: adoptInput,
  ...busyInputs,
} as const satisfies Record<string, InputSchema>;

/** In the order in which they are written. */
const properties = [
  namespaceProperty,
  nameProperty,
  ...tunProperties,
  ...linkSettings,
  bridgeProperty,
  ...portSettings,
  addressProperty<Desired, ObservedTun>("peerAddress", "broadcast"),
  linkUp,
] as Property<Desired, ObservedTun, never>[];

async function sight(target: Target, host: Host): Promise<Sighting<ObservedTun>> {
  const sighting = (await sightLink(target, host, "tun")) as Sighting<ObservedTun>;
  const { object, obstacle } = sighting;
  if (object) object.persistence = await persistenceOf(object, host);
  if (obstacle) obstacle.object.persistence = await persistenceOf(obstacle.object, host);
  return sighting;
}

/** With what a device is made. */
function deviceOf(desired: Desired) {
  const id = (value: number | undefined) => (value === none ? undefined : value);
  return {
    mode: desired.mode ?? "tap",
    owner: id(desired.owner),
    group: id(desired.group),
    multiQueue: desired.multiQueue ?? false,
    packetInformation: desired.packetInformation ?? false,
    vnetHeader: desired.vnetHeader ?? false,
  };
}

async function create(target: Target, desired: Desired, host: Host): Promise<Inputs> {
  const { namespace, name, lease } = target;
  // Before anything is made.
  const bridge =
    desired.bridge === undefined ? undefined : bridgeNamed(await host.links.table(namespace), desired.bridge);
  const result = await host.tuns.create(namespace, {
    name,
    ...deviceOf(desired),
    lease,
  });
  if (result.errno !== 0) throw await creationError(result, target, host);
  const { ifindex } = result;
  if (ifindex !== undefined) await writeLongName(target, ifindex, host);
  return { ifindex, bridge };
}

/** A new device is down, without addresses, with the driver's defaults (drivers/net/tun.c). */
function asMade({ name, namespace, lease, made }: Target, desired: Desired): ObservedTun | undefined {
  const { ifindex, bridge } = (made ?? {}) as { ifindex?: number; bridge?: Link };
  // What there is of VLANs takes a look of its own; and a keeper attaches to what it has seen.
  if (ifindex === undefined || desired.port?.vlans !== undefined || desired.persistence === "process")
    return undefined;
  const device = deviceOf(desired);
  const tap = device.mode === "tap";
  const link: Link = {
    ifindex,
    name,
    alternativeNames: [lease],
    leases: [lease],
    kind: "tun",
    up: false,
    broadcast: tap,
    carrier: false,
    promiscuous: false,
    allMulticast: false,
    multicast: true,
    arp: tap,
    mtu: 1500,
    txQueueLength: tap ? 1000 : 500,
    master: 0,
    group: 0,
    tun: { ...device, persistent: true, detachedQueues: 0 },
  };
  return {
    link,
    namespace,
    ifindex,
    hasBroadcast: tap,
    addresses: [],
    neighbours: new LinkTable(bridge === undefined ? [link] : [link, bridge]),
    bootId: "",
    namespaceInode: 0,
    persistence: "runtime",
  };
}

async function creationError(
  result: { errno: number; step?: string; extack?: string },
  target: Target,
  host: Host,
): Promise<TuntapError> {
  if (result.step === "TUNSETIFF" && result.errno === errno.EBUSY) {
    const other = (await host.links.table(target.namespace)).named(target.name);
    return nameTaken(target.name, other, { errno: result.errno, operation: result.step });
  }
  return tunRefusal(result, { message: `the interface could not be created at ${result.step}` });
}

async function unfit(_target: Target, { link }: ObservedTun): Promise<TuntapError | undefined> {
  return link.tun ? undefined : wrongKind(link, "TUN or TAP interface");
}

function rules(values: Inputs): Problem[] {
  const problems = [
    ...addressRules(values),
    ...macRules(values),
    ...bridgeRules(values),
    ...portRules(values),
    ...tunRules(values),
    ...consumerRules(values),
  ];
  const { mode, mtu } = values;
  if (mode === "tap" && typeof mtu === "number" && mtu > 65521) {
    problems.push({
      property: "mtu",
      message: `mtu ${mtu} is above 65521 bytes, the limit of a TAP; lower it, or use mode "tun" (up to 65535)`,
    });
  }
  return problems;
}

function warnings(values: Inputs): Problem[] {
  return [
    ...bridgeWarnings(values),
    ...busyWarnings(values),
    ...tunWarnings(values),
    ...consumerWarnings(values),
  ];
}

/** @param ports as of `bridgeProblems`. */
export async function tunHostRules(
  values: Inputs,
  unknown: ReadonlySet<string>,
  host: Host,
  ports?: readonly (string | undefined)[],
): Promise<Problem[]> {
  const problems = await Promise.all([
    accountProblems(values, host),
    bridgeProblems(values, unknown, host, ports),
    vlanProblems(values, unknown, host),
  ]);
  return problems.flat();
}

export const tunInterface: Kind<Desired, ObservedTun> = {
  ...linkKind,
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
    ifindex: { type: "integer", description: "Index of the interface in its namespace." },
    ...consumerOutputs,
  },
  rules,
  hostRules: (values, unknown, host) => tunHostRules(values, unknown, host),
  warnings,
  async desire(values, host) {
    const uid = await accountId(host, "user", values.owner);
    const gid = await accountId(host, "group", values.group);
    const given = values as Partial<Desired>;
    return {
      name: given.name,
      namespace: given.namespace,
      mode: given.mode,
      owner: uid,
      group: gid,
      multiQueue: given.multiQueue,
      packetInformation: given.packetInformation,
      vnetHeader: given.vnetHeader,
      persistence: given.persistence,
      ...desiredSettings(values),
      bridge: given.bridge,
      port: given.port,
      addresses: desiredAddresses(values),
      consumer: desiredConsumer(values),
    };
  },
  sight,
  properties,
  async attachment(_target, observed, host) {
    if ((await consumers(observed, host)) === undefined) return "idle";
    return observed.link.tun?.multiQueue ? "multi" : "single";
  },
  create,
  asMade,
  unfit,
  takeOver,
  settle: settleHints,
  giveBack: giveBackTun,
  inUse: (_target, observed, host) => consumers(observed, host),
  async whereabouts(_target, { link, namespace }, host) {
    return { namespace, carrier: link.carrier, processes: await host.consumers(namespace, link.name) };
  },
  codes: { inUse: "LINK_BUSY", foreign: "FOREIGN_LINK" },
  onBusy,
  present: (observed, desired, declared, recorded) => ({
    name: observed.link.name,
    namespace: observed.namespace,
    ...presentTun(observed, desired, declared),
    ...presentAddresses(observed, desired, declared, recorded),
    ...presentSettings(observed, desired, declared),
    ...presentBridge(observed, desired),
    ...presentPort(observed, desired),
    ...presentConsumer(observed.link, desired.consumer, declared, leaseOf(observed, recorded)),
    ifindex: observed.ifindex,
  }),
};

import { constants } from "node:os";
import { TuntapError } from "../errors";
import type { Host } from "../host/host";
import { sameStack } from "../host/leases";
import { createLink, describeLink, type LinkTable } from "../host/links";
import { refusal } from "../host/refusals";
import type { Reply } from "../kernel/kernel";
import type { InputSchema, Kind, Property, Sighting, Target } from "./kind";
import { addressRules } from "./parts/address-checks";
import {
  addressInputs,
  addressProperty,
  type DesiredAddresses,
  desiredAddresses,
  presentAddresses,
} from "./parts/addresses";
import {
  bridgeIndex,
  bridgeInput,
  bridgeProblems,
  bridgeProperty,
  bridgeWarnings,
  presentBridge,
} from "./parts/bridge-port";
import { linkKind, nameTaken, type ObservedLink, sightLink, wrongKind } from "./parts/link";
import {
  type DesiredSettings,
  desiredSettings,
  linkSetting,
  linkSettingInputs,
  linkUp,
  presentSettings,
} from "./parts/link-settings";
import { makeLink } from "./parts/making";
import { adoptInput, linkClaim, nameInput, namespaceInput } from "./parts/names";
import { nameProperty, namespaceProperty } from "./parts/placement";
import { type DesiredPort, portInput, portRules, portSettings, presentPort } from "./parts/port-settings";
import { vlanProblems } from "./parts/port-vlans";
import { giveBack, takeOver } from "./parts/taking-over";
import { replace } from "./parts/verdicts";
import { underlayProblems, vniClaims, vxlanRules } from "./parts/vxlan-checks";
import {
  desiredPeers,
  type ObservedVxlan,
  peersInput,
  peersProperty,
  presentPeers,
} from "./parts/vxlan-peers";
import {
  type DesiredVxlan,
  desiredVxlan,
  holdsVni,
  newVxlan,
  presentVxlan,
  vxlanInputs,
  vxlanProperties,
} from "./parts/vxlan-settings";

interface Desired extends DesiredVxlan, DesiredSettings {
  name: string | undefined;
  namespace: string | undefined;
  addresses: DesiredAddresses | undefined;
  bridge: string | undefined;
  port: DesiredPort | undefined;
  peers: ReturnType<typeof desiredPeers>;
}

const inputs = {
  name: nameInput,
  ...vxlanInputs,
  peers: peersInput,
  address: addressInputs.address,
  netmask: addressInputs.netmask,
  addresses: addressInputs.addresses,
  macAddress: {
    ...linkSettingInputs.macAddress,
    observed: true,
    description:
      "MAC address, six bytes in hexadecimal (`52:54:00:12:34:56`), unicast. Default: not managed (the kernel makes one at random).",
  },
  mtu: {
    ...linkSettingInputs.mtu,
    description:
      "Largest packet inside the tunnel, in bytes; with `device`, at most its mtu less 50 bytes (70 with IPv6). Default: not managed (the kernel starts with the mtu of `device` less those, else with 1500, which is more than most networks carry).",
  },
  up: linkSettingInputs.up,
  bridge: {
    ...bridgeInput,
    description:
      "Bridge that the interface is a port of, by name, in the same namespace. Pass the `.name` of the resource that makes the bridge, or the name of one that exists. Default: none.",
  },
  port: portInput,
  namespace: {
    ...namespaceInput,
    change: "replace",
    description:
      "Network namespace the interface lives in, and its packets leave by, by its name in /run/netns. Default: the host's. When it changes, the interface is made anew: one that is moved goes on sending from where it was made. Pass the `.name` of a `Namespace` resource, so that it is made first.",
  },
  adopt: adoptInput,
} as const satisfies Record<string, InputSchema>;

/** In the order in which they are written. */
const properties = [
  { ...namespaceProperty, verdict: replace, apply: undefined },
  nameProperty,
  ...vxlanProperties,
  linkSetting("macAddress"),
  linkSetting("mtu", {
    explain: (errno) =>
      errno === constants.errno.EINVAL
        ? "The packets must fit those of `device`: choose at most its mtu less 50 bytes (70 with IPv6), or raise that one first."
        : undefined,
  }),
  bridgeProperty,
  ...portSettings,
  addressProperty<Desired, ObservedVxlan>(),
  peersProperty,
  linkUp,
] as Property<Desired, ObservedVxlan, never>[];

async function sight(target: Target, host: Host): Promise<Sighting<ObservedVxlan>> {
  const { object, obstacle, ...rest } = await sightLink(target, host, "vxlan");
  return {
    ...rest,
    ...(object && { object: await withForwarding(object, host) }),
    ...(obstacle && { obstacle: { ...obstacle, object: await withForwarding(obstacle.object, host) } }),
  };
}

async function withForwarding(seen: ObservedLink, host: Host): Promise<ObservedVxlan> {
  const { link, namespace, ifindex } = seen;
  const table = link.kind === "vxlan" ? await host.forwarding.table(namespace) : undefined;
  return { ...seen, forwarding: table?.get(ifindex) ?? [] };
}

async function create(target: Target, desired: Desired, host: Host): Promise<void> {
  const { namespace, lease } = target;
  const before = await host.links.table(namespace);
  // Before anything is made.
  if (desired.bridge !== undefined) bridgeIndex(before, desired.bridge);
  const data = newVxlan(desired, before);
  await makeLink(
    target,
    (interim) => createLink(interim, "vxlan", { address: desired.macAddress }, data),
    (reply, interim, links) => creationError(reply, interim, desired, lease, links),
    host,
  );
}

/** The kernel has one errno for a name that is taken and for a VNI that is taken. */
function creationError(
  { errno, extack }: Reply,
  interim: string,
  desired: Desired,
  lease: string,
  links: LinkTable,
): TuntapError {
  if (errno !== constants.errno.EEXIST)
    return refusal(
      { errno, extack },
      { message: "the VXLAN interface could not be made", operation: "RTM_NEWLINK" },
    );
  const namesake = links.named(interim);
  if (namesake) return nameTaken(interim, namesake, { errno });
  const { vni, destinationPort } = desired;
  const other = links.all.find((link) => holdsVni(link.vxlan, desired));
  const ours = other?.leases.some((theirs) => sameStack(theirs, lease)) === true;
  const whose = other
    ? describeLink(other)
    : "an interface that was made in this namespace and is in another one now";
  return new TuntapError("VNI_TAKEN", {
    message: `vni ${vni} at destinationPort ${destinationPort} is that of ${whose}`,
    property: "vni",
    operation: "RTM_NEWLINK",
    errno,
    extack,
    ...(ours && {
      remedy:
        "That one is of this stack. If it is the same resource under another name, give it an alias (`aliases`), so that it is not made a second time; else choose another `vni` or `destinationPort`.",
    }),
  });
}

export const vxlan: Kind<Desired, ObservedVxlan> = {
  ...linkKind,
  name: "Vxlan",
  description:
    "A VXLAN interface: an Ethernet network over UDP, between hosts that name one another (`remote`, `peers`) or meet in a multicast group. What is not declared is not managed.",
  example: `const br = new tuntap.Bridge("br0");
const segment = new tuntap.Vxlan("vx42", {
  vni: 42,
  local: "192.0.2.1",
  peers: [{ address: "192.0.2.2" }, { address: "192.0.2.3" }],
  mtu: 1450,
  bridge: br.name,
});

export const name = segment.name;`,
  inputs,
  outputs: {
    ifindex: { type: "integer", description: "Index of the interface in its namespace." },
  },
  claims: (values, unknown) => [linkClaim(String(values.name), values), ...vniClaims(values, unknown)],
  rules: (values) => [...addressRules(values), ...portRules(values), ...vxlanRules(values)],
  async hostRules(values, unknown, host) {
    const problems = await Promise.all([
      bridgeProblems(values, unknown, host),
      vlanProblems(values, unknown, host),
      underlayProblems(values, unknown, host),
    ]);
    return problems.flat();
  },
  warnings: bridgeWarnings,
  async desire(values) {
    const given = values as Partial<Desired>;
    return {
      name: given.name,
      namespace: given.namespace,
      ...desiredVxlan(values),
      ...desiredSettings(values),
      bridge: given.bridge,
      port: given.port,
      addresses: desiredAddresses(values),
      peers: desiredPeers(values),
    };
  },
  sight,
  properties,
  create,
  async unfit(_target, { link }) {
    return link.kind === "vxlan" ? undefined : wrongKind(link, "VXLAN interface");
  },
  takeOver,
  giveBack,
  async inUse() {
    return undefined;
  },
  async explainLoss({ recorded, namespace }, host) {
    const device = recorded?.device;
    if (typeof device !== "string") return undefined;
    if ((await host.links.table(namespace)).named(device)) return undefined;
    return `its device ${device} is gone, and with it the kernel deletes it`;
  },
  whereabouts: async (_target, { link, namespace }) => ({ namespace, carrier: link.carrier, processes: [] }),
  codes: { inUse: "LINK_BUSY", foreign: "FOREIGN_LINK" },
  onBusy: () => ({ mode: "fail", seconds: 0 }),
  present(observed, desired, declared, recorded) {
    const { macAddress, mtu, up } = presentSettings(observed, desired, declared);
    const { address, netmask, addresses } = presentAddresses(observed, desired, declared, recorded);
    return {
      name: observed.link.name,
      namespace: observed.namespace,
      ...presentVxlan(observed, desired, declared),
      ...presentPeers(observed, desired, declared, recorded),
      address,
      netmask,
      addresses,
      macAddress,
      mtu,
      up,
      ...presentBridge(observed, desired),
      ...presentPort(observed, desired),
      ifindex: observed.ifindex,
    };
  },
};

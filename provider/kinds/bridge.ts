import { constants } from "node:os";
import { declaredIn } from "../compact";
import type { TuntapError } from "../errors";
import type { Host } from "../host/host";
import { sameStack } from "../host/leases";
import { createLink, describeLink, type LinkTable, setLink } from "../host/links";
import { refusal } from "../host/refusals";
import type { Reply } from "../kernel/kernel";
import type { InputSchema, Inputs, Kind, Property, Target } from "./kind";
import { addressRules } from "./parts/address-checks";
import {
  addressInputs,
  addressProperty,
  type DesiredAddresses,
  desiredAddresses,
  presentAddresses,
} from "./parts/addresses";
import {
  bridgeSettingInputs,
  bridgeSettingRules,
  bridgeSettings,
  type DesiredBridgeSettings,
  desiredBridgeSettings,
  presentBridgeSettings,
} from "./parts/bridge-settings";
import { busyInputs, onBusy } from "./parts/busy";
import { linkKind, nameTaken, type ObservedLink, sightLink, takeOverLink, wrongKind } from "./parts/link";
import {
  type DesiredSettings,
  desiredSettings,
  linkSetting,
  linkSettingInputs,
  linkUp,
  presentSettings,
  stableMac,
} from "./parts/link-settings";
import { makeLink } from "./parts/making";
import { adoptInput, nameInput, namespaceInput } from "./parts/names";
import { nameProperty } from "./parts/placement";
import { filteringProblems } from "./parts/port-vlans";
import { giveBack } from "./parts/taking-over";

interface Desired extends DesiredSettings, DesiredBridgeSettings {
  name: string | undefined;
  namespace: string | undefined;
  addresses: DesiredAddresses | undefined;
}

/** No output where it is not declared: it changes with the ports. */
const { observed: _, ...mtuInput } = linkSettingInputs.mtu;

const inputs = {
  name: nameInput,
  address: addressInputs.address,
  netmask: addressInputs.netmask,
  addresses: addressInputs.addresses,
  macAddress: {
    ...linkSettingInputs.macAddress,
    observed: true,
    description:
      "MAC address, six bytes in hexadecimal (`52:54:00:12:34:56`), unicast. Default: one that is always the same for this resource of this stack, so that ports which come and go do not change it; a bridge that is taken over keeps its own.",
  },
  mtu: {
    ...mtuInput,
    description:
      "Largest packet in bytes. A declared one stays whatever ports join. Default: not managed, and no output (the kernel follows the smallest of the ports).",
  },
  up: linkSettingInputs.up,
  ...bridgeSettingInputs,
  namespace: {
    ...namespaceInput,
    change: "replace",
    description:
      "Network namespace the bridge lives in, by its name in /run/netns. Default: the host's. The kernel cannot move a bridge: when it changes, the bridge is made anew, which is refused while ports are on it that are not of this stack. Pass the `.name` of a `Namespace` resource, so that it is made first.",
  },
  adopt: adoptInput,
  onBusy: {
    ...busyInputs.onBusy,
    description:
      "What to do when the bridge must be deleted, or made anew, while ports are on it that are not of this stack: `fail` names them and leaves all as it is, `wait` waits 60 seconds for them to leave, `force` deletes it; the ports stay, in no bridge. `tuntap up` and `tuntap down` take `--on-busy` instead for one run.",
  },
} as const satisfies Record<string, InputSchema>;

/** The hidden output that keeps the MAC address where none is declared. */
const pinnedMac = "__pinnedMac";

function pinned(recorded: Inputs | undefined): string | undefined {
  return recorded?.[pinnedMac] as string | undefined;
}

/**
 * The kernel keeps an mtu that was set, and only a change of it counts as setting: so it is another one before. A larger
 * one, as below 1280 IPv6 ends on the bridge, with its addresses and routes.
 */
function otherMtu(mtu: number): number {
  return mtu === linkSettingInputs.mtu.maximum ? mtu - 1 : mtu + 1;
}

const mtuProperty = linkSetting("mtu", {
  unset: ({ mtu }, recorded) => mtu !== undefined && !declaredIn(recorded ?? {}).includes("mtu"),
  messages: ({ want, is, observed }) =>
    (want === is ? [otherMtu(want), want] : [want]).map((mtu) => ({
      bytes: setLink(observed.ifindex, { mtu }),
    })),
});

/** In the order in which they are written. */
const properties = [
  nameProperty,
  linkSetting("macAddress", {
    want: (desired, recorded) => desired.macAddress ?? pinned(recorded),
  }),
  mtuProperty,
  ...bridgeSettings,
  addressProperty<Desired, ObservedLink>(),
  linkUp,
] as Property<Desired, ObservedLink, never>[];

function create(target: Target, desired: Desired, host: Host): Promise<void> {
  const address = desired.macAddress ?? pinned(target.recorded) ?? stableMac(target.lease);
  const mtu = desired.mtu === undefined ? undefined : otherMtu(desired.mtu);
  return makeLink(target, (interim) => createLink(interim, "bridge", { address, mtu }), creationError, host);
}

function creationError(reply: Reply, interim: string, links: LinkTable): TuntapError {
  if (reply.errno === constants.errno.EEXIST)
    return nameTaken(interim, links.named(interim), { errno: reply.errno });
  return refusal(reply, { message: "the bridge could not be made", operation: "RTM_NEWLINK" });
}

async function unfit(_target: Target, { link }: ObservedLink): Promise<TuntapError | undefined> {
  return link.kind === "bridge" ? undefined : wrongKind(link, "bridge");
}

async function takeOver(target: Target, observed: ObservedLink, host: Host): Promise<void> {
  const { link, namespace, ifindex } = observed;
  await takeOverLink(target, observed, host);
  // Written, its own address stays, whatever ports come and go.
  await host.batch.send(namespace, [setLink(ifindex, { address: link.macAddress })]);
}

/** Ports that this stack did not make. */
async function inUse({ lease }: Target, { neighbours, ifindex }: ObservedLink): Promise<string | undefined> {
  const foreign = neighbours.all.filter(
    ({ master, leases }) => master === ifindex && !leases.some((other) => sameStack(other, lease)),
  );
  if (foreign.length === 0) return undefined;
  return `used by ports that are not of this stack: ${foreign.map(describeLink).join(", ")}`;
}

export const bridge: Kind<Desired, ObservedLink> = {
  ...linkKind,
  name: "Bridge",
  description:
    "An Ethernet bridge: the interfaces that are its ports are one network. It is never made anew to change it, but for its namespace, and ports of others stay on it. What is not declared is not managed.",
  example: `const br = new tuntap.Bridge("br0", { address: "192.0.2.1", netmask: "255.255.255.0" });
const tap = new tuntap.TunInterface("vmtap0", { owner: "nobody", bridge: br.name });

export const port = tap.name;`,
  inputs,
  outputs: {
    ifindex: { type: "integer", description: "Index of the bridge in its namespace." },
  },
  rules: (values) => [...addressRules(values), ...bridgeSettingRules(values)],
  async hostRules({ vlanFiltering, vlanDefaultPvid }, _unknown, host) {
    const fields = [
      ...(vlanFiltering === true ? ["vlanFiltering"] : []),
      ...(vlanDefaultPvid !== undefined ? ["vlanDefaultPvid"] : []),
    ];
    return filteringProblems("", fields, host);
  },
  async desire(values) {
    return {
      name: values.name as string | undefined,
      namespace: values.namespace as string | undefined,
      ...desiredSettings(values),
      ...desiredBridgeSettings(values),
      addresses: desiredAddresses(values),
    };
  },
  sight: (target, host) => sightLink(target, host, "bridge"),
  properties,
  create,
  unfit,
  takeOver,
  giveBack,
  inUse,
  whereabouts: async (_target, { link, namespace }) => ({
    namespace,
    carrier: link.carrier,
    processes: [],
  }),
  codes: { inUse: "BRIDGE_IN_USE", foreign: "FOREIGN_LINK" },
  onBusy,
  present(observed, desired, declared, recorded) {
    const { macAddress, mtu, up } = presentSettings(observed, desired, declared);
    const { address, netmask, addresses } = presentAddresses(observed, desired, declared, recorded);
    return {
      name: observed.link.name,
      namespace: observed.namespace,
      address,
      netmask,
      addresses,
      macAddress,
      mtu: declared.mtu === undefined ? undefined : mtu,
      up,
      ...presentBridgeSettings(observed, desired, recorded),
      ifindex: observed.ifindex,
      [pinnedMac]: declared.macAddress === undefined ? (pinned(recorded) ?? macAddress) : undefined,
    };
  },
};

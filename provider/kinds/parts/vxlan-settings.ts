import { constants } from "node:os";
import { TuntapError } from "../../errors";
import { canonicalAddress } from "../../host/addresses";
import { addForwarding, floodingMac, removeForwarding } from "../../host/forwarding";
import { type LinkTable, setLink } from "../../host/links";
import type { VxlanData } from "../../netlink/vxlan";
import type { InputSchema, Inputs, Property, Write } from "../kind";
import { live, replace } from "./verdicts";
import type { ObservedVxlan } from "./vxlan-peers";

/*
 * What Linux 6.18 changes of a VXLAN interface that exists (each tried with `ip link set … type vxlan`, up and down):
 * | live                                         | refused, so made anew               |
 * | remote and group, and from one to the other  | id ("Cannot change VNI")            |
 * | local, device, ttl, learning, ageing         | port ("Cannot change port")         |
 * |                                              | IPv4 to IPv6 ("… does not match …") |
 * With another device the entry of the remote address goes on leading over the old one, and with a remote address that
 * changes afterwards it stays for ever: the row `flooding` mends that.
 */

/** Of the interface itself, as `ip link add … type vxlan` has them (IFLA_VXLAN_* of linux/if_link.h). */
export const vxlanInputs = {
  /** Not `id`, as the kernel has it: so the engine calls what a resource is known by. */
  vni: {
    type: "integer",
    minimum: 0,
    maximum: 16_777_215,
    required: true,
    change: "replace",
    description:
      "Number of the network (VXLAN network identifier, the `id` of `ip link`), the same at all ends: 0 to 16777215. In a namespace there is one interface for each, `destinationPort` and family of addresses. When it changes, the interface is made anew.",
  },
  local: {
    type: "string",
    format: "tunnel-end",
    change: "live",
    description:
      "Address of this end, IPv4 or IPv6, from which packets are sent. Default: not managed (the kernel takes that of the route). To change to the other family, the interface is made anew.",
  },
  remote: {
    type: "string",
    format: "tunnel-end",
    change: "live",
    description:
      "Address of the other end, to which frames go whose destination is not known. Not together with `group`; more ends are `peers`. Default: none.",
  },
  group: {
    type: "string",
    format: "multicast-group",
    change: "live",
    description:
      "Multicast group instead of `remote`, IPv4 or IPv6, which is joined on `device`. Default: none.",
  },
  device: {
    type: "string",
    format: "link-name",
    change: "live",
    description:
      "Interface by which the packets leave, by name, in the same namespace; with it goes the VXLAN interface. Pass the `.name` of the resource that makes it. Default: not managed (the route decides).",
  },
  destinationPort: {
    type: "integer",
    minimum: 1,
    maximum: 65535,
    default: 4789,
    change: "replace",
    description: "UDP port of the other ends, and of this one. When it changes, the interface is made anew.",
  },
  ttl: {
    type: "integer",
    minimum: 0,
    maximum: 255,
    change: "live",
    observed: true,
    description:
      "Hops that the packets may go; 0 is the kernel's choice, 64 as a rule and 1 to a group. Default: not managed (the kernel starts with 0).",
  },
  learning: {
    type: "boolean",
    change: "live",
    observed: true,
    description:
      "Whether it is learned from the packets that come in which MAC address is at which end. Default: not managed (the kernel starts with on).",
  },
  ageingTime: {
    type: "integer",
    minimum: 1,
    maximum: 4_294_967_295,
    change: "live",
    observed: true,
    description:
      "How long a learned address is kept after its last packet, in seconds. Default: not managed (the kernel starts with 300).",
  },
} as const satisfies Record<string, InputSchema>;

/** Canonical values; what is not declared is undefined. */
export interface DesiredVxlan {
  vni: number | undefined;
  /** 4 or 6, where an address tells. */
  family: 4 | 6 | undefined;
  local: string | undefined;
  /** Or the group. */
  remote: string | undefined;
  device: string | undefined;
  destinationPort: number | undefined;
  ttl: number | undefined;
  learning: boolean | undefined;
  ageingTime: number | undefined;
  /** What it was, of one that is given back to others. */
  former?: ObservedVxlan;
}

function canonical(address: unknown): string | undefined {
  return typeof address === "string" ? canonicalAddress(address) : undefined;
}

export function desiredVxlan(inputs: Inputs): DesiredVxlan {
  const given = inputs as Partial<DesiredVxlan>;
  const local = canonical(inputs.local);
  const remote = canonical(inputs.remote ?? inputs.group);
  const telling = local ?? remote;
  return {
    vni: given.vni,
    family: telling === undefined ? undefined : telling.includes(":") ? 6 : 4,
    local,
    remote,
    device: given.device,
    destinationPort: given.destinationPort,
    ttl: given.ttl,
    learning: given.learning,
    ageingTime: given.ageingTime,
  };
}

/** What is declared, for the message that makes the interface. Errors: DEVICE_MISSING. */
export function newVxlan(desired: DesiredVxlan, links: LinkTable): VxlanData {
  const { vni, local, remote, device, destinationPort, ttl, learning, ageingTime } = desired;
  return {
    id: vni,
    ...(local !== undefined && localData(local)),
    ...(remote !== undefined && remoteData(remote)),
    link: device === undefined ? undefined : deviceIndex(links, device),
    ttl,
    learning: learning === undefined ? undefined : Number(learning),
    ageing: ageingTime,
    port: destinationPort,
  };
}

function localData(address: string): VxlanData {
  return address.includes(":") ? { local6: address } : { local: address };
}

function remoteData(address: string): VxlanData {
  return address.includes(":") ? { group6: address } : { group: address };
}

function deviceIndex(links: LinkTable, name: string): number {
  const found = links.named(name);
  if (found) return found.ifindex;
  throw new TuntapError("DEVICE_MISSING", {
    message: `there is no interface ${name} by which packets could leave`,
    property: "device",
  });
}

function data({ link }: ObservedVxlan): VxlanData {
  return link.vxlan ?? {};
}

function familyOf({ group6, local6 }: VxlanData): 4 | 6 {
  return group6 !== undefined || local6 !== undefined ? 6 : 4;
}

const none = "";

/** Whether an interface leaves no room for the wanted one in its namespace (vxlan_config_validate, drivers/net/vxlan). */
export function holdsVni(
  seen: VxlanData | undefined,
  { vni, destinationPort, family = 4 }: DesiredVxlan,
): boolean {
  return seen?.id === vni && seen?.port === destinationPort && familyOf(seen ?? {}) === family;
}

function localOf({ local, local6 }: VxlanData): string {
  return canonical(local ?? local6) ?? none;
}

function remoteOf({ group, group6 }: VxlanData): string {
  return canonical(group ?? group6) ?? none;
}

function set({ ifindex }: ObservedVxlan, values: VxlanData): Write {
  return { bytes: setLink(ifindex, { linkinfo: { kind: "vxlan", data: values } }) };
}

type Row<Value> = Property<DesiredVxlan, ObservedVxlan, Value>;

function deviceName(observed: ObservedVxlan, wanted: string | undefined): string {
  const { link: index = 0 } = data(observed);
  if (index === 0) return none;
  if (wanted !== undefined && observed.neighbours.named(wanted)?.ifindex === index) return wanted;
  return observed.neighbours.at(index)?.name ?? `ifindex ${index}`;
}

const shown = (text: string) => (text === none ? "none" : text);

const remoteProperty: Row<string> = {
  name: "remote",
  inputs: ["remote", "group"],
  verdict: live,
  // One that the program no longer declares is taken away, if it is still the one that was written.
  want: (desired, recorded) => desired.remote ?? (recordedRemote(recorded) === undefined ? undefined : none),
  is: (observed, desired, recorded) => {
    const is = remoteOf(data(observed));
    return desired.remote === undefined && is !== recordedRemote(recorded) ? none : is;
  },
  show: shown,
  messages: ({ want, observed }) => {
    const nowhere = familyOf(data(observed)) === 6 ? "::" : "0.0.0.0";
    return [set(observed, remoteData(want === none ? nowhere : want))];
  },
};

function recordedRemote(recorded: Inputs | undefined): string | undefined {
  return canonical(recorded?.remote ?? recorded?.group);
}

/** The entries by which frames for unknown addresses go to the remote address: one, over the interface's device. */
const floodingProperty: Row<string[]> = {
  name: "flooding",
  inputs: ["remote", "group"],
  verdict: live,
  want: ({ remote }) => (remote === undefined ? undefined : [remote]),
  is: (observed, { remote }) => {
    const { link = 0 } = data(observed);
    return toRemote(observed, remote)
      .map(({ address, interface: via = 0 }) =>
        via === link ? address : `${address} by ${via || "the route"}`,
      )
      .sort();
  },
  show: (entries) => (entries.length === 0 ? "nowhere" : entries.join(", ")),
  messages: ({ observed, desired: { remote, former } }) => {
    const { ifindex } = observed;
    const { link = 0 } = data(observed);
    if (remote === undefined) return [];
    if (former) return floodAsBefore(observed, remote, former);
    const entry = { mac: floodingMac, address: remote, interface: link === 0 ? undefined : link };
    const surplus = toRemote(observed, remote).filter(({ interface: via = 0 }) => via !== link);
    return [
      { bytes: addForwarding(ifindex, entry) },
      ...surplus.map((old) => ({
        bytes: removeForwarding(ifindex, old),
        alreadySo: constants.errno.ENOENT,
      })),
    ];
  },
  back: (former, desired) => ({ ...desired, former }),
};

/**
 * The entries that it had, and none of those that came about since: by the kernel itself, too, when the remote address and
 * the device were set back just before this.
 */
function floodAsBefore(observed: ObservedVxlan, remote: string, before: ObservedVxlan): Write[] {
  const { ifindex } = observed;
  const [was, is] = [data(before), data(observed)];
  const addresses = new Set([remote, remoteOf(was)]);
  addresses.delete(none);
  const links = new Set([undefined, was.link || undefined, is.link || undefined]);
  const had = [...addresses].flatMap((address) => toRemote(before, address));
  const others = [...addresses]
    .flatMap((address) => [...links].map((via) => ({ mac: floodingMac, address, interface: via })))
    .filter(
      (entry) => !had.some((one) => one.address === entry.address && one.interface === entry.interface),
    );
  return [
    ...had.map((entry) => ({ bytes: addForwarding(ifindex, entry) })),
    ...others.map((entry) => ({
      bytes: removeForwarding(ifindex, entry),
      alreadySo: constants.errno.ENOENT,
    })),
  ];
}

function toRemote({ forwarding }: ObservedVxlan, remote: string | undefined) {
  return forwarding.filter(
    ({ mac, address, intricate }) => mac === floodingMac && address === remote && !intricate,
  );
}

function simple<Name extends "vni" | "destinationPort" | "ttl" | "learning" | "ageingTime">(
  name: Name,
  is: (seen: VxlanData) => DesiredVxlan[Name],
  write?: (value: NonNullable<DesiredVxlan[Name]>) => VxlanData,
  show?: (value: DesiredVxlan[Name]) => string,
): Row<DesiredVxlan[Name]> {
  return {
    name,
    inputs: [name],
    verdict: write ? live : replace,
    want: (desired) => desired[name],
    is: (observed) => is(data(observed)),
    show,
    ...(write && {
      messages: ({ want, observed }) => [set(observed, write(want as NonNullable<DesiredVxlan[Name]>))],
    }),
  };
}

/** In the order in which they are written: a remote address that changes takes its old entry away by the old device. */
export const vxlanProperties = [
  simple("vni", ({ id }) => id),
  simple("destinationPort", ({ port }) => port),
  {
    name: "local",
    inputs: ["local"],
    verdict: live,
    want: ({ local }) => local,
    is: (observed) => localOf(data(observed)),
    show: shown,
    messages: ({ want, observed }) => [set(observed, localData(want))],
  } satisfies Row<string>,
  remoteProperty,
  {
    name: "device",
    inputs: ["device"],
    verdict: live,
    want: ({ device }) => device,
    is: (observed, { device }) => deviceName(observed, device),
    show: shown,
    messages: ({ want, observed }) => [set(observed, { link: deviceIndex(observed.neighbours, want) })],
  } satisfies Row<string>,
  floodingProperty,
  // Behind the rows of its inputs, which say what becomes of them.
  {
    name: "family",
    inputs: ["local", "remote", "group"],
    verdict: replace,
    want: ({ family }) => family,
    is: (observed) => familyOf(data(observed)),
    show: (family) => `IPv${family}`,
  } satisfies Row<number | undefined>,
  simple(
    "ttl",
    ({ ttl }) => ttl,
    (ttl) => ({ ttl }),
  ),
  simple(
    "learning",
    ({ learning }) => learning === 1,
    (learning) => ({ learning: Number(learning) }),
    (on) => (on ? "on" : "off"),
  ),
  simple(
    "ageingTime",
    ({ ageing }) => ageing,
    (ageing) => ({ ageing }),
    (seconds) => `${seconds} s`,
  ),
];

/** The settings as observed, in the program's words where they are equal. */
export function presentVxlan(
  observed: ObservedVxlan,
  desired: DesiredVxlan,
  declared: Inputs,
): Record<string, unknown> {
  const seen = data(observed);
  const [local, remote] = [localOf(seen), remoteOf(seen)];
  const remoteInput = declared.group === undefined ? "remote" : "group";
  const isDeclared = desired.remote !== undefined && remote !== none;
  return {
    vni: seen.id,
    local:
      desired.local === undefined ? undefined : local === desired.local ? declared.local : local || undefined,
    ...(isDeclared && { [remoteInput]: remote === desired.remote ? declared[remoteInput] : remote }),
    device: desired.device === undefined ? undefined : deviceName(observed, desired.device) || undefined,
    destinationPort: seen.port,
    ttl: seen.ttl,
    learning: seen.learning === 1,
    ageingTime: seen.ageing,
  };
}

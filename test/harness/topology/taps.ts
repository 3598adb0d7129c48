/** TUN and TAP interfaces, and pools of them. */

import fc from "fast-check";
import {
  busy,
  common,
  commonInputs,
  expected,
  flags,
  half,
  type Inputs,
  inPlace,
  isBridge,
  macAddress,
  maybe,
  moved,
  ofAnyLink,
  ofLink,
  ofPort,
  ports,
  rarely,
  v6Address,
  wish,
} from "./links";
import { type ExpectedLink, model, type Place, pick, placed, places, type Resource } from "./topology";

const accounts = fc.constantFrom("nobody", "daemon", 0, 4711);

/** Of a single one and of a pool alike. */
const choices = {
  ...common,
  ...flags,
  ...busy,
  exclusive: rarely,
  mode: fc.constantFrom("tap", "tap", "tun"),
  owner: maybe(accounts),
  group: maybe(accounts.map((account) => (account === "nobody" ? "nogroup" : account))),
  multiQueue: rarely,
  kept: fc.boolean(),
  packetInformation: maybe(fc.boolean()),
  vnetHeader: maybe(fc.boolean()),
  txQueueLength: maybe(fc.constantFrom(1, 500, 2000)),
  alias: maybe(fc.constantFrom("vm 1", "ü")),
  consumer: maybe(fc.constantFrom("qemu", "libvirt", "firecracker", "cloud-hypervisor")),
  mac: fc.boolean(),
  bridge: half(wish),
  port: maybe(ports),
};

interface Choices extends Inputs {
  mode: string;
  multiQueue: boolean;
  kept: boolean;
  consumer: string | undefined;
}

/** What is declared of each as it was chosen, or as it goes with the rest. */
function tapInputs({ mode, multiQueue, kept, consumer: wished, seconds, ...chosen }: Choices): Inputs {
  // Several queues are opened by few.
  const consumer = multiQueue ? "qemu" : wished;
  const consumes = wished !== undefined && mode === "tap";
  const { owner, group, packetInformation, vnetHeader, txQueueLength, alias, onBusy } = chosen;
  const { promiscuous, allMulticast, multicast, arp } = chosen;
  return {
    ...{ owner, group, packetInformation, vnetHeader, txQueueLength, alias, onBusy },
    ...{ promiscuous, allMulticast, multicast, arp },
    mode,
    busyTimeoutSeconds: onBusy === "wait" ? seconds : undefined,
    multiQueue: multiQueue || undefined,
    persistence: multiQueue && kept ? "process" : undefined,
    consumer: consumes ? consumer : undefined,
    queues: consumes && multiQueue ? 2 : undefined,
    exclusiveAddresses: chosen.exclusive === true || undefined,
  };
}

const names: Record<string, string> = { 0: "root" };

function tapFacts(inputs: Inputs): Inputs {
  const { mode, owner, group, multiQueue = false, persistence, txQueueLength, alias } = inputs;
  const shown = (account: unknown) => names[String(account)] ?? account;
  return {
    "linkinfo.info_data.type": mode,
    "linkinfo.info_data.persist": persistence !== "process",
    "linkinfo.info_data.multi_queue": multiQueue,
    "linkinfo.info_data.user": shown(owner),
    "linkinfo.info_data.group": shown(group),
    txqlen: txQueueLength,
    ifalias: alias,
    address: inputs.macAddress,
  };
}

function expectedTap(name: string, resource: Resource): ExpectedLink {
  const { packetInformation = false, vnetHeader = false } = resource.inputs;
  return {
    ...expected(name, resource, tapFacts(resource.inputs)),
    first: { "linkinfo.info_data.pi": packetInformation, "linkinfo.info_data.vnet_hdr": vnetHeader },
  };
}

function tapLinks(resource: Resource): ExpectedLink[] {
  return [expectedTap(resource.name, resource)];
}

/** tunctl attaches to what is there, and sets the owner. */
const ownerChanged = ofLink(
  "owner changed",
  async (hand, { name }, value) => {
    const at = hand.at(name);
    if (!at || !(await hand.run(at.place, "tunctl", "-t", at.name, "-u", String(3 + (value % 5)))))
      return false;
    at.adjusted = true;
    return true;
  },
  // It knows TAPs only.
  ({ inputs }) => inputs.owner !== undefined && inputs.multiQueue !== true && inputs.mode !== "tun",
);
const settingChanged = ofLink("setting changed", (hand, { name }, value) => {
  const settings = [
    ["txqueuelen", String(value)],
    ["promisc", value % 2 === 0 ? "on" : "off"],
    ["alias", `by hand ${value}`],
    ["allmulticast", value % 2 === 0 ? "on" : "off"],
    ["arp", value % 2 === 0 ? "on" : "off"],
  ];
  return hand.set(name, ...(settings[value % settings.length] as string[]));
});
const held = ofLink("held by a process", (hand, { name }, _, { inputs }) =>
  hand.hold(name, {
    mode: inputs.mode as "tun" | "tap",
    flags: inputs.multiQueue === true ? ["multiQueue"] : [],
  }),
);
const ofTap = [...ofAnyLink, ...ofPort, moved, ownerChanged, settingChanged, held];

export const tap = model({
  kind: "TunInterface",
  choices: fc.record({ ...choices, guestMac: fc.boolean(), peer: fc.boolean(), broadcast: fc.boolean() }),
  build({ place: wished, named, bridge, port, mac, guestMac, peer, broadcast, ...more }, number, before) {
    const name = `tap${number}`;
    const tapMode = more.mode === "tap";
    const above = tapMode ? pick(before, bridge, isBridge) : undefined;
    const master = above?.name;
    const place = above?.place ?? placed(wished, before);
    const both = commonInputs(more, number);
    const own = tapInputs(more);
    const inputs = inPlace(place, {
      ...both,
      ...own,
      name: named ? name : undefined,
      peerAddress: both.address && !tapMode && peer ? `10.${number}.0.2` : undefined,
      broadcast: both.address && tapMode && broadcast ? `10.${number}.0.127` : undefined,
      bridge: master,
      port: master === undefined ? undefined : port,
      macAddress: mac && tapMode ? macAddress(number) : undefined,
      guestMacAddress: own.consumer && guestMac ? `52:54:01:00:00:0${number}` : undefined,
    });
    return { kind: "TunInterface", name, place, inputs };
  },
  links: tapLinks,
  mutations: ofTap.map((of) => of(tapLinks)),
});

interface AddressPlan {
  subnet: string;
  each?: string;
  first?: number;
}

/** Of one of a pool: the host's end of what the plan gives it. */
function planned({ subnet, each = "address", first }: AddressPlan, number: number): string {
  const [octets] = /^\d+\.\d+\.\d+/.exec(subnet) as RegExpExecArray;
  if (each === "/30") return `${octets}.${4 * ((first ?? 0) + number) + 1}/30`;
  if (each === "/31") return `${octets}.${2 * ((first ?? 0) + number)}/31`;
  return `${octets}.${(first ?? 1) + number}/24`;
}

function poolLinks(resource: Resource): ExpectedLink[] {
  const { inputs } = resource;
  const plan = inputs.addressPlan as AddressPlan | undefined;
  const macs = inputs.macPlan as { base?: string } | undefined;
  const bridges = inputs.bridges as string[] | undefined;
  const bridged = inputs.bridge !== undefined || bridges !== undefined;
  return Array.from({ length: inputs.count as number }, (_, number) => {
    const own = [
      ...(plan && !bridged ? [planned(plan, number)] : []),
      ...((inputs.addresses as string[] | undefined) ?? []),
    ];
    const place = inputs.namespacePattern === undefined ? resource.place : (places[number] as Place);
    const one = {
      ...inputs,
      bridge: bridges ? bridges[number % bridges.length] : inputs.bridge,
      macAddress: macs?.base?.replace(/0$/, String(number)),
    };
    const name = String(inputs.namePattern).replace("%d", String(number));
    return {
      ...expectedTap(name, { ...resource, place, inputs: one }),
      addresses: own.length > 0 ? own : undefined,
    };
  });
}

export const pool = model({
  kind: "TunPool",
  choices: fc.record({
    ...choices,
    count: fc.integer({ min: 1, max: 4 }),
    each: fc.constantFrom(undefined, "address", "/30", "/31"),
    first: maybe(fc.constantFrom(0, 1, 3)),
    several: fc.boolean(),
    apart: rarely,
    guestMac: fc.boolean(),
  }),
  build(
    { place: wished, bridge, port, mac, guestMac, count, each, first, several, apart, ...more },
    number,
    before,
  ) {
    const tapMode = more.mode === "tap";
    const above = tapMode && !apart ? pick(before, bridge, isBridge) : undefined;
    const place = above?.place ?? placed(wished, before);
    const all = before.filter((other) => isBridge(other) && other.place === place).map(({ name }) => name);
    const { address, netmask, addresses, ...both } = commonInputs({ ...more, more: false }, number);
    const plan = { subnet: `10.${number}.0.0/24`, each: above ? undefined : each, first };
    const own = tapInputs(more);
    const macs = { base: `02:fc:00:00:0${number}:00`, guestBase: `02:fc:01:00:0${number}:00` };
    const { base, guestBase } = macs;
    // Into namespaces that are there.
    const most = before.some(({ kind }) => kind === "Namespace") ? 3 : 2;
    const inputs = inPlace(place, {
      ...both,
      ...own,
      count: apart ? Math.min(count, most) : count,
      namePattern: `p${number}x%d`,
      addressPlan: address === undefined ? undefined : plan,
      addresses: addresses && [v6Address(number).replace("1/64", "7/128")],
      macPlan:
        mac && tapMode ? { base, ...(own.consumer !== undefined && guestMac && { guestBase }) } : undefined,
      bridge: several ? undefined : above?.name,
      bridges: above && several ? all : undefined,
      port: above && port,
    });
    const { namespace, ...elsewhere } = inputs;
    return {
      kind: "TunPool",
      name: `pool${number}`,
      place,
      inputs: apart ? { ...elsewhere, namespacePattern: "@each" } : inputs,
    };
  },
  links: poolLinks,
  mutations: ofTap.map((of) => of(poolLinks)),
});

/** Interfaces that lead elsewhere: VXLAN, and pairs. */

import fc from "fast-check";
import {
  busy,
  common,
  commonInputs,
  declares,
  expected,
  half,
  inPlace,
  isBridge,
  macAddress,
  maybe,
  moved,
  ofAnyLink,
  ofLink,
  ofPort,
  ports,
  wish,
} from "./links";
import { type ExpectedLink, model, type Place, pick, placed, type Resource } from "./topology";

function vxlanLinks(resource: Resource): ExpectedLink[] {
  const { vni, local, remote, group, destinationPort, ttl, learning, device, ageingTime } = resource.inputs;
  const data = {
    ...{ id: vni, local, remote, group, port: destinationPort, ttl, learning },
    link: device,
    ageing: ageingTime,
  };
  const facts = Object.entries(data).map(([word, value]) => [`linkinfo.info_data.${word}`, value]);
  const shown = {
    "linkinfo.info_kind": "vxlan",
    address: resource.inputs.macAddress,
    ...Object.fromEntries(facts),
  };
  return [expected(resource.name, resource, shown)];
}

const tunnelChanged = ofLink("setting changed", (hand, { name }, value) => {
  const settings = [
    ["ttl", String(1 + (value % 200))],
    ["remote", `192.0.2.${1 + (value % 200)}`],
    [value % 2 === 0 ? "learning" : "nolearning"],
  ];
  return hand.set(name, "type", "vxlan", ...(settings[value % settings.length] as string[]));
});
interface Peer {
  address: string;
  macAddress?: string;
}

const peerDeleted = ofLink(
  "peer deleted",
  async (hand, { name }, value, { inputs }) => {
    const at = hand.at(name);
    const peers = inputs.peers as Peer[];
    const { address, macAddress: mac = "00:00:00:00:00:00" } = peers[value % peers.length] as Peer;
    const entry = [mac, "dev", at?.name as string, "dst", address];
    return at ? hand.run(at.place, "bridge", "fdb", "del", ...entry) : false;
  },
  declares("peers"),
);

export const vxlan = model({
  kind: "Vxlan",
  choices: fc.record({
    ...common,
    ttl: maybe(fc.constantFrom(1, 64)),
    learning: maybe(fc.boolean()),
    local: fc.boolean(),
    to: fc.constantFrom("remote", "group", "group", undefined),
    ageingTime: maybe(fc.constantFrom(1, 300, 86_400)),
    mac: fc.boolean(),
    peerMac: fc.boolean(),
    peers: fc.integer({ min: 0, max: 2 }),
    device: half(wish),
    bridge: half(wish),
    port: maybe(ports),
  }),
  build(
    {
      place: wished,
      ttl,
      learning,
      ageingTime,
      local,
      to,
      mac,
      peers,
      peerMac,
      device,
      bridge: master,
      port,
      named,
      ...more
    },
    number,
    before,
  ) {
    const name = `vx${number}`;
    const above = pick(before, master, isBridge);
    const below = pick(
      before,
      device,
      ({ kind, inputs, place: there }) =>
        kind === "TunInterface" && inputs.mode === "tap" && (!above || above.place === there),
    );
    const place = (above ?? below)?.place ?? placed(wished, before);
    // Its mtu is less than that of the device, and may be too little for IPv6.
    const inputs = inPlace(place, {
      ...commonInputs({ ...more, ...(below && { mtu: undefined, v6: false }) }, number),
      name: named ? name : undefined,
      vni: 100 + number,
      destinationPort: 4789,
      ttl,
      learning,
      local: local ? "192.0.2.1" : undefined,
      remote: to === "remote" ? "192.0.2.250" : undefined,
      // It is joined on the device.
      group: to === "group" && below ? "239.1.1.1" : undefined,
      ageingTime,
      macAddress: mac ? macAddress(number) : undefined,
      peers:
        peers > 0
          ? ["192.0.2.251", "192.0.2.252"]
              .slice(0, peers)
              .map((address, index) =>
                peerMac ? { address, macAddress: `52:54:00:00:0a:0${index}` } : { address },
              )
          : undefined,
      device: below?.name,
      bridge: above?.name,
      port: above && port,
    });
    return { kind: "Vxlan", name, place, inputs };
  },
  links: vxlanLinks,
  async faults({ name, place, inputs }, witness) {
    const lab = witness.lab(place);
    const entries = JSON.parse(await lab.exec("bridge", "-j", "fdb", "show", "dev", name)) as {
      mac: string;
      dst?: string;
    }[];
    const missing = ((inputs.peers as Peer[] | undefined) ?? []).filter(
      ({ address, macAddress: is = "00:00:00:00:00:00" }) =>
        !entries.some(({ dst, mac }) => dst === address && mac === is),
    );
    return missing.map(({ address }) => `${name}: peer ${address} is missing`);
  },
  mutations: [...ofAnyLink, ...ofPort, moved, tunnelChanged, peerDeleted].map((of) => of(vxlanLinks)),
});

function pairLinks({ inputs, ...resource }: Resource): ExpectedLink[] {
  const ends = inputs.ends as Record<string, unknown>[];
  return ends.map((end, position) => {
    const place = String(end.namespace).slice(1) as Place;
    const facts = { "linkinfo.info_kind": "veth", address: end.macAddress };
    const peer = ends[1 - position]?.name as string;
    return { ...expected(end.name as string, { ...resource, place, inputs: end }, facts), peer };
  });
}

const { named, adopt, ...ofEnd } = common;
const pairEnd = fc.record({ ...ofEnd, mac: fc.boolean(), bridge: half(wish), port: maybe(ports) });

export const pair = model({
  kind: "VethPair",
  choices: fc.record({ ends: fc.tuple(pairEnd, pairEnd), adopt, onBusy: busy.onBusy }),
  build({ ends, adopt: adopts, onBusy }, number, before) {
    const made = ends.map(({ place: wished, mac, bridge: master, port, ...more }, position) => {
      const above = pick(before, master, isBridge);
      return inPlace(above?.place ?? placed(wished, before), {
        ...commonInputs(more, 100 + 2 * number + position),
        name: `v${"ab"[position]}${number}`,
        macAddress: mac ? `52:54:00:00:02:0${position}` : undefined,
        bridge: above?.name,
        port: above && port,
      });
    });
    const inputs = { ends: made, ...(adopts && { adopt: true }), ...(onBusy && { onBusy }) };
    return { kind: "VethPair", name: `pair${number}`, place: "here", inputs };
  },
  links: pairLinks,
  mutations: [...ofAnyLink, ...ofPort, moved].map((of) => of(pairLinks)),
});

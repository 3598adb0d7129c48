/** Interfaces that lead elsewhere: VXLAN, and pairs. */

import fc from "fast-check";
import {
  common,
  commonInputs,
  declares,
  expected,
  half,
  inPlace,
  isBridge,
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
  const { vni, local, remote, destinationPort, ttl, learning, device } = resource.inputs;
  const data = { id: vni, local, remote, port: destinationPort, ttl, learning, link: device };
  const facts = Object.entries(data).map(([word, value]) => [`linkinfo.info_data.${word}`, value]);
  return [expected(resource.name, resource, { "linkinfo.info_kind": "vxlan", ...Object.fromEntries(facts) })];
}

const tunnelChanged = ofLink("setting changed", (hand, { name }, value) => {
  const settings = [
    ["ttl", String(1 + (value % 200))],
    ["remote", `192.0.2.${1 + (value % 200)}`],
    [value % 2 === 0 ? "learning" : "nolearning"],
  ];
  return hand.set(name, "type", "vxlan", ...(settings[value % settings.length] as string[]));
});
const peerDeleted = ofLink(
  "peer deleted",
  async (hand, { name }, value, { inputs }) => {
    const at = hand.at(name);
    const peers = inputs.peers as { address: string }[];
    const { address } = peers[value % peers.length] as { address: string };
    const entry = ["00:00:00:00:00:00", "dev", at?.name as string, "dst", address];
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
    remote: fc.boolean(),
    peers: fc.integer({ min: 0, max: 2 }),
    device: half(wish),
    bridge: half(wish),
    port: maybe(ports),
  }),
  build(
    { place: wished, ttl, learning, local, remote, peers, device, bridge: master, port, ...more },
    number,
    before,
  ) {
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
      vni: 100 + number,
      destinationPort: 4789,
      ttl,
      learning,
      local: local ? "192.0.2.1" : undefined,
      remote: remote ? "192.0.2.250" : undefined,
      peers:
        peers > 0
          ? ["192.0.2.251", "192.0.2.252"].slice(0, peers).map((address) => ({ address }))
          : undefined,
      device: below?.name,
      bridge: above?.name,
      port: above && port,
    });
    return { kind: "Vxlan", name: `vx${number}`, place, inputs };
  },
  links: vxlanLinks,
  async faults({ name, place, inputs }, witness) {
    const lab = witness.lab(place);
    const entries = JSON.parse(await lab.exec("bridge", "-j", "fdb", "show", "dev", name)) as {
      dst?: string;
    }[];
    const missing = ((inputs.peers as { address: string }[] | undefined) ?? []).filter(
      ({ address }) => !entries.some(({ dst }) => dst === address),
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

const pairEnd = fc.record({ ...common, mac: fc.boolean(), bridge: half(wish), port: maybe(ports) });

export const pair = model({
  kind: "VethPair",
  choices: fc.tuple(pairEnd, pairEnd),
  build(ends, number, before) {
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
    return { kind: "VethPair", name: `pair${number}`, place: "here", inputs: { ends: made } };
  },
  links: pairLinks,
  mutations: [...ofAnyLink, ...ofPort, moved].map((of) => of(pairLinks)),
});

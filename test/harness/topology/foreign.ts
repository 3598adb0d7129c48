/** What is put on bridges that no topology made: an interface that outlives them all. */

import fc from "fast-check";
import { half, inPlace, portFacts, ports, rarely, wish } from "./links";
import { card, type Mutation, model, pick } from "./topology";

const place = "here";

function byHand(name: string, words: (value: number) => string[][], suits?: Mutation["suits"]): Mutation {
  return {
    name,
    suits,
    async by(hand, _resource, value) {
      for (const each of words(value))
        if (!(await hand.run(place, "ip", "link", "set", card, ...each))) return false;
      return true;
    },
  };
}

export const bridgePort = model({
  kind: "BridgePort",
  choices: fc.record({ bridge: wish, port: half(ports), allowLockout: rarely, adopt: rarely }),
  build({ bridge, port, allowLockout, adopt }, _number, before) {
    const above = pick(before, bridge, (other) => other.kind === "Bridge" && other.place === place);
    if (!above || before.some(({ kind }) => kind === "BridgePort")) return undefined;
    const inputs = inPlace(place, {
      interface: card,
      bridge: above.name,
      port,
      allowLockout: allowLockout || undefined,
      adopt: adopt || undefined,
    });
    return { kind: "BridgePort", name: "uplink", place, inputs };
  },
  async faults({ inputs }, witness) {
    const link = (await witness.links(place)).find(({ ifname }) => ifname === card);
    const info = link?.linkinfo as { info_slave_data?: Record<string, unknown> } | undefined;
    const wrong = Object.entries(portFacts(inputs.port)).filter(
      ([word, value]) => info?.info_slave_data?.[word] !== value,
    );
    return [
      ...(link?.master === inputs.bridge ? [] : [`${card}: its master is ${link?.master}`]),
      ...wrong.map(([word]) => `${card}: ${word} is not as declared`),
    ];
  },
  mutations: [
    byHand("off its bridge", () => [["nomaster"]]),
    byHand(
      "port setting changed",
      (value) => [
        ["type", "bridge_slave", value % 2 === 0 ? "isolated" : "hairpin", value % 3 === 0 ? "on" : "off"],
      ],
      ({ inputs }) => inputs.port !== undefined,
    ),
    byHand("down", () => [["down"], ["up"]]),
  ],
});

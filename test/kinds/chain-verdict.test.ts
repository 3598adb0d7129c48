/** What becomes of packets in a chain, by rules as `nft -j` 1.0.6 prints them; those of iptables are by iptables-nft 1.8.9. */

import { describe, expect, test } from "vitest";
import type { NftContents, Statement } from "../../provider/host/nftables";
import { chainVerdict } from "../../provider/kinds/parts/chain-verdict";
import type { Packet } from "../../provider/kinds/parts/rule-match";

const chain = { name: "FORWARD", type: "filter", hook: "forward", prio: 0, policy: "drop" };
const sent: Packet = {
  protocol: "ip",
  source: { within: "192.0.2.0/24" },
  destination: { beyond: "192.0.2.0/24" },
  inName: "br0",
  outName: "eth0",
  state: "new",
  direction: "original",
  isTranslated: false,
  isBridged: false,
};
const answer: Packet = {
  ...sent,
  source: sent.destination,
  destination: sent.source,
  inName: "eth0",
  outName: "br0",
  state: "established",
  direction: "reply",
};
const unknownLinks: Packet = { ...sent, inName: undefined, outName: undefined, notOut: ["br0"] };
const forwarded: Packet = {
  ...answer,
  source: { beyond: "192.0.2.10" },
  destination: { within: "192.0.2.10" },
  state: "new",
  direction: "original",
  isTranslated: true,
};
const bridged: Packet = {
  ...sent,
  destination: sent.source,
  outName: "br0",
  isBridged: true,
};

/** @param lines the chain, and what follows it in `nft -j`. */
const fate = (packet: Packet, lines: readonly (readonly [string, string])[], policy = "drop") => {
  const rules = lines.map(([name, text]) => ({ chain: name, expr: JSON.parse(text) as Statement[] }));
  const contents: NftContents = {
    family: "ip",
    name: "filter",
    handle: 1,
    chains: [chain],
    leases: [],
    things: [],
    rules,
  };
  return chainVerdict(contents, { ...chain, policy }, packet).fate;
};

const counter = '{"counter": {"packets": 0, "bytes": 0}}';
const saddr =
  '{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": {"prefix": {"addr": "192.0.2.0", "len": 24}}}}';
const xt = (name: string, type = "match") => `{"xt": {"type": "${type}", "name": "${name}"}}`;
const accept = '{"accept": null}';
const drop = '{"drop": null}';
const meta = (key: string, right: string, op = "==") =>
  `{"match": {"op": "${op}", "left": {"meta": {"key": "${key}"}}, "right": ${right}}}`;
const ct = (key: string, right: string, op = "in") =>
  `{"match": {"op": "${op}", "left": {"ct": {"key": "${key}"}}, "right": ${right}}}`;
const port =
  '{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": {"set": [22, 80]}}}';
const address = (field: string, right: string, op = "==", protocol = "ip") =>
  `{"match": {"op": "${op}", "left": {"payload": {"protocol": "${protocol}", "field": "${field}"}}, "right": ${right}}}`;

const network = address("daddr", '{"prefix": {"addr": "192.0.2.0", "len": 24}}');
const one = address("daddr", '"192.0.2.10"');

describe("one rule, that accepts or drops", () => {
  test.each<[string, Packet, string[], string, string]>([
    ["no condition", sent, [], "accepts", "drops"],
    ["a comment of iptables", sent, [saddr, xt("comment"), counter], "accepts", "drops"],
    ["its network", sent, [saddr], "accepts", "drops"],
    ["its network, for answers", answer, [saddr], "drops", "accepts"],
    ["states of iptables, for what is new", sent, [xt("conntrack"), counter], "may", "accepts"],
    ["states of iptables, for answers", answer, [xt("conntrack"), counter], "accepts", "accepts"],
    ["states of iptables, for a port", forwarded, [xt("conntrack"), counter], "may", "accepts"],
    [
      "states of iptables, for a port, and a network",
      forwarded,
      [network, xt("conntrack")],
      "may",
      "accepts",
    ],
    [
      "states of iptables, for a port, and its address",
      forwarded,
      [one, xt("conntrack")],
      "accepts",
      "accepts",
    ],
    ["states, for answers", answer, [ct("state", '["established", "related"]')], "accepts", "drops"],
    ["states, for what is new", sent, [ct("state", '["established", "related"]')], "drops", "accepts"],
    ["states as a set", answer, [ct("state", '{"set": ["established"]}', "==")], "accepts", "drops"],
    ["no state", sent, [ct("state", '"invalid"', "!=")], "accepts", "drops"],
    ["a direction", answer, [ct("direction", '"reply"', "==")], "accepts", "drops"],
    ["a status", forwarded, [ct("status", '"dnat"')], "accepts", "drops"],
    ["a status, for others", sent, [ct("status", '"dnat"')], "drops", "accepts"],
    ["a mark", sent, [meta("mark", "7")], "may", "may"],
    ["a set that has a name", sent, [address("saddr", '"@s"')], "may", "may"],
    ["something unknown of iptables", sent, [xt("set")], "may", "may"],
    ["something that nft cannot name", sent, ['{"xt": null}'], "may", "may"],
    ["a port", sent, [port], "drops", "accepts"],
    ["a port, for a port", forwarded, [port], "may", "accepts"],
    ["a limit", sent, ['{"limit": {"rate": 3, "burst": 5, "per": "second"}}'], "drops", "accepts"],
    ["its interface", sent, [meta("iifname", '"br0"')], "accepts", "drops"],
    ["its interface, by the beginning", sent, [meta("iifname", '"br*"')], "accepts", "drops"],
    ["its interface, one of several", sent, [meta("iif", '{"set": ["a", "br0"]}')], "accepts", "drops"],
    ["another interface", sent, [meta("iifname", '"br1"')], "drops", "accepts"],
    ["no other interface", sent, [meta("iifname", '"br1"', "!=")], "accepts", "drops"],
    ["an interface, not known", unknownLinks, [meta("oifname", '"eth0"')], "may", "accepts"],
    ["an interface that it is not", unknownLinks, [meta("oifname", '"br0"')], "drops", "accepts"],
    ["not an interface that it is not", unknownLinks, [meta("oifname", '"br0"', "!=")], "accepts", "drops"],
    ["bridged", bridged, [xt("physdev")], "accepts", "drops"],
    ["its version", sent, [meta("nfproto", '"ipv4"')], "accepts", "drops"],
    ["the other version", sent, [meta("protocol", '"ip6"')], "drops", "accepts"],
    ["addresses of the other", sent, [address("saddr", '"2001:db8::1"', "==", "ip6")], "drops", "accepts"],
    ["a range", sent, [address("saddr", '{"range": ["192.0.1.7", "192.0.2.255"]}')], "accepts", "drops"],
    [
      "a range of a part",
      sent,
      [address("saddr", '{"range": ["192.0.2.1", "192.0.2.255"]}')],
      "drops",
      "accepts",
    ],
    [
      "not what it goes to",
      sent,
      [address("daddr", '{"prefix": {"addr": "192.0.2.0", "len": 25}}', "!=")],
      "accepts",
      "drops",
    ],
    [
      "not some of what it goes to",
      sent,
      [address("daddr", '{"prefix": {"addr": "10.0.0.0", "len": 8}}', "!=")],
      "may",
      "may",
    ],
    ["not where it is from", sent, [address("saddr", '"198.51.100.1"', "!=")], "accepts", "drops"],
    ["everywhere", sent, [address("daddr", '{"prefix": {"addr": "0.0.0.0", "len": 0}}')], "accepts", "drops"],
  ])("%s", (_, packet, conditions, accepting, dropping) => {
    const rule = (verdict: string) => [["FORWARD", `[${[...conditions, verdict].join(", ")}]`]] as const;
    expect(fate(packet, rule(accept), "drop")).toBe(accepting);
    expect(fate(packet, rule(drop), "accept")).toBe(dropping);
  });
});

describe("several rules", () => {
  const jump = (to: string) => `{"jump": {"target": "${to}"}}`;
  const go = (to: string) => `{"goto": {"target": "${to}"}}`;
  test.each<[string, [string, string][], string]>([
    [
      "the first that decides",
      [
        ["FORWARD", `[${drop}]`],
        ["FORWARD", `[${accept}]`],
      ],
      "drops",
    ],
    [
      "a chain of its own",
      [
        ["FORWARD", `[${counter}, ${jump("A")}]`],
        ["A", `[${accept}]`],
      ],
      "accepts",
    ],
    ["one that is not reached", [["A", `[${accept}]`]], "drops"],
    [
      "back from it",
      [
        ["FORWARD", `[${jump("A")}]`],
        ["FORWARD", `[${accept}]`],
        ["A", '[{"return": null}]'],
        ["A", `[${drop}]`],
      ],
      "accepts",
    ],
    [
      "not back from a goto",
      [
        ["FORWARD", `[${go("A")}]`],
        ["FORWARD", `[${accept}]`],
        ["A", `[${counter}]`],
      ],
      "drops",
    ],
    [
      "back from a goto in a jump",
      [
        ["FORWARD", `[${jump("A")}]`],
        ["FORWARD", `[${accept}]`],
        ["A", `[${go("B")}]`],
        ["A", `[${drop}]`],
        ["B", `[${counter}]`],
      ],
      "accepts",
    ],
    [
      "perhaps one that drops",
      [
        ["FORWARD", `[${meta("mark", "7")}, ${jump("A")}]`],
        ["FORWARD", `[${accept}]`],
        ["A", `[${drop}]`],
      ],
      "may",
    ],
    [
      "what notes or marks",
      [
        ["FORWARD", `[${counter}, ${xt("MARK", "target")}]`],
        ["FORWARD", `[${xt("limit")}, ${xt("LOG", "target")}]`],
        ["FORWARD", `[{"mangle": {"key": {"meta": {"key": "mark"}}, "value": 1}}]`],
        ["FORWARD", `[${accept}]`],
      ],
      "accepts",
    ],
    [
      "a reject of iptables",
      [
        ["FORWARD", `[${counter}, ${xt("REJECT", "target")}]`],
        ["FORWARD", `[${accept}]`],
      ],
      "drops",
    ],
    ["a target that is not known", [["FORWARD", `[${xt("OTHER", "target")}]`]], "may"],
    [
      "a map of verdicts",
      [
        [
          "FORWARD",
          '[{"vmap": {"key": {"ct": {"key": "state"}}, "data": {"set": [["invalid", {"drop": null}], ["new", {"goto": {"target": "A"}}]]}}}]',
        ],
        ["A", `[${accept}]`],
      ],
      "accepts",
    ],
    [
      "a map that has a name",
      [["FORWARD", '[{"vmap": {"key": {"ct": {"key": "state"}}, "data": "@m"}}]']],
      "may",
    ],
    [
      "Docker's, for a network that is not Docker's",
      [
        ["FORWARD", `[${counter}, ${jump("DOCKER-USER")}]`],
        ["FORWARD", `[${meta("oifname", '"docker0"')}, ${xt("conntrack")}, ${counter}, ${accept}]`],
        [
          "FORWARD",
          `[${meta("iifname", '"docker0"', "!=")}, ${meta("oifname", '"docker0"')}, ${counter}, ${drop}]`,
        ],
        ["FORWARD", `[${meta("iifname", '"docker0"')}, ${counter}, ${accept}]`],
        ["DOCKER-USER", `[${counter}, {"return": null}]`],
      ],
      "drops",
    ],
  ])("%s", (_, lines, expected) => {
    expect(fate(sent, lines)).toBe(expected);
  });
});

/** Bad inputs of Nat: each range and pattern at, below and above its limit, and what contradicts what. */

import { expect, test } from "vitest";
import { kinds } from "../provider/kinds";
import type { Inputs, Kind } from "../provider/kinds/kind";
import { validate } from "../provider/validate";

const nat = kinds.Nat as Kind;
const messages = (inputs: Inputs, unknown: string[] = []) =>
  validate(nat, { name: "lan", ...inputs }, new Set(unknown)).problems.map(({ message }) => message);
const net = "192.0.2.0/24";
const forward = { protocol: "tcp", port: 8080, to: "192.0.2.10" };
const forwards = (...more: object[]) => ({ forwards: more.map((one) => ({ ...forward, ...one })) });

test.each<[string, Inputs, RegExp]>([
  ["nothing to do", {}, /^source is not given, nor are `forwards`, so there is nothing to do; give/],
  ["no network", { source: [] }, /^source \[\] has 0 elements; give 1 or more$/],
  ["text", { source: net }, /^source "192\.0\.2\.0\/24" is a string; give a list$/],
  ["a network twice", { source: [net, net] }, /^source .* has an element twice; give each once$/],
  [
    "a network in other words",
    { source: ["2001:db8::/32", "2001:0db8::/32"] },
    /^source\[1\] "2001:0db8::\/32" is source\[0\] in other words; give each once$/,
  ],
  [
    "an address",
    { source: ["192.0.2.1"] },
    /^source\[0\] "192\.0\.2\.1" has no prefix length; write it as 192\.0\.2\.1\/32 for that one host$/,
  ],
  [
    "bits beyond",
    { source: ["192.0.2.1/24"] },
    /^source\[0\] .* has bits beyond its prefix length; write the network, 192\.0\.2\.0\/24, or the host/,
  ],
  ["a prefix of 33", { source: ["192.0.2.0/33"] }, /^source\[0\] .* is no network with a prefix length/],
  ["a prefix of 129", { source: ["2001:db8::/129"] }, /^source\[0\] .* is no network with a prefix length/],
  [
    "everything by any interface",
    { source: [net, "0.0.0.0/0"] },
    /^source\[1\] "0\.0\.0\.0\/0" is every network, so without `outInterface` nothing would be translated: .*; give the interface to the outside, or the networks behind this host$/,
  ],
  ["everything of IPv6", { source: ["::/0"], ...forwards({}) }, /^source\[0\] "::\/0" is every network/],
  [
    "the word default",
    { source: ["default"] },
    /^source\[0\] "default" is no network with a prefix length; write it as 192\.0\.2\.0\/24 or 2001:db8::\/48$/,
  ],
  [
    "snatTo without source",
    { ...forwards({}), snatTo: "198.51.100.1" },
    /^snatTo "198\.51\.100\.1" is given without `source`, whose packets get it; add the networks, or/,
  ],
  [
    "snatTo with a prefix length",
    { source: [net], snatTo: "198.51.100.1/24" },
    /^snatTo .* has a prefix length; give the address alone$/,
  ],
  ["snatTo of many", { source: [net], snatTo: "224.0.0.1" }, /^snatTo .* is not an address of one host/],
  [
    "snatTo of another family",
    { source: [net], snatTo: "2001:db8::1" },
    /^snatTo "2001:db8::1" is of IPv6, but `source` has "192\.0\.2\.0\/24" of IPv4; give each family a Nat/,
  ],
  [
    "snatTo for both families",
    { source: [net, "2001:db8::/32"], snatTo: "198.51.100.1" },
    /^snatTo .* is of IPv4, but `source` has "2001:db8::\/32" of IPv6/,
  ],
  [
    "an interface of 16 bytes",
    { source: [net], outInterface: "a".repeat(16) },
    /^outInterface .* has 16 bytes; the kernel allows 15/,
  ],
  ...["eth*", "*"].map((name): [string, Inputs, RegExp] => [
    `the interface ${name}`,
    { source: [net], outInterface: name },
    /^outInterface ".*" ends with "\*", by which nft means every interface whose name begins so; give the name/,
  ]),
  ["a set", { source: [net], outInterface: "@outs" }, /^outInterface "@outs" begins with "@", by which nft/],
  ...['e"th', "eth\\", "eth\\*x"].map((name): [string, Inputs, RegExp] => [
    `the interface ${name}`,
    { source: [net], outInterface: name },
    /^outInterface ".*" contains '"' or "\\", which nft does not read in a name/,
  ]),
  ...["a/b", "a b", "..", "a:b"].map((name): [string, Inputs, RegExp] => [
    `the interface ${name}`,
    { source: [net], outInterface: name },
    /^outInterface ".*" (contains|is a folder)/,
  ]),
  ["no forward", { forwards: [] }, /^forwards \[\] has 0 elements; give 1 or more$/],
  [
    "a protocol",
    forwards({ protocol: "sctp" }),
    /^forwards\[0\]\.protocol "sctp" is not one of "tcp", "udp"/,
  ],
  ["no protocol", forwards({ protocol: undefined }), /^forwards\[0\]\.protocol is required; give it$/],
  ["no port", forwards({ port: undefined }), /^forwards\[0\]\.port is required; give it$/],
  ["no target", forwards({ to: undefined }), /^forwards\[0\]\.to is required; give it$/],
  [
    "port 0",
    forwards({ port: 0 }),
    /^forwards\[0\]\.port 0 is below the limit; give a number from 1 to 65535$/,
  ],
  [
    "port 65536",
    forwards({ port: 65536 }),
    /^forwards\[0\]\.port 65536 is above the limit; give a number from 1/,
  ],
  ["port 0.5", forwards({ port: 0.5 }), /^forwards\[0\]\.port 0\.5 is no whole number/],
  ...["0", "65536", "0-10", "1-65536", "x", "", "1-2-3", "-1", "1-", "08", "1.5", "8000 - 8010", "http"].map(
    (port): [string, Inputs, RegExp] => [
      `port ${JSON.stringify(port)}`,
      forwards({ port }),
      /^forwards\[0\]\.port ".*" is no port from 1 to 65535; write 8000, or "8000-8010" for a range$/,
    ],
  ),
  [
    "a range backwards",
    forwards({ port: "8010-8000" }),
    /^forwards\[0\]\.port "8010-8000" is no range, as its end is not above its beginning; write "8000-8010"$/,
  ],
  ["a range of one", forwards({ port: "80-80" }), /^forwards\[0\]\.port "80-80" is no range.*; write "80"$/],
  [
    "target port 0",
    forwards({ toPort: 0 }),
    /^forwards\[0\]\.toPort 0 is below the limit; give a number from 1/,
  ],
  ["target port 65536", forwards({ toPort: 65536 }), /^forwards\[0\]\.toPort 65536 is above the limit/],
  [
    "a target port as text",
    forwards({ toPort: "80" }),
    /^forwards\[0\]\.toPort "80" is a string; give a whole/,
  ],
  [
    "a target port of a range",
    forwards({ port: "8000-8010", toPort: 80 }),
    /^forwards\[0\]\.toPort 80 is one port, but forwards\[0\]\.port "8000-8010" is a range, which keeps its/,
  ],
  [
    "a target network",
    forwards({ to: net }),
    /^forwards\[0\]\.to .* has a prefix length; give the address alone$/,
  ],
  ["a target's name", forwards({ to: "web" }), /^forwards\[0\]\.to "web" is no address/],
  [
    "a port twice",
    forwards({}, { to: "192.0.2.11" }),
    /^forwards\[1\]\.port 8080 \(tcp, IPv4\) is forwarded by forwards\[0\] already; give each port once$/,
  ],
  [
    "a port of a range",
    forwards({}, { protocol: "udp" }, { port: "8000-8080" }),
    /^forwards\[2\]\.port "8000-8080" \(tcp, IPv4\) is forwarded by forwards\[0\] already/,
  ],
  [
    "allowForwarding as text",
    { source: [net], allowForwarding: "yes" },
    /^allowForwarding "yes" is a string; give true/,
  ],
  [
    "an empty name",
    { name: "", source: [net] },
    /^name "" is empty; give a name as `nft list tables` shows it$/,
  ],
  [
    "a name of 256 bytes",
    { name: "a".repeat(256), source: [net] },
    /^name .* has 256 bytes; nftables allows 255/,
  ],
  ...["1lan", "-lan", "my lan", "lan/1", "läń", 'a"b', "a;b", "a\n"].map((name): [string, Inputs, RegExp] => [
    `the name ${JSON.stringify(name)}`,
    { name, source: [net] },
    /^name ".*" has another form than nft reads; begin with a letter and go on with letters, digits/,
  ]),
  ...["mark", "log", "vlan", "ip", "masquerade"].map((name): [string, Inputs, RegExp] => [
    `the word ${name}`,
    { name, source: [net] },
    new RegExp(`^name "${name}" is a word of nft's language.*; choose another, such as ${name}-nat$`),
  ]),
  [
    "a typing error",
    { source: [net], forward: [] },
    /^forward is no property of Nat; did you mean `forwards`\?$/,
  ],
  [
    "one inside",
    forwards({ portt: 1 }),
    /^forwards\[0\]\.portt is no property of .*; did you mean `forwards\[0\]\.port`\?$/,
  ],
])("of a Nat: %s", (_, inputs, expected) =>
  expect(messages(inputs)).toEqual([expect.stringMatching(expected)]),
);

test.each<[string, Inputs]>([
  ["a network", { source: [net] }],
  ["everything by one interface", { source: ["0.0.0.0/0", "::/0"], outInterface: "eth0" }],
  ["half of everything", { source: ["128.0.0.0/1"] }],
  ["one host of each family", { source: ["192.0.2.1/32", "2001:db8::1/128"] }],
  ["snatTo", { source: [net, "198.51.100.0/24"], snatTo: "198.51.100.1" }],
  ["snatTo of IPv6", { source: ["2001:db8::/32"], snatTo: "2001:db8::1" }],
  ["the first and the last port", forwards({ port: 1, toPort: 1 }, { port: 65535, toPort: 65535 })],
  ["ports as text", forwards({ port: "1" }, { port: "65535" })],
  ["the widest range", forwards({ port: "1-65535" })],
  ["a port of both protocols", forwards({}, { protocol: "udp" })],
  ["a port of both families", forwards({}, { to: "2001:db8::10" })],
  ["ranges side by side", forwards({ port: "1-10" }, { port: "11-20" }, { port: 21 })],
  ["an interface of 15 bytes", { source: [net], outInterface: "a".repeat(15) }],
  ["an interface of uncommon characters", { source: [net], outInterface: "ü*'{$;#.5" }],
  ["a name of 255 bytes", { name: "a".repeat(255), source: [net] }],
  ["a name of all that is allowed", { name: "A1_.-z", source: [net] }],
])("nothing of a Nat with %s", (_, inputs) => expect(messages(inputs)).toEqual([]));

test("what is not known yet is not missed", () => {
  expect(messages({}, ["source"])).toEqual([]);
  expect(messages({}, ["forwards"])).toEqual([]);
  expect(messages({ source: ["::/0"] }, ["outInterface"])).toEqual([]);
  expect(messages({ snatTo: "2001:db8::1" }, ["source"])).toEqual([]);
});

import { describe, expect, test } from "vitest";
import { kinds } from "../provider/kinds";
import type { Inputs, Kind } from "../provider/kinds/kind";
import { validate } from "../provider/validate";

const tun = kinds.TunInterface as Kind;
const namespace = kinds.Namespace as Kind;
const route = kinds.Route as Kind;
const sysctl = kinds.Sysctl as Kind;
const check = (inputs: Inputs, unknown: string[] = [], kind = tun) =>
  validate(kind, { name: "tap0", ...inputs }, new Set(unknown));
/** Those of a route, which has no name. */
const routeProblems = (inputs: Inputs, unknown: string[] = []) => {
  const given = Object.entries(inputs).filter(([, value]) => value !== undefined);
  return validate(route, Object.fromEntries(given), new Set(unknown)).problems;
};
const messages = (inputs: Inputs, unknown: string[] = [], kind = tun) =>
  check(inputs, unknown, kind).problems.map(({ message }) => message);

describe("each bad input is refused with field, value, limit and what to do", () => {
  test.each<[string, Inputs, RegExp]>([
    [
      "a name of 16 bytes",
      { name: "abcdefghijklmnop" },
      /^name "abcdefghijklmnop" has 16 bytes; the kernel allows 15\. Shorten it/,
    ],
    [
      "16 bytes of UTF-8",
      { name: "ääääääää" },
      /^name "ääääääää" has 16 bytes; the kernel allows 15\. Shorten it/,
    ],
    ["a name with /", { name: "a/b" }, /^name "a\/b" contains "\/" .*take them out$/],
    ["a name with :", { name: "a:b" }, /^name "a:b" contains .*":".*take them out$/],
    ["an empty name", { name: "" }, /^name "" is empty; give 1 to 15 bytes$/],
    ["the name .", { name: "." }, /^name "\." is a folder's name; choose another$/],
    ["the name ..", { name: ".." }, /^name "\.\." is a folder's name; choose another$/],
    ["the name all", { name: "all" }, /^name "all" is reserved .*choose another$/],
    ["the name default", { name: "default" }, /^name "default" is reserved .*choose another$/],
    ["a blank in the name", { name: "a b" }, /^name "a b" contains a blank .*take it out$/],
    ["the byte 0xA0 in the name", { name: "à" }, /^name "à" contains .*0xA0.*take it out$/],
    ["% in the name", { name: "tap%d" }, /^name "tap%d" contains "%".*write the number$/],
    ["a number as name", { name: 7 }, /^name 7 is a number; give a string$/],
    ["mode bridge", { mode: "bridge" }, /^mode "bridge" is not one of "tun", "tap"; choose one of them$/],
    [
      "netmask with a hole",
      { address: "192.0.2.1", netmask: "255.0.255.0" },
      /^netmask "255\.0\.255\.0" is no netmask; give ones followed by zeros/,
    ],
    ["netmask 33", { address: "192.0.2.1", netmask: 33 }, /^netmask 33 is no prefix length from 0 to 32$/],
    [
      'netmask "33"',
      { address: "192.0.2.1", netmask: "33" },
      /^netmask "33" is no prefix length from 0 to 32$/,
    ],
    ["netmask -1", { address: "192.0.2.1", netmask: -1 }, /^netmask -1 is no prefix length from 0 to 32$/],
    ["netmask with a leading zero", { address: "192.0.2.1", netmask: "024" }, /^netmask "024" is no netmask/],
    [
      "netmask against /len",
      { address: "192.0.2.1/24", netmask: "255.255.0.0" },
      /^netmask "255\.255\.0\.0" is \/16, but `address` says \/24; make them agree, or leave one out$/,
    ],
    [
      "netmask without address",
      { netmask: "255.255.255.0" },
      /^netmask "255\.255\.255\.0" is given without `address`; add the address, or take the netmask out$/,
    ],
    [
      "address without netmask",
      { address: "192.0.2.1" },
      /^address "192\.0\.2\.1" has no netmask; add `netmask`/,
    ],
    [
      "address 300.1.1.1",
      { address: "300.1.1.1", netmask: 24 },
      /^address "300\.1\.1\.1" is no IPv4 address; give four numbers from 0 to 255/,
    ],
    ["address of three parts", { address: "10.1.1", netmask: 24 }, /^address "10\.1\.1" is no IPv4 address/],
    [
      "address with /33",
      { address: "192.0.2.1/33" },
      /^address "192\.0\.2\.1\/33" has a prefix length that is no number from 0 to 32$/,
    ],
    [
      "IPv6 as address",
      { address: "2001:db8::1", netmask: 24 },
      /^address "2001:db8::1" is an IPv6 address; `address` takes IPv4\. Put it.*`addresses`$/,
    ],
    [
      "multicast as address",
      { address: "224.0.0.1/4" },
      /^address "224\.0\.0\.1\/4" is not an address of one interface .*choose another$/,
    ],
    [
      "no prefix length in addresses",
      { addresses: ["192.0.2.1"] },
      /^addresses\[0\] "192\.0\.2\.1" has no prefix length; write it as 192\.0\.2\.1\/24$/,
    ],
    [
      "words in addresses",
      { addresses: ["192.0.2.1/24", "home"] },
      /^addresses\[1\] "home" is no address with a prefix length; write it as/,
    ],
    [
      "/129 in addresses",
      { addresses: ["2001:db8::1/129"] },
      /^addresses\[0\] "2001:db8::1\/129" is no address with a prefix length/,
    ],
    [
      "a zone in addresses",
      { addresses: ["fe80::1%eth0/64"] },
      /^addresses\[0\] "fe80::1%eth0\/64" is no address/,
    ],
    [
      "an address twice",
      { addresses: ["192.0.2.1/24", "192.0.2.1/24"] },
      /^addresses .* has an element twice; give each once$/,
    ],
    [
      "addresses as text",
      { addresses: "192.0.2.1/24" },
      /^addresses "192\.0\.2\.1\/24" is a string; give a list$/,
    ],
    [
      "multicast in addresses",
      { addresses: ["ff02::1/64"] },
      /^addresses\[0\] "ff02::1\/64" is not an address of one interface; choose another$/,
    ],
    ["owner -2", { owner: -2 }, /^owner -2 is below the limit; give a number from -1 to 4294967294$/],
    [
      "owner 2³²",
      { owner: 2 ** 32 },
      /^owner 4294967296 is above the limit; give a number from -1 to 4294967294$/,
    ],
    [
      "owner 2³²-1, which is none",
      { owner: 2 ** 32 - 1 },
      /^owner 4294967295 is above the limit; give a number from -1 to 4294967294$/,
    ],
    [
      "owner true",
      { owner: true },
      /^owner true is a boolean; give a string or a whole number from -1 to 4294967294/,
    ],
    ["group 1.5", { group: 1.5 }, /^group 1\.5 is no whole number; give a string or a whole number/],
    ["mtu 67", { mtu: 67 }, /^mtu 67 is below the limit; give a number from 68 to 65535$/],
    ["mtu 70000", { mtu: 70000 }, /^mtu 70000 is above the limit; give a number from 68 to 65535$/],
    [
      "mtu 65522 of a TAP",
      { mtu: 65522 },
      /^mtu 65522 is above 65521 bytes, the limit of a TAP; lower it, or use mode "tun"/,
    ],
    ["mtu 1400.5", { mtu: 1400.5 }, /^mtu 1400\.5 is no whole number; give a whole number from 68 to 65535/],
    [
      'mtu "1400"',
      { mtu: "1400" },
      /^mtu "1400" is a string; give a whole number from 68 to 65535, without quotes$/,
    ],
    [
      "mtu below that of IPv6",
      { mtu: 1279, addresses: ["2001:db8::1/64"] },
      /^mtu 1279 is below 1280 bytes.*raise the mtu or take that address out$/,
    ],
    ["up as text", { up: "yes" }, /^up "yes" is a string; give true or false$/],
    ["persistence boot", { persistence: "boot" }, /^persistence "boot" is not available yet; use "runtime"$/],
    [
      "persistence process without queues for it",
      { persistence: "process" },
      /^persistence "process" needs `multiQueue`: true, .*set it, or use "runtime"$/,
    ],
    [
      "a multicast MAC",
      { macAddress: "01:00:5e:00:00:01" },
      /^macAddress "01:00:5e:00:00:01" is a multicast address .*clear that bit, for example with 52/,
    ],
    [
      "a MAC of zeros",
      { macAddress: "00:00:00:00:00:00" },
      /^macAddress "00:00:00:00:00:00" is all zeros, .*choose another$/,
    ],
    [
      "a short MAC",
      { macAddress: "52:54:00:12:34" },
      /^macAddress "52:54:00:12:34" is no MAC address; give six bytes in hexadecimal/,
    ],
    [
      "a MAC of mixed dashes and colons",
      { macAddress: "52:54-00:12:34:56" },
      /^macAddress .* is no MAC address/,
    ],
    [
      "a MAC on a TUN",
      { mode: "tun", macAddress: "52:54:00:12:34:56" },
      /^macAddress "52:54:00:12:34:56" is for a TAP only, and `mode` is "tun".*take it out, or use mode "tap"$/,
    ],
    [
      "a bridge on a TUN",
      { mode: "tun", bridge: "br0" },
      /^bridge "br0" is for a TAP only, and `mode` is "tun".*take it out, or use mode "tap"$/,
    ],
    [
      "a bridge's name of 16 bytes",
      { bridge: "abcdefghijklmnop" },
      /^bridge "abcdefghijklmnop" has 16 bytes; the kernel allows 15/,
    ],
    [
      "broadcast on a TUN",
      { mode: "tun", address: "192.0.2.1/24", broadcast: "192.0.2.255" },
      /^broadcast "192\.0\.2\.255" is for a TAP only, and `mode` is "tun"; take it out, or use mode "tap"$/,
    ],
    [
      "broadcast that is none",
      { address: "192.0.2.1/24", broadcast: "0.0.0.0" },
      /^broadcast "0\.0\.0\.0" is what the kernel takes for none; take it out for the kernel's own/,
    ],
    [
      "broadcast without address",
      { broadcast: "192.0.2.255" },
      /^broadcast "192\.0\.2\.255" is given without `address`, to which it belongs; add the address/,
    ],
    [
      "a peer on a TAP",
      { address: "192.0.2.1/24", peerAddress: "192.0.2.2" },
      /^peerAddress "192\.0\.2\.2" is for a TUN only, and `mode` is "tap"; take it out, or use mode "tun"$/,
    ],
    [
      "a peer without address",
      { mode: "tun", peerAddress: "192.0.2.2" },
      /^peerAddress "192\.0\.2\.2" is given without `address`, to which it belongs; add the address/,
    ],
    [
      "a peer with a prefix length",
      { mode: "tun", address: "192.0.2.1", peerAddress: "192.0.2.2/32" },
      /^peerAddress "192\.0\.2\.2\/32" has a prefix length, .*take it out here$/,
    ],
    [
      "oneself as peer",
      { mode: "tun", address: "192.0.2.1", peerAddress: "192.0.2.1" },
      /^peerAddress "192\.0\.2\.1" is the interface's own `address`; give the address at the other end$/,
    ],
    [
      "txQueueLength -1",
      { txQueueLength: -1 },
      /^txQueueLength -1 is below the limit; give a number from 0 to 524288$/,
    ],
    [
      "txQueueLength 10⁸",
      { txQueueLength: 10 ** 8 },
      /^txQueueLength 100000000 is above the limit; give a number from 0 to 524288: for a longer queue the kernel has no memory in one piece, .*\(ENOMEM\)$/,
    ],
    [
      "an alias of 256 bytes",
      { alias: "ä".repeat(128) },
      /^alias "ä{128}" has 256 bytes; the kernel allows 255\. Shorten it$/,
    ],
    ["an alias of two lines", { alias: "a\nb" }, /^alias "a\\nb" contains a control character; take it out$/],
    ["an alias with a C1 control", { alias: "a\u009b2J" }, /contains a control character; take it out$/],
    [
      "an alias that turns the direction",
      { alias: "a\u202eb" },
      /contains a control character; take it out$/,
    ],
    ["an alias with half a character", { alias: "a\udc9b" }, /contains a control character; take it out$/],
    ["promiscuous as text", { promiscuous: "on" }, /^promiscuous "on" is a string; give true or false$/],
    ["multiQueue as a number", { multiQueue: 2 }, /^multiQueue 2 is a number; give true or false$/],
    [
      "namespace ../x",
      { namespace: "../x" },
      /^namespace "\.\.\/x" is no plain name; give the name of a file in \/run\/netns/,
    ],
    ["namespace with a blank", { namespace: "a b" }, /^namespace "a b" contains a blank/],
    ["namespace -x", { namespace: "-x" }, /^namespace "-x" begins with "-".*choose another$/],
    ["an empty namespace", { namespace: "" }, /^namespace "" is empty; give a name/],
    [
      "onBusy later",
      { onBusy: "later" },
      /^onBusy "later" is not one of "fail", "wait", "force"; choose one of them$/,
    ],
    [
      "a wait of no seconds",
      { onBusy: "wait", busyTimeoutSeconds: 0 },
      /^busyTimeoutSeconds 0 is below the limit; give a number from 1 to 86400$/,
    ],
    [
      "a negative wait",
      { onBusy: "wait", busyTimeoutSeconds: -1 },
      /^busyTimeoutSeconds -1 is below the limit; give a number from 1 to 86400$/,
    ],
    [
      "a wait of more than a day",
      { onBusy: "wait", busyTimeoutSeconds: 86401 },
      /^busyTimeoutSeconds 86401 is above the limit; give a number from 1 to 86400$/,
    ],
    [
      "a wait of half a second",
      { onBusy: "wait", busyTimeoutSeconds: 0.5 },
      /^busyTimeoutSeconds 0\.5 is no whole number; give a whole number from 1 to 86400, without quotes$/,
    ],
    [
      "a wait as text",
      { onBusy: "wait", busyTimeoutSeconds: "60" },
      /^busyTimeoutSeconds "60" is a string; give a whole number from 1 to 86400, without quotes$/,
    ],
  ])("%s", (_, inputs, expected) => {
    expect(messages(inputs)).toEqual([expect.stringMatching(expected)]);
  });

  test("of a namespace too", () => {
    expect(messages({ name: "a/b", loopbackUp: 1 }, [], namespace)).toEqual([
      expect.stringMatching(/^name "a\/b" is no plain name; give the name of a file/),
      "loopbackUp 1 is a number; give true or false",
    ]);
  });

  test.each<[string, Inputs, RegExp]>([
    ["no name", { name: undefined, value: 1 }, /^name is required; give it$/],
    ["no value", { value: undefined }, /^value is required; give it$/],
    ["an empty name", { name: "" }, /^name "" is empty; give a name such as net\.ipv4\.ip_forward$/],
    ["a folder's name", { name: "net" }, /^name "net" has one part only; give a name such as/],
    [
      "a path",
      { name: "net/ipv4/conf/eth0.1/forwarding" },
      /^name "net.*" is a path; write it with dots, as "net\.ipv4\.conf\.eth0\/1\.forwarding"$/,
    ],
    ["a path from the root", { name: "/proc/sys/vm/swappiness" }, /^name .* is a path; write it with dots/],
    ["two dots", { name: "net..ipv4" }, /^name "net\.\.ipv4" has an empty part; take the dot too many out$/],
    ["a dot at the end", { name: "net.ipv4." }, /^name "net\.ipv4\." has an empty part/],
    ["a way up", { name: "net.//.//.passwd" }, /^name .* has a part of slashes only.*take it out$/],
    ["a folder itself", { name: "net./.ipv4" }, /^name .* has a part of slashes only/],
    [
      "a blank in the name",
      { name: "net.ipv4 .x" },
      /^name .* contains a blank or control character; take it out$/,
    ],
    [
      "a boolean",
      { value: true },
      /^value true is a boolean; give a string or a whole number, without quotes$/,
    ],
    ["a fraction", { value: 0.5 }, /^value 0\.5 is no whole number; give a string or a whole number/],
    ["two lines", { value: "1\n2" }, /^value "1\\n2" contains a line break .*separate values with blanks$/],
    [
      "a namespace for what has none",
      { name: "vm.swappiness", namespace: "blue" },
      /^namespace "blue" is given, but `name` "vm\.swappiness" is one setting for the whole host.*take the namespace out$/,
    ],
  ])("of a sysctl: %s", (_, inputs, expected) => {
    expect(messages({ name: "net.ipv4.ip_forward", value: 1, ...inputs }, [], sysctl)).toEqual([
      expect.stringMatching(expected),
    ]);
  });

  test.each<[string, Inputs, RegExp]>([
    ["no destination", { destination: undefined }, /^destination is required; give it$/],
    [
      "a host",
      { destination: "192.0.2.1" },
      /^destination "192\.0\.2\.1" has no prefix length; write it as 192\.0\.2\.1\/32 for that one host$/,
    ],
    [
      "an IPv6 host",
      { destination: "2001:db8::1", gateway: undefined, interface: "tap0" },
      /write it as 2001:db8::1\/128 for that one host$/,
    ],
    [
      "bits beyond the prefix",
      { destination: "192.0.2.1/24" },
      /^destination .* has bits beyond its prefix length; write the network, 192\.0\.2\.0\/24, or the host, 192\.0\.2\.1\/32$/,
    ],
    ["bits beyond /0", { destination: "192.0.2.0/0" }, /write the network, 0\.0\.0\.0\/0/],
    [
      "IPv6 bits beyond the prefix",
      { destination: "2001:db8::1/48", gateway: "2001:db8::9" },
      /write the network, 2001:db8::\/48, or/,
    ],
    [
      "a name",
      { destination: "home" },
      /^destination "home" is no network with a prefix length; write it as .*"default"$/,
    ],
    ["/33", { destination: "192.0.2.0/33" }, /^destination "192\.0\.2\.0\/33" is no network/],
    [
      "a gateway with a prefix length",
      { gateway: "192.0.2.1/24" },
      /^gateway "192\.0\.2\.1\/24" has a prefix length; give the address alone$/,
    ],
    ["a gateway by name", { gateway: "router" }, /^gateway "router" is no address; give one such as/],
    [
      "a gateway of nobody",
      { gateway: "0.0.0.0" },
      /^gateway "0\.0\.0\.0" is not an address of one host; choose another$/,
    ],
    ["a multicast gateway", { gateway: "224.0.0.1" }, /^gateway .* is not an address of one host/],
    [
      "a multicast source",
      { destination: "::/0", gateway: "2001:db8::9", source: "ff02::1" },
      /^source "ff02::1" is not an address/,
    ],
    [
      "no way at all",
      { gateway: undefined },
      /^interface is not given, nor is `gateway`.*give `interface`, `gateway` or both, or another type$/,
    ],
    [
      "a blackhole with a gateway",
      { type: "blackhole" },
      /^gateway "192\.0\.2\.9" is given, but `type` is "blackhole", which leads nowhere; take it out/,
    ],
    [
      "a prohibition over an interface",
      { type: "prohibit", gateway: undefined, interface: "tap0" },
      /^interface "tap0" is given, but `type`/,
    ],
    [
      "type local",
      { type: "local" },
      /^type "local" is not one of "unicast", "blackhole", "unreachable", "prohibit"; choose/,
    ],
    [
      "onlink without an interface",
      { onlink: true },
      /^onlink true says that `gateway` is reached directly over `interface`, so it needs both/,
    ],
    [
      "a link-local gateway alone",
      { destination: "::/0", gateway: "fe80::1" },
      /^gateway "fe80::1" is a link-local address.*without `interface`; give that too$/,
    ],
    [
      "scope link with a gateway",
      { scope: "link" },
      /^scope "link" is of what is reached directly, but `gateway` "192\.0\.2\.9"/,
    ],
    [
      "scope nowhere",
      { scope: "nowhere" },
      /^scope "nowhere" is not one of "global", "site", "link", "host"/,
    ],
    [
      "families that differ",
      { gateway: "2001:db8::9" },
      /^gateway "2001:db8::9" is IPv6, but `destination` "203\.0\.113\.0\/24" is IPv4; give both of one family$/,
    ],
    [
      "a source of another family",
      { source: "2001:db8::1" },
      /^source "2001:db8::1" is IPv6, but `destination`/,
    ],
    [
      "a source of another family than the gateway",
      { destination: "default", source: "2001:db8::1" },
      /^source "2001:db8::1" is IPv6, but `gateway` "192\.0\.2\.9" is IPv4/,
    ],
    [
      "a scope of IPv6",
      { destination: "::/0", gateway: undefined, interface: "tap0", scope: "link" },
      /^scope "link" cannot be that of an IPv6 route, as `destination` "::\/0" is one/,
    ],
    [
      "metric 0 of IPv6",
      { destination: "default", gateway: "2001:db8::9", metric: 0 },
      /^metric 0 cannot be that of an IPv6 route.*takes 1024 instead/,
    ],
    [
      "mtu 1279 of IPv6",
      { destination: "::/0", gateway: "2001:db8::9", mtu: 1279 },
      /^mtu 1279 is below 1280 bytes, the least of an IPv6 route/,
    ],
    ["metric -1", { metric: -1 }, /^metric -1 is below the limit; give a number from 0 to 4294967295$/],
    [
      "metric 2³²",
      { metric: 2 ** 32 },
      /^metric 4294967296 is above the limit; give a number from 0 to 4294967295$/,
    ],
    ["table 0", { table: 0 }, /^table 0 is below the limit; give a number from 1 to 4294967295$/],
    ["table 2³²", { table: 2 ** 32 }, /^table 4294967296 is above the limit/],
    [
      "a table's name",
      { table: "main" },
      /^table "main" is a string; give a whole number from 1 to 4294967295, without quotes$/,
    ],
    ["mtu 67", { mtu: 67 }, /^mtu 67 is below the limit; give a number from 68 to 65520$/],
    ["mtu 65521", { mtu: 65521 }, /^mtu 65521 is above the limit; give a number from 68 to 65520$/],
    [
      "an interface of 16 bytes",
      { interface: "abcdefghijklmnop" },
      /^interface "abcdefghijklmnop" has 16 bytes/,
    ],
  ])("of a route: %s", (_, inputs, expected) => {
    const given = { destination: "203.0.113.0/24", gateway: "192.0.2.9", ...inputs };
    expect(routeProblems(given).map(({ message }) => message)).toEqual([expect.stringMatching(expected)]);
  });

  test("all problems of one resource at once, each property once", () => {
    const { problems } = check({
      name: "a/b",
      mode: "bridge",
      owner: -2,
      mtu: "1400",
      addresses: ["x", "y"],
    });
    expect(problems.map(({ property }) => property).sort()).toEqual(
      ["addresses", "addresses", "mode", "mtu", "name", "owner"].sort(),
    );
  });

  test("a rule about two inputs does not repeat what is wrong with one of them", () => {
    expect(messages({ address: "300.1.1.1" })).toHaveLength(1);
    expect(messages({ address: "300.1.1.1", netmask: 24 })).toHaveLength(1);
    expect(messages({ address: "192.0.2.1", netmask: 33 })).toHaveLength(1);
    expect(messages({ mtu: "9", addresses: ["2001:db8::1/64"] })).toHaveLength(1);
  });
});

describe("good inputs pass", () => {
  test.each<[string, Inputs]>([
    ["nothing", {}],
    ["15 bytes", { name: "abcdefghijklmno" }],
    ["15 bytes of UTF-8", { name: "äääääääx" }],
    ["a name with -", { name: "-x" }],
    ["limits of a TUN", { mode: "tun", mtu: 65535 }],
    ["the least mtu", { mtu: 68 }],
    ["the largest of a TAP", { mode: "tap", mtu: 65521 }],
    ["owner 0 and group none", { owner: 0, group: -1 }],
    ["the last uid", { owner: 2 ** 32 - 2 }],
    ["names", { owner: "alice", group: "kvm" }],
    ["/len and netmask that agree", { address: "192.0.2.1/24", netmask: "255.255.255.0" }],
    ["/len alone", { address: "192.0.2.1/31" }],
    ["/0", { address: "192.0.2.1", netmask: "0.0.0.0" }],
    ["netmask as number", { address: "192.0.2.1", netmask: 24 }],
    ["netmask as digits", { address: "192.0.2.1", netmask: "24" }],
    ["an IPv6 address that begins with ff, but is not multicast", { addresses: ["ff::1/64"] }],
    ["a MAC in capitals", { macAddress: "52:54:00:AB:CD:EF" }],
    ["an alias of 255 bytes", { alias: "a".repeat(255) }],
    ["no alias", { alias: "" }],
    ["an alias in other scripts", { alias: "der Webserver für שלום\u200f" }],
    ["no queue at all", { txQueueLength: 0 }],
    ["the longest queue", { txQueueLength: 524288 }],
    ["a peer instead of a netmask", { mode: "tun", address: "192.0.2.1", peerAddress: "198.51.100.1" }],
    ["the widest broadcast", { address: "192.0.2.1/24", broadcast: "255.255.255.255" }],
    ["a process that keeps it", { multiQueue: true, persistence: "process" }],
    ["many addresses", { addresses: ["192.0.2.1/24", "2001:db8::1/64", "fe80::1/64", "::1/128"] }],
  ])("%s", (_, inputs) => expect(check(inputs).problems).toEqual([]));
});

test.each<[string, Inputs]>([
  ["a number", { name: "net.ipv4.ip_forward", value: 1, namespace: "blue" }],
  ["below zero", { name: "net.ipv4.tcp_app_win", value: -1 }],
  ["several values", { name: "net.ipv4.ping_group_range", value: "0\t5" }],
  ["no value at all", { name: "net.ipv4.ip_local_reserved_ports", value: "" }],
  ["an interface with dots", { name: "net.ipv4.conf.eth0/1/2.forwarding", value: "1" }],
  ["the whole host's", { name: "vm.swappiness", value: 10 }],
])("a good sysctl passes: %s", (_, inputs) => expect(check(inputs, [], sysctl).problems).toEqual([]));

test.each<[string, Inputs]>([
  ["by a gateway", { destination: "203.0.113.0/24", gateway: "192.0.2.9" }],
  ["the limits", { destination: "0.0.0.0/0", interface: "tap0", metric: 4294967295, table: 1, mtu: 68 }],
  [
    "the other limits",
    { destination: "192.0.2.1/32", interface: "tap0", metric: 0, table: 4294967295, mtu: 65520 },
  ],
  [
    "the least of IPv6",
    { destination: "2001:DB8::/32", gateway: "fe80::1", interface: "tap0", mtu: 1280, metric: 1 },
  ],
  ["nowhere", { destination: "10.0.0.0/8", type: "unreachable", source: "192.0.2.1" }],
  ["onlink", { destination: "default", gateway: "172.16.0.1", interface: "tap0", onlink: true }],
  ["a host's own", { destination: "192.0.2.1/32", interface: "lo", scope: "host" }],
])("a good route passes: %s", (_, inputs) => expect(routeProblems(inputs)).toEqual([]));

test.each<[string, Inputs, string[]]>([
  ["no way known yet", { destination: "10.0.0.0/8" }, ["gateway"]],
  ["no interface known yet", { destination: "10.0.0.0/8" }, ["interface"]],
  ["a gateway of an unknown destination", { gateway: "2001:db8::9", metric: 0 }, ["destination"]],
  ["an unknown type", { destination: "10.0.0.0/8", gateway: "192.0.2.9" }, ["type"]],
  [
    "onlink with an unknown interface",
    { destination: "10.0.0.0/8", gateway: "192.0.2.9", onlink: true },
    ["interface"],
  ],
  [
    "default of an unknown family",
    { destination: "default", metric: 0, mtu: 68, interface: "tap0" },
    ["gateway"],
  ],
])("a route with what is not known yet passes: %s", (_, inputs, unknown) =>
  expect(routeProblems(inputs, unknown)).toEqual([]),
);

test("defaults are filled in, and nothing else", () => {
  const given = { name: "tap0", owner: "alice" };
  expect(validate(tun, given, new Set()).inputs).toEqual({
    name: "tap0",
    owner: "alice",
    mode: "tap",
    exclusiveAddresses: false,
    up: true,
    multiQueue: false,
    packetInformation: false,
    vnetHeader: false,
    persistence: "runtime",
    adopt: false,
    onBusy: "fail",
  });
  expect(given).toEqual({ name: "tap0", owner: "alice" });
  expect(validate(namespace, { name: "blue" }, new Set()).inputs).toEqual({
    name: "blue",
    loopbackUp: true,
    force: false,
  });
});

describe("an unknown property", () => {
  test.each([
    ["adress", "address"],
    ["Address", "address"],
    ["OWNER", "owner"],
    ["MTU", "mtu"],
    ["netMask", "netmask"],
    ["adresses", "addresses"],
    ["nmae", "name"],
    ["name_space", "namespace"],
  ])("%s is taken for %s", (wrong, right) => {
    expect(messages({ [wrong]: "x" })).toEqual([
      `${wrong} is no property of TunInterface; did you mean \`${right}\`?`,
    ]);
  });

  test.each(["vlanFiltering", "completelyDifferent", "toString", "constructor"])(
    "%s resembles none, so all are listed",
    (wrong) => {
      const all = Object.keys(tun.inputs).map((name) => `\`${name}\``);
      expect(messages({ [wrong]: "x" })).toEqual([
        `${wrong} is no property of TunInterface; it has ${all.join(", ")}`,
      ]);
    },
  );

  test.each(["ifindex", "ifIndex"])("%s is taken for an output", (wrong) => {
    expect(messages({ [wrong]: "x" })).toEqual([
      `${wrong} is no property of TunInterface; \`ifindex\` is an output, which cannot be given; take it out`,
    ]);
  });

  test("is found beside other problems", () => {
    expect(messages({ adress: "x", mtu: 1 })).toHaveLength(2);
  });
});

describe("what is not known yet is never an error", () => {
  test.each(Object.keys(tun.inputs))("%s alone", (input) => {
    const { problems, inputs } = validate(tun, {}, new Set([input]));
    expect(problems).toEqual([]);
    // Neither its value nor its default.
    expect(inputs).not.toHaveProperty(input);
  });

  test.each<[string, Inputs, string[]]>([
    ["netmask of an unknown address", { netmask: 24 }, ["address"]],
    ["address with an unknown netmask", { address: "192.0.2.1" }, ["netmask"]],
    ["/len with an unknown netmask", { address: "192.0.2.1/24" }, ["netmask"]],
    ["mtu with an unknown mode", { mtu: 65535 }, ["mode"]],
    ["mtu with unknown addresses", { mtu: 68 }, ["addresses"]],
    ["addresses with an unknown mtu", { addresses: ["2001:db8::1/64"] }, ["mtu"]],
  ])("%s", (_, inputs, unknown) => expect(check(inputs, unknown).problems).toEqual([]));

  test("while what is known is still checked", () => {
    expect(messages({ mtu: 67 }, ["mode", "address"])).toHaveLength(1);
  });

  test("also where an input is required", () => {
    const strict = {
      ...tun,
      inputs: { ...tun.inputs, name: { ...tun.inputs.name, required: true } },
    } as Kind;
    expect(validate(strict, {}, new Set(["name"])).problems).toEqual([]);
    expect(validate({ ...strict }, {}, new Set()).problems).toEqual([
      { property: "name", message: "name is required; give it" },
    ]);
  });
});

test("every input states what a reference page needs, and its default satisfies its own schema", () => {
  for (const kind of Object.values(kinds)) {
    for (const [name, { description, change }] of Object.entries({ ...kind.inputs })) {
      expect(description, name).toMatch(/\.$/);
      expect(["live", "replace", "control"]).toContain(change);
    }
    const required = Object.keys(kind.inputs).filter((name) => kind.inputs[name]?.required);
    const named = "of" in kind.naming ? {} : { name: "x0" };
    const { problems } = validate(kind, named, new Set(required));
    expect(problems.filter(({ property }) => kind.inputs[property]?.default !== undefined)).toEqual([]);
  }
});

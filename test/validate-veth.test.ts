/** Bad inputs of pairs and of ports of others: each range at, below and above its limit, of each end. */

import { describe, expect, test } from "vitest";
import { kinds } from "../provider/kinds";
import type { Inputs, Kind } from "../provider/kinds/kind";
import { validate } from "../provider/validate";

const pair = kinds.VethPair as Kind;
const port = kinds.BridgePort as Kind;

const messagesOf = (kind: Kind, inputs: Inputs, unknown: string[] = []) =>
  validate(kind, inputs, new Set(unknown)).problems.map(({ message }) => message);

describe.each([0, 1])("ends[%i]", (end) => {
  const messages = (args: Inputs) => {
    const ends: Inputs[] = [{ name: "va" }, { name: "vb" }];
    ends[end] = { ...ends[end], ...args };
    return messagesOf(pair, { ends });
  };
  const its = (text: string) => new RegExp(`^ends\\[${end}\\]${text}`);

  test.each<[string, Inputs, string]>([
    ["mtu 67", { mtu: 67 }, "\\.mtu 67 is below the limit; give a number from 68 to 65535$"],
    ["mtu 65536", { mtu: 65536 }, "\\.mtu 65536 is above the limit; give a number from 68 to 65535$"],
    ["mtu 1400.5", { mtu: 1400.5 }, "\\.mtu 1400\\.5 is no whole number; give a whole number from 68"],
    ["mtu as text", { mtu: "1400" }, '\\.mtu "1400" is a string; give a whole number from 68'],
    ["a name of 16 bytes", { name: "a".repeat(16) }, '\\.name "a{16}" has 16 bytes; the kernel allows 15'],
    ["an empty name", { name: "" }, '\\.name "" is empty; give 1 to 15 bytes$'],
    ["a name with a slash", { name: "a/b" }, '\\.name "a/b" contains "/" or ":"'],
    ["a namespace with a slash", { namespace: "a/b" }, '\\.namespace "a/b" is no plain name'],
    ["a namespace of 256 bytes", { namespace: "n".repeat(256) }, '\\.namespace "n{256}" has 256 bytes'],
    ["a MAC of zeros", { macAddress: "00:00:00:00:00:00" }, '\\.macAddress ".*" is all zeros'],
    ["a multicast MAC", { macAddress: "53:54:00:00:00:01" }, '\\.macAddress ".*" is a multicast address'],
    ["a short MAC", { macAddress: "52:54:00:00:01" }, '\\.macAddress ".*" is no MAC address'],
    ["an IPv6 address", { address: "2001:db8::1/64" }, '\\.address ".*" is an IPv6 address'],
    [
      "an address without netmask",
      { address: "192.0.2.1" },
      '\\.address "192.0.2.1" has no netmask; add `netmask`',
    ],
    ["a netmask alone", { netmask: 24 }, "\\.netmask 24 is given without `address`"],
    [
      "two that differ",
      { address: "192.0.2.1/24", netmask: 25 },
      "\\.netmask 25 is /25, but `address` says /24",
    ],
    ["netmask 33", { address: "192.0.2.1", netmask: 33 }, "\\.netmask 33 is no prefix length from 0 to 32$"],
    ["netmask -1", { address: "192.0.2.1", netmask: -1 }, "\\.netmask -1 is no prefix length from 0 to 32$"],
    ["a CIDR /33", { addresses: ["192.0.2.1/33"] }, '\\.addresses\\[0\\] "192.0.2.1/33" is no address with'],
    ["a CIDR /129", { addresses: ["2001:db8::1/129"] }, '\\.addresses\\[0\\] ".*/129" is no address with'],
    ["one twice", { addresses: ["192.0.2.1/24", "192.0.2.1/24"] }, "\\.addresses .* has an element twice"],
    [
      "one IPv6 address with two lengths",
      { addresses: ["2001:db8::1/64", "2001:db8::1/128"] },
      '\\.addresses\\[1\\] "2001:db8::1/128" is addresses\\[0\\] with another prefix length',
    ],
    ["IPv6 with mtu 1279", { mtu: 1279, addresses: ["2001:db8::1/64"] }, "\\.mtu 1279 is below 1280 bytes"],
    ["up as text", { up: "yes" }, '\\.up "yes" is a string; give true or false$'],
    ["a bridge's name", { bridge: "a:b" }, '\\.bridge "a:b" contains "/" or ":"'],
    ["a port without a bridge", { port: { isolated: true } }, "\\.port .* is given without `bridge`"],
    [
      "cost 0",
      { bridge: "br0", port: { cost: 0 } },
      "\\.port\\.cost 0 is below the limit; give a number from 1",
    ],
    ["cost 65536", { bridge: "br0", port: { cost: 65536 } }, "\\.port\\.cost 65536 is above the limit"],
    ["priority -1", { bridge: "br0", port: { priority: -1 } }, "\\.port\\.priority -1 is below the limit"],
    ["priority 64", { bridge: "br0", port: { priority: 64 } }, "\\.port\\.priority 64 is above the limit"],
    [
      "a typing error",
      { mtuu: 5 },
      "\\.mtuu is no property of ends\\[\\d\\]; did you mean `ends\\[\\d\\]\\.mtu`\\?$",
    ],
    [
      "an output",
      { ifindex: 5 },
      "\\.ifindex is no property of .*; `ifindex` is an output, which cannot be given",
    ],
  ])("%s", (_, args, expected) => {
    expect(messages(args)).toEqual([expect.stringMatching(its(expected))]);
  });

  test.each<Inputs>([
    { mtu: 68 },
    { mtu: 65535 },
    { mtu: 1280, addresses: ["2001:db8::1/64"] },
    { name: "a".repeat(15) },
    { namespace: "n".repeat(255) },
    { address: "192.0.2.1", netmask: 0 },
    { address: "192.0.2.1", netmask: 32 },
    { addresses: ["192.0.2.1/32", "2001:db8::1/128"] },
    { bridge: "br0", port: { cost: 1, priority: 0 } },
    { bridge: "br0", port: { cost: 65535, priority: 63 } },
    { macAddress: "52-54-00-12-34-56", up: false },
  ])("%o is as it should be", (args) => {
    expect(messages(args)).toEqual([]);
  });
});

describe("both ends", () => {
  const two = (a: Inputs, b: Inputs) => messagesOf(pair, { ends: [a, b] });

  test.each<[string, Inputs, RegExp]>([
    ["missing", {}, /^ends is required; give it$/],
    ["one", { ends: [{ name: "va" }] }, /^ends .* has 1 elements; give exactly 2$/],
    [
      "three",
      { ends: ["a", "b", "c"].map((name) => ({ name })) },
      /^ends .* has 3 elements; give exactly 2$/,
    ],
    ["no list", { ends: { name: "va" } }, /^ends .* is an object; give a list$/],
    [
      "no objects",
      { ends: ["va", { name: "vb" }] },
      /^ends\[0\] "va" is a string; give an object with any of `name`/,
    ],
  ])("%s", (_, inputs, expected) => {
    expect(messagesOf(pair, inputs)).toEqual([expect.stringMatching(expected)]);
  });

  test("have different names, but for two namespaces", () => {
    expect(two({ name: "v" }, { name: "v" })).toEqual([
      expect.stringMatching(
        /^ends\[1\]\.name "v" is the name of ends\[0\] too, in the same namespace; give one/,
      ),
    ]);
    expect(two({ name: "v", namespace: "n" }, { name: "v", namespace: "n" })).toHaveLength(1);
    expect(two({ name: "v", namespace: "n" }, { name: "v" })).toEqual([]);
  });

  test("are up unless they are said to be down", () => {
    const { inputs } = validate(pair, { ends: [{ name: "va" }, { name: "vb", up: false }] }, new Set());
    expect(inputs.ends).toEqual([
      { name: "va", up: true },
      { name: "vb", up: false },
    ]);
  });

  test("what is not known yet is no problem", () => {
    expect(messagesOf(pair, {}, ["ends"])).toEqual([]);
  });
});

describe("automatic names", () => {
  const named = (logicalName: string, ends: unknown) =>
    pair.complete?.({ ends }, logicalName).ends as { name: string }[];

  test.each([
    ["cable", ["cable-a", "cable-b"]],
    ["thirteenbytes", ["thirteenbytes-a", "thirteenbytes-b"]],
  ])("%s fits", (logicalName, expected) => {
    expect(named(logicalName, [{}, {}]).map(({ name }) => name)).toEqual(expected);
  });

  test.each(["fourteen-bytes", "a/b:c", "ünïcödé-names-too", "all%d"])(
    "%s is shortened or mended",
    (logicalName) => {
      const names = named(logicalName, [{}, {}]).map(({ name }) => name);
      for (const name of names) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(15);
      expect(messagesOf(pair, { ends: names.map((name) => ({ name })) })).toEqual([]);
      expect(new Set(names).size).toBe(2);
      expect(named(logicalName, [{}, {}]).map(({ name }) => name)).toEqual(names);
    },
  );

  test("a given one stays, and what is no end is left to the validation", () => {
    expect(named("cable", [{ name: "x" }, {}]).map(({ name }) => name)).toEqual(["x", "cable-b"]);
    expect(named("cable", ["x", null, {}])).toEqual(["x", null, {}]);
    expect(pair.complete?.({ ends: 5 }, "cable")).toEqual({ ends: 5 });
    const given = { ends: [{}, {}] };
    pair.complete?.(given, "cable");
    expect(given).toEqual({ ends: [{}, {}] });
  });
});

describe("a port of others", () => {
  const messages = (inputs: Inputs, unknown: string[] = []) =>
    messagesOf(port, { interface: "eth1", bridge: "br0", ...inputs }, unknown);

  test.each<[string, Inputs, RegExp]>([
    ["no interface", { interface: undefined }, /^interface is required; give it$/],
    ["no bridge", { bridge: undefined }, /^bridge is required; give it$/],
    ["an empty interface", { interface: "" }, /^interface "" is empty; give 1 to 15 bytes$/],
    ["16 bytes", { interface: "e".repeat(16) }, /^interface "e{16}" has 16 bytes; the kernel allows 15/],
    [
      "a bridge of 16 bytes",
      { bridge: "b".repeat(16) },
      /^bridge "b{16}" has 16 bytes; the kernel allows 15/,
    ],
    ["a namespace", { namespace: "a/b" }, /^namespace "a\/b" is no plain name/],
    ["cost 0", { port: { cost: 0 } }, /^port\.cost 0 is below the limit; give a number from 1 to 65535$/],
    ["cost 65536", { port: { cost: 65536 } }, /^port\.cost 65536 is above the limit/],
    [
      "priority 64",
      { port: { priority: 64 } },
      /^port\.priority 64 is above the limit; give a number from 0 to 63$/,
    ],
    ["priority -1", { port: { priority: -1 } }, /^port\.priority -1 is below the limit/],
    ["allowLockout as text", { allowLockout: "yes" }, /^allowLockout "yes" is a string; give true or false$/],
    ["a typing error", { brigde: "br0" }, /^brigde is no property of BridgePort; did you mean `bridge`\?$/],
  ])("%s", (_, inputs, expected) => {
    expect(messages(inputs)).toEqual([expect.stringMatching(expected)]);
  });

  test("as it should be", () => {
    expect(messages({})).toEqual([]);
    expect(messages({ interface: "e".repeat(15), bridge: "b".repeat(15) })).toEqual([]);
    expect(messages({ port: { cost: 1, priority: 0 } })).toEqual([]);
    expect(messages({ port: { cost: 65535, priority: 63 }, adopt: true, allowLockout: true })).toEqual([]);
    expect(messagesOf(port, {}, ["interface", "bridge"])).toEqual([]);
  });
});

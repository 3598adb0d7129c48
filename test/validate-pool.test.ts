/** Bad inputs of pools: what does not give as many interfaces as are asked for. */

import { describe, expect, test } from "vitest";
import { kinds } from "../provider/kinds";
import type { Inputs, SetKind } from "../provider/kinds/kind";
import { validate } from "../provider/validate";

const pool = kinds.TunPool as SetKind;
const messages = (inputs: Inputs, unknown: string[] = []) =>
  validate(pool, { count: 64, namePattern: "fc%d", ...inputs }, new Set(unknown)).problems.map(
    ({ message }) => message,
  );
const members = (inputs: Inputs) => {
  const checked = validate(pool, { count: 4, namePattern: "fc%d", ...inputs }, new Set());
  expect(checked.problems).toEqual([]);
  return pool.expand(checked.inputs);
};

test.each<[string, Inputs, RegExp]>([
  ["count 0", { count: 0 }, /^count 0 is below the limit; give a number from 1 to 4000$/],
  ["count 4001", { count: 4001 }, /^count 4001 is above the limit; give a number from 1 to 4000$/],
  ["count 1.5", { count: 1.5 }, /^count 1\.5 is no whole number; give a whole number from 1 to 4000/],
  ["a pattern without %d", { namePattern: "fc" }, /^namePattern "fc" must have "%d" once/],
  ["a pattern with %d twice", { namePattern: "%d%d" }, /^namePattern "%d%d" must have "%d" once/],
  [
    "a pattern whose last name is too long",
    { count: 101, namePattern: "thirteen-byte%d" },
    /^namePattern "thirteen-byte%d" gives "thirteen-byte100", which has 16 bytes; the kernel allows 15/,
  ],
  [
    "a pattern with a slash",
    { namePattern: "a/%d" },
    /^namePattern "a\/%d" gives "a\/63", which contains "\/"/,
  ],
  [
    "namespace and pattern",
    { namespace: "blue", namespacePattern: "vm%d" },
    /^namespacePattern "vm%d" is given beside `namespace`; .*take the other out$/,
  ],
  [
    "a namespace pattern without %d",
    { namespacePattern: "vm" },
    /^namespacePattern "vm" must have "%d" once/,
  ],
  [
    "a subnet with too few addresses",
    { count: 65, addressPlan: { subnet: "172.16.0.0/24", each: "/30" } },
    /^addressPlan\.subnet 172\.16\.0\.0\/24 has 256 addresses, and 65 interfaces with each "\/30" from 0 on need 260; give a \/23 or larger/,
  ],
  [
    "addresses up to the broadcast address",
    { count: 255, addressPlan: { subnet: "10.0.0.0/24" } },
    /^addressPlan\.subnet 10\.0\.0\.0\/24 has 256 addresses, and 255 interfaces with each "address" from 1 on need 257; give a \/23/,
  ],
  [
    "a later first",
    { count: 1, addressPlan: { subnet: "10.0.0.0/30", each: "/31", first: 2 } },
    /^addressPlan\.subnet 10\.0\.0\.0\/30 has 4 addresses, and 1 interfaces with each "\/31" from 2 on need 6; give a \/29/,
  ],
  [
    "host bits",
    { addressPlan: { subnet: "10.0.0.1/24" } },
    /^addressPlan\.subnet "10\.0\.0\.1\/24" has bits beyond its prefix length; the subnet of that length is 10\.0\.0\.0\/24/,
  ],
  [
    "no subnet",
    { addressPlan: { subnet: "10.0.0.0" } },
    /^addressPlan\.subnet "10\.0\.0\.0" is no IPv4 subnet/,
  ],
  [
    "IPv6",
    { addressPlan: { subnet: "2001:db8::/64" } },
    /^addressPlan\.subnet "2001:db8::\/64" is no IPv4 subnet/,
  ],
  [
    "multicast",
    { addressPlan: { subnet: "224.0.0.0/8" } },
    /^addressPlan\.subnet "224\.0\.0\.0\/8" is no subnet of single hosts/,
  ],
  [
    "each /29",
    { addressPlan: { subnet: "10.0.0.0/8", each: "/29" } },
    /^addressPlan\.each "\/29" is not one of/,
  ],
  [
    "first below",
    { addressPlan: { subnet: "10.0.0.0/8", first: -1 } },
    /^addressPlan\.first -1 is below the limit; give a number from 0/,
  ],
  [
    "subnets of their own on a bridge",
    { bridge: "br0", addressPlan: { subnet: "10.0.0.0/16", each: "/30" } },
    /^addressPlan\.each "\/30" gives each interface a subnet of its own, but with `bridge` they are one network/,
  ],
  [
    "a MAC that runs out",
    { macPlan: { base: "02:00:00:ff:ff:f0" } },
    /^macPlan\.base 02:00:00:ff:ff:f0 has room for 16 addresses before its first three bytes change, and `count` is 64/,
  ],
  [
    "MAC addresses of hosts and guests that overlap",
    { macPlan: { base: "02:00:00:00:00:00", guestBase: "02:00:00:00:00:3f" } },
    /^macPlan\.base .* are less than 64 apart/,
  ],
  [
    "a multicast MAC",
    { macPlan: { base: "01:00:00:00:00:00" } },
    /^macPlan\.base "01:00:00:00:00:00" is a multicast address/,
  ],
  ["a MAC on a TUN", { mode: "tun", macPlan: { base: "02:00:00:00:00:00" } }, /^macPlan is for TAPs only/],
  ["bridge and bridges", { bridge: "br0", bridges: ["br1"] }, /^bridges \["br1"\] is given beside `bridge`/],
  [
    "more ports than a bridge has",
    { count: 1024, bridge: "br0" },
    /^bridge "br0" would have 1024 ports each, and a Linux bridge has 1023 at most; spread the 1024 interfaces over 2 bridges or more by `bridges`$/,
  ],
  [
    "more ports than bridges have",
    { count: 4000, bridges: ["br0", "br1", "br2"] },
    /^bridges .* would have 1334 ports each, .* over 4 bridges or more by `bridges`$/,
  ],
  ["a bridge twice", { bridges: ["br0", "br0"] }, /^bridges .*(twice|duplicate|once)/],
  ["no bridge in the list", { bridges: [] }, /^bridges .*(1|empty)/],
  // What holds of one interface holds of all.
  ["a port without a bridge", { port: { isolated: true } }, /^port .* is given without `bridge`/],
  ["a bridge of TUNs", { mode: "tun", bridges: ["br0"] }, /^bridge "br0" is for a TAP only/],
  ["an mtu of TUNs", { mtu: 65522 }, /^mtu 65522 is above 65521 bytes, the limit of a TAP/],
  ["process without multiQueue", { persistence: "process" }, /needs `multiQueue`/],
  [
    "a consumer that wants one queue",
    { consumer: "firecracker", multiQueue: true },
    /^multiQueue true: `consumer` "firecracker"/,
  ],
  ["a single address", { address: "10.0.0.1/24" }, /^address is no property of TunPool/],
  ["a single MAC", { macAddress: "02:00:00:00:00:01" }, /^macAddress is no property of TunPool/],
])("%s", (_, inputs, expected) => {
  expect(messages(inputs)).toEqual([expect.stringMatching(expected)]);
});

test("that there must be a count", () => {
  expect(messages({ count: undefined })).toEqual([expect.stringMatching(/^count is required; give it$/)]);
  expect(messages({ count: undefined }, ["count"])).toEqual([]);
});

describe("at the limits", () => {
  test.each<[string, Inputs]>([
    ["1 interface", { count: 1 }],
    ["4000 interfaces on four bridges", { count: 4000, bridges: ["br0", "br1", "br2", "br3"] }],
    ["1023 ports of one bridge", { count: 1023, bridge: "br0" }],
    ["64 subnets of a /24", { addressPlan: { subnet: "172.16.0.0/24", each: "/30" } }],
    ["254 addresses of a /24", { count: 254, addressPlan: { subnet: "10.0.0.0/24" } }],
    ["names of 15 bytes", { count: 100, namePattern: "thirteen-byte%d" }],
    ["the last MAC addresses", { macPlan: { base: "02:00:00:ff:ff:c0" } }],
    [
      "MAC addresses side by side",
      { macPlan: { base: "02:00:00:00:00:00", guestBase: "02:00:00:00:00:40" } },
    ],
  ])("%s", (_, inputs) => {
    expect(messages(inputs)).toEqual([]);
  });
});

describe("what each gets", () => {
  const addresses = (addressPlan: object, more: Inputs = {}) =>
    members({ addressPlan, ...more }).map(({ address }) => address);

  test("of one subnet", () => {
    expect(addresses({ subnet: "10.0.0.0/24" })).toEqual([1, 2, 3, 4].map((last) => `10.0.0.${last}/24`));
    expect(addresses({ subnet: "10.0.0.0/24", first: 100 })[0]).toBe("10.0.0.100/24");
    expect(addresses({ subnet: "10.0.0.0/24" }, { bridge: "br0" })).toEqual(Array(4).fill(undefined));
  });

  test("a subnet of its own", () => {
    expect(addresses({ subnet: "172.16.0.0/24", each: "/30" })[3]).toBe("172.16.0.13/30");
    expect(addresses({ subnet: "172.16.0.0/24", each: "/31" })[3]).toBe("172.16.0.6/31");
    expect(addresses({ subnet: "223.0.0.0/8", each: "/30", first: 64 })[0]).toBe("223.0.1.1/30");
  });

  test("across the boundaries of bytes", () => {
    const all = members({
      count: 300,
      addressPlan: { subnet: "10.0.0.0/16" },
      macPlan: { base: "02:00:00:00:00:00" },
    });
    expect(all[299]).toMatchObject({
      address: "10.0.1.44/16",
      macAddress: "02:00:00:00:01:2b",
      name: "fc299",
    });
  });

  test("names without one declared", () => {
    expect(pool.defaults("fc")).toEqual({ namePattern: "fc%d" });
    const { namePattern } = pool.defaults("a-rather-long-name");
    expect(String(namePattern).replace("%d", "3999").length).toBeLessThanOrEqual(15);
  });
});

/** Bad inputs of bridges and of their ports: each range at, below and above its limit. */

import { expect, test } from "vitest";
import { kinds } from "../provider/kinds";
import type { Inputs, Kind } from "../provider/kinds/kind";
import { validate } from "../provider/validate";

const tun = kinds.TunInterface as Kind;
const bridge = kinds.Bridge as Kind;
const messages = (inputs: Inputs, unknown: string[] = [], kind = tun) =>
  validate(kind, { name: "tap0", ...inputs }, new Set(unknown)).problems.map(({ message }) => message);

test.each<[string, Inputs, RegExp]>([
  ["cost -1", { cost: -1 }, /^port\.cost -1 is below the limit; give a number from 1 to 65535$/],
  ["cost 0", { cost: 0 }, /^port\.cost 0 is below the limit; give a number from 1 to 65535$/],
  ["cost 65536", { cost: 65536 }, /^port\.cost 65536 is above the limit; give a number from 1 to 65535$/],
  ["priority -1", { priority: -1 }, /^port\.priority -1 is below the limit; give a number from 0 to 63$/],
  ["priority 64", { priority: 64 }, /^port\.priority 64 is above the limit; give a number from 0 to 63$/],
  ["priority 1.5", { priority: 1.5 }, /^port\.priority 1\.5 is no whole number; give a whole number from 0/],
  ...["isolated", "learning", "flood", "multicastFlood", "hairpin", "guard", "rootBlock", "fastLeave"].map(
    (name): [string, Inputs, RegExp] => [
      `${name} as a number`,
      { [name]: 1 },
      new RegExp(`^port\\.${name} 1 is a number; give true or false$`),
    ],
  ),
  [
    "VLAN 0",
    { vlans: [{ id: 0 }] },
    /^port\.vlans\[0\]\.id 0 is below the limit; give a number from 1 to 4094$/,
  ],
  [
    "VLAN 4095",
    { vlans: [{ id: 1 }, { id: 4095 }] },
    /^port\.vlans\[1\]\.id 4095 is above the limit; give a/,
  ],
  [
    "VLANs 0-5",
    { vlans: [{ id: "0-5" }] },
    /^port\.vlans\[0\]\.id "0-5" is outside of the VLANs that there are; /,
  ],
  [
    "VLANs 5-4095",
    { vlans: [{ id: "5-4095" }] },
    /^port\.vlans\[0\]\.id "5-4095" is outside of .* 1 to 4094$/,
  ],
  [
    "VLANs 10-2",
    { vlans: [{ id: "10-2" }] },
    /^port\.vlans\[0\]\.id "10-2" begins with the higher number; write it as "2-10"$/,
  ],
  [
    "VLANs as words",
    { vlans: [{ id: "all" }] },
    /^port\.vlans\[0\]\.id "all" is neither a number nor a range/,
  ],
  [
    "VLANs with commas",
    { vlans: [{ id: "2,3" }] },
    /^port\.vlans\[0\]\.id "2,3" is neither a number nor a range/,
  ],
  ["a VLAN 1.5", { vlans: [{ id: 1.5 }] }, /^port\.vlans\[0\]\.id 1\.5 is no whole number; give/],
  ["a VLAN without id", { vlans: [{ pvid: true }] }, /^port\.vlans\[0\]\.id is required; give it$/],
  [
    "a VLAN as a number",
    { vlans: [10] },
    /^port\.vlans\[0\] 10 is a number; give an object with any of `id`/,
  ],
  [
    "overlapping VLANs",
    { vlans: [{ id: "2-10" }, { id: 1 }, { id: "10-20" }] },
    /^port\.vlans\[2\]\.id "10-20" overlaps port\.vlans\[0\]; give each VLAN once$/,
  ],
  [
    "a VLAN twice",
    { vlans: [{ id: 5 }, { id: "5" }] },
    /^port\.vlans\[1\]\.id "5" overlaps port\.vlans\[0\]/,
  ],
  [
    "two pvids",
    {
      vlans: [
        { id: 2, pvid: true },
        { id: 3, pvid: false },
        { id: 4, pvid: true },
      ],
    },
    /^port\.vlans\[0\] and port\.vlans\[2\] have pvid, and untagged frames are of one VLAN only; leave it at one$/,
  ],
  [
    "a range with pvid",
    { vlans: [{ id: "2-3", pvid: true }] },
    /^port\.vlans\[0\]\.id "2-3" is a range and has pvid, which one VLAN alone can have; give that one by itself$/,
  ],
  [
    "pvid as a number",
    { vlans: [{ id: 2, pvid: 1 }] },
    /^port\.vlans\[0\]\.pvid 1 is a number; give true or false$/,
  ],
  [
    "a typing error",
    { isolate: true },
    /^port\.isolate is no property of port; did you mean `port\.isolated`\?$/,
  ],
])("of a port: %s", (_, port, expected) => {
  expect(messages({ bridge: "br0", port })).toEqual([expect.stringMatching(expected)]);
});

test("of a port without a bridge", () => {
  const without =
    /^port \{"isolated":true\} is given without `bridge`, to which its settings belong; add the bridge/;
  expect(messages({ port: { isolated: true } })).toEqual([expect.stringMatching(without)]);
  expect(messages({ port: { isolated: true } }, ["bridge"])).toEqual([]);
  expect(messages({ bridge: "br0", port: { cost: 1, priority: 0 } })).toEqual([]);
  expect(messages({ bridge: "br0", port: { cost: 65535, priority: 63 } })).toEqual([]);
  expect(messages({ bridge: "br0", port: {} })).toEqual([]);
  const ends = [{ id: 1 }, { id: "2-4093", untagged: true }, { id: "4094", pvid: true }];
  expect(messages({ bridge: "br0", port: { vlans: ends } })).toEqual([]);
  expect(messages({ bridge: "br0", port: { vlans: [] } })).toEqual([]);
  expect(messages({ bridge: "br0", port: { vlans: [{ id: "7-7", pvid: true }] } })).toEqual([]);
});

test.each<[string, Inputs, RegExp]>([
  ["priority -1", { priority: -1 }, /^priority -1 is below the limit; give a number from 0 to 65535$/],
  ["priority 65536", { priority: 65536 }, /^priority 65536 is above the limit; give a number from 0 to/],
  ["priority 1.5", { priority: 1.5 }, /^priority 1\.5 is no whole number; give a whole number from 0 to/],
  ["delay -1", { forwardDelay: -1 }, /^forwardDelay -1 is below the limit; give a number from 0 to 30$/],
  [
    "delay 30.1",
    { forwardDelay: 30.1 },
    /^forwardDelay 30\.1 is above the limit; give a number from 0 to 30$/,
  ],
  [
    "delay 1.9 with STP",
    { stp: true, forwardDelay: 1.9 },
    /^forwardDelay 1\.9 is below 2 seconds, the least with `stp`; raise it, or leave stp off$/,
  ],
  [
    "delay of hundredths",
    { forwardDelay: 0.25 },
    /^forwardDelay 0\.25 is finer than the kernel keeps time; give whole tenths of a second$/,
  ],
  [
    "delay as text",
    { forwardDelay: "4" },
    /^forwardDelay "4" is a string; give a number from 0 to 30, without/,
  ],
  ["hello 0.9", { helloTime: 0.9 }, /^helloTime 0\.9 is below the limit; give a number from 1 to 10$/],
  ["hello 10.1", { helloTime: 10.1 }, /^helloTime 10\.1 is above the limit; give a number from 1 to 10$/],
  ["age 5.9", { maxAge: 5.9 }, /^maxAge 5\.9 is below the limit; give a number from 6 to 40$/],
  ["age 40.1", { maxAge: 40.1 }, /^maxAge 40\.1 is above the limit; give a number from 6 to 40$/],
  ["ageing -1", { ageingTime: -1 }, /^ageingTime -1 is below the limit; give a number from 0 to 42949672$/],
  [
    "ageing 42949673",
    { ageingTime: 42949673 },
    /^ageingTime 42949673 is above the limit; give a number from 0/,
  ],
  [
    "VLAN -1",
    { vlanDefaultPvid: -1 },
    /^vlanDefaultPvid -1 is below the limit; give a number from 0 to 4094$/,
  ],
  [
    "VLAN 4095",
    { vlanDefaultPvid: 4095 },
    /^vlanDefaultPvid 4095 is above the limit; give a number from 0 to/,
  ],
  [
    "mask -1",
    { groupForwardMask: -1 },
    /^groupForwardMask -1 is below the limit; give a number from 0 to 65535$/,
  ],
  [
    "mask 65536",
    { groupForwardMask: 65536 },
    /^groupForwardMask 65536 is above the limit; give a number from/,
  ],
  ...[1, 2, 4, 65535].map((mask): [string, Inputs, RegExp] => [
    `mask ${mask}`,
    { groupForwardMask: mask },
    new RegExp(`^groupForwardMask ${mask} has one of the bits 0 to 2 set .*; clear them$`),
  ]),
  ["mtu 67", { mtu: 67 }, /^mtu 67 is below the limit; give a number from 68 to 65535$/],
  ["mtu 65536", { mtu: 65536 }, /^mtu 65536 is above the limit; give a number from 68 to 65535$/],
  ["stp as a number", { stp: 1 }, /^stp 1 is a number; give true or false$/],
  ["filtering as text", { vlanFiltering: "on" }, /^vlanFiltering "on" is a string; give true or false$/],
  [
    "snooping as text",
    { multicastSnooping: "off" },
    /^multicastSnooping "off" is a string; give true or false$/,
  ],
  [
    "a querier as text",
    { multicastQuerier: "on" },
    /^multicastQuerier "on" is a string; give true or false$/,
  ],
  ["a multicast MAC", { macAddress: "01:00:5e:00:00:01" }, /^macAddress .* is a multicast address/],
  ["an address alone", { address: "192.0.2.1" }, /^address "192\.0\.2\.1" has no netmask/],
  ["owner", { owner: 1 }, /^owner is no property of Bridge; it has `name`/],
  ["ageing", { ageing: 1 }, /^ageing is no property of Bridge; it has|did you mean/],
  ["stpp", { stpp: true }, /^stpp is no property of Bridge; did you mean `stp`\?$/],
  ["onBusy later", { onBusy: "later" }, /^onBusy "later" is not one of "fail", "wait", "force"; choose one/],
])("of a bridge: %s", (_, inputs, expected) => {
  expect(messages(inputs, [], bridge)).toEqual([expect.stringMatching(expected)]);
});

test.each<[Inputs]>([
  [{ priority: 0, forwardDelay: 0, helloTime: 1, maxAge: 6, ageingTime: 0, groupForwardMask: 0 }],
  [{ priority: 65535, forwardDelay: 30, helloTime: 10, maxAge: 40, ageingTime: 42_949_672 }],
  [{ groupForwardMask: 65528, vlanDefaultPvid: 0, mtu: 68 }],
  [{ groupForwardMask: 8, vlanDefaultPvid: 4094, mtu: 65535 }],
  [{ stp: true, forwardDelay: 2, helloTime: 1.1, maxAge: 6.3, ageingTime: 0.1 }],
  [{ stp: true, forwardDelay: 29.9, ageingTime: 42_949_671.9 }],
])("nothing of a bridge with %o", (inputs) => expect(messages(inputs, [], bridge)).toEqual([]));

/** Bad inputs of VXLAN interfaces: each range and form at, below and above its limit, and what excludes what. */

import { expect, test } from "vitest";
import { kinds } from "../provider/kinds";
import type { Inputs, Kind } from "../provider/kinds/kind";
import { validate } from "../provider/validate";

const messages = (inputs: Inputs, unknown: string[] = []) =>
  validate(kinds.Vxlan as Kind, { name: "vx0", vni: 42, ...inputs }, new Set(unknown)).problems.map(
    ({ message }) => message,
  );

test.each<[string, Inputs, RegExp]>([
  ["no VNI", { vni: undefined }, /^vni is required; give it$/],
  ["VNI -1", { vni: -1 }, /^vni -1 is below the limit; give a number from 0 to 16777215$/],
  ["VNI 2^24", { vni: 16777216 }, /^vni 16777216 is above the limit; give a number from 0 to 16777215$/],
  ["VNI 1.5", { vni: 1.5 }, /^vni 1\.5 is no whole number; give a whole number from 0 to 16777215/],
  ["VNI as text", { vni: "42" }, /^vni "42" is a string; give a whole number from 0/],
  ["id", { id: 42 }, /^id is no property of Vxlan; /],
  ["port 0", { destinationPort: 0 }, /^destinationPort 0 is below the limit; give a number from 1 to 65535$/],
  [
    "port 65536",
    { destinationPort: 65536 },
    /^destinationPort 65536 is above the limit; give a number from 1 to 65535$/,
  ],
  ["ttl -1", { ttl: -1 }, /^ttl -1 is below the limit; give a number from 0 to 255$/],
  ["ttl 256", { ttl: 256 }, /^ttl 256 is above the limit; give a number from 0 to 255$/],
  ["ageing 0", { ageingTime: 0 }, /^ageingTime 0 is below the limit; give a number from 1 to 4294967295$/],
  [
    "ageing 2^32",
    { ageingTime: 4294967296 },
    /^ageingTime 4294967296 is above the limit; give a number from 1/,
  ],
  ["learning as a number", { learning: 1 }, /^learning 1 is a number; give true or false$/],
  ["mtu 67", { mtu: 67 }, /^mtu 67 is below the limit; give a number from 68 to 65535$/],
  ["mtu 65536", { mtu: 65536 }, /^mtu 65536 is above the limit; give a number from 68 to 65535$/],
  [
    "a local name",
    { local: "here" },
    /^local "here" is no IPv4 or IPv6 address; give one, such as 192\.0\.2\.1/,
  ],
  [
    "a local prefix",
    { local: "192.0.2.1/24" },
    /^local "192\.0\.2\.1\/24" has a prefix length, .*take it out$/,
  ],
  [
    "a local group",
    { local: "224.0.0.1" },
    /^local "224\.0\.0\.1" is a multicast group, not the address of one/,
  ],
  [
    "a remote group",
    { remote: "239.255.255.255" },
    /^remote "239\.255\.255\.255" is a multicast group, .*`group`/,
  ],
  ["a remote group of IPv6", { remote: "ff05::1" }, /^remote "ff05::1" is a multicast group/],
  ["no remote", { remote: "0.0.0.0" }, /^remote "0\.0\.0\.0" is not the address of one host; give one/],
  ["no remote of IPv6", { remote: "::" }, /^remote "::" is not the address of one host; give one/],
  ["all", { remote: "255.255.255.255" }, /^remote "255\.255\.255\.255" is not the address of one host/],
  [
    "a group below",
    { group: "223.255.255.255", device: "eth0" },
    /^group "223\.255\.255\.255" is no multicast group \(224\.0\.0\.0\/4, ff00::\/8\); give one, .*`remote`$/,
  ],
  ["a group above", { group: "240.0.0.0", device: "eth0" }, /^group "240\.0\.0\.0" is no multicast group/],
  ["a group of one", { group: "fe80::1", device: "eth0" }, /^group "fe80::1" is no multicast group/],
  [
    "a group and a remote",
    { group: "239.1.1.1", remote: "192.0.2.9", device: "eth0" },
    /^group "239\.1\.1\.1" and `remote` "192\.0\.2\.9" exclude one another; leave one out/,
  ],
  [
    "a group alone",
    { group: "239.1.1.1" },
    /^group "239\.1\.1\.1" needs `device`, the interface on which the group is joined; give it$/,
  ],
  [
    "itself as device",
    { device: "vx0" },
    /^device "vx0" is the interface itself \(`name`\); give the one by/,
  ],
  ["device as a path", { device: "a/b" }, /^device "a\/b" contains "\/" or ":"/],
  [
    "itself as remote",
    { local: "2001:db8::1", remote: "2001:DB8:0::1" },
    /^remote "2001:DB8:0::1" is `local`, this very end of the tunnel; give the address of another host$/,
  ],
  [
    "two families",
    { local: "192.0.2.1", remote: "2001:db8::9" },
    /^remote "2001:db8::9" is IPv6, but `local` "192\.0\.2\.1" is IPv4; make them agree$/,
  ],
  [
    "two families with a group",
    { local: "2001:db8::1", group: "239.1.1.1", device: "eth0" },
    /^group "239\.1\.1\.1" is IPv4, but `local` "2001:db8::1" is IPv6; make them agree$/,
  ],
  [
    "a peer of another family",
    { local: "192.0.2.1", peers: [{ address: "192.0.2.2" }, { address: "2001:db8::9" }] },
    /^peers has 2001:db8::9, which is IPv6, but `local` "192\.0\.2\.1" is IPv4; make them agree$/,
  ],
  [
    "a peer of IPv6 alone",
    { peers: [{ address: "2001:db8::9" }] },
    /^peers has 2001:db8::9, which is IPv6, and the kernel takes an interface for IPv4 .*give `local`/,
  ],
  ["a peer without an address", { peers: [{}] }, /^peers\[0\]\.address is required; give it$/],
  [
    "a peer as text",
    { peers: ["192.0.2.2"] },
    /^peers\[0\] "192\.0\.2\.2" is a string; give an object with any/,
  ],
  ["peers as text", { peers: "192.0.2.2" }, /^peers "192\.0\.2\.2" is a string; give a list/],
  [
    "a peer's group",
    { peers: [{ address: "192.0.2.2" }, { address: "239.1.1.1" }] },
    /^peers\[1\]\.address "239\.1\.1\.1" is a multicast group/,
  ],
  [
    "a peer's MAC",
    { peers: [{ address: "192.0.2.2", macAddress: "52:54:00" }] },
    /^peers\[0\]\.macAddress "52:54:00" is no MAC address; give six bytes in hexadecimal/,
  ],
  [
    "a peer's typing error",
    { peers: [{ adress: "192.0.2.2", address: "192.0.2.2" }] },
    /^peers\[0\]\.adress is no property of peers\[0\]; did you mean `peers\[0\]\.address`\?$/,
  ],
  [
    "a peer twice",
    { peers: [{ address: "192.0.2.2" }, { address: "192.0.2.2", macAddress: "00-00-00-00-00-00" }] },
    /^peers has 192\.0\.2\.2 twice; give it once$/,
  ],
  [
    "a MAC at two peers",
    {
      peers: [
        { address: "192.0.2.2", macAddress: "52:54:00:00:00:0a" },
        { address: "192.0.2.3", macAddress: "52:54:00:00:00:0A" },
      ],
    },
    /^peers has 52:54:00:00:00:0a at 192\.0\.2\.2 and at 192\.0\.2\.3; a unicast MAC address is at one end, so/,
  ],
  [
    "itself as peer",
    { local: "192.0.2.1", peers: [{ address: "192.0.2.1" }] },
    /^peers has 192\.0\.2\.1, which is `local`, this very end of the tunnel; take it out$/,
  ],
  [
    "the remote as peer",
    { remote: "192.0.2.9", peers: [{ address: "192.0.2.9" }] },
    /^peers has 192\.0\.2\.9, which is `remote`, to which all goes twice then; take it out of one of them$/,
  ],
  ["a multicast MAC", { macAddress: "01:00:5e:00:00:01" }, /^macAddress .* is a multicast address/],
  ["an address alone", { address: "198.51.100.1" }, /^address "198\.51\.100\.1" has no netmask/],
  ["a port alone", { port: { isolated: true } }, /^port .* is given without `bridge`/],
])("%s", (_, inputs, expected) => {
  expect(messages(inputs)).toEqual([expect.stringMatching(expected)]);
});

test.each<[Inputs]>([
  [{ vni: 0, destinationPort: 1, ttl: 0, ageingTime: 1, mtu: 68 }],
  [{ vni: 16777215, destinationPort: 65535, ttl: 255, ageingTime: 4294967295, mtu: 65535 }],
  [{ group: "224.0.0.0", device: "eth0" }],
  [{ group: "239.255.255.255", device: "eth0", local: "192.0.2.1" }],
  [{ group: "ff00::", device: "eth0", local: "2001:db8::1" }],
  [{ local: "1.0.0.0", remote: "223.255.255.255" }],
  [{ local: "2001:db8::1", peers: [{ address: "2001:db8::2" }, { address: "2001:db8::3" }] }],
  [{ peers: [] }],
  [{ peers: [{ address: "192.0.2.2" }], remote: "192.0.2.9" }],
  // One MAC address of many, at several ends.
  [{ peers: ["2", "3"].map((end) => ({ address: `192.0.2.${end}`, macAddress: "01:00:5e:00:00:01" })) }],
  // Several MAC addresses at one end, the remote one.
  [
    {
      remote: "192.0.2.9",
      peers: ["a", "b"].map((end) => ({ address: "192.0.2.9", macAddress: `52:54:00:00:00:0${end}` })),
    },
  ],
])("nothing is wrong with %o", (inputs) => expect(messages(inputs)).toEqual([]));

test("what is not known yet is not judged", () => {
  expect(messages({ group: "239.1.1.1" }, ["device"])).toEqual([]);
  expect(messages({ peers: [{ address: "2001:db8::9" }] }, ["local"])).toEqual([]);
  expect(messages({}, ["vni"])).toEqual([]);
});

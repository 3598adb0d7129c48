/** In a preview, outputs of resources that are not made yet are not known: that is never an error, whatever else is given. */

import { describe, expect, test } from "vitest";
import { kinds } from "../provider/kinds";
import type { AnyKind, Inputs } from "../provider/kinds/kind";
import { validate } from "../provider/validate";

/** Valid inputs, of each kind such as have much to do with one another. */
const valid: Readonly<Record<string, readonly Inputs[]>> = {
  TunInterface: [
    {
      name: "tap0",
      owner: 1,
      address: "192.0.2.1",
      netmask: 24,
      broadcast: "192.0.2.255",
      addresses: ["2001:db8::1/64"],
      exclusiveAddresses: true,
      mtu: 1400,
      macAddress: "02:00:00:00:00:01",
      namespace: "blue",
      onBusy: "wait",
      busyTimeoutSeconds: 5,
    },
    { name: "tun0", mode: "tun", address: "192.0.2.1", peerAddress: "192.0.2.2", multiQueue: true },
    {
      name: "tap0",
      bridge: "br0",
      port: { isolated: true, vlans: [{ id: 5, pvid: true }] },
      multiQueue: true,
    },
    { name: "tap0", consumer: "qemu", guestMacAddress: "02:00:00:00:00:02", bridge: "br0", up: true },
  ],
  TunPool: [
    {
      count: 4,
      namePattern: "fc%d",
      owner: 1,
      addressPlan: { subnet: "172.16.0.0/24", each: "/30" },
      macPlan: { base: "02:00:00:00:00:00", guestBase: "02:00:00:00:01:00" },
      namespacePattern: "vm%d",
      addresses: ["2001:db8::1/64"],
      exclusiveAddresses: true,
      mtu: 1400,
    },
    {
      count: 4,
      namePattern: "fc%d",
      bridges: ["br0", "br1"],
      port: { isolated: true },
      addressPlan: { subnet: "172.16.0.0/24" },
    },
    { count: 2000, namePattern: "fc%d", bridges: ["br0", "br1"], port: { isolated: true } },
    { count: 4, namePattern: "fc%d", bridge: "br0", port: { isolated: true }, namespace: "blue" },
    { count: 4, namePattern: "fc%d", mode: "tun", addressPlan: { subnet: "172.16.0.0/24", each: "/31" } },
    { count: 4, namePattern: "fc%d", consumer: "qemu", macPlan: { guestBase: "02:00:00:00:01:00" } },
  ],
  Bridge: [
    {
      name: "br0",
      address: "192.0.2.1",
      netmask: "255.255.255.0",
      addresses: ["2001:db8::1/64"],
      mtu: 1400,
      stp: true,
      forwardDelay: 10,
      helloTime: 2,
      maxAge: 18,
      vlanFiltering: true,
      vlanDefaultPvid: 5,
    },
  ],
  BridgePort: [
    { interface: "eth1", bridge: "br0", namespace: "blue", port: { isolated: true, vlans: [{ id: "2-9" }] } },
  ],
  VethPair: [
    {
      ends: [
        { name: "va", address: "192.0.2.1/24" },
        { name: "vb", bridge: "br0", port: { cost: 5 } },
      ],
    },
  ],
  Vxlan: [
    {
      name: "vx0",
      vni: 42,
      local: "192.0.2.1",
      remote: "192.0.2.2",
      device: "eth0",
      learning: false,
      bridge: "br0",
      port: { isolated: true },
      namespace: "blue",
    },
    { name: "vx0", vni: 42, group: "239.0.0.1", device: "eth0", ttl: 5, ageingTime: 60 },
    { name: "vx0", vni: 42, peers: [{ address: "192.0.2.7" }], address: "192.0.2.1", netmask: 24, mtu: 1400 },
  ],
  Route: [
    {
      destination: "2001:db8:9::/48",
      gateway: "fe80::1",
      interface: "eth0",
      source: "2001:db8::1",
      metric: 5,
      mtu: 1280,
      onlink: true,
      namespace: "blue",
    },
    { destination: "default", gateway: "192.0.2.1", interface: "eth0", onlink: true, scope: "global" },
    { destination: "192.0.2.0/24", interface: "eth0", scope: "link", type: "unicast" },
    { destination: "192.0.2.0/24", type: "blackhole", table: 5 },
  ],
  Nat: [
    {
      name: "lan",
      source: ["192.0.2.0/24"],
      snatTo: "198.51.100.1",
      outInterface: "eth0",
      forwards: [{ protocol: "tcp", port: 80, to: "192.0.2.9", toPort: 8080 }],
      allowForwarding: true,
    },
    { name: "lan", source: ["192.0.2.0/24"] },
    { name: "lan", forwards: [{ protocol: "tcp", port: "80-90", to: "192.0.2.9" }] },
  ],
  Namespace: [{ name: "blue" }],
  Sysctl: [{ name: "net.ipv4.ip_forward", value: 1, namespace: "blue" }],
  KernelModule: [{ name: "tun", parameters: ["debug=1"] }],
};

test("there are inputs of each kind", () => {
  expect(Object.keys(valid).sort()).toEqual(Object.keys(kinds).sort());
});

const cases = Object.entries(valid).flatMap(([name, all]) =>
  all.map((inputs, position) => [`${name} ${position}`, kinds[name] as AnyKind, inputs] as const),
);

describe.each(cases)("%s", (_, kind, inputs) => {
  const names = Object.keys(inputs);
  const problems = (...unknown: string[]) =>
    validate(
      kind,
      Object.fromEntries(Object.entries(inputs).filter(([name]) => !unknown.includes(name))),
      new Set(unknown),
    ).problems;

  test("is valid", () => expect(problems()).toEqual([]));

  test("is so, whichever inputs are not known", () => {
    for (const one of names)
      for (const other of names) expect(problems(one, other), `${one} and ${other}`).toEqual([]);
  });
});

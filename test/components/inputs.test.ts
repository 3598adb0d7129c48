/** What is misspelt in the inputs of a component, or not known when it must be, is refused when it is declared. */

import * as pulumi from "@pulumi/pulumi";
import { describe, expect, test } from "vitest";
import {
  type DhcpArgs,
  Segment,
  type SegmentArgs,
  type SegmentHostArgs,
  type VmArgs,
  VmBridge,
} from "../../sdk";
import { checkInputs } from "../../sdk/components/inputs";
import { Segment as segmentValidator } from "../../sdk/components/validators/segment";
import { VmBridge as vmBridgeValidator } from "../../sdk/components/validators/vm-bridge";
import type { VmBridgeArgs } from "../../sdk/components/vm-bridge-args";

type Constructor = new (name: string, args: unknown) => unknown;

/** The lines of what declaring it throws. */
function refusal(component: unknown, args: unknown): string[] {
  try {
    new (component as Constructor)("lab", args);
  } catch (error) {
    return (error as Error).message.split("\n");
  }
  return [];
}

const subnet = "10.20.0.0/24";
/** Of any type, and known later only. */
const later = pulumi.output(undefined as never);

describe("VmBridge refuses", () => {
  const vm = (args: unknown) => ({ subnet, vms: { web: args } });
  const vmHas = "`address`, `macAddress`, `owner`, `group`, `forwards`, `tap`";
  test.each<[string, unknown, string[]]>([
    [
      "misspelt names on every level, all at once",
      { subnet, ownr: "nobody", outInterfce: "eth0", vms: { web: { adress: "10.20.0.9" } } },
      [
        "ownr is no property of VmBridge; did you mean `owner`?",
        "outInterfce is no property of VmBridge; did you mean `outInterface`?",
        "vms.web.adress is no property of vms.web; did you mean `vms.web.address`?",
      ],
    ],
    [
      "a misspelt name in a list",
      { subnet, outInterface: "eth0", vms: { "7": { forwards: [{ protocol: "tcp", prt: 80 }] } } },
      ["vms.7.forwards[0].prt is no property of vms.7.forwards[0]; did you mean `vms.7.forwards[0].port`?"],
    ],
    [
      "a misspelt name in inputs of a tap",
      vm({ tap: { txQueLength: 5 } }),
      ["vms.web.tap.txQueLength is no property of vms.web.tap; did you mean `vms.web.tap.txQueueLength`?"],
    ],
    [
      "a misspelt name in inputs of the bridge",
      { subnet, vms: {}, bridge: { stpp: true } },
      ["bridge.stpp is no property of bridge; did you mean `bridge.stp`?"],
    ],
    [
      "a misspelt setting of the server",
      { subnet, vms: {}, dhcp: { leaseSecond: 500 } },
      ["dhcp.leaseSecond is no property of dhcp; did you mean `dhcp.leaseSeconds`?"],
    ],
    [
      "a name like no other",
      vm({ image: "debian" }),
      [`vms.web.image is no property of vms.web; it has ${vmHas}.`],
    ],
    [
      "a misspelt name of what is required, once",
      { subnt: subnet, vms: {} },
      ["subnt is no property of VmBridge; did you mean `subnet`?"],
    ],
    [
      "what it sets itself",
      { ...vm({ tap: { bridge: "br0" } }), bridge: { netmask: 24 } },
      [
        "vms.web.tap.bridge is set by VmBridge itself, from its other inputs; take it out.",
        "bridge.netmask is set by VmBridge itself, from its other inputs; take it out.",
      ],
    ],
    [
      "VMs as a list",
      { subnet, vms: ["web", "db"] },
      ['vms ["web","db"] is a list; give an object by name, such as { web: {}, db: {} }.'],
    ],
    [
      "VMs as a Map",
      { subnet, vms: new Map([["web", {}]]) },
      ["vms is a Map or Set; give an object by name, such as { web: {}, db: {} }."],
    ],
    ["no VM", vm(null), [`vms.web is null; give an object with any of ${vmHas}.`]],
    ["an undefined VM", vm(undefined), [`vms.web is undefined; give an object with any of ${vmHas}.`]],
    [
      "a function",
      { subnet: () => subnet, vms: {} },
      ['subnet is a function; give a string, such as "10.20.0.0/24".'],
    ],
    [
      "nothing",
      undefined,
      [
        'subnet is required; give it, such as "10.20.0.0/24".',
        "vms is required; give it, such as { web: {}, db: {} }.",
      ],
    ],
    ["no subnet", { vms: {} }, ['subnet is required; give it, such as "10.20.0.0/24".']],
    ["no vms", { subnet }, ["vms is required; give it, such as { web: {}, db: {} }."]],
    [
      "a number as subnet",
      { subnet: 10, vms: {} },
      ['subnet 10 is a number; give a string, such as "10.20.0.0/24".'],
    ],
    [
      "text as forwarding, which would be true",
      { subnet, vms: {}, forwarding: "false" },
      ['forwarding "false" is a string; give true or false.'],
    ],
    [
      "a lease as text",
      { subnet, vms: {}, dhcp: { leaseSeconds: "500" } },
      ['dhcp.leaseSeconds "500" is a string; give a number, without quotes.'],
    ],
    [
      "one resolver instead of a list",
      { subnet, vms: {}, dhcp: { upstream: "9.9.9.9" } },
      ['dhcp.upstream "9.9.9.9" is a string; give a list, such as ["9.9.9.9"].'],
    ],
  ])("%s", (_, args, lines) => expect(refusal(VmBridge, args)).toEqual(lines));

  test.each<[string, unknown, string]>([
    [
      "subnet",
      { subnet: later, vms: {} },
      'as the addresses follow from it; instead of an output give a string, such as "10.20.0.0/24".',
    ],
    [
      "subnet",
      { subnet: Promise.resolve(subnet), vms: {} },
      'as the addresses follow from it; instead of a promise give a string, such as "10.20.0.0/24".',
    ],
    [
      "vms",
      { subnet, vms: later },
      "as what is made follows from it; instead of an output give an object by name, such as { web: {}, db: {} }.",
    ],
    [
      "vms.web",
      vm(later),
      `as what is made follows from it; instead of an output give an object with any of ${vmHas}.`,
    ],
    [
      "vms.web.address",
      vm({ address: pulumi.output("10.20.0.9") }),
      'as the addresses follow from it; instead of an output give a string, such as "10.20.0.10".',
    ],
    [
      "vms.web.macAddress",
      vm({ macAddress: pulumi.secret("52:54:00:00:00:01") }),
      'as no two VMs may have the same; instead of an output give a string, such as "52:54:00:12:34:56".',
    ],
    [
      "forwarding",
      { subnet, vms: {}, forwarding: later },
      "as what is made follows from it; instead of an output give true or false.",
    ],
    [
      "dhcp",
      { subnet, vms: {}, dhcp: later },
      "as what is made follows from it; instead of an output give true or false or an object with any of `domain`, `leaseSeconds`, `upstream`, `stateDirectory`.",
    ],
    [
      "dhcp.upstream[1]",
      { subnet, vms: {}, dhcp: { upstream: ["9.9.9.9", later] } },
      'as it is checked before the server is told; instead of an output give a string, such as "9.9.9.9".',
    ],
  ])("an output or a promise as %s", (field, args, reason) =>
    expect(refusal(VmBridge, args)).toEqual([
      `${field} must be known when the program declares it, ${reason}`,
    ]),
  );

  test.each(["bridge", "vms.web.tap", "vms.web.forwards", "vms.web.forwards[0]"])(
    "an output as %s",
    (field) => {
      const args = {
        bridge: { subnet, vms: {}, bridge: later },
        "vms.web.tap": vm({ tap: later }),
        "vms.web.forwards": { ...vm({ forwards: later }), outInterface: "eth0" },
        "vms.web.forwards[0]": { ...vm({ forwards: [later] }), outInterface: "eth0" },
      }[field];
      const [line, ...more] = refusal(VmBridge, args);
      expect(line).toContain(
        `${field} must be known when the program declares it, as it is put together with other inputs (what is in it may be an output); instead of an output give `,
      );
      expect(more).toEqual([]);
    },
  );
});

describe("Segment refuses", () => {
  const local = "192.0.2.1";
  const example = '{ one: { local: "192.0.2.1" }, two: { local: "192.0.2.2" } }';
  const hostHas = "`local`, `namespace`, `bridge`, `newBridge`, `vxlan`";
  const host = (args: unknown) => ({ vni: 42, hosts: { one: args } });
  test.each<[string, unknown, string[]]>([
    [
      "misspelt names on every level, all at once",
      { ...host({ locl: local, newBridge: { adress: "10.0.0.1/8" } }), vnii: 43, destinationport: 8472 },
      [
        "vnii is no property of Segment; did you mean `vni`?",
        "destinationport is no property of Segment; did you mean `destinationPort`?",
        "hosts.one.locl is no property of hosts.one; did you mean `hosts.one.local`?",
        "hosts.one.newBridge.adress is no property of hosts.one.newBridge; did you mean `hosts.one.newBridge.address`?",
      ],
    ],
    [
      "what it sets itself",
      host({ local, vxlan: { vni: 43 } }),
      ["hosts.one.vxlan.vni is set by Segment itself, from its other inputs; take it out."],
    ],
    ["no address", host({}), ['hosts.one.local is required; give it, such as "192.0.2.1".']],
    ["no host", host(null), [`hosts.one is null; give an object with any of ${hostHas}.`]],
    [
      "hosts as a list",
      { vni: 42, hosts: [] },
      [`hosts [] is a list; give an object by name, such as ${example}.`],
    ],
    ["no hosts", { vni: 42 }, [`hosts is required; give it, such as ${example}.`]],
    [
      "nothing",
      undefined,
      ["vni is required; give it, such as 42.", `hosts is required; give it, such as ${example}.`],
    ],
    [
      "a list as its inputs",
      ["one"],
      [
        'the second argument of Segment ["one"] is a list; give an object with any of `vni`, `hosts`, `destinationPort`, `mtu`.',
      ],
    ],
    [
      "a number as text",
      { vni: "42", hosts: {} },
      ['vni "42" is a string; give a whole number, without quotes, such as 42.'],
    ],
    [
      "an output as vni",
      { vni: later, hosts: {} },
      [
        "vni must be known when the program declares it, as the interfaces are called by it; instead of an output give a whole number, without quotes, such as 42.",
      ],
    ],
    [
      "an output as hosts",
      { vni: 42, hosts: later },
      [
        `hosts must be known when the program declares it, as what is made follows from it; instead of an output give an object by name, such as ${example}.`,
      ],
    ],
    [
      "an output as a host",
      host(later),
      [
        `hosts.one must be known when the program declares it, as what is made follows from it; instead of an output give an object with any of ${hostHas}.`,
      ],
    ],
    [
      "an output as inputs of a part",
      host({ local, vxlan: Promise.resolve({}) }),
      [
        expect.stringMatching(
          /^hosts\.one\.vxlan must be known .*; instead of a promise give an object with any of `name`/,
        ),
      ] as unknown as string[],
    ],
  ])("%s", (_, args, lines) => expect(refusal(Segment, args)).toEqual(lines));
});

/** All properties, which the compiler sees to; what may be an output is one. */
type All<Args> = Required<Args>;

const allOfBridge = {
  name: later,
  addresses: later,
  macAddress: later,
  mtu: later,
  up: later,
  stp: later,
  priority: later,
  forwardDelay: later,
  helloTime: later,
  maxAge: later,
  ageingTime: later,
  vlanFiltering: later,
  vlanDefaultPvid: later,
  multicastSnooping: later,
  multicastQuerier: later,
  groupForwardMask: later,
  adopt: later,
  onBusy: later,
};

test("VmBridge takes every property, and as an output every one that is an input", () => {
  const tap: All<NonNullable<VmArgs["tap"]>> = {
    name: later,
    mode: later,
    owner: later,
    group: later,
    address: later,
    netmask: later,
    addresses: later,
    exclusiveAddresses: later,
    peerAddress: later,
    broadcast: later,
    macAddress: later,
    mtu: later,
    txQueueLength: later,
    promiscuous: later,
    allMulticast: later,
    multicast: later,
    arp: later,
    alias: later,
    up: later,
    port: later,
    multiQueue: later,
    packetInformation: later,
    vnetHeader: later,
    persistence: later,
    consumer: later,
    queues: later,
    adopt: later,
    onBusy: later,
    busyTimeoutSeconds: later,
  };
  const forward: All<NonNullable<VmArgs["forwards"]>[number]> = {
    protocol: later,
    port: later,
    toPort: later,
  };
  const web: All<VmArgs> = {
    address: "10.20.0.9",
    macAddress: "52:54:00:00:00:01",
    owner: later,
    group: later,
    forwards: [forward],
    tap,
  };
  const dhcp: All<DhcpArgs> = {
    domain: "lab.internal",
    leaseSeconds: 500,
    upstream: ["9.9.9.9"],
    stateDirectory: "/run/lab",
  };
  const bridge: All<NonNullable<VmBridgeArgs["bridge"]>> = allOfBridge;
  const args: All<VmBridgeArgs> = {
    subnet,
    vms: { web, db: {} },
    address: "10.20.0.1",
    namespace: later,
    owner: later,
    group: later,
    mtu: later,
    isolated: later,
    outInterface: later,
    allowForwarding: later,
    forwarding: true,
    consumer: later,
    dhcp,
    onBusy: later,
    bridge,
  };
  const check = (given: unknown) => () => checkInputs("VmBridge", vmBridgeValidator, given);
  expect(check(args)).not.toThrow();
  expect(check({ ...args, dhcp: false, namespace: Promise.resolve("lab") })).not.toThrow();
  // As if they were not there; the compiler lets such spread objects pass.
  const unset = { ...tap, bridge: undefined, namespace: undefined };
  expect(check({ subnet, vms: { web: { address: undefined, tap: unset } }, owner: undefined })).not.toThrow();
});

test("Segment takes every property, and as an output every one that is an input", () => {
  const newBridge: All<NonNullable<SegmentHostArgs["newBridge"]>> = {
    ...allOfBridge,
    address: later,
    netmask: later,
  };
  const vxlan: All<NonNullable<SegmentHostArgs["vxlan"]>> = {
    name: later,
    remote: later,
    group: later,
    device: later,
    destinationPort: later,
    ttl: later,
    learning: later,
    ageingTime: later,
    address: later,
    netmask: later,
    addresses: later,
    macAddress: later,
    mtu: later,
    up: later,
    port: later,
    adopt: later,
  };
  const one: All<SegmentHostArgs> = { local: later, namespace: later, bridge: later, newBridge, vxlan };
  const args: All<SegmentArgs> = { vni: 42, hosts: { one }, destinationPort: later, mtu: later };
  expect(() => checkInputs("Segment", segmentValidator, args)).not.toThrow();
});

/** The component VmBridge, by the built command with the real engine. */

import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { Client, clientOwner } from "../harness/client";
import { lab, useLabAndWorkspace, workspace } from "../harness/setup";
import { messages } from "../harness/workspace";

useLabAndWorkspace();
// Each test is several runs of the engine, which take what they take beside others.
vi.setConfig({ testTimeout: 600_000 });

interface Settings {
  vms?: Record<string, unknown>;
  options?: string;
  more?: string;
  [input: string]: unknown;
}

/** A program with one component in the test's namespace. */
function declare({
  vms = { web: {}, db: {} },
  options = "undefined",
  more = "",
  ...args
}: Settings = {}): void {
  const inputs = { subnet: "10.20.0.0/24", namespace: lab.name, owner: clientOwner, ...args, vms };
  workspace.write(`import * as pulumi from "@pulumi/pulumi";
import * as tuntap from "pulumi-tuntap";
const lab = new tuntap.VmBridge<string>("lab", ${JSON.stringify(inputs)}, ${options});
${more}
export const vms = lab.vms;
export const parts = [lab.bridge.name, lab.forwarding?.value, ...Object.values(lab.taps).map((tap) => tap.name)];
`);
}

type Vms = Record<string, { tap: string; macAddress: string; address: string; gateway: string }>;

test("a bridge with taps: made, left alone, VMs come and go without a trace on others, and down", async () => {
  const empty = await lab.snapshot();
  declare({ forwarding: true, mtu: 1400, isolated: true });
  // The component counts as a resource too.
  const first = await workspace.succeed("up");
  expect(first.changes).toMatchObject({ create: 5 });
  expect(first.outputs.parts).toEqual(["lab", 1, "lab-web", "lab-db"]);
  const vms = first.outputs.vms as Vms;
  expect(vms.web).toMatchObject({ tap: "lab-web", gateway: "10.20.0.1", prefixLength: 24 });
  expect(await lab.addresses("lab")).toEqual(["10.20.0.1/24"]);
  expect(await lab.exec("sysctl", "-n", "net.ipv4.ip_forward")).toBe("1\n");
  for (const name of ["web", "db"]) {
    const tap = await lab.mustHave(`lab-${name}`);
    expect(tap).toMatchObject({
      master: "lab",
      mtu: 1400,
      linkinfo: { info_data: { type: "tap", user: clientOwner }, info_slave_data: { isolated: true } },
    });
    expect(vms[name]?.macAddress).not.toBe(tap.address);
  }
  await workspace.succeed("up", "--expect-no-changes");
  await workspace.succeed("refresh", "--expect-no-changes");

  const indices = async () => [(await lab.mustHave("lab")).ifindex, (await lab.mustHave("lab-db")).ifindex];
  const before = await indices();
  declare({ forwarding: true, mtu: 1400, isolated: true, vms: { cache: {}, web: {}, db: {}, mail: {} } });
  const grown = await workspace.succeed("up");
  expect(grown.changes).toMatchObject({ create: 2, update: 0, delete: 0 });
  expect(grown.outputs.vms).toMatchObject({ web: vms.web, db: vms.db });
  declare({ forwarding: true, mtu: 1400, isolated: true, vms: { db: {} } });
  const shrunk = await workspace.succeed("up");
  expect(shrunk.changes).toMatchObject({ delete: 3, update: 0 });
  expect(shrunk.outputs.vms).toEqual({ db: vms.db });
  expect(await indices()).toEqual(before);

  await workspace.succeed("down");
  expect(await lab.snapshot()).toBe(empty);
  expect(await lab.exec("sysctl", "-n", "net.ipv4.ip_forward")).toBe("0\n");
});

test("what changes is changed in place, drift is repaired, and a lost state finds everything again", async () => {
  declare();
  await workspace.succeed("up");
  const { ifindex } = await lab.mustHave("lab-web");
  declare({ isolated: true, mtu: 1300, address: "10.20.0.254", bridge: { stp: true, forwardDelay: 2 } });
  expect((await workspace.succeed("up")).changes).toMatchObject({ update: 3, create: 0, replace: 0 });
  expect(await lab.addresses("lab")).toEqual(["10.20.0.254/24"]);
  expect(await lab.bridge("lab")).toMatchObject({ stp_state: 1 });
  expect(await lab.mustHave("lab-web")).toMatchObject({ ifindex, mtu: 1300 });

  await lab.ip("link", "set", "lab-web", "nomaster");
  await lab.ip("link", "del", "lab-db");
  await workspace.succeed("up");
  for (const name of ["lab-web", "lab-db"]) {
    expect(await lab.mustHave(name)).toMatchObject({
      master: "lab",
      linkinfo: { info_slave_data: { isolated: true } },
    });
  }
  await workspace.succeed("up", "--expect-no-changes");

  // The leases say whose they are, and of which component.
  const all = await lab.snapshot();
  rmSync(join(workspace.folder, ".tuntap", "state"), { recursive: true });
  await workspace.succeed("up");
  expect(await lab.snapshot()).toBe(all);
  await workspace.succeed("down");
  expect(await lab.links()).toEqual([]);
});

test("transforms and more inputs reach every part; two components live side by side", async () => {
  declare({
    vms: {
      web: { tap: { name: "web0", txQueueLength: 77, port: { hairpin: true } } },
      db: { owner: "daemon" },
    },
    isolated: true,
    options: `{ transforms: [({ type, props, opts }) =>
      type.endsWith(":TunInterface") ? { props: { ...props, alias: "of the lab" }, opts } : undefined] }`,
    more: `new tuntap.VmBridge("other", {
      subnet: "10.21.0.0/24", namespace: ${JSON.stringify(lab.name)}, vms: { web: {} } });`,
  });
  await workspace.succeed("up");
  expect(await lab.mustHave("web0")).toMatchObject({
    ifalias: "of the lab",
    txqlen: 77,
    linkinfo: { info_data: { user: clientOwner }, info_slave_data: { hairpin: true, isolated: true } },
  });
  expect(await lab.mustHave("lab-db")).toMatchObject({
    ifalias: "of the lab",
    linkinfo: { info_data: { user: "daemon" } },
  });
  expect(await lab.mustHave("other-web")).toMatchObject({ master: "other" });
  await workspace.succeed("up", "--expect-no-changes");
  await workspace.succeed("down");
  expect(await lab.links()).toEqual([]);
});

test("transforms override what the component says, in each of its parts", async () => {
  await lab.ip("link", "add", "up0", "type", "bridge");
  await lab.ip("link", "set", "up0", "up");
  declare({
    outInterface: "up0",
    mtu: 1400,
    vms: { web: {} },
    options: `{ transforms: [({ type, props, opts }) => {
      const more = {
        Bridge: { ageingTime: 77, mtu: 1390 },
        Nat: { source: ["10.20.0.0/25"] },
        Sysctl: { name: "net.ipv4.conf.all.forwarding" },
        TunInterface: { mtu: 1380 },
      }[type.split(":").pop()];
      return more && { props: { ...props, ...more }, opts };
    }] }`,
    more: `export const table = lab.nat?.name;\nexport const setting = lab.forwarding?.name;`,
  });
  const { outputs } = await workspace.succeed("up");
  expect(outputs).toMatchObject({ table: "lab-nat", setting: "net.ipv4.conf.all.forwarding" });
  expect(await lab.mustHave("lab")).toMatchObject({ mtu: 1390 });
  expect(await lab.bridge("lab")).toMatchObject({ ageing_time: 7700 });
  expect(await lab.mustHave("lab-web")).toMatchObject({ mtu: 1380, master: "lab" });
  expect(await lab.exec("sysctl", "-n", "net.ipv4.conf.all.forwarding")).toBe("1\n");
  const table = await lab.exec("nft", "list", "table", "inet", "lab-nat");
  expect(table).toMatch(/10\.20\.0\.0\/25.*masquerade/);
  await workspace.succeed("up", "--expect-no-changes");
  await workspace.succeed("down");
});

test("what is undefined is not given, and takes nothing of what the component says away", async () => {
  const place = `namespace: ${JSON.stringify(lab.name)}`;
  workspace.write(`import * as tuntap from "pulumi-tuntap";
const none = undefined;
new tuntap.VmBridge("lab", {
  subnet: "10.20.0.0/24", ${place}, owner: "nobody", mtu: 1400, isolated: true,
  bridge: { mtu: none, onBusy: none },
  vms: { web: { tap: { owner: none, mtu: none, port: { isolated: none } } } },
});
new tuntap.Segment("segment", {
  vni: 42, mtu: 1400,
  hosts: { one: { ${place}, local: "192.0.2.1", newBridge: { mtu: none }, vxlan: { name: none, mtu: none } } },
});
`);
  await workspace.succeed("up");
  expect(await lab.mustHave("lab")).toMatchObject({ mtu: 1400 });
  expect(await lab.mustHave("lab-web")).toMatchObject({
    mtu: 1400,
    linkinfo: { info_data: { user: clientOwner }, info_slave_data: { isolated: true } },
  });
  expect(await lab.mustHave("segment-one")).toMatchObject({ mtu: 1400 });
  expect(await lab.mustHave("vxlan42")).toMatchObject({ mtu: 1400 });
  await workspace.succeed("down");
});

test("bridge and taps agree on the mtu, also where the bridge's inputs give it", async () => {
  declare({ mtu: 1400, bridge: { mtu: 1300 } });
  const { report } = await workspace.run("up");
  expect(messages(report)).not.toMatch(/mtu/);
  for (const name of ["lab", "lab-web", "lab-db"])
    expect(await lab.mustHave(name)).toMatchObject({ mtu: 1300 });
  await workspace.succeed("down");
});

test("two that forward in one namespace: refused with the way out, and one may go without the other", async () => {
  await lab.ip("link", "add", "up0", "type", "bridge");
  await lab.ip("link", "set", "up0", "up");
  const other = (more: string) => `new tuntap.VmBridge("other", {
    subnet: "10.21.0.0/24", namespace: ${JSON.stringify(lab.name)}, outInterface: "up0", owner: "nobody", vms: { web: {} }, ${more} });`;
  const forwards = () => lab.exec("sysctl", "-n", "net.ipv4.ip_forward");
  declare({ outInterface: "up0", more: other("") });
  const { code, report } = await workspace.run("up");
  expect(code).toBe(1);
  expect(messages(report)).toMatch(
    /"net\.ipv4\.ip_forward" .* is claimed by Sysctl "(lab|other)-forwarding" of this program already; declare it once; a VmBridge with `forwarding: false` leaves it to another/,
  );
  expect((await lab.links()).map(({ ifname }) => ifname)).toEqual(["up0"]);

  declare({ outInterface: "up0", more: other("forwarding: false") });
  await workspace.succeed("up");
  expect(await forwards()).toBe("1\n");
  expect((await lab.exec("nft", "list", "tables")).match(/^table /gm)).toHaveLength(2);
  await workspace.succeed("up", "--expect-no-changes");
  await workspace.succeed("down");
  expect(await forwards()).toBe("0\n");

  // Declared beside them, it stays when either goes.
  const beside = `new tuntap.Sysctl("forwarding", { name: "net.ipv4.ip_forward", value: 1, namespace: ${JSON.stringify(lab.name)} });`;
  declare({ outInterface: "up0", forwarding: false, more: `${beside}\n${other("forwarding: false")}` });
  await workspace.succeed("up");
  declare({ outInterface: "up0", forwarding: false, more: beside });
  expect((await workspace.succeed("up")).changes).toMatchObject({ delete: 4, create: 0 });
  expect(await forwards()).toBe("1\n");
  await workspace.succeed("down");
  expect(await forwards()).toBe("0\n");
});

test("a tap that a program holds stops down, before anything that its network needs is taken away", async () => {
  declare({ forwarding: true });
  await workspace.succeed("up");
  const client = Client.socat(lab, "lab-web", "tap", "OPEN:/dev/null,wronly", "-u");
  await client.attached("lab-web");
  const { code, report } = await workspace.run("down");
  expect(code).toBe(1);
  expect(messages(report)).toMatch(/lab-web.*socat.*nobody.*LINK_BUSY/s);
  expect(await lab.mustHave("lab-web")).toMatchObject({ master: "lab" });
  expect(await lab.addresses("lab")).toEqual(["10.20.0.1/24"]);
  expect(await lab.exec("sysctl", "-n", "net.ipv4.ip_forward")).toBe("1\n");

  // The component hands onBusy on to its taps.
  declare({ forwarding: true, onBusy: "force" });
  await workspace.succeed("up");
  await workspace.succeed("down");
  expect(await lab.links()).toEqual([]);
  await client.stop();
});

test("with an interface to the outside there is forwarding and one table, with the VMs' ports", async () => {
  await lab
    .ip("link", "add", "up0", "type", "dummy")
    .catch(() => lab.ip("link", "add", "up0", "type", "bridge"));
  await lab.ip("link", "set", "up0", "up");
  const empty = await lab.snapshot();
  const web = { forwards: [{ protocol: "tcp", port: 8080, toPort: 80 }] };
  declare({ outInterface: "up0", vms: { web, db: {} }, allowForwarding: true });
  const first = await workspace.succeed("up");
  expect(first.changes).toMatchObject({ create: 6 });
  const table = async () => await lab.exec("nft", "list", "table", "inet", "lab-nat");
  const { address } = (first.outputs.vms as Vms).web as Vms[string];
  expect(await table()).toMatch(/10\.20\.0\.0\/24.*masquerade/);
  expect(await table()).toMatch(new RegExp(`8080.*${address.replaceAll(".", "\\.")}.*80`));
  expect(await lab.exec("sysctl", "-n", "net.ipv4.ip_forward")).toBe("1\n");
  await workspace.succeed("up", "--expect-no-changes");

  declare({ outInterface: "up0", vms: { web: {}, db: {} }, allowForwarding: true });
  expect((await workspace.succeed("up")).changes).toMatchObject({ update: 1, create: 0, replace: 0 });
  expect(await table()).not.toContain("8080");
  declare({ outInterface: "up0", forwarding: false });
  expect((await workspace.succeed("up")).changes).toMatchObject({ delete: 1 });
  expect(await lab.exec("sysctl", "-n", "net.ipv4.ip_forward")).toBe("0\n");
  await workspace.succeed("down");
  expect(await lab.exec("nft", "list", "tables")).toBe("");
  expect(await lab.snapshot()).toBe(empty);
});

test("taps tell what a machine is started with: the tap's name and the VM's own MAC address", async () => {
  declare({
    consumer: "qemu",
    vms: { web: { macAddress: "52:54:00:00:00:07" } },
    more: `export const card = lab.taps.web?.qemuArguments;`,
  });
  const { outputs } = await workspace.succeed("up");
  expect(outputs.card).toEqual(
    expect.arrayContaining([
      expect.stringContaining("ifname=lab-web"),
      expect.stringContaining("mac=52:54:00:00:00:07"),
    ]),
  );
  await workspace.succeed("down");
});

test("what is an input may be an output or a promise, at once", async () => {
  await lab.ip("link", "add", "up0", "type", "bridge");
  await lab.ip("link", "set", "up0", "up");
  workspace.write(`import * as pulumi from "@pulumi/pulumi";
import * as tuntap from "pulumi-tuntap";
const later = <T>(value: T) => pulumi.output(Promise.resolve(value));
const lab = new tuntap.VmBridge("lab", {
  subnet: "10.20.0.0/24",
  vms: {
    web: {
      address: "10.20.0.9",
      macAddress: "52:54:00:00:00:07",
      owner: later("daemon"),
      group: later("daemon"),
      forwards: [{ protocol: later("tcp" as const), port: later(8080), toPort: Promise.resolve(80) }],
      tap: { name: later("web0"), txQueueLength: later(77), port: later({ hairpin: later(true) }) },
    },
    db: {},
  },
  address: "10.20.0.254",
  namespace: later(${JSON.stringify(lab.name)}),
  owner: later("nobody"),
  group: Promise.resolve("daemon"),
  mtu: later(1400),
  isolated: later(true),
  outInterface: later("up0"),
  allowForwarding: later(true),
  forwarding: true,
  consumer: later("qemu" as const),
  onBusy: later("fail" as const),
  bridge: { name: later("br7"), ageingTime: Promise.resolve(77) },
});
export const card = lab.taps.web.qemuArguments;
`);
  const { outputs } = await workspace.succeed("up");
  expect(outputs.card).toEqual(expect.arrayContaining([expect.stringContaining("mac=52:54:00:00:00:07")]));
  expect(await lab.addresses("br7")).toEqual(["10.20.0.254/24"]);
  expect(await lab.bridge("br7")).toMatchObject({ ageing_time: 7700 });
  expect(await lab.mustHave("web0")).toMatchObject({
    master: "br7",
    mtu: 1400,
    txqlen: 77,
    linkinfo: {
      info_data: { user: "daemon", group: "daemon" },
      info_slave_data: { hairpin: true, isolated: true },
    },
  });
  expect(await lab.mustHave("lab-db")).toMatchObject({
    linkinfo: { info_data: { user: "nobody", group: "daemon" } },
  });
  expect(await lab.exec("nft", "list", "table", "inet", "lab-nat")).toMatch(/8080.*10\.20\.0\.9.*80/);
  await workspace.succeed("up", "--expect-no-changes");
  await workspace.succeed("down");
});

test.each<[string, Settings, RegExp]>([
  ["forwards", { vms: { web: { forwards: [] } } }, /vms\.web\.forwards need an outInterface/],
  [
    "subnet",
    { subnet: "10.20.0.1/24" },
    /subnet 10\.20\.0\.1\/24 is an address in a subnet; write the subnet/,
  ],
  [
    "dhcp.leaseSeconds",
    { dhcp: { leaseSeconds: 5 } },
    /dhcp\.leaseSeconds 5 does not suit dnsmasq; give a whole/,
  ],
  [
    "dhcp.upstream",
    { dhcp: { upstream: ["1.1.1.1#99999"] } },
    /dhcp\.upstream "1\.1\.1\.1#99999" does not suit/,
  ],
  ["dhcp.domain", { dhcp: { domain: "Lab" } }, /dhcp\.domain "Lab" does not suit/],
  [
    "dhcp.stateDirectory",
    { dhcp: { stateDirectory: "state" } },
    /dhcp\.stateDirectory "state" does not suit/,
  ],
  [
    "name of an input",
    { ownr: "nobody", vms: { web: { adress: "10.20.0.9" } } },
    /ownr is no property of VmBridge; did you mean `owner`\?\n.*vms\.web\.adress .* did you mean `vms\.web\.address`\?/,
  ],
  ["VM name", { vms: { Web: {} } }, /vms has the name "Web", which is no host name; use lower-case/],
  [
    "MAC address",
    { vms: { web: { macAddress: "53:54:00:00:00:01" } } },
    /vms\.web\.macAddress .* no unicast/,
  ],
  [
    "MAC addresses",
    { vms: { a: { macAddress: "52:54:00:00:00:01" }, b: { macAddress: "52:54:00:00:00:01" } } },
    /vms\.a and vms\.b have the same MAC address/,
  ],
])(
  "a wrong %s is refused before anything is done, with the line of the program",
  async (_, settings, message) => {
    declare(settings);
    const { code, stderr, report } = await workspace.run("up");
    expect(code).toBe(1);
    expect(report.changes.create).toBe(0);
    expect(`${messages(report)}\n${stderr}`).toMatch(message);
    expect(`${messages(report)}\n${stderr}`).toMatch(/at \S+\/index\.ts:3:/);
    expect(await lab.links()).toEqual([]);
  },
);

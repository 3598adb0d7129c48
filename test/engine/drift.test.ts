import { afterAll, beforeAll, expect, test } from "vitest";
import { attached } from "../harness/attach";
import { keeperOf } from "../harness/keeper";
import { Lab } from "../harness/lab";
import { run } from "../harness/shell";
import { type Declared, messages, Workspace } from "../harness/workspace";

let lab: Lab;
let other: Lab;
let workspace: Workspace;

beforeAll(async () => {
  lab = await Lab.open(false);
  workspace = new Workspace();
  other = await Lab.open();
  workspace.declare(...program());
  await workspace.succeed("up");
  await lab.ip("link", "add", "name", "br0", "type", "bridge");
  bridged = true;
  workspace.declare(...program());
  await workspace.succeed("up");
});
afterAll(async () => {
  workspace.close();
  await lab.close();
  await other.close();
});

const inLab = { namespace: { $ref: "lab.name" } };

/** The namespace of the bridge is made by the program itself. */
let bridged = false;

function program(): Declared[] {
  return [
    { kind: "Namespace", name: "lab", args: { name: lab.name } },
    { kind: "TunInterface", name: "mtu0", args: { ...inLab, owner: 1, mtu: 1400 } },
    { kind: "TunInterface", name: "down0", args: { ...inLab, owner: 1 } },
    { kind: "TunInterface", name: "owner0", args: { ...inLab, owner: "nobody" } },
    { kind: "TunInterface", name: "group0", args: { ...inLab, owner: 1, group: "daemon" } },
    { kind: "TunInterface", name: "addr0", args: { ...inLab, owner: 1, address: "192.0.2.1", netmask: 24 } },
    {
      kind: "TunInterface",
      name: "more0",
      args: { ...inLab, owner: 1, addresses: ["2001:db8::1/64", "203.0.113.1/24"] },
    },
    { kind: "TunInterface", name: "name0", args: { ...inLab, owner: 1 } },
    { kind: "TunInterface", name: "gone0", args: { ...inLab, owner: 1, mtu: 1300 } },
    { kind: "TunInterface", name: "tunctl0", args: { ...inLab, owner: 1 } },
    { kind: "TunInterface", name: "calm0", args: { ...inLab, owner: 1 } },
    { kind: "TunInterface", name: "mac0", args: { ...inLab, owner: 1, macAddress: "52:54:00:00:00:02" } },
    {
      kind: "TunInterface",
      name: "flags0",
      args: { ...inLab, owner: 1, promiscuous: true, allMulticast: true, multicast: true, arp: true },
    },
    { kind: "TunInterface", name: "text0", args: { ...inLab, owner: 1, alias: "right", txQueueLength: 100 } },
    {
      kind: "TunInterface",
      name: "peer0",
      args: { ...inLab, mode: "tun", owner: 1, address: "192.0.2.129", peerAddress: "192.0.2.130" },
    },
    {
      kind: "TunInterface",
      name: "broad0",
      args: { ...inLab, owner: 1, address: "192.0.2.193/26", broadcast: "192.0.2.223" },
    },
    {
      kind: "TunInterface",
      name: "alone0",
      args: { ...inLab, owner: 1, addresses: ["198.51.100.1/24"], exclusiveAddresses: true },
    },
    {
      kind: "TunInterface",
      name: "kept0",
      args: { ...inLab, owner: 1, multiQueue: true, persistence: "process" },
    },
    { kind: "TunInterface", name: "queues0", args: { ...inLab, owner: 1, multiQueue: true } },
    { kind: "TunInterface", name: "move0", args: { ...inLab, owner: 1 } },
    // Beside the links that it is a port of: a bridge that nobody declares.
    { kind: "TunInterface", name: "port0", args: { ...inLab, owner: 1, ...(bridged && { bridge: "br0" }) } },
  ];
}

async function disturb(): Promise<void> {
  await lab.ip("link", "set", "mtu0", "mtu", "9000");
  await lab.ip("link", "set", "down0", "down");
  await lab.exec("tunctl", "-t", "owner0", "-u", "bin");
  await lab.exec("tunctl", "-t", "group0", "-g", "bin");
  await lab.ip("addr", "del", "192.0.2.1/24", "dev", "addr0");
  await lab.ip("addr", "del", "2001:db8::1/64", "dev", "more0");
  await lab.ip("link", "set", "name0", "name", "stray0");
  await lab.ip("link", "set", "lo", "down");
  await lab.ip("link", "del", "gone0");
  await lab.exec("tunctl", "-d", "tunctl0");
  await lab.ip("link", "set", "mac0", "address", "52:54:00:00:00:09");
  await lab.ip("link", "set", "flags0", "promisc", "off", "allmulticast", "off", "multicast", "off");
  await lab.ip("link", "set", "flags0", "arp", "off");
  await lab.ip("link", "set", "text0", "alias", "wrong", "txqueuelen", "7");
  await lab.ip("addr", "flush", "dev", "peer0", "scope", "global");
  await lab.ip("addr", "add", "192.0.2.129", "peer", "192.0.2.140", "dev", "peer0");
  await lab.ip("addr", "del", "192.0.2.193/26", "dev", "broad0");
  await lab.ip("addr", "add", "192.0.2.193/26", "brd", "192.0.2.200", "dev", "broad0");
  await lab.ip("addr", "add", "203.0.113.9/24", "dev", "alone0");
  await (await attached(lab, "kept0", { flags: ["multiQueue"], persist: true })).end();
  await lab.ip("link", "set", "move0", "netns", other.name);
  await lab.ip("link", "set", "port0", "nomaster");
  // Not declared, so not managed; or for the last attacher to choose.
  await (await attached(lab, "queues0", { flags: ["multiQueue", "vnetHeader"] })).end();
  await lab.ip("addr", "add", "198.51.100.7/24", "dev", "calm0");
  await lab.ip("link", "set", "calm0", "mtu", "1350");
}

async function repaired(): Promise<void> {
  expect((await lab.mustHave("mtu0")).mtu).toBe(1400);
  expect((await lab.mustHave("down0")).flags).toContain("UP");
  expect((await lab.mustHave("owner0")).linkinfo?.info_data?.user).toBe("nobody");
  expect((await lab.mustHave("group0")).linkinfo?.info_data?.group).toBe("daemon");
  expect(await lab.addresses("addr0")).toEqual(["192.0.2.1/24"]);
  expect(await lab.addresses("more0")).toEqual(["2001:db8::1/64", "203.0.113.1/24"]);
  expect(await lab.link("name0")).toBeDefined();
  expect(await lab.link("stray0")).toBeUndefined();
  expect(await lab.ip("link", "show", "lo")).toMatch(/[<,]UP[,>]/);
  expect((await lab.mustHave("gone0")).mtu).toBe(1300);
  expect((await lab.mustHave("tunctl0")).linkinfo?.info_data?.user).toBe("daemon");
  expect((await lab.mustHave("mac0")).address).toBe("52:54:00:00:00:02");
  const { flags } = await lab.mustHave("flags0");
  expect(flags).toEqual(expect.arrayContaining(["PROMISC", "ALLMULTI", "MULTICAST"]));
  expect(flags).not.toContain("NOARP");
  expect(await lab.mustHave("text0")).toMatchObject({ ifalias: "right", txqlen: 100 });
  expect(await lab.ip("addr", "show", "peer0")).toContain("inet 192.0.2.129 peer 192.0.2.130/32 ");
  expect(await lab.ip("addr", "show", "broad0")).toContain("inet 192.0.2.193/26 brd 192.0.2.223 ");
  expect(await lab.addresses("alone0")).toEqual(["198.51.100.1/24"]);
  expect((await lab.mustHave("kept0")).linkinfo?.info_data?.persist).toBe(false);
  expect(await keeperOf("kept0", lab)).toBeDefined();
  expect((await lab.mustHave("queues0")).linkinfo?.info_data?.vnet_hdr).toBe(true);
  expect(await lab.link("move0")).toBeDefined();
  expect((await lab.mustHave("port0")).master).toBe("br0");
  expect(await lab.addresses("calm0")).toEqual(["198.51.100.7/24"]);
  expect((await lab.mustHave("calm0")).mtu).toBe(1350);
}

const said = [
  /mtu: 9000 on the host, 1400/,
  /up: down on the host, up/,
  /owner: uid 2 on the host, nobody \(uid 65534\)/,
  /group: gid 2 on the host, daemon \(gid 1\)/,
  /addresses: no address on the host, 192.0.2.1\/24/,
  /addresses: 203.0.113.1\/24 on the host, 2001:db8::1\/64, 203.0.113.1\/24/,
  /name: stray0 on the host, name0/,
  /loopbackUp: down on the host, up/,
  /macAddress: 52:54:00:00:00:09 on the host, 52:54:00:00:00:02/,
  /promiscuous: off on the host, on/,
  /allMulticast: off on the host, on/,
  /multicast: off on the host, on/,
  /arp: off on the host, on/,
  /alias: "wrong" on the host, (right \()?"right"/,
  /txQueueLength: 7 on the host, 100/,
  /addresses: no address on the host, 192.0.2.129 peer 192.0.2.130\/32/,
  /addresses: 192.0.2.193\/26 broadcast 192.0.2.200 on the host, 192.0.2.193\/26 broadcast 192.0.2.223/,
  /addresses: 198.51.100.1\/24, 203.0.113.9\/24 on the host, 198.51.100.1\/24/,
  /persistence: runtime, and kept by a process too on the host, process/,
  /namespace: tt-\w+ on the host, tt-\w+/,
  /bridge: no bridge on the host, br0/,
  /gone0 in namespace \S+ no longer exists \(it was deleted outside this program\)/,
  /tunctl0 in namespace \S+ no longer exists/,
];

test("a preview sees the drift of every managed property, with both values, and changes nothing", async () => {
  await disturb();
  const before = await lab.snapshot();
  const { code, report } = await workspace.run("preview", "--expect-no-changes");
  expect(code).toBe(3);
  for (const pattern of said) expect(messages(report)).toMatch(pattern);
  expect(report.changes).toMatchObject({ create: 2, update: 17, delete: 0, replace: 0 });
  expect(await lab.snapshot()).toBe(before);
});

test("up repairs it, says so, and the next one has nothing to do", async () => {
  const report = await workspace.succeed("up");
  for (const pattern of said) expect(messages(report)).toMatch(pattern);
  expect(report.changes).toMatchObject({ create: 2, update: 17, delete: 0, replace: 0 });
  await repaired();
  await workspace.succeed("up", "--expect-no-changes");
});

test("tuntap refresh takes the kernel's values into the state, and up sets them back", async () => {
  await lab.ip("link", "set", "mtu0", "mtu", "9000");
  const refreshed = await workspace.succeed("refresh");
  expect(messages(refreshed)).toMatch(/mtu: 9000 on the host, 1400/);
  expect((await lab.mustHave("mtu0")).mtu).toBe(9000);
  expect((await workspace.succeed("up")).changes).toMatchObject({ update: 1 });
  expect((await lab.mustHave("mtu0")).mtu).toBe(1400);
});

test("a refresh of an untouched host reports no change", async () => {
  expect((await workspace.succeed("refresh", "--expect-no-changes")).changes).toMatchObject({
    update: 0,
    delete: 0,
  });
});

test("the whole namespace deleted, as after a restart: the next up makes all of it anew", async () => {
  await run("ip", "netns", "del", lab.name);
  bridged = false;
  workspace.declare(...program());
  const report = await workspace.succeed("up");
  expect(messages(report)).toMatch(/no longer exists/);
  expect(report.changes.create + report.changes.update).toBe(21);
  expect(await lab.links()).toHaveLength(20);
  expect(await lab.addresses("more0")).toEqual(["2001:db8::1/64", "203.0.113.1/24"]);
  await workspace.succeed("up", "--expect-no-changes");
});

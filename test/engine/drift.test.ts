import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../harness/lab";
import { run } from "../harness/shell";
import { type Declared, messages, Workspace } from "../harness/workspace";

let lab: Lab;
let workspace: Workspace;

beforeAll(async () => {
  lab = await Lab.open(false);
  workspace = new Workspace();
  workspace.declare(...program());
  await workspace.succeed("up");
});
afterAll(async () => {
  workspace.close();
  await lab.close();
});

const inLab = { namespace: { $ref: "lab.name" } };

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
  // Not declared, so not managed.
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
  /gone0 in namespace \S+ no longer exists \(it was deleted outside this program\)/,
  /tunctl0 in namespace \S+ no longer exists/,
];

test("a preview sees the drift of every managed property, with both values, and changes nothing", async () => {
  await disturb();
  const before = await lab.snapshot();
  const { code, report } = await workspace.run("preview", "--expect-no-changes");
  expect(code).toBe(3);
  for (const pattern of said) expect(messages(report)).toMatch(pattern);
  expect(report.changes).toMatchObject({ create: 2, update: 8, delete: 0, replace: 0 });
  expect(await lab.snapshot()).toBe(before);
});

test("up repairs it, says so, and the next one has nothing to do", async () => {
  const report = await workspace.succeed("up");
  for (const pattern of said) expect(messages(report)).toMatch(pattern);
  expect(report.changes).toMatchObject({ create: 2, update: 8, delete: 0, replace: 0 });
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
  const report = await workspace.succeed("up");
  expect(messages(report)).toMatch(/no longer exists/);
  expect(report.changes.create + report.changes.update).toBe(11);
  expect(await lab.links()).toHaveLength(10);
  expect(await lab.addresses("more0")).toEqual(["2001:db8::1/64", "203.0.113.1/24"]);
  await workspace.succeed("up", "--expect-no-changes");
});

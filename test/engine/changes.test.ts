import { afterAll, beforeAll, expect, test } from "vitest";
import { lives } from "../harness/crash";
import { keeperOf } from "../harness/keeper";
import { Lab } from "../harness/lab";
import { until } from "../harness/shell";
import { type Declared, Workspace } from "../harness/workspace";

/** One program taken through its life: made, unchanged, changed live, replaced, taken down. */
let lab: Lab;
let other: Lab;
let workspace: Workspace;

beforeAll(async () => {
  lab = await Lab.open(false);
  other = await Lab.open();
  workspace = new Workspace();
});
afterAll(async () => {
  workspace.close();
  await lab.close();
  await other.close();
});

const inLab = { namespace: { $ref: "lab.name" } };
const base: Record<string, Record<string, unknown>> = {
  mtu0: { owner: 1, mtu: 1400 },
  updown0: { owner: 1 },
  owner0: { owner: "nobody" },
  group0: { owner: 1, group: "daemon" },
  addr0: { mode: "tun", owner: 1, address: "192.0.2.1", netmask: "255.255.255.0" },
  mask0: { owner: 1, address: "198.51.100.1", netmask: 24 },
  more0: { owner: 1, addresses: ["2001:db8::1/64", "203.0.113.1/24"] },
  name0: { owner: 1, name: "before0" },
  mode0: { owner: 1, address: "192.0.3.65/26" },
  noowner0: { owner: 1, group: 1 },
  nogroup0: { owner: 1, group: 1 },
  move0: { owner: 1, mtu: 1300, macAddress: "52:54:00:00:00:01" },
  mac0: { owner: 1, macAddress: "52:54:00:00:00:02" },
  flags0: { owner: 1, promiscuous: true, allMulticast: true, multicast: true, arp: true },
  text0: { owner: 1, alias: "before", txQueueLength: 100 },
  peer0: { mode: "tun", owner: 1, address: "192.0.2.129", peerAddress: "192.0.2.130" },
  broad0: { owner: 1, address: "192.0.3.193/26", broadcast: "192.0.3.223" },
  queues0: { owner: 1, multiQueue: true },
  kept0: { owner: 1, multiQueue: true },
  hints0: { owner: 1 },
  port0: { owner: 1 },
  single0: { owner: 1 },
};

function program(
  changes: Record<string, Record<string, unknown>> = {},
  namespace: Record<string, unknown> = {},
): Declared[] {
  return [
    { kind: "Namespace", name: "lab", args: { name: lab.name, ...namespace } },
    ...Object.entries(base).map(
      ([name, args]): Declared => ({
        kind: "TunInterface",
        name,
        args: { ...inLab, ...args, ...place(changes[name]) },
      }),
    ),
  ];
}

/** The second lab has its name only when the tests run. */
function place(change: Record<string, unknown> = {}): Record<string, unknown> {
  return change.namespace === "OTHER" ? { ...change, namespace: other.name } : change;
}

const live = {
  mtu0: { mtu: 9000 },
  updown0: { up: false },
  owner0: { owner: "daemon" },
  group0: { group: 12 },
  addr0: { address: "192.0.2.2" },
  mask0: { netmask: "255.255.255.128" },
  more0: { addresses: ["2001:db8::2/64"] },
  name0: { name: "after0" },
  mac0: { macAddress: "52:54:00:00:00:09" },
  flags0: { promiscuous: false, allMulticast: false, multicast: false, arp: false },
  text0: { alias: "after", txQueueLength: 0 },
  peer0: { peerAddress: "192.0.2.131" },
  broad0: { broadcast: "192.0.3.255" },
  kept0: { persistence: "process" },
  hints0: { vnetHeader: true, packetInformation: true },
  port0: { bridge: "br0" },
  move0: { namespace: "OTHER" },
};

test("create: everything is there, as ip sees it", async () => {
  workspace.declare(...program());
  const report = await workspace.succeed("up");
  expect(report.changes).toEqual({ create: 23, update: 0, delete: 0, replace: 0, same: 0 });
  const links = await lab.links();
  expect(links.map((link) => link.ifname).sort()).toEqual(
    [...Object.keys(base).filter((name) => name !== "name0"), "before0"].sort(),
  );
  expect(
    links.every((link) => link.linkinfo?.info_data?.persist && link.altnames?.[0]?.startsWith("tuntap-0-")),
  ).toBe(true);
  expect((await lab.mustHave("addr0")).linkinfo?.info_data?.type).toBe("tun");
  expect(await lab.addresses("more0")).toEqual(["2001:db8::1/64", "203.0.113.1/24"]);
});

test("no-op: a second up and a preview find nothing to do", async () => {
  const report = await workspace.succeed("up", "--expect-no-changes");
  expect(report.changes).toEqual({ create: 0, update: 0, delete: 0, replace: 0, same: 23 });
  // Only what is always said of an owner together with a group.
  expect(report.diagnostics.map(({ urn }) => urn?.split("::").pop()).sort()).toEqual([
    "group0",
    "nogroup0",
    "noowner0",
  ]);
  for (const { message } of report.diagnostics) expect(message).toMatch(/^both `owner` and `group` are set/);
});

test("live changes: every one an update, on the same devices", async () => {
  await lab.ip("link", "add", "name", "br0", "type", "bridge");
  const before = new Map((await lab.links()).map((link) => [link.altnames?.[0], link.ifindex]));
  workspace.declare(...program(live, { loopbackUp: false }));
  const report = await workspace.succeed("up");
  expect(report.changes).toMatchObject({ create: 0, update: 18, delete: 0, replace: 0 });
  // One moved, and may have another index there; its MAC address tells below that it is the same.
  for (const { altnames, ifindex, ifname } of await lab.links())
    expect(before.get(altnames?.[0]), ifname).toBe(ifindex);
  expect((await lab.mustHave("mtu0")).mtu).toBe(9000);
  expect((await lab.mustHave("updown0")).flags).not.toContain("UP");
  expect((await lab.mustHave("owner0")).linkinfo?.info_data?.user).toBe("daemon");
  expect((await lab.mustHave("group0")).linkinfo?.info_data?.group).toBe("man");
  expect(await lab.addresses("addr0")).toEqual(["192.0.2.2/24"]);
  expect(await lab.addresses("mask0")).toEqual(["198.51.100.1/25"]);
  expect(await lab.addresses("more0")).toEqual(["2001:db8::2/64"]);
  expect(await lab.link("after0")).toBeDefined();
  expect(await lab.link("before0")).toBeUndefined();
  expect((await lab.mustHave("mac0")).address).toBe("52:54:00:00:00:09");
  const { flags } = await lab.mustHave("flags0");
  expect(flags).toContain("NOARP");
  for (const gone of ["PROMISC", "ALLMULTI", "MULTICAST"]) expect(flags).not.toContain(gone);
  expect(await lab.mustHave("text0")).toMatchObject({ ifalias: "after" });
  expect((await lab.mustHave("text0")).txqlen ?? 0).toBe(0);
  expect(await lab.ip("addr", "show", "peer0")).toContain("inet 192.0.2.129 peer 192.0.2.131/32 ");
  expect(await lab.ip("addr", "show", "broad0")).toContain("inet 192.0.3.193/26 brd 192.0.3.255 ");
  expect((await lab.mustHave("kept0")).linkinfo?.info_data?.persist).toBe(false);
  expect(await keeperOf("kept0", lab)).toBeDefined();
  expect((await lab.mustHave("hints0")).linkinfo?.info_data).toMatchObject({ pi: true, vnet_hdr: true });
  expect((await lab.mustHave("port0")).master).toBe("br0");
  expect(await lab.link("move0")).toBeUndefined();
  expect(await other.mustHave("move0")).toMatchObject({ mtu: 1300, address: "52:54:00:00:00:01" });
  expect(await lab.ip("link", "show", "lo")).not.toMatch(/[<,]UP[,>]/);
});

test("replaces: what only a new device can have", async () => {
  workspace.declare(
    ...program(
      {
        ...live,
        mode0: { mode: "tun" },
        noowner0: { owner: -1 },
        nogroup0: { group: -1 },
        queues0: { multiQueue: false },
        single0: { multiQueue: true },
      },
      { loopbackUp: false },
    ),
  );
  const report = await workspace.succeed("up");
  expect(report.changes).toMatchObject({ create: 0, update: 0, delete: 0, replace: 5 });
  expect((await lab.mustHave("mode0")).linkinfo?.info_data?.type).toBe("tun");
  expect(await lab.addresses("mode0")).toEqual(["192.0.3.65/26"]);
  expect((await lab.mustHave("noowner0")).linkinfo?.info_data?.user).toBeUndefined();
  expect((await lab.mustHave("nogroup0")).linkinfo?.info_data?.group).toBeUndefined();
  expect((await lab.mustHave("queues0")).linkinfo?.info_data?.multi_queue).toBe(false);
  expect((await lab.mustHave("single0")).linkinfo?.info_data?.multi_queue).toBe(true);
});

test("removing a resource from the program removes its device, and no other", async () => {
  workspace.declare(...program().filter(({ name }) => name === "lab" || name === "mtu0"));
  const keeper = (await keeperOf("kept0", lab)) as number;
  const report = await workspace.succeed("up");
  expect(report.changes).toMatchObject({ delete: 21 });
  await until("the process that kept one has ended", () => !lives(keeper));
  expect((await lab.links()).map((link) => link.ifname).sort()).toEqual(["br0", "mtu0"]);
  expect(await other.links()).toEqual([]);
  await lab.ip("link", "del", "br0");
});

test("down leaves nothing", async () => {
  const report = await workspace.succeed("down");
  expect(report.changes).toMatchObject({ delete: 2 });
  await expect(lab.ip("link", "show")).rejects.toThrow(/No such file|Cannot open network namespace/);
});

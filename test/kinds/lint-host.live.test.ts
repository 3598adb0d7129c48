/** What a program makes together with links that others have on the host: told where it should be, and of nothing else. */

import { describe, expect, test } from "vitest";
import { Program } from "../harness/program";
import { lab, program, said, useTunLab } from "./tun-lab";

useTunLab();

const warnings = async (kind: string, name: string, inputs: Record<string, unknown>, of = program) =>
  said(await of.check(kind, name, { namespace: lab.name, ...inputs }));

/** As people do it, and other programs. */
async function foreign(name: string, ...addresses: string[]): Promise<void> {
  await lab.ip("tuntap", "add", name, "mode", "tap");
  for (const address of addresses) await lab.ip("addr", "add", address, "dev", name);
  await lab.ip("link", "set", name, "up");
}

describe("a subnet that overlaps one of a link of others", () => {
  const inputs = { owner: "nobody", address: "192.168.1.254/24", addresses: ["2001:db8::1/64"] };

  test.each([
    ["192.168.1.5/24", "192.168.1.0/24", "192.168.1.0/24"],
    ["192.168.0.5/16", "192.168.1.0/24", "192.168.0.0/16"],
    ["192.168.1.130/26", "192.168.1.0/24", "192.168.1.128/26"],
    ["2001:db8::5/64", "2001:db8::/64", "2001:db8::/64"],
  ])("%s", async (address, own, other) => {
    await foreign("eth9", address);
    const text = `its subnet ${own} overlaps that of eth9 (${other}), which this program did not make in namespace ${lab.name}: `;
    expect(await warnings("TunInterface", "tap0", inputs)).toContain(text);
    // Once in a run, and again in the next, also when it is made.
    expect(await warnings("TunInterface", "tap0", inputs)).toBe("");
    const { notices } = await program.newRun().declare("TunInterface", "tap0", {
      ...inputs,
      namespace: lab.name,
    });
    expect(notices).toEqual([expect.stringContaining(text)]);
    expect(await warnings("TunInterface", "tap0", inputs, program.newRun())).toBe(notices[0]);
    const isolated = { ...inputs, up: false };
    expect(await warnings("TunInterface", "tap0", isolated, program.newRun())).toBe("");
  });

  test("is told of a pool and of the end of a pair, once each", async () => {
    await foreign("eth9", "192.168.1.5/24");
    const plan = { owner: "nobody", count: 9, addressPlan: { subnet: "192.168.0.0/22", each: "/30" } };
    expect(await warnings("TunPool", "pool", plan)).toBe("");
    const overlapping = { ...plan, addressPlan: { subnet: "192.168.1.0/24", each: "/30" } };
    expect((await warnings("TunPool", "pool", overlapping)).split("\n")).toEqual([
      expect.stringMatching(/^its subnet 192\.168\.1\.0\/30 overlaps that of eth9 /),
    ]);
    const ends = [{ namespace: lab.name, address: "192.168.1.1/28" }, { namespace: lab.name }];
    expect(said(await program.newRun().check("VethPair", "pair", { ends }))).toMatch(/^its subnet .* eth9 /);
  });

  test("is not one of a link that is down, of a single address, of a port, or elsewhere", async () => {
    await foreign("eth7", "192.168.1.7/24");
    await lab.ip("link", "set", "eth7", "down");
    await foreign("eth8", "192.168.1.8/32", "192.168.2.8/24");
    await foreign("eth9", "192.168.1.9/24");
    await lab.ip("link", "add", "other0", "type", "bridge");
    await lab.ip("link", "set", "eth9", "master", "other0");
    expect(await warnings("TunInterface", "tap0", inputs)).toBe("");
  });

  test("is none of its own, however it came by it, nor of another resource of the program", async () => {
    const there = { ...inputs, namespace: lab.name };
    await program.declare("TunInterface", "tap0", there);
    await lab.ip("addr", "add", "192.168.1.77/24", "dev", "tap0");
    expect(await warnings("TunInterface", "tap0", there, program.newRun())).toBe("");
    // Renamed, and without its lease.
    const renamed = { ...there, name: "tap1" };
    expect(await warnings("TunInterface", "tap0", renamed, program.newRun())).not.toMatch(/overlaps/);
    const [lease] = (await lab.mustHave("tap0")).altnames ?? [];
    await lab.ip("link", "property", "del", "dev", "tap0", "altname", String(lease));
    expect(await warnings("TunInterface", "tap0", there, program.newRun())).not.toMatch(/overlaps/);
    // Taken over.
    await foreign("eth9", "192.168.2.5/24");
    const own = { owner: "nobody", address: "192.168.2.5/24", adopt: true, namespace: lab.name };
    const { notices } = await program.declare("TunInterface", "eth9", own);
    expect(notices.join()).not.toMatch(/overlaps/);
    expect(await warnings("TunInterface", "eth9", own, program.newRun())).toBe("");
    // Beside one another they are told of as declared ones, and what the program no longer declares is about to go.
    const wide = { address: "192.168.2.1/23" };
    expect(await warnings("Bridge", "br0", wide, program.newRun())).toBe("");
  });

  test("is one of another stack", async () => {
    const other = new Program("other");
    await other.declare("TunInterface", "eth9", {
      owner: "nobody",
      address: "192.168.1.5/24",
      namespace: lab.name,
    });
    expect(await warnings("TunInterface", "tap0", inputs)).toMatch(/overlaps that of eth9 /);
    await other.removeAll();
  });

  test("secrets are not compared", async () => {
    await foreign("eth9", "192.168.1.5/24");
    const secret = new Program(undefined, "dev", "test", ["address"]);
    expect(await warnings("Bridge", "br0", { address: "192.168.1.254/24" }, secret)).toBe("");
  });
});

describe("STP on a bridge that others made", () => {
  const text =
    /^bridge other0, which this program did not make, runs STP: a port forwards nothing for its first 30 seconds/;
  const stp = async (on: number, delay: number) => {
    await lab.ip("link", "add", "other0", "up", "type", "bridge", "stp_state", String(on));
    await lab.ip("link", "set", "other0", "type", "bridge", "forward_delay", String(delay));
  };
  const port = { owner: "nobody", bridge: "other0" };

  test("is told on each resource that joins it", async () => {
    await stp(1, 1500);
    expect(await warnings("TunInterface", "vm0", port)).toMatch(text);
    expect(await warnings("TunPool", "pool", { ...port, count: 5 })).toMatch(text);
    expect(await warnings("TunInterface", "vm0", port)).toBe("");
    // It is so: the port listens.
    await program.newRun().declare("TunInterface", "vm0", { ...port, namespace: lab.name });
    const child = await lab.hold("vm0");
    expect((await lab.mustHave("vm0")).linkinfo?.info_slave_data?.state).toMatch(/listening|learning/);
    await lab.release(child);
    expect(await warnings("TunInterface", "vm0", port, program.newRun())).toMatch(text);
  });

  test.each([
    [0, 1500],
    [1, 200],
  ])("is not, with stp_state %i and forward_delay %i", async (on, delay) => {
    await stp(on, delay);
    expect(await warnings("TunInterface", "vm0", port)).toBe("");
  });

  test("what is not declared of a bridge is as it is on the host", async () => {
    const elsewhere: string[] = [];
    const tell = (_: string, notices: readonly { message: string }[]) =>
      void elsewhere.push(...notices.map(({ message }) => message));
    const told = new Program("instance", "dev", "test", [], {}, { tell });
    const both = async (inputs: Record<string, unknown>) => {
      elsewhere.length = 0;
      told.newRun();
      await told.declare("Bridge", "br0", { namespace: lab.name, ...inputs });
      await told.declare("TunInterface", "vm0", { owner: "nobody", bridge: "br0", namespace: lab.name });
      return elsewhere.join("\n");
    };
    expect(await both({})).toBe("");
    await lab.ip("link", "set", "br0", "type", "bridge", "stp_state", "1");
    expect(await both({})).toMatch(/^it runs STP, .* first 30 seconds .* set `stp` to false/);
    expect(await both({ stp: true })).toMatch(/^it runs STP, .* first 30 seconds .* leave `stp` off/);
    await lab.ip("link", "set", "br0", "type", "bridge", "forward_delay", "200");
    expect(await both({ stp: true })).toBe("");
    await told.removeAll();
  });
});

describe("a tunnel over a link of others", () => {
  const tunnel = (inputs: Record<string, unknown> = {}) => ({ vni: 42, local: "192.0.2.1", ...inputs });

  test.each<[string, Record<string, unknown>, RegExp]>([
    [
      "by its address, with the kernel's mtu",
      {},
      /^its mtu, which is not declared and so 1500, and 50 bytes of headers are above the 1500 of under0, which has its `local` address: .*; declare the mtu 1450/,
    ],
    ["by its address", { mtu: 1451 }, /^mtu 1451 and 50 bytes .* above the 1500 of under0, which has/],
    ["as its device", { mtu: 1451, device: "under0" }, /^mtu 1451 .* above the 1500 of its device, under0: /],
  ])("that is too narrow: %s", async (_, inputs, text) => {
    await foreign("under0", "192.0.2.1/24");
    expect(await warnings("Vxlan", "vx0", tunnel(inputs))).toMatch(text);
  });

  test("whose mtu is not declared is as it is, once it is there", async () => {
    await foreign("under0", "192.0.2.1/24");
    const { notices } = await program.declare("Vxlan", "vx0", { ...tunnel(), namespace: lab.name });
    expect(notices).toHaveLength(1);
    expect((await lab.mustHave("vx0")).mtu).toBe(1500);
    await lab.ip("link", "set", "vx0", "mtu", "1450");
    expect(await warnings("Vxlan", "vx0", tunnel(), program.newRun())).toBe("");
  });

  test("that carries it is not told of", async () => {
    await foreign("under0", "192.0.2.1/24");
    expect(await warnings("Vxlan", "vx0", tunnel({ mtu: 1450 }))).toBe("");
    expect(await warnings("Vxlan", "vx0", tunnel({ device: "under0" }))).toBe("");
    await lab.ip("link", "set", "under0", "mtu", "1550");
    expect(await warnings("Vxlan", "vx0", tunnel(), program.newRun())).toBe("");
    expect(await warnings("Vxlan", "vx0", tunnel({ local: "192.0.2.9" }), program.newRun())).toBe("");
  });

  test("of the program, whose mtu is not declared, is as it is on the host", async () => {
    const under = { owner: "nobody", address: "192.0.2.1/24" };
    expect(await warnings("TunInterface", "under0", under)).toBe("");
    // Nobody knows yet.
    expect(await warnings("Vxlan", "vx0", tunnel())).toBe("");
    await program.declare("TunInterface", "under0", { ...under, namespace: lab.name });
    expect(await warnings("Vxlan", "vx0", tunnel())).toMatch(/1500 of TunInterface "under0", which has its/);
  });

  test("on a bridge whose ports carry more", async () => {
    await lab.ip("link", "add", "br0", "type", "bridge");
    await foreign("eth9");
    const port = tunnel({ bridge: "br0", mtu: 1450 });
    expect(await warnings("Vxlan", "vx0", port)).toBe("");
    expect(await warnings("BridgePort", "uplink", { interface: "eth9", bridge: "br0" })).toBe("");
    await lab.ip("link", "set", "eth9", "master", "br0");
    expect(await warnings("Vxlan", "vx0", port, program.newRun())).toMatch(
      /^its mtu is 1450, and that of eth9, a port of the same bridge \(br0\), is 1500: /,
    );
    await lab.ip("link", "set", "eth9", "mtu", "1450");
    expect(await warnings("Vxlan", "vx0", port, program.newRun())).toBe("");
  });

  test("on a bridge with a port of the program that has another mtu than declared nowhere", async () => {
    await lab.ip("link", "add", "br0", "type", "bridge");
    const vm = { owner: "nobody", bridge: "br0", namespace: lab.name };
    await program.declare("TunInterface", "vm0", vm);
    const port = tunnel({ bridge: "br0", mtu: 1450 });
    const seen = async () => {
      const run = program.newRun();
      await warnings("TunInterface", "vm0", vm, run);
      return warnings("Vxlan", "vx0", port, run);
    };
    expect(await seen()).toMatch(/that of TunInterface "vm0", a port of the same bridge \(br0\), is 1500: /);
    await lab.ip("link", "set", "vm0", "mtu", "1450");
    expect(await seen()).toBe("");
  });
});

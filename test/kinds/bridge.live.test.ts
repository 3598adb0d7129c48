/** Bridges: each setting by the program and by hand. */

import { describe, expect, test } from "vitest";
import { Program } from "../harness/program";
import { attempt, until } from "../harness/shell";
import { describeRows } from "./rows";
import { lab, program, useTunLab } from "./tun-lab";

useTunLab();

const kind = "Bridge";
const place = () => ({ namespace: lab.name });

const settings = () => ({
  ...place(),
  address: "192.0.2.1",
  netmask: "255.255.255.0",
  addresses: ["2001:db8::1/64"],
  macAddress: "52:54:00:12:34:56",
  mtu: 1400,
  stp: true,
  priority: 4096,
  forwardDelay: 4,
  helloTime: 1.5,
  maxAge: 10,
  ageingTime: 60,
  multicastSnooping: false,
  multicastQuerier: true,
  groupForwardMask: 16384,
});

/** A TAP that nobody's program made. */
async function strange(name: string, ...facts: string[]): Promise<void> {
  await lab.ip("tuntap", "add", name, "mode", "tap");
  await lab.ip("link", "set", name, ...facts);
}

const shown = (name: string) => async () => (await lab.bridge("dev0"))[name];
const byHand =
  (...settings: string[]) =>
  () =>
    lab.ip("link", "set", "dev0", "type", "bridge", ...settings);

describe("a bridge with every setting", () => {
  test("as ip sees it", async () => {
    const { outputs, notices } = await program.declare(kind, "dev0", settings());
    const link = await lab.mustHave("dev0");
    expect(link).toMatchObject({ address: "52:54:00:12:34:56", mtu: 1400, altnames: [outputs.__lease] });
    expect(link.flags).toContain("UP");
    expect(await lab.bridge("dev0")).toMatchObject({
      stp_state: 1,
      priority: 4096,
      forward_delay: 400,
      hello_time: 150,
      max_age: 1000,
      ageing_time: 6000,
      mcast_snooping: 0,
      mcast_querier: 1,
      group_fwd_mask: "0x4000",
    });
    expect(await lab.addresses("dev0")).toEqual(["192.0.2.1/24", "2001:db8::1/64"]);
    expect(outputs).toMatchObject({ ...settings(), name: "dev0", up: true, ifindex: link.ifindex });
    expect(notices).toEqual([]);
  });

  test("the same program again changes nothing", async () => {
    await program.declare(kind, "dev0", settings());
    const before = await lab.snapshot();
    expect((await program.newRun().declare(kind, "dev0", settings())).operation).toBe("same");
    const refreshed = await program.newRun().refresh("dev0");
    expect(refreshed?.notices).toEqual([]);
    expect(await lab.snapshot()).toBe(before);
  });

  test("none is managed where it is not declared", async () => {
    await program.declare(kind, "dev0", place());
    await byHand("stp_state", "1", "ageing_time", "100", "mcast_snooping", "0", "group_fwd_mask", "8")();
    await lab.ip("link", "set", "dev0", "mtu", "1300");
    await lab.ip("addr", "add", "198.51.100.9/24", "dev", "dev0");
    const before = await lab.snapshot();
    expect((await program.newRun().declare(kind, "dev0", place())).operation).toBe("same");
    expect(await lab.snapshot()).toBe(before);
  });

  test("and stays as it is when it is no longer declared, which is said", async () => {
    await program.declare(kind, "dev0", settings());
    const { notices } = await program.declare(kind, "dev0", place());
    for (const name of ["macAddress", "mtu", "stp", "forwardDelay", "ageingTime", "groupForwardMask"])
      expect(notices.join()).toContain(`${name} is no longer declared; it stays as it is`);
    expect(await lab.bridge("dev0")).toMatchObject({ stp_state: 1, ageing_time: 6000 });
    expect((await lab.mustHave("dev0")).address).toBe("52:54:00:12:34:56");
    // The addresses were ours.
    expect(await lab.addresses("dev0")).toEqual([]);
  });

  test("STP and a delay that it does not allow go together, in both directions", async () => {
    const fast = { ...place(), stp: false, forwardDelay: 0 };
    await program.declare(kind, "dev0", settings());
    expect((await program.declare(kind, "dev0", fast)).operation).toBe("update");
    expect(await lab.bridge("dev0")).toMatchObject({ stp_state: 0, forward_delay: 0 });
    expect((await program.declare(kind, "dev0", settings())).operation).toBe("update");
    expect(await lab.bridge("dev0")).toMatchObject({ stp_state: 1, forward_delay: 400 });
  });

  test("a delay that STP, which others switched on, does not allow is refused with what to do", async () => {
    await program.declare(kind, "dev0", place());
    await byHand("stp_state", "1")();
    await expect(program.declare(kind, "dev0", { ...place(), forwardDelay: 1 })).rejects.toMatchObject({
      property: "forwardDelay",
      message: expect.stringMatching(
        /forwardDelay 1 s .*ERANGE.*2 to 30 seconds: raise it, or declare `stp`/,
      ),
    });
  });
});

describeRows(
  settings,
  [
    {
      name: "macAddress",
      change: { macAddress: "52:54:00:00:00:09" },
      byHand: () => lab.ip("link", "set", "dev0", "address", "52:54:00:00:00:01"),
      drift: /macAddress: 52:54:00:00:00:01 on the host, 52:54:00:12:34:56/,
      read: async () => (await lab.mustHave("dev0")).address,
      original: "52:54:00:12:34:56",
      changed: "52:54:00:00:00:09",
    },
    {
      name: "mtu",
      change: { mtu: 1300 },
      byHand: () => lab.ip("link", "set", "dev0", "mtu", "9000"),
      drift: /mtu: 9000 on the host, 1400/,
      read: async () => (await lab.mustHave("dev0")).mtu,
      original: 1400,
      changed: 1300,
    },
    {
      name: "up",
      change: { up: false },
      byHand: () => lab.ip("link", "set", "dev0", "down"),
      drift: /up: down on the host, up/,
      read: async () => (await lab.mustHave("dev0")).flags.includes("UP"),
      original: true,
      changed: false,
    },
    {
      name: "address",
      change: { address: "192.0.2.9" },
      byHand: () => lab.ip("addr", "del", "192.0.2.1/24", "dev", "dev0"),
      drift: /addresses: 2001:db8::1\/64 on the host, 192.0.2.1\/24, 2001:db8::1\/64/,
      read: () => lab.addresses("dev0"),
      original: ["192.0.2.1/24", "2001:db8::1/64"],
      changed: ["192.0.2.9/24", "2001:db8::1/64"],
    },
    {
      name: "name",
      change: { name: "other0" },
      byHand: () => lab.ip("link", "set", "dev0", "name", "stray0"),
      drift: /name: stray0 on the host, dev0/,
      read: async () => (await lab.links()).map(({ ifname }) => ifname),
      original: ["dev0"],
      changed: ["other0"],
    },
    {
      name: "stp",
      change: { stp: false },
      byHand: byHand("stp_state", "0"),
      drift: /stp: off on the host, on/,
      read: shown("stp_state"),
      original: 1,
      changed: 0,
    },
    {
      name: "priority",
      change: { priority: 0 },
      byHand: byHand("priority", "8192"),
      drift: /priority: 8192 on the host, 4096/,
      read: shown("priority"),
      original: 4096,
      changed: 0,
    },
    {
      name: "forwardDelay",
      change: { forwardDelay: 2 },
      byHand: byHand("forward_delay", "2950"),
      drift: /forwardDelay: 29.5 s on the host, 4 s/,
      read: shown("forward_delay"),
      original: 400,
      changed: 200,
    },
    {
      name: "helloTime",
      change: { helloTime: 10 },
      byHand: byHand("hello_time", "300"),
      drift: /helloTime: 3 s on the host, 1.5 s/,
      read: shown("hello_time"),
      original: 150,
      changed: 1000,
    },
    {
      name: "maxAge",
      change: { maxAge: 40 },
      byHand: byHand("max_age", "600"),
      drift: /maxAge: 6 s on the host, 10 s/,
      read: shown("max_age"),
      original: 1000,
      changed: 4000,
    },
    {
      name: "ageingTime",
      change: { ageingTime: 0 },
      byHand: byHand("ageing_time", "30000"),
      drift: /ageingTime: 300 s on the host, 60 s/,
      read: shown("ageing_time"),
      original: 6000,
      changed: 0,
    },
    {
      name: "multicastSnooping",
      change: { multicastSnooping: true },
      byHand: byHand("mcast_snooping", "1"),
      drift: /multicastSnooping: on on the host, off/,
      read: shown("mcast_snooping"),
      original: 0,
      changed: 1,
    },
    {
      name: "multicastQuerier",
      change: { multicastQuerier: false },
      byHand: byHand("mcast_querier", "0"),
      drift: /multicastQuerier: off on the host, on/,
      read: shown("mcast_querier"),
      original: 1,
      changed: 0,
    },
    {
      name: "groupForwardMask",
      change: { groupForwardMask: 65528 },
      byHand: byHand("group_fwd_mask", "8"),
      drift: /groupForwardMask: 8 on the host, 16384/,
      read: shown("group_fwd_mask"),
      original: "0x4000",
      changed: "0xfff8",
    },
  ],
  kind,
  "bridge",
);

describe("the ends of the kernel's ranges", () => {
  test.each([
    { forwardDelay: 30, helloTime: 1, maxAge: 6, ageingTime: 42_949_672, priority: 65535, stp: false },
    { forwardDelay: 0, helloTime: 10, maxAge: 40, ageingTime: 0.1, priority: 0, stp: false },
    { forwardDelay: 2, stp: true, mtu: 68 },
    { forwardDelay: 30, stp: true, mtu: 65535, groupForwardMask: 0 },
  ])("%o", async (limits) => {
    const { outputs } = await program.declare(kind, "dev0", { ...place(), ...limits });
    expect(outputs).toMatchObject(limits);
    expect((await program.declare(kind, "dev0", { ...place(), ...limits })).operation).toBe("same");
  });
});

test("the ageing time that STP shows for a while, after a port went up, is no drift", async () => {
  const inputs = { namespace: lab.name, stp: true, forwardDelay: 2, ageingTime: 300 };
  await program.declare(kind, "dev0", inputs);
  await lab.ip("link", "add", "port0", "type", "veth", "peer", "name", "port1");
  for (const name of ["port0", "port1"]) await lab.ip("link", "set", name, "up");
  await lab.ip("link", "set", "port0", "master", "dev0");
  await until("a topology change", async () => (await lab.bridge("dev0")).topology_change === 1);
  expect(await lab.bridge("dev0")).toMatchObject({ ageing_time: 400 });
  expect((await program.newRun().declare(kind, "dev0", inputs)).operation).toBe("same");
  expect((await program.refresh("dev0"))?.outputs).toMatchObject({ ageingTime: 300 });
  // Another one is written all the same.
  expect((await program.declare(kind, "dev0", { ...inputs, ageingTime: 60 })).operation).toBe("update");
  expect(await lab.bridge("dev0")).toMatchObject({ ageing_time: 6000 });
});

describe("the MAC address", () => {
  test("of nothing declared is unicast, local, always the same, and stays whatever ports come and go", async () => {
    const { outputs } = await program.declare(kind, "dev0", place());
    const mac = outputs.macAddress as string;
    expect(mac).toMatch(/^.[26ae]:/);
    await strange("low0", "address", "02:00:00:00:00:01", "master", "dev0");
    expect((await lab.mustHave("dev0")).address).toBe(mac);
    await lab.ip("link", "del", "low0");
    expect((await lab.mustHave("dev0")).address).toBe(mac);
    await lab.ip("link", "del", "dev0");
    await program.declare(kind, "dev0", place());
    expect((await lab.mustHave("dev0")).address).toBe(mac);
    const again = new Program(program.instance);
    await lab.ip("link", "del", "dev0");
    await again.declare(kind, "dev0", place());
    expect((await lab.mustHave("dev0")).address).toBe(mac);
  });

  test("differs between resources", async () => {
    const one = await program.declare(kind, "dev0", place());
    const two = await program.declare(kind, "dev1", place());
    expect(one.outputs.macAddress).not.toBe(two.outputs.macAddress);
  });

  test("changed by hand is drift, also after a refresh", async () => {
    const { outputs } = await program.declare(kind, "dev0", place());
    await lab.ip("link", "set", "dev0", "address", "52:54:00:00:00:01");
    await program.refresh("dev0");
    const { notices, operation } = await program.declare(kind, "dev0", place());
    expect(operation).toBe("update");
    expect(notices.join()).toMatch(/macAddress: 52:54:00:00:00:01 on the host/);
    expect((await lab.mustHave("dev0")).address).toBe(outputs.macAddress);
  });

  test("of a bridge that is taken over is its own, and stays from then on", async () => {
    await lab.ip("link", "add", "dev0", "type", "bridge");
    const { address } = await lab.mustHave("dev0");
    await program.declare(kind, "dev0", { ...place(), adopt: true });
    await strange("low0", "address", "02:00:00:00:00:01", "master", "dev0");
    expect((await lab.mustHave("dev0")).address).toBe(address);
    expect((await program.declare(kind, "dev0", { ...place(), adopt: true })).operation).toBe("same");
  });
});

describe("the mtu", () => {
  test("that is declared stays when a smaller port joins, also the kernel's own 1500", async () => {
    await program.declare(kind, "dev0", { ...place(), mtu: 1500 });
    await strange("small0", "mtu", "1280", "master", "dev0");
    expect((await lab.mustHave("dev0")).mtu).toBe(1500);
    expect((await program.declare(kind, "dev0", { ...place(), mtu: 1500 })).operation).toBe("same");
  });

  test.each([
    ["later", () => program.declare(kind, "dev0", place())],
    ["of a bridge that is taken over", () => lab.ip("link", "add", "dev0", "type", "bridge")],
  ])("that is declared %s stays too, although the bridge had it already", async (_, prepare) => {
    const declared = { ...place(), mtu: 1500, adopt: true };
    await prepare();
    await program.declare(kind, "dev0", declared);
    await strange("small0", "mtu", "1280", "master", "dev0");
    expect((await lab.mustHave("dev0")).mtu).toBe(1500);
    expect((await program.newRun().declare(kind, "dev0", declared)).operation).toBe("same");
  });

  test("of 1280, the least for IPv6, takes no IPv6 away when it is declared later", async () => {
    await program.declare(kind, "dev0", place());
    await lab.ip("link", "set", "dev0", "mtu", "1280");
    await lab.ip("addr", "add", "2001:db8::9/64", "dev", "dev0", "nodad");
    await lab.ip("-6", "route", "add", "2001:db8:9::/64", "via", "2001:db8::1", "dev", "dev0");
    const routes = await lab.ip("-6", "route");
    await program.declare(kind, "dev0", { ...place(), mtu: 1280 });
    expect(await lab.addresses("dev0")).toEqual(["2001:db8::9/64"]);
    expect(await lab.ip("-6", "route")).toBe(routes);
  });

  test("stays, too, when the bridge was deleted and made anew", async () => {
    await program.declare(kind, "dev0", { ...place(), mtu: 1500 });
    await lab.ip("link", "del", "dev0");
    await program.newRun().declare(kind, "dev0", { ...place(), mtu: 1500 });
    await strange("small0", "mtu", "1280", "master", "dev0");
    expect((await lab.mustHave("dev0")).mtu).toBe(1500);
  });

  test("that is not follows the ports, which is no drift, and nothing that a refresh finds", async () => {
    const { outputs } = await program.declare(kind, "dev0", place());
    await strange("small0", "mtu", "1280", "master", "dev0");
    expect((await lab.mustHave("dev0")).mtu).toBe(1280);
    expect((await program.newRun().declare(kind, "dev0", place())).operation).toBe("same");
    expect((await program.newRun().refresh("dev0"))?.outputs).toEqual(outputs);
  });
});

describe("what this kernel may not have", async () => {
  const filtering = await canFilter();

  test.skipIf(filtering)("VLAN filtering is refused with the input's name, and nothing is left", async () => {
    for (const [name, value] of Object.entries({ vlanFiltering: true, vlanDefaultPvid: 5 })) {
      await expect(program.declare(kind, "dev0", { ...place(), [name]: value })).rejects.toThrow(
        new RegExp(`^${name} is given, and .*CONFIG_BRIDGE_VLAN_FILTERING\\); take it out.*NOT_SUPPORTED`),
      );
      expect(await lab.links()).toEqual([]);
    }
    expect((await program.declare(kind, "dev0", { ...place(), vlanFiltering: false })).operation).toBe(
      "create",
    );
  });

  describe.skipIf(!filtering)("with VLANs (needs VLAN filtering)", () => {
    const filters = () => ({ ...place(), vlanFiltering: true, vlanDefaultPvid: 5 });

    test("the filtering and the default VLAN change together", async () => {
      await program.declare(kind, "dev0", filters());
      expect(await lab.bridge("dev0")).toMatchObject({ vlan_filtering: 1, vlan_default_pvid: 5 });
      await program.declare(kind, "dev0", { ...filters(), vlanDefaultPvid: 0 });
      expect(await lab.bridge("dev0")).toMatchObject({ vlan_filtering: 1, vlan_default_pvid: 0 });
    });

    describeRows(
      filters,
      [
        {
          name: "vlanFiltering",
          change: { vlanFiltering: false },
          byHand: byHand("vlan_filtering", "0"),
          drift: /vlanFiltering: off on the host, on/,
          read: shown("vlan_filtering"),
          original: 1,
          changed: 0,
        },
        {
          name: "vlanDefaultPvid",
          change: { vlanDefaultPvid: 0 },
          byHand: byHand("vlan_default_pvid", "9"),
          drift: /vlanDefaultPvid: 9 on the host, 5/,
          read: shown("vlan_default_pvid"),
          original: 5,
          changed: 0,
        },
      ],
      kind,
      "bridge",
    );
  });
});

/** Whether a bridge of this kernel can filter VLANs: tried, in a namespace that ends with the command. */
async function canFilter(): Promise<boolean> {
  const script = "ip link add br0 type bridge && ip link set br0 type bridge vlan_filtering 1";
  return (await attempt("unshare", "--net", "sh", "-c", script)).code === 0;
}

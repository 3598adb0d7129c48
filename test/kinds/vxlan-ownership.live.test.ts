/** Whose a VXLAN interface is, where it lives, and what the kernel refuses. */

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { interimName } from "../../provider/host/leases";
import { Lab } from "../harness/lab";
import { Program } from "../harness/program";
import { attempt } from "../harness/shell";
import { lab, program, said, useTunLab } from "./tun-lab";

useTunLab();

const kind = "Vxlan";
const flood = "00:00:00:00:00:00";
const place = () => ({ namespace: lab.name });
const settings = () => ({ ...place(), vni: 42, local: "192.0.2.1", remote: "192.0.2.9", device: "under0" });

beforeEach(async () => {
  await lab.ip("link", "add", "under0", "type", "veth", "peer", "name", "under1");
  await lab.ip("addr", "add", "192.0.2.1/24", "dev", "under0");
});

/** With one end goes the other. */
afterEach(() => attempt("ip", "-n", lab.name, "link", "del", "under0"));

const names = async () =>
  (await lab.links()).map(({ ifname }) => ifname).filter((name) => !name.startsWith("under"));

describe("whose it is", () => {
  test("one of that name that others made is refused, and stays as it is; it can be taken over", async () => {
    await lab.ip("link", "add", "dev0", "type", "vxlan", "id", "42", "dstport", "4789", "dev", "under0");
    const before = await lab.snapshot();
    await expect(program.declare(kind, "dev0", settings())).rejects.toThrow(/vxlan "dev0" .*FOREIGN_LINK/);
    expect(await lab.snapshot()).toBe(before);
    const { ifindex } = await lab.mustHave("dev0");
    const { outputs, notices } = await program.declare(kind, "dev0", { ...settings(), adopt: true });
    expect(notices.join()).toMatch(/takes over vxlan "dev0"/);
    expect(await lab.mustHave("dev0")).toMatchObject({ ifindex, altnames: [outputs.__lease] });
    expect((await program.declare(kind, "dev0", { ...settings(), adopt: true })).operation).toBe("same");
  });

  test("one of another VNI, or another kind of link, is not taken over", async () => {
    await lab.ip("link", "add", "dev0", "type", "vxlan", "id", "7", "dstport", "4789");
    await expect(program.declare(kind, "dev0", { ...settings(), adopt: true })).rejects.toThrow(
      /cannot be taken over: vni: 7 on the host, 42 declared, which cannot be.*\[FOREIGN_LINK\]/,
    );
    await lab.ip("link", "del", "dev0");
    await lab.ip("link", "add", "dev0", "type", "bridge");
    await expect(program.declare(kind, "dev0", { ...place(), vni: 1, adopt: true })).rejects.toThrow(
      /bridge "dev0" .* is no VXLAN interface.*\[FOREIGN_LINK\]/,
    );
    expect((await lab.mustHave("dev0")).linkinfo?.info_kind).toBe("bridge");
  });

  test.each<[string, string[], Record<string, unknown>]>([
    ["peers", [], { peers: [{ address: "192.0.2.112" }] }],
    ["other peers", [], { peers: [{ address: "192.0.2.113", macAddress: "52:54:00:00:00:01" }] }],
    ["a remote address", [], { remote: "192.0.2.9" }],
    ["another remote address", ["remote", "192.0.2.8"], { remote: "192.0.2.9" }],
    [
      "another remote address and device",
      ["remote", "192.0.2.8", "dev", "under1"],
      { device: "under0", remote: "192.0.2.9" },
    ],
    ["another device", ["remote", "192.0.2.8", "dev", "under1"], { device: "under0", remote: "192.0.2.8" }],
  ])("one that was given %s is given back as it was where something fails", async (_, options, given) => {
    const add = ["type", "vxlan", "id", "42", "dstport", "4789", "local", "192.0.2.1"];
    await lab.ip("link", "add", "dev0", ...add, ...options);
    for (const mac of [flood, "52:54:00:00:00:01"])
      await lab.exec("bridge", "fdb", "append", mac, "dev", "dev0", "dst", "192.0.2.111");
    await lab.exec("sysctl", "-qw", "net.ipv6.conf.dev0.disable_ipv6=1");
    const state = async () => [await lab.snapshot(), ...(await lab.exec("bridge", "fdb")).split("\n").sort()];
    const before = await state();
    const inputs = { ...place(), vni: 42, local: "192.0.2.1", addresses: ["2001:db8::1/64"], ...given };
    await expect(program.declare(kind, "dev0", { ...inputs, adopt: true })).rejects.toThrow(/2001:db8::1/);
    expect(await state()).toEqual(before);
  });

  test("one that lost only its lease is known, and the lease restored", async () => {
    const { outputs } = await program.declare(kind, "dev0", settings());
    await lab.ip("link", "property", "del", "dev", "dev0", "altname", outputs.__lease as string);
    expect((await program.declare(kind, "dev0", settings())).notices.join()).toContain("it will be restored");
    expect((await lab.mustHave("dev0")).altnames).toEqual([outputs.__lease]);
  });

  test.each([
    ["before its lease was written", false],
    ["before it had its name", true],
  ])("one that was interrupted %s is taken up", async (_, leased) => {
    const { outputs } = await program.declare(kind, "dev0", settings());
    const lease = outputs.__lease as string;
    await program.remove("dev0");
    await lab.ip("link", "add", interimName(lease), "type", "vxlan", "id", "42", "dstport", "4789");
    if (leased) await lab.ip("link", "property", "add", "dev", interimName(lease), "altname", lease);
    await program.declare(kind, "dev0", settings());
    expect(await names()).toEqual(["dev0"]);
    expect((await program.declare(kind, "dev0", settings())).operation).toBe("same");
  });

  test("deleted by hand it is made anew; gone with its device, that is said", async () => {
    await program.declare(kind, "dev0", settings());
    await lab.ip("link", "del", "dev0");
    const { notices } = await program.newRun().declare(kind, "dev0", settings());
    expect(notices.join()).toMatch(/dev0 in namespace .* no longer exists \(it was deleted outside/);
    await lab.ip("link", "del", "under0");
    expect(await names()).toEqual([]);
    const plan = await program.newRun().plan(kind, "dev0", settings());
    expect(said(plan)).toMatch(/its device under0 is gone, and with it the kernel deletes it/);
    await expect(program.declare(kind, "dev0", settings())).rejects.toMatchObject({
      code: "DEVICE_MISSING",
      property: "device",
    });
  });
});

describe("another namespace", () => {
  test("means making it anew, also where somebody moved it", async () => {
    const other = await Lab.open();
    try {
      const plain = { vni: 42, local: "192.0.2.1", remote: "192.0.2.9" };
      await program.declare(kind, "dev0", { ...place(), ...plain });
      const there = { ...plain, namespace: other.name };
      expect((await program.newRun().plan(kind, "dev0", there)).replaces).toEqual(["namespace"]);
      expect((await program.declare(kind, "dev0", there)).operation).toBe("replace");
      expect(await names()).toEqual([]);
      expect((await other.mustHave("dev0")).linkinfo?.info_kind).toBe("vxlan");

      await other.ip("link", "set", "dev0", "netns", lab.name);
      const { operation, notices } = await program.newRun().declare(kind, "dev0", there);
      expect(operation).toBe("replace");
      expect(notices.join()).toContain(`namespace: ${lab.name} on the host, ${other.name} declared`);
      expect(await names()).toEqual([]);
      expect((await other.mustHave("dev0")).flags).toContain("UP");
      expect((await program.declare(kind, "dev0", there)).operation).toBe("same");
    } finally {
      await other.close();
    }
  });
});

describe("what the kernel refuses", () => {
  test("a VNI that another interface of that port has, which is named, and nothing is left", async () => {
    await lab.ip("link", "add", "x0", "type", "vxlan", "id", "42", "dstport", "4789");
    const checked = await program.check(kind, "dev0", settings());
    expect(checked.notices.map(({ message }) => message).join()).toMatch(
      /vni 42 at destinationPort 4789 is that of vxlan "x0" .*: this will be refused/,
    );
    await expect(program.declare(kind, "dev0", settings())).rejects.toMatchObject({
      code: "VNI_TAKEN",
      property: "vni",
      message: expect.stringMatching(
        /vni 42 at destinationPort 4789 is that of vxlan "x0" .*EEXIST \(17\), kernel: "[^"]+"/,
      ),
    });
    expect(await names()).toEqual(["x0"]);
    await program.declare(kind, "dev0", { ...settings(), destinationPort: 4790 });
  });

  test("but not what an interrupted run left under a name on the way", async () => {
    await lab.ip("link", "add", "tt-0123456789ab", "type", "vxlan", "id", "42", "dstport", "4789");
    const { notices } = await program.check(kind, "dev0", settings());
    expect(notices.map(({ message }) => message).join()).not.toMatch(/vni/);
  });

  test("one of this very stack, with what to do", async () => {
    await program.declare(kind, "dev0", settings());
    // In a run that does not declare the first any more.
    await expect(program.newRun().declare(kind, "dev1", settings())).rejects.toMatchObject({
      code: "VNI_TAKEN",
      message: expect.stringMatching(/That one is of this stack\. .*`aliases`/),
    });
    expect(await names()).toEqual(["dev0"]);
  });

  test("one of this very program, in the plan, unless the other is of IPv6, or elsewhere", async () => {
    const inputs = { ...place(), vni: 42, local: "192.0.2.1" };
    await program.check(kind, "dev0", inputs);
    expect((await program.check(kind, "dev1", inputs)).problems).toEqual([
      expect.objectContaining({
        property: "vni",
        code: "NAME_CLAIMED",
        message: expect.stringMatching(
          /^vni "42 at destinationPort 4789" is claimed by Vxlan "dev0" of this program already; choose another/,
        ),
      }),
    ]);
    for (const more of [
      { local: "2001:db8::1" },
      { destinationPort: 4790 },
      { namespace: "elsewhere" },
      { vni: 43 },
    ])
      expect((await program.check(kind, "dev2", { ...inputs, ...more })).problems).toEqual([]);
    await program.check(kind, "dev0", { ...inputs, vni: 44 });
    expect((await program.check(kind, "dev1", inputs)).problems).toEqual([]);
  });

  test("but not one of IPv6 beside one of IPv4, which the kernel tells apart", async () => {
    const six = ["local", "2001:db8::1", "dstport", "4789"];
    await lab.ip("link", "add", "x0", "type", "vxlan", "id", "42", ...six);
    const { notices } = await program.check(kind, "dev0", settings());
    expect(notices.map(({ message }) => message).join()).not.toMatch(/vni/);
    await program.declare(kind, "dev0", settings());
    await expect(program.newRun().declare(kind, "dev1", settings())).rejects.toThrow(
      /vni 42 at destinationPort 4789 is that of vxlan "dev0"/,
    );
  });

  test("one that went into another namespace, which cannot be seen", async () => {
    const other = await Lab.open();
    try {
      await lab.ip("link", "add", "x0", "type", "vxlan", "id", "42", "dstport", "4789");
      await lab.ip("link", "set", "x0", "netns", other.name);
      await expect(program.declare(kind, "dev0", settings())).rejects.toThrow(
        /is that of an interface that was made in this namespace and is in another one now.*VNI_TAKEN/,
      );
    } finally {
      await other.close();
    }
  });

  test("an mtu that the device does not carry, with what to do", async () => {
    await expect(program.declare(kind, "dev0", { ...settings(), mtu: 1451 })).rejects.toMatchObject({
      property: "mtu",
      message: expect.stringMatching(/mtu 1451 .*EINVAL.*at most its mtu less 50 bytes/),
    });
    expect(await names()).toEqual([]);
    await program.declare(kind, "dev0", { ...settings(), mtu: 1450 });
    await program.declare(kind, "dev1", { ...place(), vni: 43, mtu: 65535 });
  });

  test("an IPv6 address where the device's mtu leaves no room for IPv6, with what to do", async () => {
    await lab.ip("link", "set", "under0", "mtu", "1280");
    const addresses = ["2001:db8:1::1/64"];
    await expect(program.declare(kind, "dev0", { ...settings(), addresses })).rejects.toMatchObject({
      property: "addresses",
      message: expect.stringMatching(/address 2001:db8:1::1\/64.*EINVAL.*below 1280 bytes.*`mtu`.*`device`/),
    });
    expect(await names()).toEqual([]);
  });

  test("in its own words where there are no better ones", async () => {
    const linkLocal = { ...place(), vni: 44, local: "fe80::1", remote: "2001:db8::9", device: "under0" };
    await expect(program.declare(kind, "dev0", linkLocal)).rejects.toMatchObject({
      operation: "RTM_NEWLINK",
      extack: expect.stringMatching(/./),
    });
    expect(await names()).toEqual([]);
  });

  test("nothing at the ends of the ranges", async () => {
    const low = { ...place(), vni: 0, destinationPort: 1, ttl: 0, ageingTime: 1, mtu: 68 };
    const high = { ...place(), vni: 16_777_215, destinationPort: 65535, ttl: 255, ageingTime: 4_294_967_295 };
    for (const [position, limits] of [low, high].entries()) {
      const { outputs } = await program.declare(kind, `dev${position}`, limits);
      expect(outputs).toMatchObject(limits);
      expect((await program.declare(kind, `dev${position}`, limits)).operation).toBe("same");
    }
  });
});

test("no message tells a secret peer", async () => {
  const secretive = new Program(undefined, "dev", "test", ["peers"]);
  const inputs = { ...settings(), peers: [{ address: "192.0.2.111" }] };
  await secretive.declare(kind, "dev0", inputs);
  await lab.exec("bridge", "fdb", "del", flood, "dev", "dev0", "dst", "192.0.2.111");
  const { notices } = await secretive.newRun().declare(kind, "dev0", inputs);
  expect(notices.join()).toContain("peers: not the declared (secret) value");
  expect(notices.join()).not.toContain("192.0.2.111");
});

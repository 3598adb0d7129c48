/** Interfaces of others on a bridge: put there, kept there, put back, and never where that would lock out. */

import { beforeEach, describe, expect, test } from "vitest";
import { Program } from "../harness/program";
import { describeRows } from "./rows";
import { lab, program, said, useTunLab } from "./tun-lab";

useTunLab();

const kind = "BridgePort";

/** `nic0` is what would be a network card: one end of a veth, whose other end `peer0` is plugged in elsewhere. */
beforeEach(async () => {
  // What goes over no link outlives the links.
  await lab.ip("route", "flush", "type", "blackhole");
  await lab.ip("link", "add", "nic0", "type", "veth", "peer", "name", "peer0");
  for (const name of ["br0", "br1"]) await lab.ip("link", "add", name, "type", "bridge");
  for (const name of ["nic0", "peer0", "br0"]) await lab.ip("link", "set", name, "up");
});

const port = (more: Record<string, unknown> = {}) => ({
  interface: "nic0",
  bridge: "br0",
  namespace: lab.name,
  ...more,
});
const master = async () => (await lab.mustHave("nic0")).master;
const settings = async () => (await lab.mustHave("nic0")).linkinfo?.info_slave_data;
/** Which link is a port of which, and what it carries; a bridge's own address and features follow its ports. */
const ports = async () =>
  (await lab.links()).map(({ ifname, master: of, altnames: names, flags, linkinfo }) => [
    ifname,
    of,
    names,
    flags.includes("UP"),
    // The cost goes by the speed, once there is one.
    { ...linkinfo?.info_slave_data, state: 0, cost: 0 },
  ]);
const altnames = async () => (await lab.mustHave("nic0")).altnames ?? [];

describe("an interface of others", () => {
  test("is put on the bridge with its settings, and back to where it was", async () => {
    const before = await ports();
    const { ifindex } = await lab.mustHave("nic0");
    const declared = port({ port: { isolated: true, cost: 7 } });
    const { outputs, notices } = await program.declare(kind, "uplink", declared);
    expect(notices).toEqual([]);
    expect(await master()).toBe("br0");
    expect(await settings()).toMatchObject({ isolated: true, cost: 7 });
    expect(outputs).toMatchObject({ ...declared, ifindex });
    expect(program.state.get("uplink")?.id).toBe(`${lab.name}/nic0`);
    expect((await program.newRun().declare(kind, "uplink", declared)).operation).toBe("same");
    expect((await program.newRun().refresh("uplink"))?.notices).toEqual([]);
    await program.newRun().remove("uplink");
    expect(await ports()).toEqual(before);
  });

  test("with addresses of its own is warned of, as long as it has them", async () => {
    await lab.ip("addr", "add", "192.0.2.1/24", "dev", "nic0");
    await lab.ip("addr", "add", "2001:db8::1/64", "dev", "nic0", "nodad");
    const warning =
      /interface "nic0" has addresses \(192\.0\.2\.1\/24, 2001:db8::1\/64\), and the host does not answer/;
    for (const run of [program, program.newRun()])
      expect((await run.declare(kind, "uplink", port())).notices).toEqual([expect.stringMatching(warning)]);
    await lab.ip("addr", "flush", "dev", "nic0", "scope", "global");
    expect((await program.newRun().declare(kind, "uplink", port())).notices).toEqual([]);
  });

  test("changes bridges live", async () => {
    await program.declare(kind, "uplink", port());
    expect((await program.declare(kind, "uplink", port({ bridge: "br1" }))).operation).toBe("update");
    expect(await master()).toBe("br1");
    await program.newRun().remove("uplink");
    expect(await master()).toBeUndefined();
    expect(await altnames()).toEqual([]);
  });

  test("is left where somebody else put it meanwhile, when the resource goes", async () => {
    await program.declare(kind, "uplink", port());
    await lab.ip("link", "set", "nic0", "master", "br1");
    await program.newRun().remove("uplink");
    expect(await master()).toBe("br1");
    expect(await altnames()).toEqual([]);
  });

  test("that does not exist is named, as a warning first, as a program may make it", async () => {
    const nowhere = port({ interface: "nic9" });
    const { problems, notices } = await program.check(kind, "uplink", nowhere);
    expect(problems).toEqual([]);
    expect(notices.map(({ message }) => message).join()).toMatch(
      /interface "nic9" does not exist in namespace "tt-\w+"\. .*`\.name` instead of text/,
    );
    await expect(program.declare(kind, "uplink", nowhere)).rejects.toMatchObject({
      code: "INTERFACE_MISSING",
      message: expect.stringMatching(/interface "nic9" does not exist in namespace/),
    });
  });

  test("that vanished is said to be gone, and put on the bridge again when it is back", async () => {
    await program.declare(kind, "uplink", port());
    await lab.ip("link", "del", "nic0");
    const plan = await program.newRun().plan(kind, "uplink", port());
    expect(said(plan)).toMatch(
      /nic0 in namespace \S+ no longer exists \(the interface is gone, or has another name\)/,
    );
    await expect(program.declare(kind, "uplink", port())).rejects.toMatchObject({
      code: "INTERFACE_MISSING",
    });
    await lab.ip("link", "add", "nic0", "type", "veth", "peer", "name", "peer0");
    expect((await program.newRun().declare(kind, "uplink", port())).operation).toBe("update");
    expect(await master()).toBe("br0");
  });

  test("that others renamed is known by its mark: it stays, and goes back when the resource goes", async () => {
    const before = await ports();
    await program.declare(kind, "uplink", port());
    await lab.ip("link", "set", "nic0", "name", "wan0");
    const { operation, notices } = await program.newRun().declare(kind, "uplink", port());
    expect(operation).toBe("same");
    expect(notices.join()).toMatch(/interface "nic0" does not exist in namespace/);
    expect((await program.newRun().refresh("uplink"))?.outputs.interface).toBe("nic0");
    await program.newRun().remove("uplink");
    expect((await lab.mustHave("wan0")).master).toBeUndefined();
    await lab.ip("link", "set", "wan0", "name", "nic0");
    expect(await ports()).toEqual(before);
  });

  test("whose name another one has now gives place to that one", async () => {
    await program.declare(kind, "uplink", port());
    await lab.ip("link", "set", "nic0", "name", "wan0");
    await lab.ip("tuntap", "add", "nic0", "mode", "tap");
    const plan = await program.newRun().plan(kind, "uplink", port());
    expect(plan.replaces).toEqual(["interface"]);
    expect(said(plan)).toMatch(/interface: wan0 on the host, nic0 declared: changed outside this program/);
    expect((await program.declare(kind, "uplink", port())).operation).toBe("replace");
    expect(await master()).toBe("br0");
    expect((await lab.mustHave("wan0")).master).toBeUndefined();
    expect((await lab.mustHave("wan0")).altnames).toBeUndefined();
    expect((await program.newRun().declare(kind, "uplink", port())).operation).toBe("same");
  });

  test("another interface, or a namespace, is another object: the first goes back", async () => {
    await lab.ip("tuntap", "add", "nic1", "mode", "tap");
    await program.declare(kind, "uplink", port());
    expect((await program.declare(kind, "uplink", port({ interface: "nic1" }))).operation).toBe("replace");
    expect(await master()).toBeUndefined();
    expect((await lab.mustHave("nic1")).master).toBe("br0");
  });

  test("that another resource made is told from others: it is said that there is another way", async () => {
    await program.declare("TunInterface", "tap0", { namespace: lab.name, owner: "nobody" });
    const { notices } = await program.declare(kind, "uplink", port({ interface: "tap0" }));
    expect(notices.join()).toMatch(
      /interface "tap0" was made by a resource of this package \(tap "tap0" .*lease tuntap-0-/,
    );
    expect(
      (await program.declare("TunInterface", "tap0", { namespace: lab.name, owner: "nobody" })).operation,
    ).toBe("same");
  });

  test("is declared once", async () => {
    await program.declare(kind, "uplink", port());
    await expect(program.declare(kind, "again", port({ bridge: "br1" }))).rejects.toThrow(
      /interface "nic0" \(nic0\) is claimed by BridgePort "uplink" of this program already; declare it once/,
    );
  });

  test.each([
    ["a bridge that does not exist", { bridge: "br9" }, "BRIDGE_MISSING"],
    ["what is no bridge", { bridge: "peer0" }, /NOT_A_BRIDGE/],
    ["itself a bridge", { interface: "br1" }, /bridge: the kernel refused joining bridge br0 .*kernel: "/],
    ["loopback", { interface: "lo" }, /bridge: the kernel refused joining bridge br0/],
  ])("%s is refused, and nothing is left", async (_, more, expected) => {
    const before = await ports();
    const failure = await program.declare(kind, "uplink", port(more)).catch((error) => error);
    if (typeof expected === "string") expect(failure).toMatchObject({ code: expected });
    else expect(failure.message).toMatch(expected);
    expect(await ports()).toEqual(before);
  });
});

describeRows(
  () => port({ port: { isolated: true, cost: 7 } }),
  [
    {
      name: "bridge",
      change: { bridge: "br1" },
      byHand: () => lab.ip("link", "set", "nic0", "nomaster"),
      drift: /bridge: no bridge on the host, br0/,
      read: async () => [await master(), (await settings())?.cost],
      original: ["br0", 7],
      changed: ["br1", 7],
    },
    {
      name: "bridge, from one to another",
      change: { port: {} },
      byHand: () => lab.ip("link", "set", "nic0", "master", "br1"),
      drift: /bridge: br1 on the host, br0/,
      read: async () => [await master(), (await settings())?.isolated],
      original: ["br0", true],
      changed: ["br0", false],
    },
    {
      name: "port.cost",
      change: { port: { isolated: true, cost: 65535 } },
      byHand: () => lab.ip("link", "set", "nic0", "type", "bridge_slave", "cost", "1"),
      drift: /port\.cost: 1 on the host, 7/,
      read: async () => (await settings())?.cost,
      original: 7,
      changed: 65535,
    },
  ],
  kind,
  "veth",
);

describe("what is a port of something else already", () => {
  beforeEach(() => lab.ip("link", "set", "nic0", "master", "br1"));

  test("is refused, with what it is a port of, and what to do", async () => {
    const { problems } = await program.check(kind, "uplink", port());
    expect(problems.map(({ message }) => message).join()).toMatch(
      /interface "nic0" is taken by veth "nic0" .*a port of br1.*`ip link set NAME nomaster`.*`adopt: true`.*\[PORT_TAKEN\]/,
    );
    await expect(program.declare(kind, "uplink", port())).rejects.toThrow(/PORT_TAKEN/);
    expect(await master()).toBe("br1");
  });

  test("is taken off where that is asked for, which is said, and put back", async () => {
    const before = await ports();
    const { notices } = await program.declare(kind, "uplink", port({ adopt: true }));
    expect(notices.join()).toMatch(
      /interface "nic0" is taken off br1, .*; it is put back there when this resource goes/,
    );
    expect(await master()).toBe("br0");
    expect((await program.newRun().declare(kind, "uplink", port({ adopt: true }))).operation).toBe("same");
    await program.newRun().remove("uplink");
    expect(await ports()).toEqual(before);
  });

  test("has its settings there again", async () => {
    await lab.ip(..."link set nic0 master br1".split(" "));
    const set =
      "bridge link set dev nic0 isolated on learning off flood off mcast_flood off hairpin on guard on cost 42 priority 9";
    await lab.exec(...(set.split(" ") as [string, ...string[]]));
    const before = await settings();
    expect(before).toMatchObject({ isolated: true, cost: 42 });
    await program.declare(kind, "uplink", port({ adopt: true, port: { learning: true } }));
    expect(await settings()).toMatchObject({ isolated: false, hairpin: false, guard: false });
    await program.newRun().declare(kind, "uplink", port({ adopt: true, port: { learning: true, cost: 9 } }));
    await program.newRun().refresh("uplink");
    await program.newRun().remove("uplink");
    expect(await master()).toBe("br1");
    // Not what the bridge makes of it: state, timers, ids.
    const words =
      "isolated learning flood mcast_flood hairpin guard root_block fastleave cost priority".split(" ");
    const now = await settings();
    for (const word of words) expect(now?.[word], word).toBe(before?.[word]);
  });

  test("is put in no bridge, where the former one is gone", async () => {
    await program.declare(kind, "uplink", port({ adopt: true }));
    await lab.ip("link", "del", "br1");
    await program.newRun().remove("uplink");
    expect(await master()).toBeUndefined();
  });

  test("of that very bridge stays there, also when the resource goes", async () => {
    await program.declare(kind, "uplink", port({ bridge: "br1" }));
    await program.newRun().remove("uplink");
    expect(await master()).toBe("br1");
  });
});

describe("what an interrupted run left", () => {
  test.each([
    ["the note", undefined],
    ["the note and the port", "br0"],
  ])("%s is taken up, and the way back is known", async (_, where) => {
    await lab.ip("link", "set", "nic0", "master", "br1");
    const before = await ports();
    await program.declare(kind, "uplink", port({ adopt: true }));
    if (where === undefined) await lab.ip("link", "set", "nic0", "master", "br1");
    // The state of the run is lost.
    const again = new Program(program.instance);
    expect((await again.declare(kind, "uplink", port({ adopt: true }))).operation).toBe("create");
    expect(await master()).toBe("br0");
    await again.newRun().remove("uplink");
    expect(await ports()).toEqual(before);
  });

  test("a failed create leaves nothing", async () => {
    const before = await ports();
    const wrong = port({ interface: "lo", port: { isolated: true } });
    await expect(program.declare(kind, "uplink", wrong)).rejects.toThrow(/joining bridge br0/);
    expect(await ports()).toEqual(before);
  });
});

describe("a lockout", () => {
  const route = (...words: string[]) => lab.ip("route", "add", ...words);
  const addresses = async (device: string) => {
    await lab.ip("addr", "add", "192.0.2.9/24", "dev", device);
    await lab.ip("addr", "add", "2001:db8::9/64", "dev", device, "nodad");
  };
  const ways: [string, () => Promise<unknown>, RegExp][] = [
    [
      "the default route of IPv4",
      () => route("default", "via", "192.0.2.1"),
      /default route default via 192\.0\.2\.1 dev nic0/,
    ],
    [
      "one without a gateway, of any metric",
      () => route("default", "dev", "nic0", "metric", "5000"),
      /default dev nic0 metric 5000/,
    ],
    [
      "the default route of IPv6",
      () => lab.ip("-6", "route", "add", "default", "via", "2001:db8::1"),
      /route ::\/0 via 2001:db8::1 dev nic0/,
    ],
    [
      "one of several next hops",
      () => route("default", "nexthop", "via", "192.0.2.1", "nexthop", "via", "192.0.2.2"),
      /it may be on the way of the default route default via several next hops/,
    ],
  ];

  test.each(ways)(
    "by %s is refused before anything is changed, in a plan and at once",
    async (_, prepare, why) => {
      await addresses("nic0");
      await prepare();
      const before = await lab.snapshot();
      const { problems } = await program.check(kind, "uplink", port());
      expect(problems).toEqual([
        expect.objectContaining({
          code: "LOCKOUT",
          property: "interface",
          message: expect.stringMatching(
            /interface "nic0" cannot be put on a bridge: it is in use: .*`allowLockout: true`/,
          ),
        }),
      ]);
      expect(problems[0]?.message).toMatch(why);
      await expect(program.declare(kind, "uplink", port())).rejects.toThrow(/LOCKOUT/);
      expect(await lab.snapshot()).toBe(before);
      expect((await program.declare(kind, "uplink", port({ allowLockout: true }))).operation).toBe("create");
      expect(await master()).toBe("br0");
      expect((await program.newRun().declare(kind, "uplink", port({ allowLockout: true }))).operation).toBe(
        "same",
      );
    },
  );

  test.each([
    [
      "of another interface",
      async () => {
        await addresses("br1");
        await lab.ip("link", "set", "br1", "up");
        await route("default", "via", "192.0.2.1");
      },
    ],
    [
      "of another table",
      async () => {
        await addresses("nic0");
        await route("default", "via", "192.0.2.1", "table", "100");
      },
    ],
    [
      "to a network",
      async () => {
        await addresses("nic0");
        await route("198.51.100.0/24", "via", "192.0.2.1");
      },
    ],
    ["that goes nowhere", () => route("blackhole", "default")],
  ])("is none by a route %s", async (_, prepare) => {
    await prepare();
    expect((await program.declare(kind, "uplink", port())).operation).toBe("create");
  });

  test.each(["192.0.2.9", "2001:db8::9", "2001:DB8:0::9%nic0"])(
    "by the ssh connection to %s",
    async (address) => {
      await addresses("nic0");
      const before = process.env.SSH_CONNECTION;
      process.env.SSH_CONNECTION = `198.51.100.7 50000 ${address} 22`;
      try {
        await expect(program.declare(kind, "uplink", port())).rejects.toThrow(
          /the ssh connection of this run comes in at (192\.0\.2\.9\/24|2001:db8::9\/64) on nic0.*LOCKOUT/,
        );
        expect(await master()).toBeUndefined();
        process.env.SSH_CONNECTION = "198.51.100.7 50000 192.0.2.10 22";
        expect((await program.declare(kind, "uplink", port())).operation).toBe("create");
      } finally {
        if (before === undefined) delete process.env.SSH_CONNECTION;
        else process.env.SSH_CONNECTION = before;
      }
    },
  );

  test("by a drift that is repaired is refused, too, and so is leaving a bridge with the default route", async () => {
    await program.declare(kind, "uplink", port());
    await lab.ip("link", "set", "nic0", "nomaster");
    await addresses("nic0");
    await route("default", "via", "192.0.2.1");
    await expect(program.newRun().declare(kind, "uplink", port())).rejects.toThrow(/LOCKOUT/);
    expect(await master()).toBeUndefined();
    await lab.ip("addr", "flush", "dev", "nic0");
    await program.newRun().declare(kind, "uplink", port());

    await addresses("br0");
    await route("default", "via", "192.0.2.1");
    await expect(program.newRun().declare(kind, "uplink", port({ bridge: "br1" }))).rejects.toThrow(
      /default via 192\.0\.2\.1 dev br0.*LOCKOUT/,
    );
    await expect(program.remove("uplink")).rejects.toMatchObject({
      code: "LOCKOUT",
      message: expect.stringMatching(
        /veth "nic0" .* is left as it is: it is in use: it is on the way of the default/,
      ),
    });
    expect(await master()).toBe("br0");
    expect((await program.declare(kind, "uplink", port({ allowLockout: true }))).operation).toBe("update");
    await program.remove("uplink");
    expect(await master()).toBeUndefined();
  });

  test("by a route of this package does not hinder the end of both", async () => {
    await program.declare(kind, "uplink", port());
    await addresses("br0");
    await program.declare("Route", "out", {
      destination: "default",
      gateway: "192.0.2.1",
      interface: "br0",
      namespace: lab.name,
    });
    await program.remove("uplink");
    expect(await master()).toBeUndefined();
  });
});

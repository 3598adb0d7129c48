/** Interfaces of others on a bridge: put there, kept there, and put back. */

import { describe, expect, test } from "vitest";
import { Program } from "../harness/program";
import { altnames, kind, master, port, ports, settings, useNicLab } from "./nic-lab";
import { describeRows } from "./rows";
import { lab, program, said } from "./tun-lab";

useNicLab();

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

  test("that is down is warned of, with the command, and stays down", async () => {
    await lab.ip("link", "set", "nic0", "down");
    const { notices } = await program.declare(kind, "uplink", port());
    expect(notices).toEqual([
      expect.stringContaining(
        `interface "nic0" is down, and is left so: nothing passes over it until it is set up (\`ip -n ${lab.name} link set nic0 up\`)`,
      ),
    ]);
    expect((await lab.mustHave("nic0")).flags).not.toContain("UP");
    await lab.ip("link", "set", "nic0", "up");
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

  test("that others renamed stays on the bridge when the program follows with its name", async () => {
    await program.declare(kind, "uplink", port());
    await lab.ip("link", "set", "nic0", "name", "wan0");
    const renamed = port({ interface: "wan0" });
    const { operation, notices, outputs } = await program.newRun().declare(kind, "uplink", renamed);
    expect([operation, notices, outputs.interface]).toEqual(["update", [], "wan0"]);
    expect((await program.newRun().declare(kind, "uplink", renamed)).operation).toBe("same");
    // Another one of the former name is none of it.
    await lab.ip("tuntap", "add", "nic0", "mode", "tap");
    expect((await program.newRun().declare(kind, "uplink", renamed)).operation).toBe("same");
    await program.newRun().remove("uplink");
    expect((await lab.mustHave("wan0")).master).toBeUndefined();
  });

  test("on a bridge that others renamed goes back, too, when the resource goes", async () => {
    const before = await ports();
    await program.declare(kind, "uplink", port());
    await lab.ip("link", "set", "br0", "name", "lan0");
    await program.newRun().remove("uplink");
    expect(await master()).toBeUndefined();
    await lab.ip("link", "set", "lan0", "name", "br0");
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

describe("two programs that put one interface on the same bridge", () => {
  const shared =
    /interface "nic0" is put on a bridge by another BridgePort, too, .*\(tuntap-port-[0-9a-f]{32}\): it stays there until the last of them goes\..*`ip -n \S+ link property del dev nic0 altname tuntap-port-/;

  test.each(["first", "second"])("is said; it stays until both are gone, the %s first", async (order) => {
    const before = await ports();
    const second = new Program();
    expect((await program.declare(kind, "uplink", port())).notices).toEqual([]);
    const { problems, notices } = await second.check(kind, "uplink", port());
    expect(problems).toEqual([]);
    expect(notices.map(({ message }) => message)).toEqual([expect.stringMatching(shared)]);
    expect((await second.declare(kind, "uplink", port())).operation).toBe("create");
    const again = await program.newRun().declare(kind, "uplink", port());
    expect(again).toMatchObject({ operation: "same", notices: [expect.stringMatching(shared)] });
    const [one, other] = order === "first" ? [program, second] : [second, program];
    await one.newRun().remove("uplink");
    expect(await master()).toBe("br0");
    expect(await altnames()).toHaveLength(1);
    expect((await other.newRun().declare(kind, "uplink", port())).notices).toEqual([]);
    await other.newRun().remove("uplink");
    expect(await ports()).toEqual(before);
  });

  test("is no hindrance to the end of the first, whatever leads over the bridge", async () => {
    const second = new Program();
    await program.declare(kind, "uplink", port());
    await second.declare(kind, "uplink", port());
    await lab.ip("addr", "add", "192.0.2.9/24", "dev", "br0");
    await lab.ip("route", "add", "default", "via", "192.0.2.1");
    await program.newRun().remove("uplink");
    expect(await master()).toBe("br0");
    await expect(second.newRun().remove("uplink")).rejects.toMatchObject({ code: "LOCKOUT" });
    expect(await master()).toBe("br0");
  });

  test("of a former bridge: it is put back there by the last", async () => {
    await lab.ip("link", "set", "nic0", "master", "br1");
    const second = new Program();
    await program.declare(kind, "uplink", port({ adopt: true }));
    await second.declare(kind, "uplink", port());
    await program.newRun().remove("uplink");
    expect(await master()).toBe("br0");
    await second.newRun().remove("uplink");
    expect(await master()).toBe("br1");
    expect(await altnames()).toEqual([]);
  });

  test("one that was given another logical name, with its bridge, goes over to the new one, and back at last", async () => {
    const bridge = { namespace: lab.name, name: "lan0" };
    const declared = port({ bridge: "lan0" });
    await program.declare("Bridge", "one", bridge);
    await program.declare(kind, "uplink", declared);
    await program.newRun().declare("Bridge", "two", bridge);
    expect((await program.declare(kind, "again", declared)).operation).toBe("create");
    await program.remove("uplink");
    await program.remove("one");
    expect(await master()).toBe("lan0");
    expect((await program.newRun().declare("Bridge", "two", bridge)).operation).toBe("same");
    expect((await program.declare(kind, "again", declared)).operation).toBe("same");
    await program.newRun().removeAll();
    expect(await master()).toBeUndefined();
    expect(await altnames()).toEqual([]);
  });

  test("one that was given another logical name stays when the old resource goes", async () => {
    await program.declare(kind, "old", port());
    const next = program.newRun();
    const kept = next.state.get("old");
    if (kept === undefined) throw new Error("it is recorded");
    next.state.delete("old");
    expect((await next.declare(kind, "new", port())).operation).toBe("create");
    next.state.set("old", kept);
    await next.remove("old");
    expect(await master()).toBe("br0");
    expect((await next.newRun().declare(kind, "new", port())).notices).toEqual([]);
    await next.remove("new");
    expect(await master()).toBeUndefined();
  });

  test("one of which took it from the other's bridge puts it back there", async () => {
    const second = new Program();
    await program.declare(kind, "uplink", port());
    await second.declare(kind, "uplink", port({ bridge: "br1", adopt: true }));
    expect(await master()).toBe("br1");
    await second.newRun().remove("uplink");
    expect(await master()).toBe("br0");
    expect((await program.newRun().declare(kind, "uplink", port())).operation).toBe("same");
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

/** Queues, first settings and bridge membership of an interface, and what a holder makes of them. */

import { describe, expect, test } from "vitest";
import { attached } from "../harness/attach";
import { describeRows } from "./rows";
import { base, kind, lab, program, said, useTunLab } from "./tun-lab";

useTunLab();

const device = async () => (await lab.mustHave("dev0")).linkinfo?.info_data;

describe("multiQueue", () => {
  test("several processes attach, one by one", async () => {
    const { outputs } = await program.declare(kind, "dev0", { ...base(), multiQueue: true });
    expect(outputs.multiQueue).toBe(true);
    expect((await device())?.multi_queue).toBe(true);
    const first = await attached(lab, "dev0", { flags: ["multiQueue"] });
    const second = await attached(lab, "dev0", { flags: ["multiQueue"] });
    await expect(program.remove("dev0")).rejects.toMatchObject({
      code: "LINK_BUSY",
      message: expect.stringContaining(`pid ${first.pid}`),
    });
    await first.end();
    await second.end();
    await program.remove("dev0");
  });

  test("a change makes the interface anew", async () => {
    const first = await program.declare(kind, "dev0", base());
    const second = await program.declare(kind, "dev0", { ...base(), multiQueue: true });
    expect(second.operation).toBe("replace");
    expect(second.outputs.ifindex).not.toBe(first.outputs.ifindex);
    expect((await device())?.multi_queue).toBe(true);
  });

  test("a process that wants several queues of a single-queue interface is refused by the kernel", async () => {
    await program.declare(kind, "dev0", base());
    await expect(attached(lab, "dev0", { flags: ["multiQueue"] })).rejects.toThrow(/Invalid argument/);
    expect((await program.declare(kind, "dev0", base())).operation).toBe("same");
  });

  test("owner and group of an attached one change live, without a change of its carrier", async () => {
    await program.declare(kind, "dev0", { ...base(), multiQueue: true });
    const holder = await attached(lab, "dev0", { flags: ["multiQueue"] });
    const changes = () => lab.exec("cat", "/sys/class/net/dev0/carrier_changes");
    const before = await changes();
    const step = await program.declare(kind, "dev0", {
      ...base(),
      multiQueue: true,
      owner: "daemon",
      group: 2,
    });
    expect(step.operation).toBe("update");
    expect(await device()).toMatchObject({ user: "daemon", group: "bin", persist: true });
    expect(await changes()).toBe(before);
    await holder.end();
  });
});

describe.each([
  ["packetInformation", "pi", "packetInformation"],
  ["vnetHeader", "vnet_hdr", "vnetHeader"],
] as const)("%s", (input, witness, flag) => {
  test("is a first setting", async () => {
    const { outputs } = await program.declare(kind, "dev0", { ...base(), [input]: true });
    expect((await device())?.[witness]).toBe(true);
    expect(outputs[input]).toBe(true);
  });

  test("that the last attacher overrides, which is no drift", async () => {
    await program.declare(kind, "dev0", base());
    await (await attached(lab, "dev0", { flags: [flag] })).end();
    expect((await device())?.[witness]).toBe(true);
    expect((await program.newRun().declare(kind, "dev0", base())).operation).toBe("same");
    const refreshed = await program.refresh("dev0");
    expect(refreshed?.notices).toEqual([]);
    expect(refreshed?.outputs[input]).toBe(false);
  });

  test("that is written when the program changes it, on the same idle device", async () => {
    const first = await program.declare(kind, "dev0", base());
    const second = await program.declare(kind, "dev0", { ...base(), [input]: true });
    expect(second).toMatchObject({ operation: "update", outputs: { ifindex: first.outputs.ifindex } });
    expect((await device())?.[witness]).toBe(true);
    expect((await program.declare(kind, "dev0", { ...base(), [input]: true })).operation).toBe("same");
  });

  test.each([
    ["a single-queue interface", false],
    ["one with several queues", true],
  ])("but not while a process holds it: %s", async (_what, multiQueue) => {
    await program.declare(kind, "dev0", { ...base(), multiQueue });
    const holder = await attached(lab, "dev0", { flags: multiQueue ? ["multiQueue"] : [] });
    const changed = { ...base(), multiQueue, [input]: true };
    const plan = await program.plan(kind, "dev0", changed);
    expect(plan.replaces).toEqual([]);
    expect(said(plan)).toMatch(/cannot be changed while .* held by pid \d+ .*refused/);
    await expect(program.declare(kind, "dev0", changed)).rejects.toMatchObject({
      code: "LINK_BUSY",
      property: input,
    });
    await holder.end();
    expect((await program.declare(kind, "dev0", changed)).operation).toBe("update");
    expect((await device())?.[witness]).toBe(true);
  });
});

describe("bridge", () => {
  const bridged = () => ({ owner: "nobody", bridge: "br0", namespace: lab.name });
  const master = async (name = "dev0") => (await lab.mustHave(name)).master;
  const withBridges = async () => {
    for (const name of ["br0", "br1"]) await lab.ip("link", "add", "name", name, "type", "bridge");
    await lab.ip("tuntap", "add", "dev", "other0", "mode", "tap");
    await lab.ip("link", "set", "other0", "master", "br0");
    await lab.ip("link", "set", "other0", "type", "bridge_slave", "isolated", "on", "cost", "7");
  };
  const others = () => lab.ip("-d", "link", "show", "other0");

  test("the interface is its port; other ports are never touched", async () => {
    await withBridges();
    const before = await others();
    const { outputs } = await program.declare(kind, "dev0", bridged());
    expect(outputs.bridge).toBe("br0");
    expect(await master()).toBe("br0");
    expect((await program.newRun().declare(kind, "dev0", bridged())).operation).toBe("same");
    await program.declare(kind, "dev0", { ...bridged(), bridge: "br1" });
    expect(await master()).toBe("br1");
    await program.remove("dev0");
    expect(await others()).toBe(before);
  });

  test("is left when the program takes it out, which others' bridges are not", async () => {
    await withBridges();
    await program.declare(kind, "dev0", bridged());
    const { bridge, ...rest } = bridged();
    expect((await program.declare(kind, "dev0", rest)).operation).toBe("update");
    expect(await master()).toBeUndefined();
    await lab.ip("link", "set", "dev0", "master", "br1");
    expect((await program.newRun().declare(kind, "dev0", rest)).operation).toBe("same");
    expect(await master()).toBe("br1");
  });

  test("port settings survive what is no change of the bridge", async () => {
    await withBridges();
    await program.declare(kind, "dev0", bridged());
    await lab.ip("link", "set", "dev0", "type", "bridge_slave", "isolated", "on");
    await program.declare(kind, "dev0", { ...bridged(), mtu: 1300, txQueueLength: 5, name: "dev0" });
    expect(await lab.ip("-d", "link", "show", "dev0")).toContain("isolated on");
  });

  describe("as a property", () => {
    const prepared = async () => {
      if (!(await lab.link("br0"))) await withBridges();
    };
    describeRows(bridged, [
      {
        name: "bridge",
        prepare: prepared,
        change: { bridge: "br1" },
        byHand: () => lab.ip("link", "set", "dev0", "nomaster"),
        drift: /bridge: no bridge on the host, br0/,
        read: () => master(),
        original: "br0",
        changed: "br1",
      },
    ]);
  });

  test("that is known by an alternative name is that bridge", async () => {
    await withBridges();
    await lab.ip("link", "property", "add", "dev", "br0", "altname", "the-bridge");
    await program.declare(kind, "dev0", { ...bridged(), bridge: "the-bridge" });
    expect(await master()).toBe("br0");
    const before = await lab.snapshot();
    // Another word for it, to be recorded; nothing is written.
    expect((await program.newRun().declare(kind, "dev0", bridged())).operation).toBe("update");
    expect(await lab.snapshot()).toBe(before);
    expect((await program.newRun().declare(kind, "dev0", bridged())).operation).toBe("same");
    const { bridge, ...rest } = bridged();
    await program.declare(kind, "dev0", rest);
    expect(await master()).toBeUndefined();
  });

  test("that is missing: said in the plan, refused before anything is made", async () => {
    await expect(program.declare(kind, "dev0", bridged())).rejects.toMatchObject({
      code: "BRIDGE_MISSING",
      property: "bridge",
      message: expect.stringMatching(/there is no bridge br0 .*ip link add name NAME type bridge/),
    });
    expect(await lab.links()).toEqual([]);
    const checked = await program.check(kind, "dev0", bridged());
    expect(checked.notices.map(({ message }) => message).join()).toMatch(
      /bridge "br0" does not exist in namespace "tt-\w+". If a resource of this program makes it, pass/,
    );
  });

  test("that is no bridge: refused in the plan, named", async () => {
    await lab.ip("tuntap", "add", "dev", "br0", "mode", "tap");
    await expect(program.declare(kind, "dev0", bridged())).rejects.toThrow(
      /bridge "br0" is tap "br0" \(ifindex .*\), which is no bridge; give the name of a bridge \[NOT_A_BRIDGE\]/,
    );
    expect(await lab.link("dev0")).toBeUndefined();
  });

  test("and addresses: warned of", async () => {
    await withBridges();
    const step = await program.declare(kind, "dev0", { ...bridged(), address: "192.0.2.1/24" });
    expect(step.notices.join()).toMatch(/a bridge's port and has addresses.*give them to the bridge/);
  });
});

/** Where an interface is: moved by the program with who holds it, moved by others, and what is in the way. */

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { attached } from "../harness/attach";
import { Lab } from "../harness/lab";
import { run } from "../harness/shell";
import { base, kind, lab, program, said, useTunLab } from "./tun-lab";

useTunLab();

let other: Lab;
beforeEach(async () => {
  other = await Lab.open();
});
afterEach(() => other.close());

const there = () => ({ ...base(), namespace: other.name });
const everywhere = async () => [await lab.links(), await other.links()].map((links) => links.length);

describe("another namespace", () => {
  test("the interface moves with its MAC, and gets addresses and up again there", async () => {
    const first = await program.declare(kind, "dev0", { ...base(), txQueueLength: 42, alias: "kept" });
    const { address } = await lab.mustHave("dev0");
    const inputs = { ...there(), txQueueLength: 42, alias: "kept" };
    const plan = await program.plan(kind, "dev0", inputs);
    expect(plan).toMatchObject({ changes: true, replaces: [] });
    const second = await program.declare(kind, "dev0", inputs);
    expect(second.operation).toBe("update");
    expect(second.outputs).toMatchObject({ namespace: other.name, __lease: first.outputs.__lease });
    expect(await everywhere()).toEqual([0, 1]);
    const link = await other.mustHave("dev0");
    expect(link).toMatchObject({ address, mtu: 1400, txqlen: 42, ifalias: "kept" });
    expect(link.flags).toContain("UP");
    expect(link.linkinfo?.info_data).toMatchObject({ user: "nobody", group: "daemon", persist: true });
    expect(await other.addresses("dev0")).toEqual(["192.0.2.1/24", "192.0.2.7/24", "2001:db8::1/64"]);
    expect((await program.newRun().declare(kind, "dev0", inputs)).operation).toBe("same");
    await program.remove("dev0");
    expect(await everywhere()).toEqual([0, 0]);
  });

  test("the plan says what of others the move takes away", async () => {
    await program.declare(kind, "dev0", base());
    const plan = async () => said(await program.newRun().plan(kind, "dev0", there()));
    expect(await plan()).toMatch(/namespace: moving it takes away all routes of others over it$/m);
    await lab.ip("addr", "add", "198.51.100.9/24", "dev", "dev0");
    expect(await plan()).toMatch(
      /namespace: moving it takes away addresses of others \(198\.51\.100\.9\/24\) and all routes/,
    );
    await program.declare(kind, "dev0", there());
    expect(await other.addresses("dev0")).not.toContain("198.51.100.9/24");
  });

  test.each([
    ["a single-queue interface", false],
    ["one with several queues", true],
  ])("whoever holds it goes on holding it: %s", async (_what, multiQueue) => {
    await program.declare(kind, "dev0", { ...base(), multiQueue });
    const holder = await attached(lab, "dev0", { flags: multiQueue ? ["multiQueue"] : [] });
    await program.declare(kind, "dev0", { ...there(), multiQueue });
    expect((await other.mustHave("dev0")).flags).toContain("LOWER_UP");
    // Found there, although the process itself is in the old namespace.
    await expect(program.remove("dev0")).rejects.toMatchObject({
      code: "LINK_BUSY",
      message: expect.stringContaining(`pid ${holder.pid}`),
    });
    await holder.end();
    await program.remove("dev0");
  });

  test("and a bridge there is joined, as the one here is left", async () => {
    for (const each of [lab, other]) await each.ip("link", "add", "name", "br0", "type", "bridge");
    const bridged = (namespace: string) => ({ owner: "nobody", bridge: "br0", namespace });
    await program.declare(kind, "dev0", bridged(lab.name));
    await program.declare(kind, "dev0", bridged(other.name));
    expect((await other.mustHave("dev0")).master).toBe("br0");
  });

  test("with another name in the same change", async () => {
    await program.declare(kind, "dev0", base());
    const step = await program.declare(kind, "dev0", { ...there(), name: "other0" });
    expect(step.operation).toBe("update");
    expect((await other.links()).map(({ ifname }) => ifname)).toEqual(["other0"]);
  });

  test("where a stranger has only the old name, which does not matter", async () => {
    await other.ip("tuntap", "add", "dev", "dev0", "mode", "tap");
    await program.declare(kind, "dev0", base());
    await program.declare(kind, "dev0", { ...there(), name: "other0" });
    expect((await other.links()).map(({ ifname }) => ifname).sort()).toEqual(["dev0", "other0"]);
  });

  test("where a stranger has its name: refused, and it stays where and as it is", async () => {
    await other.ip("tuntap", "add", "dev", "dev0", "mode", "tap");
    await program.declare(kind, "dev0", base());
    const before = await lab.snapshot();
    const plan = await program.plan(kind, "dev0", there());
    expect(plan.notices.map(({ message }) => message).join()).toMatch(
      /its new name is taken by tap "dev0" .*refused/,
    );
    await expect(program.declare(kind, "dev0", there())).rejects.toMatchObject({ code: "FOREIGN_LINK" });
    expect(await lab.snapshot()).toBe(before);
  });

  test("that does not exist: refused, and it stays", async () => {
    await program.declare(kind, "dev0", base());
    await expect(program.declare(kind, "dev0", { ...base(), namespace: "tt-missing" })).rejects.toMatchObject(
      { code: "NAMESPACE_MISSING", property: "namespace" },
    );
    await lab.mustHave("dev0");
  });

  test("two interfaces of one name change places", async () => {
    await program.declare(kind, "a", { name: "dev0", owner: 1, namespace: lab.name });
    await program.declare(kind, "b", { name: "dev0", owner: 2, namespace: other.name });
    program.newRun();
    await Promise.all([
      program.declare(kind, "a", { name: "dev0", owner: 1, namespace: other.name }),
      program.declare(kind, "b", { name: "dev0", owner: 2, namespace: lab.name }),
    ]);
    expect((await lab.mustHave("dev0")).linkinfo?.info_data?.user).toBe("bin");
    expect((await other.mustHave("dev0")).linkinfo?.info_data?.user).toBe("daemon");
    expect(await everywhere()).toEqual([1, 1]);
  });

  test("a new namespace in place of one that went with the interface in it", async () => {
    await program.declare(kind, "dev0", base());
    await lab.ip("link", "del", "dev0");
    expect((await program.newRun().declare(kind, "dev0", there())).operation).toBe("update");
    expect(await everywhere()).toEqual([0, 1]);
  });
});

describe("moved by hand", () => {
  test("is drift, said with both places, and moved back", async () => {
    await program.declare(kind, "dev0", base());
    const { address } = await lab.mustHave("dev0");
    await lab.ip("link", "set", "dev0", "netns", other.name);
    const plan = await program.newRun().plan(kind, "dev0", base());
    expect(plan.notices.map(({ message }) => message).join()).toMatch(
      new RegExp(`namespace: ${other.name} on the host, ${lab.name} declared: changed outside this program`),
    );
    expect((await program.declare(kind, "dev0", base())).operation).toBe("update");
    expect((await lab.mustHave("dev0")).address).toBe(address);
    expect(await lab.addresses("dev0")).toHaveLength(3);
    expect(await everywhere()).toEqual([1, 0]);
  });

  test("a refresh shows where it is", async () => {
    await program.declare(kind, "dev0", base());
    await lab.ip("link", "set", "dev0", "netns", other.name);
    const refreshed = await program.refresh("dev0");
    expect(refreshed?.outputs.namespace).toBe(other.name);
    expect((await program.declare(kind, "dev0", base())).operation).toBe("update");
    expect(await everywhere()).toEqual([1, 0]);
  });

  test("is found by its lease, and deleted there", async () => {
    await program.declare(kind, "dev0", base());
    await run("ip", "-n", lab.name, "link", "set", "dev0", "netns", other.name, "name", "stray0");
    await program.newRun().remove("dev0");
    expect(await everywhere()).toEqual([0, 0]);
  });
});

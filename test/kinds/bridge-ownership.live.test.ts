/** Whose a bridge is, ports of others, and what an interrupted run leaves. */

import { describe, expect, test } from "vitest";
import { interimName } from "../../provider/host/leases";
import { Lab } from "../harness/lab";
import { Program } from "../harness/program";
import { until } from "../harness/shell";
import { lab, program, useTunLab } from "./tun-lab";

useTunLab();

const kind = "Bridge";
const place = () => ({ namespace: lab.name });
const settings = () => ({ ...place(), address: "192.0.2.1/24", mtu: 1400, stp: true, forwardDelay: 4 });

/** A TAP that nobody's program made. */
async function strange(name: string, ...facts: string[]): Promise<void> {
  await lab.ip("tuntap", "add", name, "mode", "tap");
  await lab.ip("link", "set", name, ...facts);
}

describe("ports of others", () => {
  test("stay through every change, and are named where they stop a delete; then it goes", async () => {
    await program.declare(kind, "dev0", place());
    await strange("x0", "master", "dev0");
    await program.declare("TunInterface", "ours0", { ...place(), owner: 1, bridge: "dev0" });
    // Without STP, by which much changes by itself.
    const { stp, ...quiet } = settings();
    await program.declare(kind, "dev0", quiet);
    expect((await lab.mustHave("x0")).master).toBe("dev0");
    const before = await lab.snapshot();
    await expect(program.remove("dev0")).rejects.toMatchObject({
      code: "BRIDGE_IN_USE",
      message: expect.stringMatching(
        /used by ports that are not of this stack: tap "x0" \(ifindex \d+[^)]*\)\./,
      ),
    });
    expect(await lab.snapshot()).toBe(before);
    await lab.ip("link", "set", "x0", "nomaster");
    await program.remove("dev0");
    expect((await lab.links()).map(({ ifname }) => ifname).sort()).toEqual(["ours0", "x0"]);
  });

  test("stay as links where it is deleted all the same", async () => {
    await program.declare(kind, "dev0", { ...place(), onBusy: "force" });
    await strange("x0", "master", "dev0");
    await program.remove("dev0");
    const [link, ...others] = await lab.links();
    expect(link).toMatchObject({ ifname: "x0" });
    expect(link?.master).toBeUndefined();
    expect(others).toEqual([]);
  });

  test("are waited for where that is asked", async () => {
    const told: string[] = [];
    const run = {
      tell: (_urn: string, notices: readonly { message: string }[]) =>
        void told.push(...notices.map(({ message }) => message)),
    };
    const patient = new Program(undefined, "dev", "test", [], {}, run);
    await patient.declare(kind, "dev0", { ...place(), onBusy: "wait" });
    await strange("x0", "master", "dev0");
    const removal = patient.remove("dev0");
    await until("it says that it waits", () => told.length > 0);
    expect(told.join()).toMatch(/used by ports .*"x0".*: waiting up to 60 s for that to end/);
    await lab.ip("link", "set", "x0", "nomaster");
    await removal;
    expect(await lab.link("dev0")).toBeUndefined();
  });
});

describe("another namespace", () => {
  test("makes it anew there, which ports of others stop", async () => {
    const other = await Lab.open();
    try {
      await program.declare(kind, "dev0", settings());
      await strange("x0", "master", "dev0");
      const there = { ...settings(), namespace: other.name };
      const plan = await program.newRun().plan(kind, "dev0", there);
      expect(plan.replaces).toEqual(["namespace"]);
      expect(plan.notices.map(({ message }) => message).join()).toMatch(
        /replacing it means deleting bridge "dev0" .*"x0".*: this will be refused/,
      );
      await expect(program.declare(kind, "dev0", there)).rejects.toMatchObject({ code: "BRIDGE_IN_USE" });
      expect((await lab.mustHave("x0")).master).toBe("dev0");
      await lab.ip("link", "set", "x0", "nomaster");
      expect((await program.declare(kind, "dev0", there)).operation).toBe("replace");
      expect(await lab.link("dev0")).toBeUndefined();
      expect(await other.bridge("dev0")).toMatchObject({ stp_state: 1, forward_delay: 400 });
    } finally {
      await other.close();
    }
  });
});

describe("whose it is", () => {
  test("a bridge of that name that others made is refused, and stays as it is", async () => {
    await lab.ip("link", "add", "dev0", "type", "bridge");
    const before = await lab.snapshot();
    await expect(program.declare(kind, "dev0", settings())).rejects.toThrow(/bridge "dev0" .*FOREIGN_LINK/);
    expect(await lab.snapshot()).toBe(before);
  });

  test("what is no bridge is not taken over", async () => {
    await strange("dev0", "down");
    await expect(program.declare(kind, "dev0", { ...place(), adopt: true })).rejects.toThrow(
      /tap "dev0" .* is no bridge, so it cannot be taken over.*\[FOREIGN_LINK\]/,
    );
  });

  test("a bridge that lost only its lease is known, and the lease restored", async () => {
    const { outputs } = await program.declare(kind, "dev0", place());
    await lab.ip("link", "property", "del", "dev", "dev0", "altname", outputs.__lease as string);
    expect((await program.declare(kind, "dev0", place())).notices.join()).toContain("it will be restored");
    expect((await lab.mustHave("dev0")).altnames).toEqual([outputs.__lease]);
  });

  test("one that was interrupted before its lease was written is taken up", async () => {
    const { outputs } = await program.declare(kind, "dev0", settings());
    await program.remove("dev0");
    await lab.ip("link", "add", interimName(outputs.__lease as string), "type", "bridge");
    const { ifindex } = (await lab.links())[0] ?? {};
    await program.declare(kind, "dev0", settings());
    expect(await lab.links()).toHaveLength(1);
    expect(await lab.mustHave("dev0")).toMatchObject({ ifindex, altnames: [outputs.__lease], mtu: 1400 });
  });

  test("one that was interrupted before it had its name is taken up", async () => {
    const { outputs } = await program.declare(kind, "dev0", settings());
    const lease = outputs.__lease as string;
    await program.remove("dev0");
    await lab.ip("link", "add", interimName(lease), "type", "bridge");
    await lab.ip("link", "property", "add", "dev", interimName(lease), "altname", lease);
    await program.declare(kind, "dev0", settings());
    expect((await lab.links()).map(({ ifname }) => ifname)).toEqual(["dev0"]);
  });

  test("two that exchange their names are renamed, not made anew", async () => {
    const one = await program.declare(kind, "one", { ...place(), name: "br0" });
    const two = await program.declare(kind, "two", { ...place(), name: "br1" });
    await program.declare(kind, "two", { ...place(), name: "br2" });
    await program.declare(kind, "one", { ...place(), name: "br1" });
    await program.declare(kind, "two", { ...place(), name: "br0" });
    expect((await lab.mustHave("br1")).ifindex).toBe(one.outputs.ifindex);
    expect((await lab.mustHave("br0")).ifindex).toBe(two.outputs.ifindex);
  });

  test("a long logical name is shortened and stays as an alternative name", async () => {
    const { outputs } = await program.declare(kind, "the-bridge-of-the-lab", place());
    expect((await lab.mustHave(outputs.name as string)).altnames).toContain("the-bridge-of-the-lab");
  });
});

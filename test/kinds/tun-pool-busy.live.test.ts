/** Members of a pool that processes hold: what is refused for them, waited for, and forced. */
import { describe, expect, test } from "vitest";
import { attached } from "../harness/attach";
import { indexes, kind, membersOf, names, pool } from "./pool-lab";
import { lab, program, said, useTunLab } from "./tun-lab";

useTunLab();

describe("a member that a process holds", () => {
  test("keeps a pool from shrinking below it; nothing else is deleted", async () => {
    await program.declare(kind, "fc", pool());
    const holder = await lab.hold("fc3");
    const plan = await program.plan(kind, "fc", pool({ count: 2 }));
    expect(said(plan)).toMatch(
      /^fc3: held by pid \d+ \(socat .*\) of root \(uid 0\), and is to be deleted: this will be refused$/m,
    );
    await expect(program.declare(kind, "fc", pool({ count: 2 }))).rejects.toMatchObject({
      code: "LINK_BUSY",
      message: expect.stringMatching(/TunPool fc: nothing is deleted.*fc3: held by pid \d+ \(socat/),
    });
    expect(Object.keys(await indexes()).sort()).toEqual(names(4));
    await lab.release(holder);
    await program.declare(kind, "fc", pool({ count: 2 }));
    expect(Object.keys(await indexes()).sort()).toEqual(names(2));
  });

  test("keeps the whole pool from being deleted, unless by force", async () => {
    await program.declare(kind, "fc", pool());
    const holder = await lab.hold("fc1");
    await expect(program.remove("fc")).rejects.toMatchObject({ code: "LINK_BUSY" });
    expect(Object.keys(await indexes()).sort()).toEqual(names(4));
    await program.declare(kind, "fc", pool({ onBusy: "force" }));
    await program.remove("fc");
    expect(await lab.links()).toEqual([]);
    await lab.release(holder);
  });

  test("is waited for", async () => {
    const waiting = pool({ onBusy: "wait", busyTimeoutSeconds: 30 });
    await program.declare(kind, "fc", waiting);
    const holder = await lab.hold("fc3");
    const shrinking = program.declare(kind, "fc", { ...waiting, count: 2 });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(Object.keys(await indexes())).toContain("fc3");
    await lab.release(holder);
    await shrinking;
    expect(Object.keys(await indexes()).sort()).toEqual(names(2));
  });

  test.each(["a shrink", "a delete"])(
    "keeps all that would go from %s, where it is waited for too long",
    async (what) => {
      const waiting = pool({ onBusy: "wait", busyTimeoutSeconds: 1 });
      await program.declare(kind, "fc", waiting);
      const before = await indexes();
      const holder = await lab.hold("fc3");
      const work =
        what === "a shrink" ? program.declare(kind, "fc", { ...waiting, count: 2 }) : program.remove("fc");
      await expect(work).rejects.toMatchObject({
        code: "LINK_BUSY",
        message: expect.stringMatching(
          /TunPool fc: nothing is deleted, as some are held\. fc3: held by pid \d+ \(socat .*\(after 1\.0 s of waiting\)/,
        ),
      });
      expect(await indexes()).toEqual(before);
      await lab.release(holder);
      const { operation, notices } = await program.newRun().declare(kind, "fc", waiting);
      expect({ operation, notices }).toEqual({ operation: "same", notices: [] });
    },
  );

  test("goes with the others in a shrink by force, under its process", async () => {
    await program.declare(kind, "fc", pool());
    const { fc0, fc1 } = await indexes();
    const holder = await lab.hold("fc3");
    const forced = pool({ count: 2, onBusy: "force" });
    const plan = await program.plan(kind, "fc", forced);
    expect(said(plan)).toMatch(
      /^fc3: held by pid \d+ \(socat .*, and is to be deleted: it will be deleted all the same$/m,
    );
    const { operation, outputs } = await program.declare(kind, "fc", forced);
    expect(operation).toBe("update");
    expect(await indexes()).toEqual({ fc0, fc1 });
    expect(membersOf(outputs).map(({ name }) => name)).toEqual(names(2));
    expect((await program.newRun().declare(kind, "fc", forced)).operation).toBe("same");
    await lab.release(holder);
  });

  test("blocks a change of its owner, and of no other's mtu", async () => {
    await program.declare(kind, "fc", pool());
    const holder = await attached(lab, "fc1");
    await program.declare(kind, "fc", pool({ mtu: 1350 }));
    expect(await lab.mustHave("fc1")).toMatchObject({ mtu: 1350 });
    const plan = await program.plan(kind, "fc", pool({ mtu: 1350, owner: "daemon" }));
    expect(said(plan)).toMatch(/^fc1: owner: .*cannot be changed while the interface is held by pid/m);
    await expect(program.declare(kind, "fc", pool({ mtu: 1350, owner: "daemon" }))).rejects.toMatchObject({
      code: "LINK_BUSY",
      message: expect.stringMatching(/TunPool fc\[1\], owner: /),
    });
    await holder.end();
    await program.declare(kind, "fc", pool({ mtu: 1350, owner: "daemon" }));
    expect((await program.declare(kind, "fc", pool({ mtu: 1350, owner: "daemon" }))).operation).toBe("same");
  });
});

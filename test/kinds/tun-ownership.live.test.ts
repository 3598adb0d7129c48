/** Whose an interface is, and who holds it: leases, adoption, orphans, and processes that are attached. */

import { describe, expect, test } from "vitest";
import { attached } from "../harness/attach";
import { Program } from "../harness/program";
import { base, kind, lab, program, useTunLab } from "./tun-lab";

useTunLab();

describe("an interface that a process holds", () => {
  test("is not deleted, and the process is named", async () => {
    await program.declare(kind, "dev0", base());
    const holder = await lab.hold("dev0");
    await expect(program.remove("dev0")).rejects.toMatchObject({
      code: "LINK_BUSY",
      message: expect.stringMatching(/held by pid \d+ \(socat .*\) of root \(uid 0\)/),
    });
    await lab.mustHave("dev0");
    await lab.release(holder);
    await program.remove("dev0");
    expect(await lab.links()).toEqual([]);
  });

  test("is deleted by force", async () => {
    await program.declare(kind, "dev0", { ...base(), onBusy: "force" });
    const holder = await lab.hold("dev0");
    await program.remove("dev0");
    expect(await lab.links()).toEqual([]);
    await lab.release(holder);
  });

  test("keeps its carrier and its holder while mtu, addresses, state and name change", async () => {
    await program.declare(kind, "dev0", base());
    const holder = await lab.hold("dev0");
    await program.declare(kind, "dev0", { ...base(), mtu: 1300, address: "192.0.2.3", name: "moved0" });
    expect(await lab.mustHave("moved0")).toMatchObject({
      mtu: 1300,
      flags: expect.arrayContaining(["LOWER_UP"]),
    });
    await lab.release(holder);
  });

  test.each(["owner", "group"])(
    "cannot change its %s: planned as blocked, refused with the process",
    async (input) => {
      await program.declare(kind, "dev0", base());
      const holder = await lab.hold("dev0");
      const changed = { ...base(), [input]: 12 };
      const plan = await program.plan(kind, "dev0", changed);
      expect(plan.replaces).toEqual([]);
      expect(plan.notices.map((notice) => notice.message).join()).toMatch(
        /cannot be changed while .* held by pid \d+ .*refused/,
      );
      await expect(program.declare(kind, "dev0", changed)).rejects.toMatchObject({
        code: "LINK_BUSY",
        property: input,
      });
      await lab.release(holder);
      expect((await program.declare(kind, "dev0", changed)).operation).toBe("update");
    },
  );

  test("is made anew under its holder by force", async () => {
    const first = await program.declare(kind, "dev0", base());
    const holder = await lab.hold("dev0");
    const second = await program.declare(kind, "dev0", { ...base(), owner: 12, onBusy: "force" });
    expect(second.operation).toBe("update");
    expect(second.outputs.ifindex).not.toBe(first.outputs.ifindex);
    expect(await lab.addresses("dev0")).toHaveLength(3);
    await lab.release(holder);
  });

  test("a replace of it is warned of in the plan", async () => {
    await program.declare(kind, "dev0", base());
    const holder = await lab.hold("dev0");
    const plan = await program.plan(kind, "dev0", { ...base(), mode: "tun" });
    expect(plan.replaces).toEqual(["mode"]);
    expect(plan.notices.map((notice) => notice.message).join()).toMatch(
      /held by pid \d+ .*: this will be refused/,
    );
    await lab.release(holder);
  });

  test("a control input alone is an update that writes nothing", async () => {
    await program.declare(kind, "dev0", base());
    const before = await lab.snapshot();
    expect((await program.declare(kind, "dev0", { ...base(), onBusy: "force" })).operation).toBe("update");
    expect(await lab.snapshot()).toBe(before);
  });
});

test("a holder that takes the persist flag away: seen as drift, blocked until it ends, then made anew", async () => {
  await program.declare(kind, "dev0", base());
  const holder = await attached(lab, "dev0", { persist: false });
  const plan = await program.newRun().plan(kind, "dev0", base());
  expect(plan.notices.map((notice) => notice.message).join()).toMatch(
    /persistence: not persistent .* on the host, runtime declared/,
  );
  await expect(program.declare(kind, "dev0", base())).rejects.toMatchObject({
    code: "LINK_BUSY",
    property: "persistence",
  });
  await holder.end();
  expect(await lab.link("dev0")).toBeUndefined();
  expect((await program.declare(kind, "dev0", base())).operation).toBe("update");
  expect((await lab.mustHave("dev0")).linkinfo?.info_data?.persist).toBe(true);
});

describe("leases", () => {
  test("a foreign link is refused before anything is changed, and described", async () => {
    await lab.exec("tunctl", "-t", "dev0", "-u", "bin");
    const before = await lab.snapshot();
    await expect(program.declare(kind, "dev0", base())).rejects.toThrow(
      /name "dev0" is taken by tap "dev0" \(ifindex \d+, owner uid 2, .*no lease\).*adopt: true.*\[FOREIGN_LINK\]/,
    );
    expect(await lab.snapshot()).toBe(before);
  });

  test("adopt takes it over, says so, and removes it in the end", async () => {
    await lab.exec("tunctl", "-t", "dev0", "-u", "bin");
    const step = await program.declare(kind, "dev0", { ...base(), adopt: true });
    expect(step.notices.join()).toMatch(/takes over tap "dev0".*`down` will delete it/);
    expect((await lab.mustHave("dev0")).linkinfo?.info_data?.user).toBe("nobody");
    await program.remove("dev0");
    expect(await lab.links()).toEqual([]);
  });

  test("tunctl -d and tunctl -t of the same name: a stranger now", async () => {
    await program.declare(kind, "dev0", base());
    await lab.exec("tunctl", "-d", "dev0");
    await lab.exec("tunctl", "-t", "dev0");
    expect(await program.refresh("dev0")).toBeUndefined();
    await expect(program.declare(kind, "dev0", base())).rejects.toThrow(/taken by tap "dev0"/);
  });

  test("tunctl -d alone: vanished, and made anew", async () => {
    await program.declare(kind, "dev0", base());
    await lab.exec("tunctl", "-d", "dev0");
    const step = await program.declare(kind, "dev0", base());
    expect(step.operation).toBe("update");
    expect(step.notices.join()).toMatch(
      /dev0 in namespace .* no longer exists \(it was deleted outside this program\)/,
    );
    expect(await lab.addresses("dev0")).toHaveLength(3);
  });

  test("a lost lease is restored, on the same device", async () => {
    const { outputs } = await program.declare(kind, "dev0", base());
    await lab.ip("link", "property", "del", "dev", "dev0", "altname", outputs.__lease as string);
    const step = await program.newRun().declare(kind, "dev0", base());
    expect(step.operation).toBe("update");
    expect(step.notices.join()).toMatch(/its lease .* was taken off/);
    expect((await lab.mustHave("dev0")).altnames).toEqual([outputs.__lease]);
  });

  test("a lost lease does not stand in the way of a replace", async () => {
    const { outputs } = await program.declare(kind, "dev0", base());
    await lab.ip("link", "property", "del", "dev", "dev0", "altname", outputs.__lease as string);
    expect((await program.newRun().declare(kind, "dev0", { ...base(), mode: "tun" })).operation).toBe(
      "replace",
    );
    expect(await lab.links()).toHaveLength(1);
  });

  test("an orphan of an interrupted run is taken up with what differs", async () => {
    await program.declare(kind, "dev0", base());
    const orphaned = new Program(program.instance);
    const step = await orphaned.declare(kind, "dev0", { ...base(), mtu: 1300 });
    expect(step.operation).toBe("create");
    expect(await lab.links()).toHaveLength(1);
    expect((await lab.mustHave("dev0")).mtu).toBe(1300);
  });

  test("without an instance an orphan is described, and taken with adopt", async () => {
    await new Program(undefined).declare(kind, "dev0", base());
    const other = new Program(undefined);
    other.state.clear();
    await expect(new Program(undefined).declare(kind, "dev0", base())).rejects.toMatchObject({
      code: "FOREIGN_LINK",
    });
    expect((await new Program(undefined).declare(kind, "dev0", { ...base(), adopt: true })).operation).toBe(
      "create",
    );
  });

  test("another clone's link is refused", async () => {
    await program.declare(kind, "dev0", base());
    const clone = new Program();
    await expect(clone.declare(kind, "dev0", base())).rejects.toMatchObject({ code: "FOREIGN_LINK" });
    expect((await program.declare(kind, "dev0", base())).operation).toBe("same");
  });

  test("deleting looks at the lease: a renamed link is found, a namesake spared", async () => {
    await program.declare(kind, "dev0", base());
    await lab.ip("link", "set", "dev0", "name", "moved0");
    await lab.exec("tunctl", "-t", "dev0");
    await program.remove("dev0");
    expect((await lab.links()).map((link) => link.ifname)).toEqual(["dev0"]);
  });
});

/** What keeps an interface alive: the persist flag, or a process of its own that is none of its consumers. */

import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { attached, attachScript } from "../harness/attach";
import { lives } from "../harness/crash";
import { keeperOf } from "../harness/keeper";
import { Program } from "../harness/program";
import { until } from "../harness/shell";
import { base, kind, lab, program, said, useTunLab } from "./tun-lab";

useTunLab();

const kept = () => ({ ...base(), multiQueue: true, persistence: "process" });
const byFlag = () => ({ ...base(), multiQueue: true });
const persistent = async () => (await lab.mustHave("dev0")).linkinfo?.info_data?.persist;

describe('persistence "process"', () => {
  test("a process keeps the interface, without the persist flag and with a carrier", async () => {
    const { outputs } = await program.declare(kind, "dev0", kept());
    expect(outputs.persistence).toBe("process");
    expect(await persistent()).toBe(false);
    expect((await lab.mustHave("dev0")).flags).toContain("LOWER_UP");
    const keeper = await keeperOf("dev0", lab);
    expect(readFileSync(`/proc/${keeper}/cmdline`, "utf8").split("\0").slice(1, 4)).toEqual([
      "hold",
      "dev0",
      outputs.__lease,
    ]);
    const before = await lab.snapshot();
    expect((await program.newRun().declare(kind, "dev0", kept())).operation).toBe("same");
    expect(await lab.snapshot()).toBe(before);
    expect(await keeperOf("dev0", lab)).toBe(keeper);
  });

  test.each([
    ["kept already", kept],
    ["kept from now on", byFlag],
  ])("first settings of one that is %s are written while nobody uses it", async (_when, before) => {
    await program.declare(kind, "dev0", before());
    const { ifindex } = await lab.mustHave("dev0");
    const hinted = { ...kept(), vnetHeader: true };
    expect((await program.declare(kind, "dev0", hinted)).operation).toBe("update");
    const { linkinfo, ...now } = await lab.mustHave("dev0");
    expect(linkinfo?.info_data).toMatchObject({ vnet_hdr: true, persist: false });
    expect(now.ifindex).toBe(ifindex);
    expect(await keeperOf("dev0", lab)).toBeDefined();
    expect((await program.newRun().declare(kind, "dev0", hinted)).operation).toBe("same");
    await program.remove("dev0");
  });

  test("it is no consumer: the interface is deleted with it, and only then", async () => {
    await program.declare(kind, "dev0", kept());
    const keeper = (await keeperOf("dev0", lab)) as number;
    await program.remove("dev0");
    expect(await lab.links()).toEqual([]);
    await until("the keeper has ended", () => !lives(keeper));
  });

  test("consumers come and go", async () => {
    await program.declare(kind, "dev0", kept());
    const consumer = await attached(lab, "dev0", { flags: ["multiQueue"] });
    const refused = await program.remove("dev0").catch((error) => error);
    expect(refused).toMatchObject({ code: "LINK_BUSY" });
    expect(refused.message).toContain(`held by pid ${consumer.pid} `);
    expect(refused.message).not.toContain("tuntap-helper");
    await consumer.end();
    expect((await lab.mustHave("dev0")).flags).toContain("LOWER_UP");
    expect((await program.newRun().declare(kind, "dev0", kept())).operation).toBe("same");
  });

  test.each([
    ["idle", false],
    ["held by a process", true],
  ])("from runtime and back, on the same device: %s", async (_what, held) => {
    const first = await program.declare(kind, "dev0", byFlag());
    const consumer = held ? await attached(lab, "dev0", { flags: ["multiQueue"] }) : undefined;
    const second = await program.declare(kind, "dev0", kept());
    expect(second).toMatchObject({ operation: "update", outputs: { ifindex: first.outputs.ifindex } });
    expect(await persistent()).toBe(false);
    const keeper = (await keeperOf("dev0", lab)) as number;
    const third = await program.declare(kind, "dev0", byFlag());
    expect(third).toMatchObject({ operation: "update", outputs: { ifindex: first.outputs.ifindex } });
    expect(await persistent()).toBe(true);
    await until("the keeper has ended", () => !lives(keeper));
    await consumer?.end();
    await lab.mustHave("dev0");
  });

  test("a killed keeper with nobody attached: the interface is gone, and made anew", async () => {
    await program.declare(kind, "dev0", kept());
    process.kill((await keeperOf("dev0", lab)) as number, "SIGKILL");
    await until("the interface is gone", async () => !(await lab.link("dev0")));
    expect((await program.newRun().declare(kind, "dev0", kept())).operation).toBe("update");
    expect(await keeperOf("dev0", lab)).toBeDefined();
  });

  test("a killed keeper while a consumer is attached: drift, and a new one is started", async () => {
    const { outputs } = await program.declare(kind, "dev0", kept());
    const consumer = await attached(lab, "dev0", { flags: ["multiQueue"] });
    const first = (await keeperOf("dev0", lab)) as number;
    process.kill(first, "SIGKILL");
    await until("the keeper is gone", () => !lives(first));
    const plan = await program.newRun().plan(kind, "dev0", kept());
    expect(said(plan)).toMatch(/persistence: not persistent .* on the host, process declared/);
    expect((await program.declare(kind, "dev0", kept())).outputs.ifindex).toBe(outputs.ifindex);
    await consumer.end();
    expect((await program.declare(kind, "dev0", kept())).operation).toBe("same");
  });

  test("a persist flag set by hand is drift, and cleared", async () => {
    await program.declare(kind, "dev0", kept());
    await (await attached(lab, "dev0", { flags: ["multiQueue"], persist: true })).end();
    expect(await persistent()).toBe(true);
    const plan = await program.newRun().plan(kind, "dev0", kept());
    expect(said(plan)).toMatch(/persistence: runtime, and kept by a process too on the host, process/);
    await program.declare(kind, "dev0", kept());
    expect(await persistent()).toBe(false);
    await lab.mustHave("dev0");
  });

  test("it goes with the interface to another name and owner", async () => {
    const first = await program.declare(kind, "dev0", kept());
    const keeper = await keeperOf("dev0", lab);
    const step = await program.declare(kind, "dev0", { ...kept(), name: "other0", owner: "daemon" });
    expect(step.outputs.ifindex).toBe(first.outputs.ifindex);
    expect(await keeperOf("other0", lab)).toBe(keeper);
    expect(
      (await program.newRun().declare(kind, "dev0", { ...kept(), name: "other0", owner: "daemon" }))
        .operation,
    ).toBe("same");
  });
});

test("an unprivileged process that looks like a keeper is a consumer", async () => {
  const { outputs } = await program.declare(kind, "dev0", { ...byFlag(), owner: 65534, group: undefined });
  const folder = mkdtempSync(join(tmpdir(), "tuntap-"));
  try {
    chmodSync(folder, 0o755);
    // The same executable's name, the same arguments, a detached queue: all but the uid.
    copyFileSync(realpathSync("/usr/bin/python3"), join(folder, "tuntap-helper"));
    chmodSync(join(folder, "tuntap-helper"), 0o755);
    writeFileSync(join(folder, "hold"), attachScript("dev0", ["multiQueue"], { uid: 65534, detach: true }));
    const line = `cd '${folder}' && PYTHONHOME=/usr exec ./tuntap-helper hold dev0 ${outputs.__lease}`;
    const pretender = await lab.start("attached", "sh", "-c", line);
    expect(readlinkSync(`/proc/${pretender.pid}/exe`)).toBe(join(folder, "tuntap-helper"));
    await expect(program.remove("dev0")).rejects.toMatchObject({ code: "LINK_BUSY" });
    await lab.release(pretender);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("runtime drift by hand of an interface with several queues is set back while it is held", async () => {
  await program.declare(kind, "dev0", byFlag());
  const consumer = await attached(lab, "dev0", { flags: ["multiQueue"] });
  await lab.exec("ip", "tuntap", "del", "dev", "dev0", "mode", "tap", "multi_queue");
  expect(await persistent()).toBe(false);
  expect((await program.newRun().declare(kind, "dev0", byFlag())).operation).toBe("update");
  expect(await persistent()).toBe(true);
  await consumer.end();
  await lab.mustHave("dev0");
});

test("many at once are kept by one call, each by a process of its own", async () => {
  const calls = { hold: 0 };
  const counted = new Program("instance", "dev", "test", [], calls);
  const names = Array.from({ length: 20 }, (_, index) => `dev${index}`);
  const inputs = { owner: 1, multiQueue: true, persistence: "process", namespace: lab.name };
  await Promise.all(names.map((name) => counted.declare(kind, name, inputs)));
  const keepers = new Set(await Promise.all(names.map((name) => keeperOf(name, lab))));
  expect(keepers.size).toBe(20);
  expect(calls.hold).toBeLessThan(6);
  await Promise.all(names.map((name) => counted.remove(name)));
  expect(await lab.links()).toEqual([]);
});

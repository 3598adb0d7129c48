/** `--on-busy` for one run, with a real process at the interface. */

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Crash, loseEngine } from "../harness/crash";
import { lab, useLabAndWorkspace, workspace } from "../harness/setup";
import { sleep, until } from "../harness/shell";
import { type Declared, messages } from "../harness/workspace";

useLabAndWorkspace();

const program = (args: Record<string, unknown> = {}): Declared[] => [
  { kind: "TunInterface", name: "vm0", args: { owner: "daemon", namespace: lab.name, ...args } },
];
const waits = (seconds: number) =>
  new RegExp(
    `warning: tap "vm0" .*held by pid \\d+ \\(socat .*\\) of root \\(uid 0\\): waiting up to ${seconds} s`,
    "g",
  );

test("down fails, waits or forces as the run asks, whatever is declared", async () => {
  workspace.declare(...program({ onBusy: "force" }));
  await workspace.succeed("up");
  // What a run asks for is no change of the resource.
  await workspace.succeed("up", "--on-busy", "wait", "--expect-no-changes");
  const holder = await lab.hold("vm0");

  const failed = await workspace.run("down", "--on-busy", "fail");
  expect(failed.code).toBe(1);
  expect(messages(failed.report)).toMatch(/held by pid \d+ .*LINK_BUSY.*--on-busy MODE/);
  expect((await lab.mustHave("vm0")).flags).toContain("LOWER_UP");

  const waiting = workspace.start("down", "--on-busy", "wait");
  await until("it says that it waits", () => waiting.stderr().includes("waiting up to 60 s"), 60_000);
  await sleep(1000);
  expect((await lab.mustHave("vm0")).flags).toContain("LOWER_UP");
  await lab.release(holder);
  const { code, report } = await waiting.finished;
  expect(messages(report).match(waits(60))).toHaveLength(1);
  expect(code).toBe(0);
  expect(await lab.links()).toEqual([]);
});

test("down --on-busy force pulls it from under a holder that fail would spare", async () => {
  workspace.declare(...program());
  await workspace.succeed("up");
  await lab.hold("vm0");
  await workspace.succeed("down", "--on-busy", "force");
  expect(await lab.links()).toEqual([]);
});

test("up waits for a replace and for a blocked change, within busyTimeoutSeconds", async () => {
  workspace.declare(...program({ onBusy: "wait", busyTimeoutSeconds: 90 }));
  await workspace.succeed("up");
  const holder = await lab.hold("vm0");

  workspace.declare(...program({ onBusy: "wait", busyTimeoutSeconds: 90, mode: "tun", owner: "bin" }));
  const refused = await workspace.run("up", "--on-busy", "fail");
  expect(refused.code).toBe(1);
  expect(messages(refused.report)).toMatch(/replacing it means deleting .*: this will be refused/);
  expect((await lab.mustHave("vm0")).linkinfo?.info_data?.type).toBe("tap");

  const waiting = workspace.start("up");
  await until("it says that it waits", () => waiting.stderr().includes("waiting up to 90 s"), 60_000);
  await lab.release(holder);
  const { code, report } = await waiting.finished;
  expect(messages(report)).toMatch(/up to 90 s will be spent waiting/);
  expect(code).toBe(0);
  expect((await lab.mustHave("vm0")).linkinfo?.info_data).toMatchObject({ type: "tun", user: "bin" });

  const second = await lab.hold("vm0", "tun");
  workspace.declare(...program({ onBusy: "wait", busyTimeoutSeconds: 1, mode: "tun", owner: "daemon" }));
  const late = await workspace.run("up");
  expect(late.code).toBe(1);
  expect(messages(late.report)).toMatch(
    /owner cannot be changed .*held by pid \d+ .*\(after 1\.0 s of waiting\)/,
  );
  await lab.release(second);
});

test("Ctrl-C ends the wait, and nothing is lost", async () => {
  workspace.declare(...program());
  await workspace.succeed("up");
  const holder = await lab.hold("vm0");
  const waiting = workspace.start("down", "--on-busy", "wait");
  await until("it says that it waits", () => waiting.stderr().includes("waiting up to 60 s"), 60_000);
  process.kill(waiting.child.pid as number, "SIGINT");
  const began = Date.now();
  const { code, report } = await waiting.finished;
  expect(Date.now() - began).toBeLessThan(20_000);
  expect(code).toBe(1);
  expect(messages(report)).toMatch(/the run was interrupted after/);
  await lab.mustHave("vm0");
  const home = join(workspace.folder, ".tuntap");
  expect(existsSync(home) && readdirSync(home).filter((name) => name.startsWith("interrupted"))).toEqual([]);
  await lab.release(holder);
  await workspace.succeed("down");
});

test("a wait ends when the engine is gone, and the interface stays", async () => {
  const crash = await Crash.open();
  workspace.declare(...program());
  await workspace.succeed("up");
  const holder = await lab.hold("vm0");
  workspace.environment = crash.environment;
  const waiting = workspace.start("down", "--on-busy", "wait");
  workspace.environment = {};
  await until("it says that it waits", () => waiting.stderr().includes("waiting up to 60 s"), 60_000);
  const { milliseconds } = await loseEngine(crash.provider);
  expect((await waiting.finished).code).toBe(1);
  await lab.release(holder);
  await sleep(2000);
  await lab.mustHave("vm0");
  await workspace.succeed("down");
  expect(milliseconds).toBeLessThan(2000);
  crash.close();
});

test("a mode that does not exist is wrong usage, and in the environment a plain error", async () => {
  workspace.declare(...program());
  for (const command of ["up", "down"] as const) {
    const { code, stderr } = await workspace.run(command, "--on-busy", "later");
    expect(code).toBe(2);
    expect(stderr).toMatch(/--on-busy <mode>.*'later' is invalid.*fail, wait, force/);
  }
  expect((await workspace.run("preview", "--on-busy", "wait")).code).toBe(2);
  workspace.environment = { TUNTAP_ON_BUSY: "later" };
  const { code, report } = await workspace.run("up");
  expect(code).toBe(1);
  expect(messages(report)).toMatch(
    /TUNTAP_ON_BUSY is "later", which is not one of fail, wait, force.*INVALID_INPUT/,
  );
});

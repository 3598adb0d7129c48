import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { childOf, type Lab, lab, type Running, slow, waitFor } from "./tool";

const stateOf = (at: Lab) => readFileSync(join(at.root, ".tuntap/state/.pulumi/stacks/lab/dev.json"), "utf8");

async function inTheMiddle(at: Lab, up: Running): Promise<void> {
  await waitFor(() => /"pending_operations".*Thing::a.*"creating"/.test(stateOf(at)));
  expect(up.child.exitCode).toBe(null);
}

/** The engine ended by itself: what was begun is done and recorded, what was not begun is not there. */
async function endedCleanly(at: Lab, ran: { code: number | null; all: string }): Promise<void> {
  expect(ran.code, ran.all).toBe(1);
  expect(ran.all).toMatch(/interrupted by SIGTERM; 1 of 2 done; not done: Thing b; the next "tuntap up"/);
  expect(existsSync(join(at.store, "a.json"))).toBe(true);
  expect(existsSync(join(at.store, "b.json"))).toBe(false);
  const locks = join(at.root, ".tuntap/state/.pulumi/locks/organization/lab/dev");
  expect(readdirSync(locks).filter((name) => name.endsWith(".json"))).toEqual([]);
  expect(stateOf(at)).not.toContain("pending_operations");
  const next = await at.tuntap(["up", "--yes"]);
  expect(next.code, next.all).toBe(0);
}

describe("a signal in the middle of a create", () => {
  // SIGINT and a terminal's Ctrl-C are tried with the real provider, in test/engine.
  it(
    "SIGTERM to the command alone is passed on to the engine",
    async () => {
      const at = lab();
      const up = at.start(["up", "--yes", "--config", "delay=5000"]);
      await inTheMiddle(at, up);
      up.child.kill("SIGTERM");
      await endedCleanly(at, await up.ended);
    },
    slow,
  );

  it(
    "SIGTERM to the command and then to its whole group, as timeout(1) sends it, reaches the engine once",
    async () => {
      const at = lab();
      const up = at.inGroup(["up", "--yes", "--config", "delay=5000"]);
      await inTheMiddle(at, up);
      const leader = up.child.pid ?? 0;
      process.kill(leader, "SIGTERM");
      process.kill(-leader, "SIGTERM");
      await endedCleanly(at, await up.ended);
    },
    slow,
  );

  it(
    "a second SIGTERM makes the engine end at once",
    async () => {
      const at = lab();
      const up = at.start(["up", "--yes", "--config", "delay=60000"]);
      await inTheMiddle(at, up);
      const engine = await childOf(up.child.pid ?? 0, /pulumi\0up\0/);
      up.child.kill("SIGTERM");
      await up.until(/the engine finishes what it has begun/);
      const before = Date.now();
      up.child.kill("SIGTERM");
      expect((await up.ended).code).toBe(1);
      expect(Date.now() - before).toBeLessThan(20_000);
      expect(existsSync(`/proc/${engine}`)).toBe(false);
    },
    slow,
  );

  it(
    "while the plan is made changes nothing",
    async () => {
      const at = lab({ "index.js": "module.exports = () => new Promise((done) => setTimeout(done, 5000));" });
      const up = at.start(["up", "--yes"]);
      await waitFor(() => childOf(up.child.pid ?? 0, /pulumi\0preview\0/));
      await new Promise((done) => setTimeout(done, 1000));
      up.child.kill("SIGTERM");
      const ran = await up.ended;
      expect(ran.code).toBe(1);
      expect(ran.stderr).toContain("interrupted by SIGTERM; nothing was changed");
    },
    slow,
  );
});

import { spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { childOf, type Lab, lab, object, slow, waitFor } from "./tool";

const isRoot = process.getuid?.() === 0;
/** Somebody who is not root. */
const user = 12345;
const locks = (at: Lab) => join(at.root, ".tuntap/state/.pulumi/locks/organization/lab/dev");
const stateOf = (at: Lab) => readFileSync(join(at.root, ".tuntap/state/.pulumi/stacks/lab/dev.json"), "utf8");
const lockFiles = (at: Lab) => readdirSync(locks(at)).filter((name) => name.endsWith(".json"));

/** An up that is in the middle of its first create. */
async function inTheMiddle(at: Lab, delay = 8000) {
  const up = at.start(["up", "--yes", "--config", `delay=${delay}`]);
  const engine = await waitFor(() => childOf(up.child.pid ?? 0, /pulumi\0up\0/));
  await waitFor(() => /"pending_operations".*Thing::a.*"creating"/.test(stateOf(at)));
  return { up, engine };
}

function writeLock(at: Lab, lock: { pid: number; hostname: string; timestamp?: string }): string {
  mkdirSync(locks(at), { recursive: true });
  const content = { username: "somebody", timestamp: new Date().toISOString(), ...lock };
  const file = join(locks(at), "11111111-2222-3333-4444-555555555555.json");
  writeFileSync(file, JSON.stringify(content));
  return file;
}

describe("after kill -9 of the engine in the middle of a create", () => {
  it(
    "one up removes the lock and the pending create, says both, and ends right",
    async () => {
      const at = lab();
      const { up, engine } = await inTheMiddle(at, 4000);
      process.kill(engine, "SIGKILL");
      const ran = await up.ended;
      expect(ran.code).toBe(1);
      expect(ran.stderr).toMatch(/0 of 2 done; not done: Thing b; begun, end unknown: Thing a/);
      expect(lockFiles(at)).toHaveLength(1);
      // A preview needs no lock and changes none.
      expect((await at.tuntap(["preview"])).code).toBe(0);
      expect(lockFiles(at)).toHaveLength(1);

      const again = await at.tuntap(["up", "--yes", "--json"]);
      expect(object(again), again.stderr).toMatchObject({ result: "succeeded", changes: { create: 2 } });
      expect(again.stderr).toContain(`removed the lock of process ${engine}, which is dead`);
      expect(again.stderr).toContain("cleared creates that a crash left pending");
      expect(lockFiles(at)).toHaveLength(0);
      expect(stateOf(at)).not.toContain("pending_operations");
      expect((await at.tuntap(["up", "--expect-no-changes"])).code).toBe(0);
    },
    slow,
  );
});

describe("a lock", () => {
  it(
    "of a living engine is an error that names it; cancel asks it to end",
    async () => {
      const at = lab();
      const { up, engine } = await inTheMiddle(at);
      const second = await at.tuntap(["up", "--yes", "--json"]);
      expect(second.code).toBe(1);
      const [diagnostic] = object(second).diagnostics as { message: string }[];
      expect(diagnostic?.message).toContain(`process ${engine}`);
      expect(diagnostic?.message).toContain(hostname());
      expect(diagnostic?.message).toContain("tuntap cancel");
      const cancelled = await at.tuntap(["cancel"]);
      expect(cancelled.code, cancelled.all).toBe(0);
      expect((await up.ended).code).toBe(1);
      const third = await at.tuntap(["up", "--yes"]);
      expect(third.code, third.all).toBe(0);
    },
    slow,
  );

  it(
    "of another host is an error; cancel removes it",
    async () => {
      const at = lab({ "index.js": "exports.a = 1;" });
      await at.tuntap(["preview"]);
      writeLock(at, { pid: 1, hostname: "elsewhere" });
      const refused = await at.tuntap(["up", "--yes"]);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(
        /locked by somebody@elsewhere, process 1, .*another host\n.*tuntap cancel/,
      );
      const cancelled = await at.tuntap(["cancel"]);
      expect(cancelled.stdout).toContain("removed the lock of somebody@elsewhere");
      expect((await at.tuntap(["up", "--yes"])).code).toBe(0);
    },
    slow,
  );

  it(
    "whose process number is another process by now is dead",
    async () => {
      const at = lab({ "index.js": "exports.a = 1;" });
      await at.tuntap(["preview"]);
      writeLock(at, { pid: process.pid, hostname: hostname(), timestamp: "2020-01-01T00:00:00Z" });
      const up = await at.tuntap(["up", "--yes"]);
      expect(up.code, up.all).toBe(0);
      expect(up.stderr).toContain(`removed the lock of process ${process.pid}, which is dead`);
    },
    slow,
  );

  it.skipIf(!isRoot)(
    "of another user's: not taken for none where it cannot be read, and why it cannot be cancelled is said",
    async () => {
      const at = lab({ "index.js": "exports.a = 1;" });
      const ready = await at.tuntap(["up", "--yes"]);
      expect(ready.code, ready.all).toBe(0);
      const holder = spawn("sleep", ["600"], { uid: user });
      const file = writeLock(at, { pid: holder.pid ?? 0, hostname: hostname() });
      const attributes = join(at.root, ".tuntap/state/.pulumi/stacks/lab/dev.json.attrs");
      expect(existsSync(attributes)).toBe(true);
      try {
        const cancelled = await at.without(["kill"], ["cancel"]);
        expect(cancelled.stderr).toBe(
          `asking process ${holder.pid} to end\nerror: process ${holder.pid} is another user's: run this as that user, or as root\n`,
        );
        expect(cancelled.code).toBe(1);
        for (const path of [file, attributes]) {
          chmodSync(path, 0o600);
          chownSync(path, user, user);
        }
        for (const command of ["cancel", "status"]) {
          const ran = await at.without(["dac_override", "dac_read_search"], [command]);
          expect(ran.all).toContain(`${file} is not yours to read: run this as its owner, or as root`);
          expect(ran.code).toBe(1);
        }
        expect(existsSync(attributes)).toBe(true);
        // One of another stack is not in the way, but nothing is cleared beside it.
        const other = join(locks(at), "..", "other.json");
        renameSync(file, other);
        const torn = join(at.root, ".tuntap/state/.pulumi/stacks/torn.attrs");
        writeFileSync(torn, "");
        const beside = await at.without(["dac_override", "dac_read_search"], ["status"]);
        expect(beside.all).not.toContain("not yours to read");
        expect(existsSync(torn)).toBe(true);
        // What is closed is not half-written.
        rmSync(other);
        await at.without(["dac_override", "dac_read_search"], ["status"]);
        expect([torn, attributes].map((path) => existsSync(path))).toEqual([false, true]);
      } finally {
        holder.kill();
      }
    },
    slow,
  );
});

import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { lab, type Running, repository, slow } from "./tool";

/** Nobody reads what it prints any more; it is ended, so that a failure leaves no process. */
async function alone({ child, ended }: Running): Promise<number | null> {
  child.stdout?.destroy();
  child.stderr?.destroy();
  const watch = setTimeout(() => child.kill("SIGKILL"), 60_000);
  try {
    return (await ended).code;
  } finally {
    clearTimeout(watch);
  }
}

describe("a reader of the output that goes away", () => {
  it(
    "does not end the work that was begun: `tuntap up | head -1`",
    async () => {
      const at = lab();
      const up = at.start(["up", "--yes", "--config", "delay=1500"]);
      await up.until(/./);
      expect(await alone(up)).toBe(0);
      expect(existsSync(join(at.store, "b.json"))).toBe(true);
    },
    slow,
  );

  it(
    "leaves the code of a run that fails",
    async () => {
      const at = lab({
        "index.ts": 'import * as p from "./things/thing";\nthrow new Error("not this one" + p);',
      });
      expect(await alone(at.start(["up", "--yes"]))).toBe(1);
    },
    slow,
  );

  it(
    "is none for the one object of --json either",
    async () => {
      const at = lab();
      expect(await alone(at.start(["up", "--yes", "--json"]))).toBe(0);
      expect(existsSync(join(at.store, "b.json"))).toBe(true);
    },
    slow,
  );
});

it("output that cannot be written, as on a full disk, is a failure", () => {
  const full = openSync("/dev/full", "w");
  try {
    const command = [join(repository, "dist", "cli", "main.js"), "show", "--json"];
    expect(spawnSync(process.execPath, command, { stdio: ["ignore", full, "pipe"] }).status).toBe(1);
  } finally {
    closeSync(full);
  }
});

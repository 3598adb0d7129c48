import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { launch, repository, slow, temporary } from "./tool";

/** The command as it is shipped: compiled, without tsx. */
const built = join(repository, "node_modules", ".cache", "tuntap-cli-test");

describe("the start of the command", () => {
  beforeAll(() => {
    mkdirSync(built, { recursive: true });
    const options = ["--outDir", built, "--noCheck", "--declaration", "false", "-p", repository];
    execFileSync(process.execPath, [
      join(repository, "node_modules", "typescript", "bin", "tsc"),
      ...options,
    ]);
  }, slow);

  it(
    "loads the Automation API only when a command runs: help is there in half a second",
    async () => {
      const times: number[] = [];
      for (let i = 0; i < 5; i++) {
        const began = process.hrtime.bigint();
        const ran = await launch(
          [process.execPath, join(built, "cli", "main.js"), "--help"],
          temporary(),
          process.env,
        ).ended;
        times.push(Number(process.hrtime.bigint() - began) / 1e6);
        expect(ran.code, ran.all).toBe(0);
      }
      expect(Math.min(...times)).toBeLessThan(500);
    },
    slow,
  );
});

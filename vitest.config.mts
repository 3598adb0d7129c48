import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Processes, not threads: what is entered on a thread, and the addon itself, must not be shared between files.
    pool: "forks",
    // Most of the time is spent in engine processes. Twice as many files at once take two thirds of the time, but starve
    // one another so that what waits for others may wait in vain.
    maxWorkers: Math.min(availableParallelism(), 8),
    testTimeout: 180_000,
    hookTimeout: 180_000,
    teardownTimeout: 30_000,
    globalSetup: ["./test/harness/host-unchanged.ts"],
    reporters: ["default", "./test/harness/reporter.mts"],
  },
});

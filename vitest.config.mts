import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Processes, not threads: what is entered on a thread, and the addon itself, must not be shared between files.
    pool: "forks",
    // Most of the time is spent in engine processes, two of which keep two cores busy.
    maxWorkers: 2,
    testTimeout: 180_000,
    hookTimeout: 180_000,
    teardownTimeout: 30_000,
    globalSetup: ["./test/harness/host-unchanged.ts"],
    reporters: ["default", "./test/harness/reporter.mts"],
  },
});

import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Processes, not threads: what is entered on a thread, and the addon itself, must not be shared between files.
    pool: "forks",
    // Tests wait for the kernel and for other processes two fifths of their time.
    maxWorkers: Math.min(2 * availableParallelism(), 8),
    testTimeout: 180_000,
    hookTimeout: 180_000,
    teardownTimeout: 30_000,
    globalSetup: ["./test/harness/host-unchanged.ts"],
    reporters: ["default", "./test/harness/reporter.mts"],
  },
});

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Processes, not threads: what is entered on a thread, and the addon itself, must not be shared between files.
    pool: "forks",
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 30_000,
    globalSetup: ["./test/harness/host-unchanged.ts"],
    reporters: ["default", "./test/harness/reporter.ts"],
  },
});

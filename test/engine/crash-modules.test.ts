/** The loading of a module, with the provider killed at each step of it; on a kernel that loads modules. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Crash, type Point } from "../harness/crash";
import { canLoad, loadable } from "../harness/loadable";
import { until } from "../harness/shell";
import { Workspace } from "../harness/workspace";

/** Of no network namespace: modules are the host's. */
const host = "-";

describe("on a kernel that loads modules", async () => {
  const { name, isLoaded, unload } = loadable;
  const loads = await canLoad();
  let crash: Crash;
  let workspace: Workspace;

  beforeAll(async () => {
    crash = await Crash.open();
    workspace = new Workspace();
    workspace.declare({ kind: "KernelModule", name: "module", args: { name, unload: true } });
  });
  afterAll(async () => {
    workspace.close();
    crash.close();
    await unload();
  });

  test.skipIf(!loads).each<[Point["phase"], string, boolean]>([
    ["before", "modprobe-start", false],
    ["after", "modprobe-start", true],
    ["before", "modprobe-end", true],
    ["after", "modprobe-end", true],
  ])(
    "killed %s %s (needs a kernel that loads modules): one up sets it right, and down is possible",
    async (phase, steps, loaded) => {
      const { code } = await crash.kill(workspace, "up", [{ namespace: host, phase, action: "hold", steps }]);
      expect(code).toBe(1);
      // What was started ends by itself.
      if (loaded) await until("the module is loaded", isLoaded);
      expect(isLoaded()).toBe(loaded);
      await workspace.succeed("up");
      expect(isLoaded()).toBe(true);
      await workspace.succeed("up", "--expect-no-changes");
      await workspace.succeed("down");
      // One that the killed run loaded cannot be told from one that others did: it is left, as they would want it.
      expect(isLoaded()).toBe(loaded);
      await unload();
    },
  );
});

/** Modules that are loaded and unloaded, on a kernel that does so. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { canLoad, loadable } from "../harness/loadable";
import { Program } from "../harness/program";
import { run } from "../harness/shell";

const kind = "KernelModule";

describe("a module that is not loaded", async () => {
  const { name, parameter, otherValue, isLoaded, value, unload } = loadable;
  const loads = await canLoad();
  let program: Program;
  beforeEach(async () => {
    program = new Program();
    await unload();
  });
  afterEach(unload);

  test.skipIf(!loads)(
    "(needs a kernel that loads modules) is loaded, and stays when the resource goes",
    async () => {
      const { operation, outputs } = await program.declare(kind, "one", { name });
      expect([operation, outputs.state, isLoaded()]).toEqual(["create", "loaded", true]);
      expect((await program.newRun().declare(kind, "one", { name })).operation).toBe("same");
      await program.remove("one");
      expect(isLoaded()).toBe(true);
    },
  );

  test.skipIf(!loads)(
    "(needs a kernel that loads modules) goes with the resource where that is asked for, but not one that was loaded before",
    async () => {
      await program.declare(kind, "one", { name, unload: true });
      await program.newRun().remove("one");
      expect(isLoaded()).toBe(false);
      await run("modprobe", name);
      await program.declare(kind, "one", { name, unload: true });
      await program.newRun().remove("one");
      expect(isLoaded()).toBe(true);
    },
  );

  test.skipIf(!loads)(
    "(needs a kernel that loads modules) that somebody else loaded since the host was restarted stays when the resource goes",
    async () => {
      await program.declare(kind, "one", { name, unload: true });
      const { operation } = await program.restartHost().declare(kind, "one", { name, unload: true });
      expect(operation).toBe("update");
      await program.restartHost().declare(kind, "one", { name, unload: true });
      await program.newRun().remove("one");
      expect(isLoaded()).toBe(true);
    },
  );

  test.skipIf(!loads)(
    "(needs a kernel that loads modules) has its parameters; others are refused, or it is loaded anew where that is allowed",
    async () => {
      const parameters = [`${parameter}=${otherValue}`];
      await program.declare(kind, "one", { name, parameters });
      expect(value()).toBe(otherValue);
      expect((await program.newRun().declare(kind, "one", { name, parameters })).operation).toBe("same");
      await unload();
      await run("modprobe", name);
      await expect(program.newRun().declare(kind, "one", { name, parameters })).rejects.toThrow(
        /is loaded with .*only when it is loaded anew.*unload: true.*MODULE_REFUSED|MODULE_REFUSED.*unload: true/,
      );
      const { operation } = await program.newRun().declare(kind, "one", { name, parameters, unload: true });
      expect([operation, value()]).toEqual(["update", otherValue]);
    },
  );

  test.skipIf(!loads)(
    "(needs a kernel that loads modules) that somebody unloaded is seen as gone, and loaded again",
    async () => {
      await program.declare(kind, "one", { name });
      await unload();
      const { notices, operation } = await program.newRun().declare(kind, "one", { name });
      expect(notices.join()).toMatch(/no longer exists \(it was unloaded\)/);
      expect([operation, isLoaded()]).toEqual(["update", true]);
    },
  );

  test.skipIf(!loads)(
    "(needs a kernel that loads modules) with a parameter that it does not take, or a value: said in the kernel's words, and nothing is loaded",
    async () => {
      await expect(
        program.declare(kind, "one", { name, parameters: [`${parameter}=no-value`] }),
      ).rejects.toThrow(new RegExp(`module ${name} was not loaded; modprobe says: .*MODULE_REFUSED`));
      expect([isLoaded(), program.state.size]).toEqual([false, 0]);
    },
  );
});

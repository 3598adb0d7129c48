/** Modules that are loaded and unloaded, on a kernel that does so. */
import { existsSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loadableModule } from "../harness/loadable";
import { Program } from "../harness/program";
import { run } from "../harness/shell";

const kind = "KernelModule";

describe("a module that is not loaded", async () => {
  const loadable = await loadableModule();
  const { name, parameter } = loadable ?? { name: "", parameter: "" };
  const isLoaded = () => existsSync(`/sys/module/${name}`);
  const value = () => readFileSync(`/sys/module/${name}/parameters/${parameter}`, "utf8").trim();
  const unload = async () => {
    if (isLoaded()) await run("modprobe", "-r", name);
  };
  let program: Program;
  beforeEach(async () => {
    program = new Program();
    await unload();
  });
  afterEach(unload);

  test.skipIf(loadable === undefined)(
    "(needs a kernel that loads modules) is loaded, and stays when the resource goes",
    async () => {
      const { operation, outputs } = await program.declare(kind, "one", { name });
      expect([operation, outputs.state, isLoaded()]).toEqual(["create", "loaded", true]);
      expect((await program.newRun().declare(kind, "one", { name })).operation).toBe("same");
      await program.remove("one");
      expect(isLoaded()).toBe(true);
    },
  );

  test.skipIf(loadable === undefined)(
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

  test.skipIf(loadable === undefined)(
    "(needs a kernel that loads modules) has its parameters; others are refused, or it is loaded anew where that is allowed",
    async () => {
      await run("modprobe", name);
      const other = value() === "4789" || value() === "N" ? ["8472", "Y"] : ["4789", "N"];
      const wanted = /^\d/.test(value()) ? other[0] : other[1];
      await unload();
      const parameters = [`${parameter}=${wanted}`];
      await program.declare(kind, "one", { name, parameters });
      expect(value()).toBe(wanted);
      expect((await program.newRun().declare(kind, "one", { name, parameters })).operation).toBe("same");
      await unload();
      await run("modprobe", name);
      await expect(program.newRun().declare(kind, "one", { name, parameters })).rejects.toThrow(
        /is loaded with .*only when it is loaded anew.*unload: true.*MODULE_REFUSED|MODULE_REFUSED.*unload: true/,
      );
      const { operation } = await program.newRun().declare(kind, "one", { name, parameters, unload: true });
      expect([operation, value()]).toEqual(["update", wanted]);
    },
  );

  test.skipIf(loadable === undefined)(
    "(needs a kernel that loads modules) that somebody unloaded is seen as gone, and loaded again",
    async () => {
      await program.declare(kind, "one", { name });
      await unload();
      const { notices, operation } = await program.newRun().declare(kind, "one", { name });
      expect(notices.join()).toMatch(/no longer exists \(it was unloaded\)/);
      expect([operation, isLoaded()]).toEqual(["update", true]);
    },
  );

  test.skipIf(loadable === undefined)(
    "(needs a kernel that loads modules) with a parameter that it does not take, or a value: said in the kernel's words, and nothing is loaded",
    async () => {
      await expect(
        program.declare(kind, "one", { name, parameters: [`${parameter}=no-value`] }),
      ).rejects.toThrow(new RegExp(`module ${name} was not loaded; modprobe says: .*MODULE_REFUSED`));
      expect([isLoaded(), program.state.size]).toEqual([false, 0]);
    },
  );
});

/** What follows from what is known of a module; the reading is tested with trees of files in native/test. */

import { expect, test } from "vitest";
import { Host } from "../../provider/host/host";
import { moduleName, moduleState } from "../../provider/host/modules";
import type { ModuleFacts } from "../../provider/kernel/kernel";
import { kinds } from "../../provider/kinds";
import type { Kind } from "../../provider/kinds/kind";
import { isValueOf } from "../../provider/kinds/parts/module-checks";
import { ScriptedKernel } from "../harness/scripted-kernel";

const facts = (more: Partial<ModuleFacts> = {}): ModuleFacts => ({
  release: "6.1.0-7",
  modular: true,
  present: false,
  builtIn: false,
  available: false,
  initialised: false,
  releases: ["6.1.0-7"],
  users: [],
  parameters: {},
  ...more,
});

test.each<[string, Partial<ModuleFacts>]>([
  ["loaded", { present: true, state: "live", available: true }],
  ["loaded", { present: true, state: "coming" }],
  ["built-in", { present: true }],
  ["built-in", { builtIn: true }],
  ["built-in", { modular: false, initialised: true, releases: [] }],
  ["loadable", { available: true }],
  ["absent", {}],
  ["absent", { releases: [] }],
  ["absent", { modular: false, available: true }],
  ["other-kernel", { releases: ["6.1.0-8", "6.1.0-9"] }],
  ["absent", { modular: false, releases: ["6.1.0-8"] }],
])("%s: %j", (state, more) => expect(moduleState(facts(more))).toBe(state));

test("a dash is an underscore", () => expect(moduleName("nf-nat")).toBe("nf_nat"));

test.each([
  ["1", "Y", true],
  ["y", "Y", true],
  ["0", "Y", false],
  ["N", "N", true],
  ["n", "Y", false],
  ["0x10", "16", true],
  ["010", "10", true],
  ["-1", "-1", true],
  ["16", "17", false],
  ["a,b", "a,b", true],
  ["", "0", false],
])("the value %j shown as %j is the same: %s", (want, shown, same) =>
  expect(isValueOf(want, shown)).toBe(same),
);

test("a module of another kernel is refused with both versions and what to do", async () => {
  const kernel = new ScriptedKernel();
  kernel.module = async () => facts({ releases: ["6.1.0-8"] });
  const kind = kinds.KernelModule as Kind;
  const problems = await kind.hostRules?.({ name: "tun" }, new Set(), new Host(kernel));
  expect(problems).toEqual([
    {
      property: "name",
      code: "MODULE_MISSING",
      message:
        "there is no module tun of the kernel that runs, 6.1.0-7: /lib/modules has those of 6.1.0-8 only. Reboot into the installed kernel, or install the modules of the one that runs.",
    },
  ]);
});

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { repository, temporary } from "./tool";

/** The modules that a built program has loaded when it ends. */
function loadedBy(program: string, ...args: string[]): string[] {
  const folder = temporary();
  const report = join(folder, "loaded.json");
  const hook = join(folder, "hook.cjs");
  const write = `require("node:fs").writeFileSync(${JSON.stringify(report)}, JSON.stringify(Object.keys(require.cache)))`;
  writeFileSync(hook, `process.on("exit", () => ${write});`);
  execFileSync(process.execPath, ["--require", hook, join(repository, "dist", program), ...args]);
  return JSON.parse(readFileSync(report, "utf8"));
}

it("loads the Automation API, which takes most of a start, only when a command runs", () => {
  const loaded = loadedBy("cli/main.js", "--help");
  expect(loaded.some((file) => file.includes("/commander/"))).toBe(true);
  expect(loaded.filter((file) => /@pulumi|typescript|tsx|cli-table3/.test(file))).toEqual([]);
});

it("shows the host without the engine's libraries", () => {
  const loaded = loadedBy("cli/main.js", "show");
  expect(loaded.some((file) => file.endsWith("/provider/host/survey.js"))).toBe(true);
  expect(loaded.filter((file) => /@pulumi|@grpc|typescript|tsx|ajv/.test(file))).toEqual([]);
});

it("loads no schema compiler into the provider: the validators are compiled when they are generated", () => {
  const loaded = loadedBy("provider/dynamic.js");
  expect(loaded.some((file) => file.includes("/provider/validators/"))).toBe(true);
  expect(loaded.filter((file) => /\/ajv\/(?!dist\/runtime\/)/.test(file))).toEqual([]);
});

it("loads neither that nor the kinds into a program, for its components", () => {
  const loaded = loadedBy("sdk/index.js");
  expect(loaded.some((file) => file.includes("/sdk/components/validators/"))).toBe(true);
  expect(loaded.filter((file) => /\/ajv\/|\/provider\/(kinds\/(?!parts\/)|validators\/)/.test(file))).toEqual(
    [],
  );
});

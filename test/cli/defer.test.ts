import { createRequire } from "node:module";
import { join } from "node:path";
import { expect, it } from "vitest";
import { run } from "../harness/shell";
import { repository } from "./tool";

const require = createRequire(__filename);
const automation = require.resolve("@pulumi/pulumi/automation");

/** Runs a script in a process in which the built command has deferred modules; gives what it hands to `tell`. */
async function inProcess(script: string): Promise<unknown> {
  const program = `
    const { deferHeavyModules } = require(${JSON.stringify(join(repository, "dist/cli/defer.js"))});
    deferHeavyModules(${JSON.stringify(automation)});
    const pulumi = require("@pulumi/pulumi");
    require(${JSON.stringify(automation)});
    const isLoaded = (part) => Object.values(require.cache).some(
      ({ filename, children }) => filename.includes(part) && !require("node:util").types.isProxy(require.cache[filename].exports));
    const tell = (value) => console.log(JSON.stringify(value));
    (async () => { ${script} })();`;
  return JSON.parse(await run(process.execPath, "--input-type=commonjs", "-e", program));
}

it("loads @pulumi/pulumi without the compiler and npm's dependency tree", async () => {
  const loaded = await inProcess(
    'tell(["/@pulumi/pulumi/automation/", "/typescript/lib/", "/@npmcli/arborist/", "/pacote/"].map(isLoaded))',
  );
  expect(loaded).toEqual([true, false, false, false]);
});

it("loads each when it is used: a function is serialised as ever", async () => {
  const [text, compiler, tree] = (await inProcess(`
    const captured = { greeting: "hello" };
    const { text } = await pulumi.runtime.serializeFunction(() => captured.greeting);
    tell([text, isLoaded("/typescript/lib/"), isLoaded("/@npmcli/arborist/")])`)) as [
    string,
    boolean,
    boolean,
  ];
  expect(text).toContain('greeting: "hello"');
  expect([compiler, tree]).toEqual([true, false]);
});

it("a stand-in is what it stands for, in every way of looking at it", async () => {
  const look = `
    const look = (ts, arborist) => [
      ts.version, Object.keys(ts), "createSourceFile" in ts, { ...ts }.SyntaxKind.Unknown,
      typeof new arborist({ path: "/" }).buildIdealTree, new arborist.Arborist({ path: "/" }) instanceof arborist,
      arborist.name,
    ];`;
  const standIns = await inProcess(`${look}
    const shim = require("@pulumi/pulumi/typescript-shim");
    tell(look(shim, require("@npmcli/arborist")))`);
  const real = JSON.parse(
    await run(
      process.execPath,
      "--input-type=commonjs",
      "-e",
      `${look} console.log(JSON.stringify(look(require("typescript"), require("@npmcli/arborist"))))`,
    ),
  );
  expect(standIns).toEqual(real);
});

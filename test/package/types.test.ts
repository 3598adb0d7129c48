import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { UserFolder } from "../harness/user-folder";

const compiler = resolve(__dirname, "../../node_modules/typescript/bin/tsc");

let user: UserFolder;
beforeAll(() => {
  user = new UserFolder();
  user.install();
});
afterAll(() => user.remove());

const right = `import * as tuntap from "pulumi-tuntap";
import { TunInterface, type TunInterfaceArgs } from "pulumi-tuntap";
const args: TunInterfaceArgs = { owner: "nobody", mtu: 1400 };
const tap: tuntap.TunInterface = new TunInterface("tap0", args);
export const name = tap.name.apply((text) => text.toUpperCase());
export const lab = new tuntap.Namespace("lab").name;
`;
const wrong = right.replace("mtu: 1400", 'mtu: "big"').replace("toUpperCase", "toUpper");

test.each([
  ["an ES module", "module", "nodenext"],
  ["a CommonJS module", "commonjs", "nodenext"],
  ["a module for a bundler", "module", "preserve"],
])("%s has the types, and is told of what is wrong", (_, type, module) => {
  const folder = join(user.path, `${type}-${module}`);
  mkdirSync(folder);
  const compilerOptions = {
    module,
    strict: true,
    noEmit: true,
    target: "es2022",
    types: [],
    skipLibCheck: false,
  };
  const files = { "right.ts": right, "wrong.ts": wrong };
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type }));
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ compilerOptions, files: Object.keys(files) }),
  );
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const { stdout } = spawnSync(process.execPath, [compiler, "-p", "."], { cwd: folder, encoding: "utf8" });
  expect(stdout.trim().split("\n")).toEqual([
    expect.stringMatching(/^wrong\.ts\(3,\d+\): error TS2322: Type 'string' .*'Input<number> \| undefined'/),
    expect.stringMatching(
      /^wrong\.ts\(5,\d+\): error TS2339: Property 'toUpper' does not exist on type 'string'/,
    ),
  ]);
});

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { violations } from "./harness/architecture";

const root = join(__dirname, "..");

function sourcesOf(folders: readonly string[]): Map<string, string> {
  const sources = new Map<string, string>();
  for (const folder of folders.filter((name) => existsSync(join(root, name)))) {
    for (const entry of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })) {
      const path = `${folder}/${entry}`;
      if (/\.(ts|cc|h)$/.test(path) && !path.startsWith("native/build/")) {
        sources.set(path, readFileSync(join(root, path), "utf8"));
      }
    }
  }
  return sources;
}

test("the tree keeps to the floors, without circles, giants, printing and stray native code", () => {
  const sources = sourcesOf(["cli", "plugin", "sdk", "provider", "native"]);
  expect(sources.size).toBeGreaterThan(50);
  expect(violations(sources)).toEqual([]);
});

describe("the rules can fail", () => {
  const good: Record<string, string> = {
    "sdk/index.ts": 'export const face = () => import("pulumi-tuntap/provider");',
    "provider/dynamic.ts": 'import { reconcile } from "./reconcile"; export { reconcile };',
    "provider/reconcile.ts": 'import { kinds } from "./kinds"; export const reconcile = kinds;',
    "provider/kinds/index.ts": 'export { tap as kinds } from "./tap";',
    "provider/kinds/tap.ts": 'import { fail } from "../errors"; export const tap = fail;',
    "provider/errors.ts": "export const fail = 1;",
    "native/tun.cc": "int tun;\n",
  };
  const found = (changes: Record<string, string>) =>
    violations(new Map(Object.entries({ ...good, ...changes })));

  test("a tree that keeps to them passes", () => expect(found({})).toEqual([]));

  test.each<[string, Record<string, string>, RegExp]>([
    ["an import from above", { "provider/errors.ts": 'import "./kinds";' }, /errors.ts .* not below it/],
    ["a type from above", { "provider/errors.ts": 'import type { T } from "./reconcile";' }, /not below it/],
    ["an inline type from above", { "provider/errors.ts": 'type T = import("./kinds").T;' }, /not below it/],
    ["an import() from above", { "provider/errors.ts": 'void import("./kinds/tap");' }, /not below it/],
    ["a re-export from above", { "provider/errors.ts": 'export * from "./kinds";' }, /not below it/],
    ["a require() from above", { "provider/errors.ts": 'require("./kinds");' }, /not below it/],
    [
      "the package's own name from below",
      { "provider/kinds/tap.ts": 'import "pulumi-tuntap";' },
      /sdk.*not below it/,
    ],
    [
      "a neighbour on the same floor",
      { "provider/netlink/a.ts": 'import "../kernel/b";', "provider/kernel/b.ts": "" },
      /not below it/,
    ],
    ["a file in no room", { "provider/stray.ts": 'import "./errors";' }, /stray.ts is in no room/],
    ["an import of a test", { "provider/kinds/tap.ts": 'import "../../test/x";' }, /in no room/],
    [
      "a circle within a room",
      { "provider/kinds/tap.ts": 'import "./tun";', "provider/kinds/tun.ts": 'import "./tap";' },
      /circle of imports: .*tap.ts → provider\/kinds\/tun.ts/,
    ],
    [
      "the addon from elsewhere",
      { "provider/kinds/tap.ts": 'const file = "tuntap.node";' },
      /may not load native code/,
    ],
    ["dlopen", { "cli/a.ts": "process.dlopen(module, file);" }, /may not load native code/],
    [
      "createRequire in the provider",
      { "provider/kinds/tap.ts": 'import { createRequire } from "node:module";' },
      /createRequire/,
    ],
    ["console", { "provider/kinds/tap.ts": 'console.log("x");' }, /tap.ts prints \(console.log\)/],
    ["stdout", { "provider/kinds/tap.ts": "process.stdout.write(text);" }, /prints \(process.stdout\)/],
    ["a giant", { "native/tun.cc": "x;\n".repeat(501) }, /tun.cc has 501 lines/],
  ])("%s", (_, changes, expected) => {
    expect(found(changes)).toEqual(expect.arrayContaining([expect.stringMatching(expected)]));
  });

  test("a generated class may be long", () =>
    expect(found({ "sdk/resources/tap.ts": "export {};\n".repeat(501) })).toEqual([]));

  test("the loader may load it, and 500 lines are allowed", () => {
    expect(
      found({
        "provider/kernel/load.ts": 'import { createRequire } from "node:module"; const f = "tuntap.node";',
        "native/tun.cc": "x;\n".repeat(500),
        "sdk/resources/tun.ts": "x;\n".repeat(501),
      }),
    ).toEqual([]);
  });
});

import { describe, expect, it } from "vitest";
import { lab, object, slow } from "./tool";

const yaml = (main: string) => `name: lab\nruntime: nodejs\nmain: ${main}\n`;
const moduleManifest = '{"type":"module"}';
const esm = `
import * as pulumi from "@pulumi/pulumi";
import things from "./things/thing.js";
import { size } from "./size.js";
new things.Thing("a", { store: process.cwd() + "/store", mtu: size });
export const where = process.cwd();
export const project = pulumi.getProject();`;

interface Case {
  what: string;
  files: Record<string, string>;
  outputs: Record<string, unknown> | ((root: string) => Record<string, unknown>);
}

const cases: Case[] = [
  {
    what: "CommonJS",
    files: { "index.js": "module.exports = { a: 1, where: process.cwd() };" },
    outputs: (root) => ({ a: 1, where: root }),
  },
  {
    what: "TypeScript with its own types and enums, without a build",
    files: {
      "index.ts":
        "enum Size { small = 7 }\nexport const a: number = Size.small;\nexport const b = [a] as const;",
    },
    outputs: { a: 7, b: [7] },
  },
  {
    what: "TypeScript as an ES module",
    files: {
      "package.json": moduleManifest,
      "index.ts": esm,
      "size.ts": "export const size: number = 1400;",
      "things/package.json": "{}",
    },
    outputs: (root) => ({ where: root, project: "lab" }),
  },
  {
    what: "JavaScript as an ES module with a default function and top-level await",
    files: {
      "package.json": moduleManifest,
      "index.js": "const a = await Promise.resolve(1);\nexport default async () => ({ a });",
    },
    outputs: { a: 1 },
  },
  {
    what: "export = of an async function",
    files: { "index.ts": "export = async () => ({ a: await Promise.resolve(2) });" },
    outputs: { a: 2 },
  },
  {
    what: "export default of an async function, compiled to CommonJS",
    files: { "index.ts": "export default async () => ({ a: 3 });" },
    outputs: { a: 3 },
  },
  {
    what: "main as a file in a folder: the folder is the working directory",
    files: { "Pulumi.yaml": yaml("src/main.ts"), "src/main.ts": "export const where = process.cwd();" },
    outputs: (root) => ({ where: `${root}/src` }),
  },
  {
    what: "main as a folder",
    files: { "Pulumi.yaml": yaml("src/"), "src/index.ts": "export const where = process.cwd();" },
    outputs: (root) => ({ where: `${root}/src` }),
  },
  {
    what: "main of package.json",
    files: {
      "package.json": '{"main":"lib/start.js"}',
      "lib/start.js": "exports.a = 4;",
      "index.ts": "throw 1;",
    },
    outputs: { a: 4 },
  },
];

describe("programs that are loaded as Pulumi would", () => {
  for (const { what, files, outputs } of cases) {
    it(
      what,
      async () => {
        const { tuntap, root } = lab(files);
        const ran = await tuntap(["preview", "--json"]);
        const expected = typeof outputs === "function" ? outputs(root) : outputs;
        expect(object(ran), ran.stderr).toMatchObject({ result: "succeeded", outputs: expected });
      },
      slow,
    );
  }

  it(
    "index.js before index.ts, as Pulumi, with a warning",
    async () => {
      const { tuntap } = lab({ "index.js": "exports.a = 'js';", "index.ts": "export const a = 'ts';" });
      const ran = await tuntap(["preview", "--json"]);
      expect(object(ran).outputs).toEqual({ a: "js" });
      expect(ran.stderr).toContain("index.js is run, as Pulumi does");
    },
    slow,
  );

  it(
    "from another folder, and from a folder below the project",
    async () => {
      const { tuntap, root } = lab({ "index.js": "exports.a = process.cwd();", "below/file": "" });
      expect(object(await tuntap(["preview", "below", "--json"])).outputs).toEqual({ a: root });
    },
    slow,
  );

  it(
    "anew for each run of the engine: modules that register resources are evaluated again",
    async () => {
      for (const type of ["commonjs", "module"]) {
        const { tuntap } = lab({
          "package.json": JSON.stringify({ type }),
          "things/package.json": "{}",
          "index.ts": 'import { name } from "./part.js";\nexport const made = name;',
          "part.ts": `import things from "./things/thing.js";
          export const name = new things.Thing("a", { store: process.cwd() + "/store" }).name;`,
        });
        const up = await tuntap(["up", "--yes", "--json"]);
        expect(object(up), up.stderr).toMatchObject({ changes: { create: 1 }, outputs: { made: "a" } });
      }
    },
    slow,
  );

  it(
    "console.log of the program does not break the one object",
    async () => {
      const { tuntap } = lab({
        "index.js": "console.log('loud'); process.stdout.write('no newline at end'); exports.a = 1;",
      });
      const ran = await tuntap(["preview", "--json"]);
      expect(object(ran).outputs).toEqual({ a: 1 });
      expect(ran.stderr).toContain("loud\nno newline at end\n");
    },
    slow,
  );
});

describe("a program's error names the user's line, once", () => {
  const lib = "export function check(x: number) {\n  if (x > 1) throw new TypeError('x is too big');\n}\n";
  const errors: [string, Record<string, string>, RegExp][] = [
    [
      "thrown in a module",
      { "index.ts": 'import { check } from "./lib";\ncheck(2);' },
      /^TypeError: x is too big\n.*\/lib\.ts:2:\d+$/,
    ],
    [
      "thrown in an ES module",
      { "package.json": moduleManifest, "index.ts": 'import { check } from "./lib.js";\ncheck(2);' },
      /^TypeError: x is too big\n.*\/lib\.ts:2:\d+$/,
    ],
    [
      "rejected by an async program",
      { "index.ts": 'import { check } from "./lib";\nexport = async () => { await null; check(2); };' },
      /^TypeError: x is too big\n.*\/lib\.ts:2:\d+$/,
    ],
    [
      "thrown in an apply",
      {
        "index.ts":
          'import { output } from "@pulumi/pulumi";\noutput(1).apply(() => { throw new Error("late"); });',
      },
      /late\n.*\/index\.ts:2:\d+$/,
    ],
    ["that is no Error", { "index.ts": 'throw "a string";' }, /^the program failed: a string$/],
    [
      "thrown by a constructor of the engine's SDK",
      {
        "index.ts":
          'import { ComponentResource } from "@pulumi/pulumi";\nnew ComponentResource("my:index:Part", "");',
      },
      /^Missing resource name argument.*\n.*\/index\.ts:2:\d+$/,
    ],
    ["of syntax", { "index.ts": "const a = 1;\nconst x = ;" }, /\/index\.ts:2:\d+: ERROR: Unexpected/],
  ];
  for (const [what, files, pattern] of errors) {
    it(
      what,
      async () => {
        const { tuntap } = lab({ "lib.ts": lib, ...files });
        const ran = await tuntap(["up", "--yes", "--json"]);
        expect(ran.code).toBe(1);
        const { diagnostics } = object(ran) as { diagnostics: { message: string }[] };
        expect(diagnostics).toHaveLength(1);
        expect(diagnostics[0]?.message).toMatch(pattern);
      },
      slow,
    );
  }
});

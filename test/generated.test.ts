import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Ajv2020 from "ajv/dist/2020";
import { describe, expect, test } from "vitest";
import { kinds } from "../provider/kinds";
import { artefacts, generatedFolders, root } from "../tools/generate/artefacts";
import { typeErrors } from "./harness/compile";
import { run } from "./harness/shell";

type Json = Record<string, unknown>;

interface ResourceSchema {
  inputProperties: Record<string, Json>;
  requiredInputs: string[];
  properties: Record<string, Json>;
  required: string[];
}

const files = artefacts();
const schema = JSON.parse(files.get("schema.json") as string) as {
  types: Record<string, { type: string; enum: { value: unknown }[] }>;
  resources: Record<string, ResourceSchema>;
};

describe("committed files are what the kinds say now (else run `npm run generate`)", () => {
  test.each([...files.keys()])("%s", (path) => {
    expect(readFileSync(join(root, path), "utf8")).toBe(files.get(path));
  });

  test("nothing else lies in the generated folders", () => {
    const found = generatedFolders.flatMap((folder) =>
      readdirSync(join(root, folder)).map((name) => `${folder}/${name}`),
    );
    expect(found.filter((path) => !files.has(path))).toEqual([]);
  });

  test("two runs give the same bytes", () => expect([...artefacts()]).toEqual([...files]));
});

describe("the package schema", () => {
  test.each(Object.keys(kinds))("of %s names every input and output, with types that exist", (name) => {
    const kind = kinds[name]!;
    const resource = schema.resources[`tuntap:index:${name}`]!;
    expect(Object.keys(resource.inputProperties)).toEqual(Object.keys(kind.inputs));
    expect(Object.keys(resource.properties)).toEqual([
      ...Object.keys(kind.inputs),
      ...Object.keys(kind.outputs),
    ]);
    expect(Object.keys(resource.properties)).toEqual(expect.arrayContaining(resource.required));
    for (const property of [
      ...Object.values(resource.inputProperties),
      ...Object.values(resource.properties),
    ]) {
      expect(property.description).toMatch(/\.$/);
      const reference = property.$ref as string | undefined;
      if (reference) expect(schema.types).toHaveProperty([reference.replace("#/types/", "")]);
      else expect(property.type ?? property.oneOf).toBeDefined();
    }
    for (const [input, { change, default: value }] of Object.entries(kind.inputs)) {
      const property = resource.inputProperties[input]!;
      expect(property.willReplaceOnChanges ?? false).toBe(change === "replace");
      expect(property.default).toEqual(value);
    }
  });

  const metaschema = findMetaschema();
  test.skipIf(metaschema === undefined)(
    "satisfies Pulumi's metaschema (comes with the engine's sources)",
    () => {
      const ajv = new Ajv2020({ strict: false });
      ajv.addFormat("uri-reference", true);
      ajv.addFormat("regex", true);
      const validate = ajv.compile(JSON.parse(readFileSync(metaschema as string, "utf8")));
      validate(schema);
      expect(validate.errors ?? []).toEqual([]);
      expect(validate({ ...schema, resources: { "tuntap:index:X": { inputProperties: 1 } } })).toBe(false);
    },
  );
});

/** The metaschema lies in the Go module of the engine, where that was built from it. */
function findMetaschema(): string | undefined {
  try {
    const cache = execFileSync("go", ["env", "GOMODCACHE"], { encoding: "utf8" }).trim();
    const version = /pulumi\/pkg\/v3 (v\S+)/.exec(
      readFileSync(join(root, "tools/engine/go.mod"), "utf8"),
    )?.[1];
    const file = join(cache, `github.com/pulumi/pulumi/pkg/v3@${version}/codegen/schema/pulumi.json`);
    return existsSync(file) ? file : undefined;
  } catch {
    return undefined;
  }
}

test("the SDK's types: examples compile, optional outputs say so, wrong inputs are refused", () => {
  const heading =
    'import type * as pulumi from "@pulumi/pulumi";\nimport * as tuntap from "pulumi-tuntap";\n';
  const good = Object.fromEntries(
    Object.values(kinds).map(({ name, example }) => [`example of ${name}`, heading + example]),
  );
  for (const [token, { properties, required }] of Object.entries(schema.resources)) {
    const kind = token.split(":")[2];
    good[`outputs of ${kind}`] =
      heading +
      Object.keys(properties)
        .map((name) => {
          const absent = `undefined extends pulumi.Unwrap<tuntap.${kind}["${name}"]> ? true : false`;
          return `export const is_${name}: ${absent} = ${!required.includes(name)};`;
        })
        .join("\n");
  }
  const wrong = ['{ mode: "bridge" }', "{ mtu: true }", "{ adress: 1 }", '{ addresses: "10.0.0.1/8" }'];
  const bad = Object.fromEntries(
    wrong.map((inputs) => [
      `wrong ${inputs.replaceAll("/", "")}`,
      `${heading}new tuntap.TunInterface("a", ${inputs});`,
    ]),
  );
  const errors = typeErrors({ ...good, ...bad });
  for (const name of Object.keys(good)) expect(errors[name], name).toEqual([]);
  for (const name of Object.keys(bad)) expect(errors[name], name).toHaveLength(1);
});

test("fields of the classes do not overwrite what the engine set", async () => {
  const program = `
    const pulumi = require("@pulumi/pulumi");
    pulumi.runtime.setMocks({
      newResource: ({ inputs }) => ({ id: "x", state: { ...inputs, mtu: 1500 } }),
      call: () => ({}),
    });
    const { TunInterface } = require("./sdk");
    const tap = new TunInterface("tap0", { owner: "alice" });
    pulumi.all([tap.owner, tap.mtu, tap.namespace]).apply((values) => console.log(JSON.stringify(values)));
  `;
  const output = await run("node", "--import", "tsx", "--input-type=commonjs", "-e", program);
  expect(JSON.parse(output)).toEqual(["alice", 1500, null]);
});

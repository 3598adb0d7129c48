import type { InputSchema, Kind, OutputSchema } from "../../provider/kinds/kind";
import { enumOf, inputsOf, outputsOf, typesOf } from "./shape";

type Json = Record<string, unknown>;

/** What package.json says of the package. */
export interface PackageFacts {
  name: string;
  version: string;
  description: string;
  keywords: string[];
  license: string;
}

/** The Pulumi package schema: what `pulumi import`, YAML and the SDKs of other languages are made from. */
export function packageSchema(kinds: readonly Kind[], facts: PackageFacts): string {
  const schema = {
    name: "tuntap",
    version: facts.version,
    displayName: "tuntap",
    description: facts.description,
    keywords: [
      "pulumi",
      "kind/native",
      "category/network",
      ...facts.keywords.filter((word) => word !== "pulumi"),
    ],
    license: facts.license,
    language: { nodejs: { packageName: facts.name, packageDescription: facts.description } },
    provider: {},
    types: Object.assign({}, ...kinds.map(enumTypes)) as Json,
    resources: Object.fromEntries(kinds.map((kind) => [`tuntap:index:${kind.name}`, resource(kind)])),
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

function resource(kind: Kind): Json {
  const inputs = inputsOf(kind);
  const outputs = outputsOf(kind);
  return {
    description: kind.description,
    inputProperties: Object.fromEntries(
      inputs.map(({ name, schema }) => [name, { ...property(kind, name, schema), ...inputFacts(schema) }]),
    ),
    requiredInputs: inputs.filter(({ required }) => required).map(({ name }) => name),
    properties: Object.fromEntries(outputs.map(({ name, schema }) => [name, property(kind, name, schema)])),
    required: outputs.filter(({ optional }) => !optional).map(({ name }) => name),
  };
}

/** `willReplaceOnChanges` informs; that the engine replaces is left to diff, which knows whether the object exists. */
function inputFacts({ default: value, change }: InputSchema): Json {
  return {
    ...(value === undefined ? {} : { default: value }),
    ...(change === "replace" ? { willReplaceOnChanges: true } : {}),
  };
}

function property(kind: Kind, name: string, schema: InputSchema | OutputSchema): Json {
  return { ...type(kind, name, schema), description: schema.description };
}

function type(kind: Kind, name: string, schema: InputSchema | OutputSchema): Json {
  if (enumOf(schema)) return { $ref: `#/types/${enumToken(kind, name)}` };
  const types = typesOf(schema).map((word) =>
    word === "array"
      ? { type: word, items: { type: ("items" in schema && schema.items?.type) || "string" } }
      : { type: word },
  );
  return types.length === 1 ? (types[0] as Json) : { oneOf: types };
}

function enumTypes(kind: Kind): Json {
  const named = inputsOf(kind).filter(({ schema }) => schema.enum);
  return Object.fromEntries(
    named.map(({ name, schema }) => [
      enumToken(kind, name),
      {
        type: typesOf(schema)[0],
        description: schema.description,
        enum: (schema.enum ?? []).map((value) => ({ value })),
      },
    ]),
  );
}

function enumToken(kind: Kind, name: string): string {
  return `tuntap:index:${kind.name}${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}

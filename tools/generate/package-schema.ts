import type { Declaration, FieldSchema, InputSchema } from "../../provider/kinds/kind";
import {
  type AnySchema,
  enumOf,
  fieldsOf,
  innerName,
  innerObjects,
  inputsOf,
  itemsOf,
  outputsOf,
  typesOf,
} from "./shape";

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
export function packageSchema(kinds: readonly Declaration[], facts: PackageFacts): string {
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
    types: Object.assign({}, ...kinds.map(namedTypes)) as Json,
    resources: Object.fromEntries(kinds.map((kind) => [`tuntap:index:${kind.name}`, resource(kind)])),
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

function resource(kind: Declaration): Json {
  const inputs = inputsOf(kind);
  const outputs = outputsOf(kind);
  return {
    description: kind.description,
    inputProperties: Object.fromEntries(
      inputs.map(({ name, schema }) => [
        name,
        { ...property(kind.name, name, schema), ...inputFacts(schema) },
      ]),
    ),
    requiredInputs: inputs.filter(({ required }) => required).map(({ name }) => name),
    properties: Object.fromEntries(
      outputs.map(({ name, schema }) => [name, property(kind.name, name, schema)]),
    ),
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

function property(outer: string, name: string, schema: AnySchema & { description: string }): Json {
  return { ...type(outer, name, schema), description: schema.description };
}

/** @param outer the kind or object that has it. */
function type(outer: string, name: string, schema: AnySchema): Json {
  if (enumOf(schema) || fieldsOf(schema)) return { $ref: `#/types/${token(innerName(outer, name, schema))}` };
  const types = typesOf(schema).map((word) =>
    word === "array" ? { type: word, items: itemType(outer, name, schema) } : { type: word },
  );
  return types.length === 1 ? (types[0] as Json) : { oneOf: types };
}

function itemType(outer: string, name: string, list: AnySchema): Json {
  const items = itemsOf(list);
  return fieldsOf(items)
    ? { $ref: `#/types/${token(innerName(outer, name, list))}` }
    : { type: typesOf(items)[0] };
}

/** Objects within inputs, and sets of values, which the package schema wants to have a name. */
function namedTypes(kind: Declaration): Json {
  const inner = innerObjects(kind);
  return Object.fromEntries([
    ...enumTypes(kind.name, Object.entries(kind.inputs)),
    ...inner.flatMap(({ name, fields }) => enumTypes(name, fields)),
    ...inner.map(({ name, description, fields }) => [
      token(name),
      {
        type: "object",
        description,
        properties: Object.fromEntries(
          fields.map(([key, field]) => [
            key,
            {
              ...property(name, key, field),
              ...(field.default === undefined ? {} : { default: field.default }),
            },
          ]),
        ),
        required: fields.filter(([, field]) => field.required).map(([key]) => key),
      },
    ]),
  ]);
}

function enumTypes(outer: string, fields: readonly [string, FieldSchema][]): [string, Json][] {
  return fields
    .filter(([, schema]) => schema.enum)
    .map(([name, schema]) => [
      token(innerName(outer, name, schema)),
      {
        type: typesOf(schema)[0],
        description: schema.description,
        enum: (schema.enum ?? []).map((value) => ({ value })),
      },
    ]);
}

function token(name: string): string {
  return `tuntap:index:${name}`;
}

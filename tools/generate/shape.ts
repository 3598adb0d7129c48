/** What a kind's file says, in the words that SDK classes, package schema and reference pages are written in. */
import type {
  Change,
  Declaration,
  FieldSchema,
  InputSchema,
  OutputSchema,
  ValueSchema,
} from "../../provider/kinds/kind";

export interface Input {
  name: string;
  schema: InputSchema;
  required: boolean;
}

/** A property of a resource as it is read back. */
export interface Output {
  name: string;
  schema: InputSchema | OutputSchema;
  /** Whether it may be absent. */
  optional: boolean;
}

export function inputsOf(kind: Declaration): Input[] {
  return Object.entries(kind.inputs).map(([name, schema]) => ({
    name,
    schema,
    required: schema.required === true,
  }));
}

/** Every input comes back as an output, then the kind's own outputs. */
export function outputsOf(kind: Declaration): Output[] {
  const inputs = inputsOf(kind).map(({ name, schema }) => ({
    name,
    schema,
    optional: !isAlwaysThere(schema),
  }));
  const others = Object.entries(kind.outputs).map(([name, schema]) => ({
    name,
    schema,
    optional: schema.optional === true,
  }));
  return [...inputs, ...others];
}

/** Whether a value is there when it is read back, declared or not. */
export function isAlwaysThere(schema: FieldSchema): boolean {
  return schema.required === true || schema.default !== undefined || schema.observed === true;
}

/** `TunInterface` as a file name: `tun-interface`. */
export function fileName(kind: { name: string }): string {
  return kind.name.replace(/(?<=[a-z0-9])(?=[A-Z])/g, "-").toLowerCase();
}

export type AnySchema = ValueSchema | OutputSchema;

export function typesOf(schema: AnySchema): readonly string[] {
  return typeof schema.type === "string" ? [schema.type] : schema.type;
}

export function enumOf(schema: AnySchema): readonly (string | number)[] | undefined {
  return "enum" in schema ? schema.enum : undefined;
}

/** The schema of a list's elements; of text where it says nothing. */
export function itemsOf(schema: AnySchema): ValueSchema {
  return ("items" in schema && schema.items) || { type: "string" };
}

/** What an object has in it; undefined for a value that is none. */
export function fieldsOf(schema: AnySchema): [string, FieldSchema][] | undefined {
  return "properties" in schema && schema.properties ? Object.entries(schema.properties) : undefined;
}

/** The name of what is in a value: `VethPair`, `ends` gives `VethPairEnd` for an element of the list. */
export function innerName(outer: string, name: string, schema: AnySchema): string {
  const single = typesOf(schema).includes("array") ? name.replace(/s$/, "") : name;
  return `${outer}${single.charAt(0).toUpperCase()}${single.slice(1)}`;
}

/** An object that is a value or an element of it. */
export interface Inner {
  /** `TunInterfacePort` */
  name: string;
  description: string;
  fields: [string, FieldSchema][];
  /** It is an input, not only an output. */
  given: boolean;
}

/** All objects in the inputs and outputs of a kind, those within others first. */
export function innerObjects(kind: Declaration): Inner[] {
  const within = (outer: string, name: string, schema: AnySchema & Described, given: boolean): Inner[] => {
    const fields = fieldsOf(typesOf(schema).includes("array") ? itemsOf(schema) : schema);
    if (!fields) return [];
    const inner = innerName(outer, name, schema);
    return [
      ...fields.flatMap(([key, field]) => within(inner, key, field, given)),
      { name: inner, description: schema.description, fields, given },
    ];
  };
  return [
    ...Object.entries(kind.inputs).flatMap(([name, schema]) => within(kind.name, name, schema, true)),
    ...Object.entries(kind.outputs).flatMap(([name, schema]) => within(kind.name, name, schema, false)),
  ];
}

interface Described {
  description: string;
}

/** What a change of an input means, as a sentence. */
export const changeSentences: Readonly<Record<Change, string>> = {
  live: "A change is made in place.",
  replace: "A change makes the object anew: it is deleted first.",
  control: "Only the provider reads it: a change writes nothing to the host.",
};

/** What a kind's file says, in the words that SDK classes, package schema and reference pages are written in. */
import type { Change, InputSchema, Kind, OutputSchema } from "../../provider/kinds/kind";

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

export function inputsOf(kind: Kind): Input[] {
  return Object.entries(kind.inputs).map(([name, schema]) => ({
    name,
    schema,
    required: schema.required === true,
  }));
}

/** Every input comes back as an output, then the kind's own outputs. */
export function outputsOf(kind: Kind): Output[] {
  const inputs = inputsOf(kind).map(({ name, schema, required }) => ({
    name,
    schema,
    optional: !required && schema.default === undefined && schema.observed !== true,
  }));
  const others = Object.entries(kind.outputs).map(([name, schema]) => ({
    name,
    schema,
    optional: schema.optional === true,
  }));
  return [...inputs, ...others];
}

/** `TunInterface` as a file name: `tun-interface`. */
export function fileName(kind: Kind): string {
  return kind.name.replace(/(?<=[a-z0-9])(?=[A-Z])/g, "-").toLowerCase();
}

export function typesOf(schema: InputSchema | OutputSchema): readonly string[] {
  return typeof schema.type === "string" ? [schema.type] : schema.type;
}

export function enumOf(schema: InputSchema | OutputSchema): readonly (string | number)[] | undefined {
  return "enum" in schema ? schema.enum : undefined;
}

/** What a change of an input means, as a sentence. */
export const changeSentences: Readonly<Record<Change, string>> = {
  live: "A change is made in place.",
  replace: "A change makes the object anew: it is deleted first.",
  control: "Only the provider reads it: a change writes nothing to the host.",
};

/** What is said of values and names that do not fit, wherever inputs are checked. */

import { distance } from "fastest-levenshtein";
import type { FieldSchema, ValueSchema } from "./kinds/kind";

/** What has properties. */
export interface Owner {
  /** `TunInterface`, `port`. */
  name: string;
  /** As a program would write it, `ends[1].port`; undefined for all of the inputs. */
  field: string | undefined;
  inputs: readonly string[];
  /** Names that it has, too, but that cannot be given. */
  outputs: readonly string[];
}

/** Of a property that is not there, with the one that was probably meant. */
export function unknownProperty(key: string, { name, field, inputs, outputs }: Owner): string {
  const meant = nearest(key, [...inputs, ...outputs]);
  const prefix = field === undefined ? "" : `${field}.`;
  const say = (advice: string) => `${prefix}${key} is no property of ${name}; ${advice}`;
  if (meant === undefined) return say(`it has ${inputs.map((each) => `\`${each}\``).join(", ")}`);
  if (inputs.includes(meant)) return say(`did you mean \`${prefix}${meant}\`?`);
  return say(`\`${meant}\` is an output, which cannot be given; take it out`);
}

/** The name that was probably meant; undefined where none is like it. */
export function nearest(key: string, names: readonly string[]): string | undefined {
  const difference = (each: string) => distance(key.toLowerCase(), each.toLowerCase());
  const candidate = names.reduce((best, each) => (difference(each) < difference(best) ? each : best));
  return difference(candidate) <= Math.max(2, key.length / 3) ? candidate : undefined;
}

/** What a value must be, after "give": `a whole number from 0 to 7, without quotes`. */
export function wanted(
  schema: Pick<ValueSchema, "type" | "minimum" | "maximum"> & {
    properties?: Readonly<Record<string, Pick<FieldSchema, "output">>>;
  },
): string {
  const words = [schema.type].flat().map((type) => {
    const range = schema.minimum === undefined ? "" : ` from ${schema.minimum} to ${schema.maximum}`;
    if (type === "integer") return `a whole number${range}, without quotes`;
    if (type === "number") return `a number${range}, without quotes`;
    if (type === "object") {
      const fields = Object.entries(schema.properties ?? {}).filter(([, { output }]) => !output);
      const names = fields.map(([name]) => `\`${name}\``);
      return `an object with any of ${names.join(", ")}`;
    }
    return { string: "a string", boolean: "true or false", array: "a list" }[type] ?? type;
  });
  return words.join(" or ");
}

/** What a value is, with its article. */
export function described(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "number") return Number.isInteger(value) ? "a number" : "no whole number";
  return (
    {
      string: "a string",
      boolean: "a boolean",
      object: "an object",
      function: "a function",
      bigint: "a BigInt",
    }[typeof value as string] ?? typeof value
  );
}

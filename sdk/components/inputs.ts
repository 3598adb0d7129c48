/** Refuses inputs of a component that are misspelt, or not known when they must be, before anything is registered. */

import * as pulumi from "@pulumi/pulumi";
import type { ErrorObject } from "ajv";
import { described, nearest, unknownProperty, wanted } from "../../provider/wording";

/** What a component checks of its inputs, as JSON Schema (draft-07); see shapes.ts. */
export interface Shape {
  type?: string | readonly string[];
  properties?: Readonly<Record<string, Shape>>;
  required?: readonly string[];
  /** Of an object with names of the program's own: what each has. */
  additionalProperties?: false | Shape;
  items?: Shape;
  /** Why it must be known when the program declares it, for the message about an output. */
  because?: string;
  /** As a program would write it. */
  example?: string;
  /** Properties that the component sets by itself. */
  set?: readonly string[];
}

/** One of validators/. */
export interface Validator {
  (inputs: unknown): boolean;
  errors?: ErrorObject[] | null;
}

/** Errors: all that is wrong with the names of properties and with the values that must be plain, one line each. */
export function checkInputs(component: string, validator: Validator, args: unknown): void {
  const inputs = withoutObjects(args ?? {});
  if (validator(inputs)) return;
  const found = (validator.errors ?? []).flatMap((error) => explain(component, inputs, error));
  // What is missing under its name is there under another.
  const misspelt = new Set(found.map(({ meant }) => meant));
  const messages = found.flatMap(({ message, missing }) =>
    missing !== undefined && misspelt.has(missing) ? [] : [message],
  );
  if (messages.length > 0) throw new Error(messages.join("\n"));
}

/** The inputs that are given: one that is undefined is none, and takes no default away. */
export function given<Inputs extends object>(inputs: Inputs | undefined): Partial<Inputs> {
  return Object.fromEntries(
    Object.entries(inputs ?? {}).filter(([, value]) => value !== undefined),
  ) as Partial<Inputs>;
}

/** A copy in which a symbol, which no schema takes for a value, stands for what is an object in JavaScript alone. */
function withoutObjects(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (pulumi.Output.isInstance(value)) return output;
  if (value instanceof Promise) return promise;
  if (pulumi.Resource.isInstance(value)) return resource;
  if (value instanceof Map || value instanceof Set) return collection;
  if (Array.isArray(value)) return value.map(withoutObjects);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutObjects(inner)]));
}

const output = Symbol("an output");
const promise = Symbol("a promise");
const resource = Symbol("a resource");
const collection = Symbol("a Map or Set");

interface Finding {
  message: string;
  /** The property that is required, and not there. */
  missing?: string;
  /** The property that was probably meant by one that is misspelt. */
  meant?: string;
}

function explain(component: string, inputs: unknown, error: ErrorObject): Finding[] {
  const schema = error.parentSchema as Shape;
  const field = fieldOf(inputs, error.instancePath);
  switch (error.keyword) {
    case "additionalProperties": {
      const key = String(error.params.additionalProperty);
      // The engine would drop it as well.
      if ((error.data as Record<string, unknown>)[key] === undefined) return [];
      return [misfit(component, schema, field, key)];
    }
    case "required": {
      const name = String(error.params.missingProperty);
      const missing = inside(field, name);
      const { example } = schema.properties?.[name] ?? {};
      return [
        { missing, message: `${missing} is required; give it${example ? `, such as ${example}` : ""}.` },
      ];
    }
    default:
      return [{ message: `${field ?? `the second argument of ${component}`} ${unfit(schema, error.data)}.` }];
  }
}

function misfit(component: string, schema: Shape, field: string | undefined, key: string): Finding {
  if (schema.set?.includes(key)) {
    const name = inside(field, key);
    return { message: `${name} is set by ${component} itself, from its other inputs; take it out.` };
  }
  const inputs = Object.keys(schema.properties ?? {});
  const message = unknownProperty(key, { name: field ?? component, field, inputs, outputs: [] });
  const meant = nearest(key, inputs);
  return meant === undefined ? { message: `${message}.` } : { message, meant: inside(field, meant) };
}

function unfit(schema: Shape, value: unknown): string {
  const { type = "object", properties, example } = schema;
  const isByName = type === "object" && properties === undefined;
  const want = isByName
    ? "an object by name"
    : wanted({ type, properties: properties as Record<string, object> });
  const such = example ? `, such as ${example}` : "";
  if (value === output || value === promise) {
    return `must be known when the program declares it, as ${schema.because}; instead of ${value.description} give ${want}${such}`;
  }
  const what = typeof value === "symbol" ? value.description : described(value);
  const shown = isPlain(value) || (Array.isArray(value) && value.every(isPlain));
  return `${shown ? `${JSON.stringify(value)} ` : ""}is ${what}; give ${want}${such}`;
}

/** What a message can show as the program wrote it. */
function isPlain(value: unknown): boolean {
  return typeof value === "string" || typeof value === "boolean" || Number.isFinite(value);
}

/** @param pointer RFC 6901, from ajv: `/vms/web/forwards/0`, which a program would write `vms.web.forwards[0]`. */
function fieldOf(inputs: unknown, pointer: string): string | undefined {
  let field: string | undefined;
  let place = inputs;
  for (const escaped of pointer.split("/").slice(1)) {
    const key = escaped.replaceAll("~1", "/").replaceAll("~0", "~");
    field = Array.isArray(place) ? `${field}[${key}]` : inside(field, key);
    place = (place as Record<string, unknown>)[key];
  }
  return field;
}

function inside(field: string | undefined, name: string): string {
  return field === undefined ? name : `${field}.${name}`;
}

import type { Declaration, FieldSchema, InputSchema, ValueSchema } from "../../provider/kinds/kind";

type Step = string | number;

/** A value that a kind's inputs may have somewhere: an input, or what is in one. */
export interface Place {
  /** As a program would write it, with the first element for any: `ends[0].port.cost`. */
  path: string;
  steps: readonly Step[];
  schema: ValueSchema & Partial<InputSchema>;
}

/** Everywhere that a value may be declared, in objects and lists too. */
export function placesOf(kind: Declaration): Place[] {
  return Object.entries(kind.inputs).flatMap(([name, schema]) => within(schema, [name]));
}

function within(schema: ValueSchema, steps: readonly Step[]): Place[] {
  return [
    { path: pathOf(steps), steps, schema },
    ...(schema.items ? within(schema.items, [...steps, 0]) : []),
    ...Object.entries(schema.properties ?? {}).flatMap(([name, field]) => within(field, [...steps, name])),
  ];
}

function pathOf(steps: readonly Step[]): string {
  return steps
    .map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`))
    .join("")
    .slice(1);
}

/** What stands for a value that must be there: of a schema that is neither list nor object. */
type Good = (schema: ValueSchema) => unknown;

/** Inputs with that value at that place, and around it only what must be there. */
export function inputsWith(
  kind: Declaration,
  { steps }: Place,
  value: unknown,
  good: Good,
): Record<string, unknown> {
  const around = (schema: ValueSchema, [step, ...rest]: readonly Step[]): unknown => {
    if (step === undefined) return value;
    const filled = leastOf(schema, good) as Record<Step, unknown>;
    filled[step] = around((schema.items ?? schema.properties?.[step]) as ValueSchema, rest);
    return filled;
  };
  const [name, ...rest] = steps as [string, ...Step[]];
  return { ...needed(kind.inputs, good), [name]: around(kind.inputs[name] as ValueSchema, rest) };
}

/** A value of that schema with only what must be in it. */
export function leastOf(schema: ValueSchema, good: Good): unknown {
  const { items, minItems = 0, properties } = schema;
  if (items) return Array.from({ length: minItems }, () => leastOf(items, good));
  return properties ? needed(properties, good) : good(schema);
}

function needed(fields: Readonly<Record<string, FieldSchema>>, good: Good): Record<string, unknown> {
  const required = Object.entries(fields).filter(([, field]) => field.required);
  return Object.fromEntries(required.map(([name, field]) => [name, leastOf(field, good)]));
}

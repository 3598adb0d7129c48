import type { ErrorObject } from "ajv";
import { formats, numberFormats } from "./formats";
import type {
  Declaration,
  FieldSchema,
  InputSchema,
  Inputs,
  Problem,
  SetKind,
  ValueSchema,
} from "./kinds/kind";
import { rememberedOf } from "./remember";
import { validators } from "./validators";
import { described, unknownProperty, wanted } from "./wording";

/**
 * Checks inputs against their schema and the kind's rules, all at once, and fills in defaults.
 * @param values the inputs that are known.
 * @param unknown names of inputs whose value is not known yet; they count as given.
 */
export function validate(
  kind: Declaration,
  values: Inputs,
  unknown: ReadonlySet<string>,
): { inputs: Record<string, unknown>; problems: Problem[] } {
  // Defaults are written into objects too, and the program's own stay as they are.
  const inputs = copy(values);
  const validator = validators[kind.name]!;
  validator(inputs);
  for (const name of unknown) delete inputs[name];
  const found = (validator.errors ?? []).map((error) => explain(kind, error));
  for (const name of Object.keys(kind.inputs)) {
    const schema = kind.inputs[name] as InputSchema;
    if (schema.required && inputs[name] === undefined && !unknown.has(name))
      found.push({ property: name, message: `${name} is required; give it` });
    if (!checksNumbers(schema)) continue;
    for (const message of numberProblems(schema, inputs[name], name)) found.push({ property: name, message });
  }
  const problems = merged(found);
  const broken = new Set(problems.map((problem) => problem.property));
  const sound = without(inputs, broken);
  // A rule about two inputs would only repeat what is already said of one of them.
  const depends = dependsOn(kind, new Set([...broken, ...unknown]));
  const ruled = (kind.rules?.(sound) ?? []).filter((problem) => !depends(problem));
  return { inputs, problems: [...problems, ...ruled] };
}

/** Whether a problem may be none, depending on inputs whose values are not known, or on what members of a set have of them. */
export function dependsOn(kind: Declaration, names: ReadonlySet<string>): (problem: Problem) => boolean {
  const derived = (kind as Partial<SetKind>).derived ?? {};
  const open = [...names].flatMap((name) => [name, ...(Object.hasOwn(derived, name) ? derived[name]! : [])]);
  return ({ property, message, dependsOn: more = [] }) =>
    open.some((name) => name === property || more.includes(name) || message.includes(`\`${name}\``));
}

/** The inputs but those. */
export function without(inputs: Inputs, names: ReadonlySet<string>): Inputs {
  if (names.size === 0) return inputs;
  return Object.fromEntries(Object.entries(inputs).filter(([name]) => !names.has(name)));
}

/** As structuredClone, which takes its time also for the plain values that most inputs are. */
function copy(inputs: Inputs): Record<string, unknown> {
  const made = { ...inputs };
  for (const name of Object.keys(made))
    if (typeof made[name] === "object") made[name] = structuredClone(made[name]);
  return made;
}

/** Whether a format says anything of a number in values of that schema; mostly none does. */
const checksNumbers: (schema: ValueSchema) => boolean = rememberedOf(
  ({ format = "", items, properties = {} }: ValueSchema) =>
    format in numberFormats || (items ? [items] : Object.values(properties)).some(checksNumbers),
);

/** What formats say of numbers, of a value and of all that is in it. */
function numberProblems(schema: ValueSchema, value: unknown, field: string): string[] {
  if (typeof value === "number") {
    const problem = numberFormats[schema.format ?? ""]?.(value);
    return problem === undefined ? [] : [`${field} ${value} ${problem}`];
  }
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const step = stepInto(schema, field, key);
    return step ? numberProblems(step.schema, inner, step.field) : [];
  });
}

interface Place {
  schema: ValueSchema;
  /** As a program would write it: `ends[1].name`. */
  field: string;
}

function stepInto({ items, properties = {} }: ValueSchema, field: string, key: string): Place | undefined {
  if (items) return { schema: items, field: `${field}[${key}]` };
  const schema = Object.hasOwn(properties, key) ? properties[key] : undefined;
  return schema && { schema, field: `${field}.${key}` };
}

/** @param pointer RFC 6901, from ajv: `/ends/1/name`; it leads to what schemas know. */
function placeOf(kind: Declaration, pointer: string): Place & { property: string } {
  const [property = "", ...keys] = pointer.split("/").slice(1);
  let place: Place = { schema: kind.inputs[property] as ValueSchema, field: property };
  for (const key of keys) place = stepInto(place.schema, place.field, key) as Place;
  return { ...place, property };
}

function explain(kind: Declaration, error: ErrorObject): Problem {
  if (error.keyword === "additionalProperties") {
    return explainUnknown(kind, error.instancePath, String(error.params.additionalProperty));
  }
  const { schema, field, property } = placeOf(kind, error.instancePath);
  if (error.keyword === "required") {
    return { property, message: `${field}.${error.params.missingProperty} is required; give it` };
  }
  return { property, message: `${field} ${JSON.stringify(error.data)} ${reason(schema, error)}` };
}

function explainUnknown(kind: Declaration, pointer: string, key: string): Problem {
  const inside = pointer === "" ? undefined : placeOf(kind, pointer);
  const fields: [string, FieldSchema][] = Object.entries(inside?.schema.properties ?? kind.inputs);
  const namesOf = (output: boolean) =>
    fields.filter(([, field]) => (field.output === true) === output).map(([name]) => name);
  const outputs = inside ? namesOf(true) : Object.keys(kind.outputs);
  const owner = { name: inside?.field ?? kind.name, field: inside?.field, inputs: namesOf(false), outputs };
  return { property: inside?.property ?? key, message: unknownProperty(key, owner) };
}

function reason(schema: ValueSchema, error: ErrorObject): string {
  switch (error.keyword) {
    case "type":
      return `is ${described(error.data)}; give ${wanted(schema)}`;
    case "enum":
      return `is not one of ${(schema.enum ?? []).map((value) => JSON.stringify(value)).join(", ")}; choose one of them`;
    case "minimum":
      return `is below the limit; ${range(schema)}`;
    case "maximum":
      return `is above the limit; ${range(schema)}${schema.because ? `: ${schema.because}` : ""}`;
    case "format":
      return formats[String(error.params.format)]?.(error.data as string) ?? "is not valid";
    case "minItems":
    case "maxItems":
      return `has ${(error.data as unknown[]).length} elements; give ${count(schema)}`;
    case "uniqueItems":
      return "has an element twice; give each once";
    default:
      return `${error.message ?? "is not valid"}`;
  }
}

function range({ minimum, maximum }: ValueSchema): string {
  return `give a number from ${minimum} to ${maximum}`;
}

function count({ minItems = 0, maxItems }: ValueSchema): string {
  if (maxItems === undefined) return `${minItems} or more`;
  return minItems === maxItems ? `exactly ${minItems}` : `${minItems} to ${maxItems}`;
}

/** One problem per value: ajv reports one of two allowed types more than once. */
function merged(problems: Problem[]): Problem[] {
  const first = new Map<string, Problem>();
  for (const problem of problems) {
    const key = problem.message.split(" ")[0] as string;
    if (!first.has(key)) first.set(key, problem);
  }
  return [...first.values()];
}

import type { ErrorObject } from "ajv";
import { distance } from "fastest-levenshtein";
import { formats, numberFormats } from "./formats";
import type { InputSchema, Inputs, Kind, Problem } from "./kinds/kind";
import { validators } from "./validators";

/**
 * Checks inputs against their schema and the kind's rules, all at once, and fills in defaults.
 * @param values the inputs that are known.
 * @param unknown names of inputs whose value is not known yet; they count as given.
 */
export function validate(
  kind: Kind,
  values: Inputs,
  unknown: ReadonlySet<string>,
): { inputs: Record<string, unknown>; problems: Problem[] } {
  const inputs: Record<string, unknown> = { ...values };
  const validator = validators[kind.name]!;
  validator(inputs);
  for (const name of unknown) delete inputs[name];
  const problems = merged((validator.errors ?? []).map((error) => explain(kind, error)));
  for (const name in kind.inputs) {
    const { required, format = "" } = kind.inputs[name] as InputSchema;
    const value = inputs[name];
    if (required && value === undefined && !unknown.has(name))
      problems.push({ property: name, message: `${name} is required; give it` });
    const problem = typeof value === "number" ? numberFormats[format]?.(value) : undefined;
    if (problem) problems.push({ property: name, message: `${name} ${value} ${problem}` });
  }
  const broken = new Set(problems.map((problem) => problem.property));
  const sound = without(inputs, broken);
  // A rule about two inputs would only repeat what is already said of one of them.
  const ruled = (kind.rules?.(sound) ?? []).filter(
    ({ property, message }) =>
      !broken.has(property) && ![...broken, ...unknown].some((name) => message.includes(`\`${name}\``)),
  );
  return { inputs, problems: [...problems, ...ruled] };
}

/** The inputs but those. */
export function without(inputs: Inputs, names: ReadonlySet<string>): Inputs {
  if (names.size === 0) return inputs;
  return Object.fromEntries(Object.entries(inputs).filter(([name]) => !names.has(name)));
}

function explain(kind: Kind, error: ErrorObject): Problem {
  const [, property = "", index] = error.instancePath.split("/");
  if (error.keyword === "additionalProperties") {
    return explainUnknown(kind, String(error.params.additionalProperty));
  }
  const schema = kind.inputs[property] as InputSchema;
  const field = index === undefined ? property : `${property}[${index}]`;
  const value = JSON.stringify(error.data);
  return { property, message: `${field} ${value} ${reason(schema, error, index !== undefined)}` };
}

function explainUnknown(kind: Kind, property: string): Problem {
  const inputs = Object.keys(kind.inputs);
  const difference = (name: string) => distance(property.toLowerCase(), name.toLowerCase());
  const candidate = [...inputs, ...Object.keys(kind.outputs)].reduce((best, name) =>
    difference(name) < difference(best) ? name : best,
  );
  const near = difference(candidate) <= Math.max(2, property.length / 3);
  const say = (advice: string) => ({
    property,
    message: `${property} is no property of ${kind.name}; ${advice}`,
  });
  if (!near) return say(`it has ${inputs.map((name) => `\`${name}\``).join(", ")}`);
  if (inputs.includes(candidate)) return say(`did you mean \`${candidate}\`?`);
  return say(`\`${candidate}\` is an output, which cannot be given; take it out`);
}

function reason(schema: InputSchema, error: ErrorObject, item: boolean): string {
  switch (error.keyword) {
    case "type":
      return `is ${article(error.data)}; give ${wanted(schema, item)}`;
    case "enum":
      return `is not one of ${(schema.enum ?? []).map((value) => JSON.stringify(value)).join(", ")}; choose one of them`;
    case "minimum":
    case "maximum":
      return `is ${error.keyword === "minimum" ? "below" : "above"} the limit; give a number from ${schema.minimum} to ${schema.maximum}`;
    case "format":
      return formats[String(error.params.format)]?.(error.data as string) ?? "is not valid";
    case "uniqueItems":
      return "has an element twice; give each once";
    default:
      return `${error.message ?? "is not valid"}`;
  }
}

function wanted(schema: InputSchema, item: boolean): string {
  const types = [(item ? schema.items?.type : schema.type) ?? "string"].flat();
  const words = types.map((type) => {
    if (type === "integer") {
      const range = schema.minimum === undefined ? "" : ` from ${schema.minimum} to ${schema.maximum}`;
      return `a whole number${range}, without quotes`;
    }
    return { string: "a string", boolean: "true or false", array: "a list" }[type] ?? type;
  });
  return words.join(" or ");
}

function article(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "number") return Number.isInteger(value) ? "a number" : "no whole number";
  return (
    { string: "a string", boolean: "a boolean", object: "an object" }[typeof value as string] ?? typeof value
  );
}

/** One problem per property: ajv reports a value of two allowed types more than once. */
function merged(problems: Problem[]): Problem[] {
  const first = new Map<string, Problem>();
  for (const problem of problems) {
    const key = problem.message.split(" ")[0] as string;
    if (!first.has(key)) first.set(key, problem);
  }
  return [...first.values()];
}

/** Whatever limit a kind declares of an input, or of what is in one: just within is taken, just beyond is refused. */

import { describe, expect, test } from "vitest";
import { formats, numberFormats } from "../provider/formats";
import { kinds } from "../provider/kinds";
import type { ValueSchema } from "../provider/kinds/kind";
import { validate } from "../provider/validate";
import { formatValues } from "./harness/format-values";
import { inputsWith, leastOf, type Place, placesOf } from "./harness/inputs";

type Schema = Place["schema"];

/** A value, and what of it is said in which the limit must be; nothing of a good one. */
type Trial = readonly [value: unknown, reason?: RegExp];

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** Any good value of a schema that is neither list nor object. */
function good({ enum: choices, format = "", type, minimum }: ValueSchema): unknown {
  if (choices) return choices[0];
  const [first = "text"] = formatValues[format]?.good ?? [];
  if (typeof first === "string" && [type].flat().includes("string")) return first;
  return type === "boolean" ? true : (minimum ?? 0);
}

const text = (value: unknown) => escaped(JSON.stringify(value));

/** What of a schema is tried for each keyword of it. */
const trials: Readonly<Record<string, (schema: Schema) => Trial[]>> = {
  type({ type }) {
    const types = [type].flat();
    return [
      [null, /^is null; give /],
      ...(types.includes("integer") ? [[0.5, /^is no whole number; give /] as const] : []),
      ...(types.includes("string") ? [] : [["text", /^is a string; give /] as const]),
      ...(types.includes("boolean")
        ? ([[true], [false]] as const)
        : [[true, /^is a boolean; give /] as const]),
    ];
  },
  enum: ({ enum: choices = [] }) => [
    ...choices.map((choice) => [choice] as const),
    ...["", `${choices[0]}x`, String(choices.at(-1)).toUpperCase()]
      .filter((other) => !choices.includes(other))
      .map((other) => [other, RegExp(`^is not one of ${choices.map(text).join(", ")}; choose `)] as const),
  ],
  minimum: (schema) => beyond(schema, "below", schema.minimum as number, -1),
  maximum: (schema) => beyond(schema, "above", schema.maximum as number, 1),
  minItems: (schema) => counted(schema, schema.minItems as number, -1),
  maxItems: (schema) => counted(schema, schema.maxItems as number, 1),
  uniqueItems: ({ items = { type: "string" } }) => [
    [[leastOf(items, good)]],
    [[leastOf(items, good), leastOf(items, good)], /^has an element twice; give each once$/],
  ],
  format({ format = "", type }) {
    const { good: taken, bad } = formatValues[format] ?? { good: [], bad: [] };
    const numbers = [type].flat().some((name) => name === "integer" || name === "number");
    const texts = [type].flat().includes("string");
    const suits = (value: unknown) => (typeof value === "string" ? texts : numbers);
    return [
      ...taken.filter(suits).map((value) => [value] as const),
      ...bad.filter(([value]) => suits(value)),
    ];
  },
};

/** The limit, or what is next to it and of the number's format, and what is one step too far. */
function beyond(schema: Schema, word: string, limit: number, direction: -1 | 1): Trial[] {
  const step = schema.type === "number" ? 0.1 : 1;
  const problem = numberFormats[schema.format ?? ""] ?? (() => undefined);
  let within = limit;
  while (problem(within) !== undefined) within -= direction * step;
  const because = direction === 1 && schema.because ? `: ${escaped(schema.because)}` : "";
  const said = `^is ${word} the limit; give a number from ${schema.minimum} to ${schema.maximum}${because}$`;
  return [[within], [limit + direction * step, RegExp(said)]];
}

function counted({ items, minItems = 0, maxItems }: Schema, limit: number, direction: -1 | 1): Trial[] {
  const list = (length: number) => Array.from({ length }, () => leastOf(items as ValueSchema, good));
  const range =
    maxItems === undefined ? `${minItems} or more` : `(exactly ${minItems}|${minItems} to ${maxItems})`;
  return [
    [list(limit)],
    [list(limit + direction), RegExp(`^has ${limit + direction} elements; give ${range}$`)],
  ];
}

/** What limits no value, or is tried for all places alike. */
const others = [
  "because",
  "description",
  "change",
  "default",
  "observed",
  "required",
  "output",
  "items",
  "properties",
];

describe.each(Object.values(kinds))("$name", (kind) => {
  // What is wrong only with others beside it is left to the tests of the rules.
  const alone = { ...kind, rules: undefined };
  const problems = (place: Place, value: unknown) =>
    validate(alone, inputsWith(kind, place, value, good), new Set()).problems;
  const places = placesOf(kind).map((place) => [place.path, place] as const);

  test.each(places.filter(([, { schema }]) => !schema.output))("%s", (path, place) => {
    for (const keyword of Object.keys(place.schema)) {
      if (others.includes(keyword)) continue;
      expect(trials, "a keyword of which nothing is tried").toHaveProperty(keyword);
      for (const [value, reason] of trials[keyword]?.(place.schema) ?? []) {
        const found = problems(place, value);
        if (!reason) expect(found, `${path} ${JSON.stringify(value)}`).toEqual([]);
        else expect(found).toEqual([{ property: place.steps[0], message: saying(path, value, reason) }]);
      }
    }
  });

  test.each(places.filter(([, { schema }]) => schema.output))("%s is no input", (path, place) => {
    expect(problems(place, good(place.schema))).toEqual([
      {
        property: place.steps[0],
        message: expect.stringMatching(
          `^${escaped(path)} is no property of .* is an output, which cannot be given`,
        ),
      },
    ]);
  });
});

/** That a message is of that place and that value, and says that of it. */
function saying(path: string, value: unknown, reason: RegExp) {
  const { source } = reason;
  const rest = source.startsWith("^") ? source.slice(1) : `.*${source}`;
  // In an object the defaults are filled in before it is shown.
  const shown = Array.isArray(value) ? "\\[.*\\]" : text(value);
  return expect.stringMatching(RegExp(`^${escaped(path)} ${shown} ${rest}`, "s"));
}

test("of every format there are values, and good and bad ones of each type that is looked at", () => {
  const declared = Object.values(kinds).flatMap((kind) => placesOf(kind).map(({ schema }) => schema));
  const used = new Set(declared.flatMap(({ format }) => format ?? []));
  expect([...used].sort()).toEqual(Object.keys(formatValues).sort());
  expect(Object.keys({ ...formats, ...numberFormats }).sort()).toEqual([...used].sort());
  for (const [format, values] of Object.entries(formatValues)) {
    const types = (all: readonly unknown[]) => new Set(all.map((value) => typeof value));
    const checked = [
      ...(format in formats ? ["string"] : []),
      ...(format in numberFormats ? ["number"] : []),
    ];
    expect([...types(values.bad.map(([value]) => value))].sort(), format).toEqual(checked.sort());
    expect([...types(values.good)], format).toEqual(expect.arrayContaining(checked));
  }
});

/**
 * Lists and objects as texts, in what is recorded: the engine takes every value of a record apart several times in each
 * run, and a text is one value.
 */

import { remembered } from "./remember";

/** Whole numbers: `5-1004,2000`. */
export function numbersText(numbers: readonly number[]): string {
  const parts: string[] = [];
  for (let at = 0; at < numbers.length; ) {
    const first = numbers[at] as number;
    let count = 1;
    while (numbers[at + count] === first + count) count++;
    parts.push(count === 1 ? String(first) : `${first}-${first + count - 1}`);
    at += count;
  }
  return parts.join();
}

/** The numbers of such a text, in its order. */
export function numbersOf(text: string): number[] {
  return text.split(",").flatMap((part) => {
    const [first = Number.NaN, last = first] = part.split("-").map(Number);
    return part === "" ? [] : Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });
}

/** Names without commas: `name,mode,ends.0.name`. */
export function namesText(names: readonly string[]): string {
  return names.join();
}

/** The names of such a text. Most resources of a program have the same. */
export const namesOf = remembered((text): readonly string[] => (text === "" ? [] : text.split(",")));

/** What a resource says of itself beside its inputs (`__tuntap`). */
export function identityText(identity: object): string {
  return JSON.stringify(identity);
}

/** What such a text says, undefined where it says nothing; in records from before it was a text it is the object itself. */
export function identityOfText(text: unknown): object | undefined {
  if (typeof text !== "string") return typeof text === "object" && text !== null ? text : undefined;
  try {
    return identityOfText(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** An output with many values in it. */
export function valueText(value: unknown): string {
  return JSON.stringify(value);
}

/** The value of such a text; in records from before it was a text it is the value itself. */
export function valueOfText(text: unknown): unknown {
  return typeof text === "string" ? JSON.parse(text) : text;
}

/** How many resources of a kind a program declares. */
export function companyText(company: ReadonlyMap<string, number>): string {
  return JSON.stringify(Object.fromEntries(company));
}

export function companyOfText(text: string): Readonly<Record<string, number>> {
  return JSON.parse(text);
}

/** The names of what was declared when outputs were recorded. */
export function declaredIn({ __declared }: Readonly<Record<string, unknown>>): readonly string[] {
  // A list in records from before it was a text.
  return Array.isArray(__declared) ? __declared : namesOf((__declared as string | undefined) ?? "");
}

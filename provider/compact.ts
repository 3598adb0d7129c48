/**
 * Lists as texts, in what is recorded for this package alone: the engine takes every value of a record apart several times
 * in each run, and a text is one value.
 */

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

/** Most resources of a program have the same. */
const known = new Map<string, readonly string[]>([["", []]]);

/** The names of such a text. */
export function namesOf(text: string): readonly string[] {
  let names = known.get(text);
  if (names === undefined) {
    names = text.split(",");
    known.set(text, names);
  }
  return names;
}

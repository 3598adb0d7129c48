import fc from "fast-check";
import { expect, test } from "vitest";
import { namesOf, namesText, numbersOf, numbersText } from "../provider/compact";

test.each([
  [[], ""],
  [[7], "7"],
  [[5, 6, 7, 9], "5-7,9"],
  [[9, 8, 7, 8], "9,8,7-8"],
  [[0, 1, 0, 1], "0-1,0-1"],
])("%j is %j", (numbers, text) => {
  expect(numbersText(numbers)).toBe(text);
  expect(numbersOf(text)).toEqual(numbers);
});

test("whatever the numbers, the text gives them back", () => {
  const ascending = fc.nat(1000).chain((first) => fc.nat(50).map((count) => run(first, count)));
  fc.assert(
    fc.property(fc.array(fc.oneof(ascending, fc.array(fc.nat(2 ** 31 - 1)))), (parts) => {
      const numbers = parts.flat();
      expect(numbersOf(numbersText(numbers))).toEqual(numbers);
    }),
  );
  expect(numbersText(run(5, 1000))).toBe("5-1004");
});

test.each([[[]], [["name"]], [["name", "ends.0.name"]]])("names: %j", (names) => {
  expect(namesOf(namesText(names))).toEqual(names);
});

function run(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, at) => first + at);
}

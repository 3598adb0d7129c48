import fc from "fast-check";
import { expect, test } from "vitest";
import { namesOf, namesText, numbersOf, numbersText } from "../provider/compact";
import { kinds } from "../provider/kinds";
import type { AnyKind } from "../provider/kinds/kind";
import { recordedOf, recordOf } from "../provider/record";

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

test("a record has texts for what holds many values, and gives the values back", () => {
  const pool = kinds.TunPool as AnyKind;
  const __tuntap = { urn: "urn:pulumi:dev::lab::pulumi-nodejs:dynamic/tuntap:TunPool::fc" };
  const outputs = { count: 2, bridges: ["br0"], members: [{ name: "fc0" }, { name: "fc1" }], __tuntap };
  const record = recordOf(pool, outputs);
  expect(record).toMatchObject({ count: 2, bridges: ["br0"] });
  expect([typeof record.members, typeof record.__tuntap]).toEqual(["string", "string"]);
  expect(recordedOf(pool, record)).toEqual(outputs);
  // As the first versions had it.
  expect(recordedOf(pool, outputs)).toEqual(outputs);
  expect(recordOf(pool, { count: 2 })).toEqual({ count: 2 });
});

function run(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, at) => first + at);
}

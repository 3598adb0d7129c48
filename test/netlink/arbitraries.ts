/** Values for property tests, made from the tables themselves: a new row is tested without a line here. */

import fc from "fast-check";
import type { Row, Table, Value } from "../../provider/netlink/attribute";
import { integers } from "../../provider/netlink/bytes";
import type { Layout } from "../../provider/netlink/layout";
import type { RawAttribute } from "../../provider/netlink/message";
import type { Plain } from "../../provider/netlink/value";

// biome-ignore lint/suspicious/noExplicitAny: values of all types
type Any = any;

const hexPair = fc.integer({ min: 0, max: 255 }).map((byte) => byte.toString(16).padStart(2, "0"));
const buffer = (maxLength: number) => fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes));

/** In canonical form by another implementation than ours: that of URL. */
const canonicalIpV6 = fc.ipV6().map((text) => new URL(`http://[${text}]`).hostname.slice(1, -1));

/** By the name of the type of value. */
const plain: Record<string, (of: Plain<Any>) => fc.Arbitrary<Any>> = {
  u64: () => fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  string: texts,
  text: texts,
  mac: () =>
    fc
      .constantFrom(0, 4, 6, 8, 16, 20)
      .chain((length) => fc.array(hexPair, { minLength: length, maxLength: length }))
      .map((pairs) => pairs.join(":")),
  ip: () => fc.oneof(fc.ipV4(), canonicalIpV6),
  flag: () => fc.constant(true),
  binary: () => buffer(300),
  struct: (of) => fc.array(fc.nat(), { minLength: 8, maxLength: 8 }).map((numbers) => structOf(of, numbers)),
};

for (const { name, minimum, maximum } of Object.values(integers)) {
  plain[name] = () => fc.integer({ min: minimum, max: maximum });
}

/** Names of up to the length that a name may have are the most likely ones. */
function texts(of: Plain<Any>): fc.Arbitrary<string> {
  return fc.string({ unit: "binary", maxLength: 130 }).filter((value) => of.accepts(value));
}

function structOf(of: Plain<Any>, numbers: number[]): Record<string, number> {
  const size = [4, 8, 16, 32].find((length) => of.fits(length))!;
  const names = Object.keys(of.read(Buffer.alloc(size), 0, size));
  const whole = Object.fromEntries(names.map((name, index) => [name, numbers[index]!]));
  if (of.accepts(whole)) return whole;
  // Fields of two bytes.
  return Object.fromEntries(names.map((name, index) => [name, numbers[index]! & 0xffff]));
}

/** Attributes that no table has. */
export const unknownAttributes: fc.Arbitrary<RawAttribute[]> = fc.array(
  fc
    .tuple(fc.integer({ min: 1000, max: 0x3fff }), fc.constantFrom(0, 0x4000, 0x8000, 0xc000), buffer(40))
    .map(([number, flags, bytes]) => ({ type: number | flags, bytes })),
  { maxLength: 4 },
);

/** Any subset of a table's attributes, in any order; variants last, because each decides on its selector. */
export function valuesOf(table: Table): fc.Arbitrary<Any> {
  const all = [...table.byName.values()];
  return fc
    .shuffledSubarray(all, { maxLength: Math.min(12, all.length) })
    .map((rows) =>
      rows.sort((a, b) => Number(a.value.shape === "variant") - Number(b.value.shape === "variant")),
    )
    .chain((rows) => fc.tuple(...rows.map((row) => entries(row))))
    .map((found) => withLists(table, Object.fromEntries(found.flat())));
}

/** The entries for one row; a variant comes with its selector, before or after it. */
function entries(row: Row): fc.Arbitrary<[string, Any][]> {
  const value: Value = row.value;
  switch (value.shape) {
    case "plain":
      return plain[value.name]!(value).map((made) => [[row.name, made]]);
    case "list":
      return fc
        .array(plain[value.item.name]!(value.item), { maxLength: 5 })
        .map((made) => [[row.name, made]] as [string, Any][]);
    case "nested":
      return nest(value.table).map((made) => [[row.name, made]]);
    case "headed":
      return fc
        .tuple(nest(value.table), headerOf(value.header))
        .map(([made, header]) => [[row.name, { header, ...made }]]);
    case "variant": {
      const known = Object.entries(value.tables as Record<string, Table>).map(([selected, table]) =>
        nest(table).map((made): [string, Any][] => [
          [value.selector, selected],
          [row.name, made],
        ]),
      );
      const unknown = buffer(60).map((made): [string, Any][] => [
        [value.selector, "macvlan"],
        [row.name, made],
      ]);
      return fc
        .tuple(fc.oneof(...known, unknown), fc.boolean())
        .map(([pair, reversed]) => (reversed ? pair.reverse() : pair));
    }
  }
}

function headerOf(layout: Layout): fc.Arbitrary<Any> {
  return fc.record(
    Object.fromEntries(
      layout.fields.map(({ name, integer: { minimum, maximum } }) => [
        name,
        fc.integer({ min: minimum, max: maximum }),
      ]),
    ),
    { noNullPrototype: true },
  );
}

function nest(table: Table): fc.Arbitrary<Any> {
  return fc
    .tuple(valuesOf(table), unknownAttributes)
    .map(([values, unknown]) => (unknown.length > 0 ? { ...values, unknown } : values));
}

/** Lists are there even when empty, as the decoder gives them. */
function withLists(table: Table, values: Any): Any {
  return { ...Object.fromEntries(table.lists.map((name) => [name, []])), ...values };
}

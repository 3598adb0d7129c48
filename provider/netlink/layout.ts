/** Fixed structures (message headers, `struct ifa_cacheinfo` …) as data: which integer lies at which offset. */

import { type Integer, integers } from "./bytes";

/** Field name → kind of integer and offset in bytes. */
export type Fields = Record<string, readonly [kind: keyof typeof integers, offset: number]>;

export type FieldValues<F extends Fields> = { -readonly [K in keyof F]: number };

interface Field {
  name: string;
  integer: Integer;
  offset: number;
}

export interface Layout<F extends Fields = Fields> {
  /** Bytes, padding included. */
  size: number;
  fields: readonly Field[];
  /** For types only. */
  shape: F;
}

export function layout<const F extends Fields>(size: number, shape: F): Layout<F> {
  const fields = Object.entries(shape).map(([name, [kind, offset]]) => ({
    name,
    integer: integers[kind],
    offset,
  }));
  return { size, fields, shape };
}

export function readLayout<F extends Fields>(of: Layout<F>, bytes: Buffer, at: number): FieldValues<F> {
  const values: Record<string, number> = {};
  for (const { name, integer, offset } of of.fields) values[name] = integer.read(bytes, at + offset);
  return values as FieldValues<F>;
}

/** Writes the fields that are given; the others stay zero. */
export function writeLayout(
  of: Layout,
  bytes: Buffer,
  at: number,
  values: Record<string, number | undefined>,
): void {
  for (const { name, integer, offset } of of.fields) {
    const value = values[name];
    if (value !== undefined) integer.write(bytes, at + offset, value);
  }
}

/** Why the values cannot be written: the first field that is unknown or out of range. */
export function layoutProblem(
  of: Layout,
  values: object,
): { field: string; value: unknown; limit: string } | undefined {
  for (const name in values) {
    const value = (values as Record<string, unknown>)[name];
    const field = of.fields.find((candidate) => candidate.name === name);
    if (!field)
      return { field: name, value, limit: `one of the fields ${of.fields.map((f) => f.name).join(", ")}` };
    if (value !== undefined && !isInteger(field.integer, value)) {
      return { field: name, value, limit: integerLimit(field.integer) };
    }
  }
  return undefined;
}

export function isInteger(kind: Integer, value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= kind.minimum && (value as number) <= kind.maximum;
}

export function integerLimit(kind: Integer<number | bigint>): string {
  return `an integer from ${kind.minimum} to ${kind.maximum}`;
}

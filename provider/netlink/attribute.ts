/**
 * Attributes (struct nlattr, linux/netlink.h) as tables of data. One table per family or nest says which attribute has
 * which number and type of value; encoding, decoding and explaining follow the table, and so do the TypeScript types.
 */

import type { Fields, FieldValues, Layout } from "./layout";
import type { RawAttribute } from "./message";
import type { Plain } from "./value";

/** nla_type: two flag bits and the number. */
export const NLA_F_NESTED = 0x8000;
export const NLA_TYPE_MASK = 0x3fff;

/** An attribute that may come several times; each time it carries one element. */
export interface List<T> {
  shape: "list";
  item: Plain<T>;
}

/** A value that is itself a series of attributes. */
export interface Nested<R extends Rows> {
  shape: "nested";
  table: Table<R>;
}

/** A structure with a series of attributes behind it, like a message of its own. */
export interface Headed<F extends Fields, R extends Rows> {
  shape: "headed";
  header: Layout<F>;
  table: Table<R>;
}

/** A nest whose table is chosen by the value of a neighbour. Where no table is known, the bytes are kept. */
export interface Variant<K extends Record<string, Rows>> {
  shape: "variant";
  /** Name of the neighbour, a text. */
  selector: string;
  tables: { [N in keyof K]: Table<K[N]> };
}

// biome-ignore lint/suspicious/noExplicitAny: the value types of all rows together
export type Value = Plain<any> | List<any> | Nested<any> | Headed<any, any> | Variant<any>;

/** Name → number, type of value, and NLA_F_NESTED where the kernel and its tools set it. */
export type Rows = { readonly [name: string]: readonly [type: number, value: Value, flags?: number] };

export interface Row {
  name: string;
  /** The number, with flags as it is sent. */
  type: number;
  value: Value;
}

export interface Table<R extends Rows = Rows> {
  /** Where its attributes are, for messages: `link.linkinfo`. */
  name: string;
  rows: R;
  byName: ReadonlyMap<string, Row>;
  /** Indexed by the number without flags. */
  byType: readonly (Row | undefined)[];
  /** Names of the lists, which are empty rather than absent. */
  lists: readonly string[];
  /** Attributes that are not in the table are passed over, instead of kept as unknown. */
  partial?: true;
}

export function table<const R extends Rows>(name: string, rows: R): Table<R> {
  const byName = new Map<string, Row>();
  const byType: (Row | undefined)[] = [];
  for (const [key, [type, value, flags = 0]] of Object.entries(rows)) {
    const row = { name: key, type: type | flags, value };
    byName.set(key, row);
    while (byType.length <= type) byType.push(undefined);
    byType[type] = row;
  }
  const lists = [...byName.values()].filter((row) => row.value.shape === "list").map((row) => row.name);
  return { name, rows, byName, byType, lists };
}

/** A table of fewer attributes: of a dump with thousands of messages, what nobody reads is not worth decoding. */
export function only<R extends Rows, const K extends keyof R & string>(
  of: Table<R>,
  names: readonly K[],
): Table<Pick<R, K>> {
  const rows = Object.fromEntries(names.map((name) => [name, of.rows[name]])) as unknown as Pick<R, K>;
  return { ...table(of.name, rows), partial: true };
}

export function list<T>(item: Plain<T>): List<T> {
  return { shape: "list", item };
}

export function nested<R extends Rows>(of: Table<R>): Nested<R> {
  return { shape: "nested", table: of };
}

/** @param of the table of what follows the header. */
export function headed<F extends Fields, R extends Rows>(header: Layout<F>, of: Table<R>): Headed<F, R> {
  return { shape: "headed", header, table: of };
}

export function variant<K extends Record<string, Rows>>(
  selector: string,
  tables: { [N in keyof K]: Table<K[N]> },
): Variant<K> {
  return { shape: "variant", selector, tables };
}

/** The value that a type of value stands for. */
type ValueOf<V> =
  V extends Plain<infer T>
    ? T
    : V extends List<infer T>
      ? T[]
      : V extends Nested<infer R>
        ? NestedValues<R>
        : V extends Headed<infer F, infer R>
          ? HeadedValues<F, R>
          : V extends Variant<infer K>
            ? { [N in keyof K]: NestedValues<K[N]> }[keyof K] | Buffer
            : never;

// biome-ignore lint/suspicious/noExplicitAny: any element type
type ListNames<R extends Rows> = { [K in keyof R]: R[K][1] extends List<any> ? K : never }[keyof R];

/** The values of a table: what is absent from a message is absent here, but lists are always there. */
export type Values<R extends Rows> = {
  -readonly [K in keyof R as Exclude<K, ListNames<R>>]?: ValueOf<R[K][1]>;
} & {
  -readonly [K in keyof R as Extract<K, ListNames<R>>]: ValueOf<R[K][1]>;
};

/** The values of a nest; what its table does not know is kept beside them. */
export type NestedValues<R extends Rows> = Values<R> & { unknown?: RawAttribute[] };

/** Fields of the header that are not given are 0; read, all are there. */
export type HeadedValues<F extends Fields, R extends Rows> = NestedValues<R> & {
  header?: Partial<FieldValues<F>>;
};

/** The table for a nest beside the given value of its selector. */
export function variantTable(of: Variant<Record<string, Rows>>, selected: unknown): Table | undefined {
  return typeof selected === "string" && Object.hasOwn(of.tables, selected) ? of.tables[selected] : undefined;
}

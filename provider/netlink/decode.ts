/** Bytes → values, by table. */

import { NLA_TYPE_MASK, type Row, type Rows, type Table, type Variant, variantTable } from "./attribute";
import { aligned, readU16 } from "./bytes";
import { type Layout, readLayout } from "./layout";
import { malformed, type RawAttribute } from "./message";
import type { Plain } from "./value";

const headerSize = 4;

/** The offset after the attribute that begins at `at`, by the rules of nla_ok(); throws if there is no whole one. */
function attributeEnd(table: Table, bytes: Buffer, at: number, end: number): number {
  const rest = end - at;
  const length = rest >= headerSize ? readU16(bytes, at) : rest;
  if (length < headerSize || length > rest) {
    throw malformed(
      `an attribute of ${table.name} gives its length as ${length} bytes, with ${rest} there`,
      at,
    );
  }
  return at + length;
}

/** The attributes from `start` to `end`, each with its payload's bounds; for what does not need to be fast. */
export function* eachAttribute(table: Table, bytes: Buffer, start: number, end: number) {
  for (let at = start; at < end; ) {
    const stop = attributeEnd(table, bytes, at, end);
    const type = readU16(bytes, at + 2);
    yield { at, type, row: table.byType[type & NLA_TYPE_MASK], start: at + headerSize, end: stop };
    at += aligned(stop - at);
  }
}

/** Fills `values` in the order of the message. Of an attribute that comes twice the last counts, as in the kernel. */
export function decodeAttributes(
  table: Table,
  bytes: Buffer,
  start: number,
  end: number,
  values: Record<string, unknown>,
): RawAttribute[] {
  const unknown: RawAttribute[] = [];
  for (const name of table.lists) values[name] = [];
  for (let at = start; at < end; ) {
    const stop = attributeEnd(table, bytes, at, end);
    const payload = at + headerSize;
    const type = readU16(bytes, at + 2);
    const row = table.byType[type & NLA_TYPE_MASK];
    at += aligned(stop - at);
    if (row === undefined) {
      if (table.partial) continue;
      unknown.push({ type, bytes: bytes.subarray(payload, stop) });
      continue;
    }
    const value = row.value;
    switch (value.shape) {
      case "plain":
        if (value.keepsOthers && !value.fits(stop - payload)) {
          unknown.push({ type, bytes: bytes.subarray(payload, stop) });
          break;
        }
        values[row.name] = readPlain(table, row, value, bytes, payload, stop);
        break;
      case "list":
        (values[row.name] as unknown[]).push(readPlain(table, row, value.item, bytes, payload, stop));
        break;
      case "nested":
        values[row.name] = decodeNest(value.table, bytes, payload, stop);
        break;
      case "headed":
        values[row.name] = decodeNest(value.table, bytes, payload, stop, value.header);
        break;
      case "variant": {
        const chosen = variantTable(
          value,
          values[value.selector] ?? findSelector(table, value, bytes, start, end),
        );
        values[row.name] = chosen ? decodeNest(chosen, bytes, payload, stop) : bytes.subarray(payload, stop);
      }
    }
  }
  return unknown;
}

function decodeNest(
  table: Table,
  bytes: Buffer,
  start: number,
  end: number,
  header?: Layout,
): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  const size = header?.size ?? 0;
  if (end - start < size)
    throw malformed(`${table.name} has ${end - start} bytes, less than its header`, start - headerSize);
  if (header) values.header = readLayout(header, bytes, start);
  const unknown = decodeAttributes(table, bytes, start + size, end, values);
  if (unknown.length > 0) values.unknown = unknown;
  return values;
}

/** Reads one value, after a look at its length. */
export function readPlain<T>(
  table: Table,
  row: Row,
  value: Plain<T>,
  bytes: Buffer,
  start: number,
  end: number,
): T {
  if (!value.fits(end - start)) {
    throw malformed(`${table.name}.${row.name} (${value.name}) has ${end - start} bytes`, start - headerSize);
  }
  return value.read(bytes, start, end);
}

/** The value of a variant's selector that comes only after it. */
export function findSelector(
  table: Table,
  of: Variant<Record<string, Rows>>,
  bytes: Buffer,
  start: number,
  end: number,
): unknown {
  let found: unknown;
  for (const attribute of eachAttribute(table, bytes, start, end)) {
    const row = attribute.row;
    if (row?.name !== of.selector || row.value.shape !== "plain") continue;
    found = readPlain(table, row, row.value, bytes, attribute.start, attribute.end);
  }
  return found;
}

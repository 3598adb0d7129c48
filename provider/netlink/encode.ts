/** Values → bytes, by table. */

import { inspect } from "node:util";
import { TuntapError } from "../errors";
import { NLA_F_NESTED, type Row, type Table, variantTable } from "./attribute";
import { aligned, integers, type Writer } from "./bytes";
import { type Layout, layoutProblem, writeLayout } from "./layout";
import type { RawAttribute } from "./message";
import type { Plain } from "./value";

/** Writes the attributes in the order in which `values` has them; what is `undefined` is left out. */
export function encodeAttributes(table: Table, writer: Writer, values: object, path = ""): void {
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    if (path !== "" && name === "unknown") {
      encodeRaw(writer, value as RawAttribute[], path);
      continue;
    }
    const row = table.byName.get(name);
    if (!row)
      throw refused(path + name, value, `one of the attributes ${[...table.byName.keys()].join(", ")}`);
    encodeRow(row, writer, value, values as Record<string, unknown>, path + name);
  }
}

function encodeRow(
  row: Row,
  writer: Writer,
  value: unknown,
  siblings: Record<string, unknown>,
  path: string,
): void {
  const kind = row.value;
  switch (kind.shape) {
    case "plain":
      encodePlain(writer, row.type, kind, value, path);
      break;
    case "list":
      if (!Array.isArray(value)) throw refused(path, value, `an array; of each element, ${kind.item.limit}`);
      for (const [index, item] of value.entries())
        encodePlain(writer, row.type, kind.item, item, `${path}[${index}]`);
      break;
    case "nested":
      encodeNest(kind.table, writer, row.type, value, path);
      break;
    case "headed":
      encodeNest(kind.table, writer, row.type, value, path, kind.header);
      break;
    case "variant": {
      if (value instanceof Uint8Array) {
        encodeOne(writer, row.type, path, () => writer.append(value));
        break;
      }
      const selected = siblings[kind.selector];
      const chosen = variantTable(kind, selected);
      if (!chosen) throw refused(path, value, `a Buffer, because ${kind.selector} is ${show(selected)}`);
      encodeNest(chosen, writer, row.type, value, path);
    }
  }
}

function encodePlain<T>(writer: Writer, type: number, kind: Plain<T>, value: unknown, path: string): void {
  if (!kind.accepts(value)) throw refused(path, value, kind.limit);
  encodeOne(writer, type, path, () => kind.write(writer, value as T));
}

function encodeNest(
  table: Table,
  writer: Writer,
  type: number,
  value: unknown,
  path: string,
  layout?: Layout,
): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refused(path, value, `an object with the attributes ${[...table.byName.keys()].join(", ")}`);
  }
  encodeOne(writer, type, path, () => {
    if (!layout) return encodeAttributes(table, writer, value, `${path}.`);
    const { header = {}, ...attributes } = value as { header?: Record<string, number | undefined> };
    const problem = layoutProblem(layout, header);
    if (problem) throw refused(`${path}.header.${problem.field}`, problem.value, problem.limit);
    const at = writer.reserve(layout.size);
    writeLayout(layout, writer.bytes, at, header);
    encodeAttributes(table, writer, attributes, `${path}.`);
  });
}

/** Attributes as they were decoded without a table. */
export function encodeRaw(writer: Writer, attributes: readonly RawAttribute[], path = ""): void {
  for (const { type, bytes } of attributes) {
    if (!Number.isInteger(type) || type < 0 || type > 0xffff)
      throw refused(`${path}unknown`, type, "a 16-bit type");
    encodeOne(writer, type, `${path}${type & ~NLA_F_NESTED}`, () => writer.append(bytes));
  }
}

/** Header, payload, padding. */
function encodeOne(writer: Writer, type: number, path: string, payload: () => void): void {
  const at = writer.reserve(4);
  payload();
  const length = writer.length - at;
  if (length > 0xffff) throw refused(path, `${length - 4} bytes`, "at most 65531 bytes");
  integers.u16.write(writer.bytes, at, length);
  integers.u16.write(writer.bytes, at + 2, type);
  writer.reserve(aligned(length) - length);
}

/** An input that cannot be encoded. */
export function refused(name: string, value: unknown, limit: string): TuntapError {
  return new TuntapError("INVALID_INPUT", {
    message: `Netlink attribute ${name} cannot be ${show(value)}: it takes ${limit}.`,
    property: name,
  });
}

function show(value: unknown): string {
  const shown = inspect(value, { depth: 1, breakLength: Infinity, maxArrayLength: 8, maxStringLength: 64 });
  return shown.length > 200 ? `${shown.slice(0, 200)}…` : shown;
}

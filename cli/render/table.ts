/** What exists, as the kernel reports it: the outputs of our resources are the provider's own read-back. */
import type { Properties } from "../plan";
import { presentable } from "../terminal";
import { nameOf, plain, typeOf } from "./value";

export type Row = Record<string, string>;

/** Types of our own resources. */
export const ours = /^(pulumi-nodejs:dynamic\/tuntap|tuntap:index):/;
/** An owner or group that is not set. */
const none = -1;
const columns = ["kind", "name", "namespace", "mode", "owner", "group", "address", "mtu", "up"];

/** The rows of a stack's resources, by their outputs. */
export function rowsOf(outputs: ReadonlyMap<string, Properties>): Row[] {
  const rows: Row[] = [];
  for (const [urn, properties] of outputs) {
    if (!ours.test(typeOf(urn))) continue;
    const clear = plain(properties) as Properties;
    const { kind, name } = nameOf(urn);
    const row: Row = { kind, name };
    for (const column of columns.slice(1)) {
      const value = column === "address" ? address(clear) : clear[column];
      if (value === undefined || value === null || value === "") continue;
      row[column] = value === none ? "none" : text(value);
    }
    rows.push(row);
  }
  return rows.sort((one, other) => place(one).localeCompare(place(other)));
}

function place(row: Row): string {
  return `${row.namespace ?? ""} ${row.name}`;
}

export function renderTable(rows: readonly Row[]): string {
  return drawTable(columns, rows);
}

/**
 * Columns that say nothing are left out.
 * @param separated whether lines are drawn between rows, as rows of many lines need it.
 */
export function drawTable(columns: readonly string[], rows: readonly Row[], separated = false): string {
  const shown = columns.filter((column) => rows.some((row) => row[column] !== undefined));
  const cells = rows.map((row) => fold(shown.map((column) => presentable(row[column] ?? "-"))));
  const colWidths = widthsOf([shown, ...cells]);
  const Table = require("cli-table3") as typeof import("cli-table3");
  const lines: string[] = [];
  for (let first = 0; first === 0 || first < cells.length; first += rowsAtOnce) {
    const table = new Table({
      head: first === 0 ? shown : [],
      colWidths,
      style: { head: [], border: [], compact: !separated },
      ...(first > 0 && { chars: goingOn }),
    });
    table.push(...cells.slice(first, first + rowsAtOnce));
    const drawn = table.toString().split("\n");
    // The line below what is above, which may be one between rows by now, or none.
    if (first > 0) lines.pop();
    lines.push(...(first > 0 && !separated ? drawn.slice(1) : drawn));
  }
  return lines.join("\n");
}

/** How many rows are laid out in one go: what that takes grows with their square. */
const rowsAtOnce = 50;
/** The line above rows that others are above of. */
const goingOn = { top: "─", "top-mid": "┼", "top-left": "├", "top-right": "┤" };

/** Of each column, in places on a terminal, with a space at either side. */
function widthsOf(cells: readonly (readonly string[])[]): number[] {
  const width = require("string-width") as typeof import("string-width");
  const widths: number[] = [];
  for (const row of cells)
    for (const [column, text] of row.entries())
      for (const line of text.split("\n")) widths[column] = Math.max(widths[column] ?? 0, width(line) + 2);
  return widths;
}

/** No line of a cell is longer, in places on a terminal. */
const longestLine = 60;

/** The cells of a row, long lines on several; what stands side by side remains so. */
function fold(cells: readonly string[]): string[] {
  if (cells.every((cell) => cell.length <= longestLine / 2)) return [...cells];
  const columns = cells.map((cell) => cell.split("\n").map(foldLine));
  const heights = Array.from({ length: Math.max(...columns.map(({ length }) => length)) }, (_, at) =>
    Math.max(...columns.map((lines) => lines[at]?.length ?? 0)),
  );
  return columns.map((lines) => {
    const last = lines.length - 1;
    const padded = (line: string[], at: number) => [
      ...line,
      ...Array((heights[at] ?? 0) - line.length).fill(""),
    ];
    return lines.flatMap((line, at) => (at === last ? line : padded(line, at))).join("\n");
  });
}

/** Broken at a space where there is one, its colour on every part. */
function foldLine(line: string): string[] {
  const width = require("string-width") as typeof import("string-width");
  if (line.length <= longestLine / 2 || width(line) <= longestLine) return [line];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the colour that Terminal.paint gives begins with one.
  const [, begin = "", text = line, end = ""] = /^(\u001b\[\d+m)(.*)(\u001b\[0m)$/.exec(line) ?? [];
  const parts: string[] = [];
  let part = "";
  for (const letter of text) {
    if (width(part + letter) > longestLine) {
      const space = part.lastIndexOf(" ");
      parts.push(space > 0 ? part.slice(0, space) : part);
      part = space > 0 ? part.slice(space + 1) : "";
    }
    part += letter;
  }
  return [...parts, part].map((each) => begin + each + end);
}

function address(properties: Properties): string {
  const more = Array.isArray(properties.addresses) ? properties.addresses : [];
  const first = properties.address ? [join(properties.address, properties.netmask)] : [];
  return [...new Set([...first, ...more].map(text))].join(" ");
}

function join(one: unknown, mask: unknown): string {
  const written = text(one);
  return mask === undefined || written.includes("/") ? written : `${written}/${text(mask)}`;
}

function text(value: unknown): string {
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

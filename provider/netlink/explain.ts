/** Messages in words, by the same tables, for error texts and debugging. Never throws: what is malformed is said. */

import { isTuntapError } from "../errors";
import { addressFamily } from "./address";
import { NLA_TYPE_MASK, type Table, type Value, variantTable } from "./attribute";
import { bridgeLinkFamily } from "./bridge-link";
import { eachAttribute, findSelector, readPlain } from "./decode";
import { attributesStart, type Family } from "./family";
import { type Layout, readLayout } from "./layout";
import { linkFamily } from "./link";
import { AF, messageEnd, messageHeader, NLM_F, RTM } from "./message";
import { neighbourFamily } from "./neighbour";
import { routeFamily } from "./route";
import { showBytes } from "./value";

const families = new Map<number, Family>(
  [linkFamily, addressFamily, routeFamily, neighbourFamily].flatMap((family: Family) =>
    family.types.map((type) => [type, family] as const),
  ),
);

/** Of a link, the family that follows the header decides what is in it. */
function familyOf(message: Buffer, type: number): Family | undefined {
  const family: Family | undefined = families.get(type);
  const isBridge = family === linkFamily && message[messageHeader.size] === AF.BRIDGE;
  return isBridge ? bridgeLinkFamily : family;
}

const typeNames = new Map<number, string>([
  ...["NOOP", "ERROR", "DONE", "OVERRUN"].map((name, index) => [index + 1, `NLMSG_${name}`] as const),
  ...Object.entries(RTM).map(([name, type]) => [type, `RTM_${name}`] as const),
]);

/** One line for the header, then one per attribute, nests indented. */
export function explain(message: Buffer): string {
  const lines: string[] = [];
  try {
    const end = messageEnd(message, 0);
    const { type, flags, sequence, port } = readLayout(messageHeader, message, 0);
    const name = typeNames.get(type) ?? `type ${type}`;
    lines.push(`${name} ${flagNames(type, flags)} sequence ${sequence} port ${port}`);
    const family = familyOf(message, type);
    if (!family || end < attributesStart(family)) {
      lines.push(`  ${showBytes(message.subarray(messageHeader.size, end))}`);
    } else {
      const header = readLayout(family.header, message, messageHeader.size);
      lines.push(`  header ${showFields(header)}`);
      for (const line of explainNest(family.attributes, message, attributesStart(family), end))
        lines.push(`  ${line}`);
    }
  } catch (error) {
    if (!isTuntapError(error)) throw error;
    lines.push(`  malformed: ${error.message}`);
  }
  return lines.join("\n");
}

function* explainNest(table: Table, bytes: Buffer, start: number, end: number): Generator<string> {
  for (const attribute of eachAttribute(table, bytes, start, end)) {
    const { type, row } = attribute;
    const name = row?.name ?? `attribute ${type & NLA_TYPE_MASK}`;
    const inner = row && innerOf(table, row.value, bytes, start, end);
    if (inner) {
      yield name;
      for (const line of explainInner(inner, bytes, attribute)) yield `  ${line}`;
    } else {
      const plain = row?.value.shape === "list" ? row.value.item : row?.value;
      const shown =
        row &&
        plain?.shape === "plain" &&
        !(plain.keepsOthers && !plain.fits(attribute.end - attribute.start))
          ? plain.show(readPlain(table, row, plain, bytes, attribute.start, attribute.end))
          : showBytes(bytes.subarray(attribute.start, attribute.end));
      yield `${name} ${shown}`;
    }
  }
}

function* explainInner({ header, table }: Inner, bytes: Buffer, { start, end }: Extent): Generator<string> {
  if (header && end - start < header.size) {
    yield showBytes(bytes.subarray(start, end));
    return;
  }
  if (header) yield `header ${showFields(readLayout(header, bytes, start))}`;
  yield* explainNest(table, bytes, start + (header?.size ?? 0), end);
}

interface Extent {
  start: number;
  end: number;
}

/** What is inside an attribute: attributes by a table, behind a header perhaps. */
interface Inner {
  table: Table;
  header?: Layout;
}

function innerOf(table: Table, value: Value, bytes: Buffer, start: number, end: number): Inner | undefined {
  if (value.shape === "nested" || value.shape === "headed") return value;
  if (value.shape !== "variant") return undefined;
  const chosen = variantTable(value, findSelector(table, value, bytes, start, end));
  return chosen && { table: chosen };
}

/**
 * The name of the attribute that begins at `offset` bytes from the start of the message, as a path: `linkinfo.kind`.
 * It makes NLMSGERR_ATTR_OFFS of an extended acknowledgement readable. `undefined` where none begins there.
 */
export function attributeAt(message: Buffer, offset: number): string | undefined {
  try {
    const end = messageEnd(message, 0);
    const family = familyOf(message, readLayout(messageHeader, message, 0).type);
    return family && nameAt(family.attributes, message, attributesStart(family), end, offset);
  } catch (error) {
    if (!isTuntapError(error)) throw error;
    return undefined;
  }
}

function nameAt(table: Table, bytes: Buffer, start: number, end: number, offset: number): string | undefined {
  for (const attribute of eachAttribute(table, bytes, start, end)) {
    if (offset < attribute.at || offset >= attribute.end) continue;
    const name = attribute.row?.name ?? String(attribute.type & NLA_TYPE_MASK);
    if (offset === attribute.at) return name;
    const inner = attribute.row && innerOf(table, attribute.row.value, bytes, start, end);
    const within = attribute.start + (inner?.header?.size ?? 0);
    const found = inner && nameAt(inner.table, bytes, within, attribute.end, offset);
    return found && `${name}.${found}`;
  }
  return undefined;
}

/** Which names the flags from 0x100 on have, by the two low bits of the type: NEW, DEL, GET. */
const flagsByVerb = [
  ["REPLACE", "EXCL", "CREATE", "APPEND"],
  ["NONREC", "BULK"],
  ["DUMP", "ROOT", "MATCH", "ATOMIC"],
  [],
] as const;

function flagNames(type: number, flags: number): string {
  const names: string[] = [];
  let rest = flags;
  const known = [
    "REQUEST",
    "MULTI",
    "ACK",
    "ECHO",
    "DUMP_INTR",
    "DUMP_FILTERED",
    ...flagsByVerb[type & 3]!,
  ] as const;
  for (const name of known) {
    const bits = NLM_F[name];
    if ((rest & bits) !== bits) continue;
    names.push(name);
    rest &= ~bits;
  }
  if (rest !== 0) names.push(`0x${rest.toString(16)}`);
  return names.join("|") || "no flags";
}

function showFields(header: Record<string, number>): string {
  return Object.entries(header)
    .map(([field, value]) => showField(field, value))
    .join(" ");
}

function showField(name: string, value: number): string {
  return `${name} ${name === "flags" || name === "change" ? `0x${value.toString(16)}` : value}`;
}

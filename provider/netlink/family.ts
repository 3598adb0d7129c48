/** A family of messages: its header and its table of attributes, and how whole messages of it are made and read. */

import type { Rows, Table, Values } from "./attribute";
import { integers, Writer } from "./bytes";
import { decodeAttributes } from "./decode";
import { encodeAttributes, encodeRaw, refused } from "./encode";
import { type Fields, type FieldValues, type Layout, layoutProblem, readLayout, writeLayout } from "./layout";
import { type Message, malformed, messageEnd, messageHeader, type RawAttribute } from "./message";

export interface Family<F extends Fields = Fields, R extends Rows = Rows> {
  /** RTM_* of its messages. */
  types: readonly number[];
  /** What follows struct nlmsghdr. */
  header: Layout<F>;
  attributes: Table<R>;
}

/** Where the attributes of a message begin, in bytes from its start. */
export function attributesStart(family: Family): number {
  return messageHeader.size + family.header.size;
}

/**
 * One message. Header fields that are not given are 0; sequence and port are 0, the transport fills them in.
 * Attributes are written in the order given, `unknown` after them.
 */
export function encodeMessage<F extends Fields, R extends Rows>(
  family: Family<F, R>,
  type: number,
  flags: number,
  header: Partial<FieldValues<F>>,
  attributes: Partial<Values<R>> = {},
  unknown: readonly RawAttribute[] = [],
): Buffer {
  const name = family.attributes.name;
  if (!family.types.includes(type))
    throw refused("type", type, `a type of ${name}, one of ${family.types.join(", ")}`);
  const problem = layoutProblem(messageHeader, { flags }) ?? layoutProblem(family.header, header);
  if (problem) throw refused(`header.${problem.field}`, problem.value, problem.limit);
  const writer = new Writer();
  writer.reserve(attributesStart(family));
  encodeAttributes(family.attributes, writer, attributes);
  encodeRaw(writer, unknown);
  integers.u32.write(writer.bytes, 0, writer.length);
  integers.u16.write(writer.bytes, 4, type);
  integers.u16.write(writer.bytes, 6, flags);
  writeLayout(family.header, writer.bytes, messageHeader.size, header);
  return writer.finish();
}

/** Reads one message. Binary attributes and unknown ones are views of `message`, not copies. */
export function decodeMessage<F extends Fields, R extends Rows>(
  family: Family<F, R>,
  message: Buffer,
): Message<FieldValues<F>, Values<R>> {
  const end = messageEnd(message, 0);
  const name = family.attributes.name;
  const { type, flags, sequence, port } = readLayout(messageHeader, message, 0);
  if (!family.types.includes(type)) throw malformed(`message type ${type} is none of ${name}`, 4);
  const start = attributesStart(family);
  if (end < start) throw malformed(`a message of ${name} has ${end} bytes, less than its header`, 0);
  const header = readLayout(family.header, message, messageHeader.size);
  const attributes: Record<string, unknown> = {};
  const unknown = decodeAttributes(family.attributes, message, start, end, attributes);
  return { type, flags, sequence, port, header, attributes: attributes as Values<R>, unknown };
}

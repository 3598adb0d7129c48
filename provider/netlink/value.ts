/** The types of attribute values, as data: what each accepts, how it is read, written and shown. */

import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import { type Integer, integers, type Writer, wideInteger } from "./bytes";
import { parseIpv6 } from "./ipv6";
import {
  type Fields,
  type FieldValues,
  integerLimit,
  isInteger,
  type Layout,
  layoutProblem,
  readLayout,
  writeLayout,
} from "./layout";
import { readText, textBytes } from "./text";

/** A value that is no nest of further attributes. */
export interface Plain<T> {
  shape: "plain";
  /** For explanations: `u32`. */
  name: string;
  /** What can be encoded, to follow "it takes". */
  limit: string;
  accepts(value: unknown): boolean;
  /** Whether a payload of `length` bytes can be decoded. */
  fits(length: number): boolean;
  /** Whether another length is no error, but of a family that is not known here: the attribute is kept as unknown. */
  keepsOthers?: true;
  read(bytes: Buffer, start: number, end: number): T;
  /** Writes an accepted value. */
  write(writer: Writer, value: T): void;
  show(value: T): string;
}

function integer(kind: Integer): Plain<number> {
  return {
    shape: "plain",
    name: kind.name,
    limit: integerLimit(kind),
    accepts: (value) => isInteger(kind, value),
    fits: (length) => length === kind.size,
    read: kind.read,
    write: (writer, value) => {
      const at = writer.reserve(kind.size);
      kind.write(writer.bytes, at, value);
    },
    show: String,
  };
}

export const u8 = integer(integers.u8);
export const u16 = integer(integers.u16);
/** Network byte order. */
export const u16be = integer(integers.u16be);
export const u32 = integer(integers.u32);
export const s32 = integer(integers.s32);

export const u64: Plain<bigint> = {
  shape: "plain",
  name: wideInteger.name,
  limit: integerLimit(wideInteger),
  accepts: (value) =>
    typeof value === "bigint" && value >= wideInteger.minimum && value <= wideInteger.maximum,
  fits: (length) => length === 8,
  read: wideInteger.read,
  write: (writer, value) => {
    const at = writer.reserve(8);
    wideInteger.write(writer.bytes, at, value);
  },
  show: String,
};

/** Text of at most `maximum` bytes, followed by a NUL (kernel policy NLA_NUL_STRING or NLA_STRING). */
export function string(maximum = 4096): Plain<string> {
  return textOf("string", maximum, 1);
}

/** Text of at most `maximum` bytes that the kernel takes without a NUL (IFLA_IFALIAS is NLA_BINARY). */
export function text(maximum: number): Plain<string> {
  return textOf("text", maximum, 0);
}

function textOf(name: string, maximum: number, terminator: 0 | 1): Plain<string> {
  return {
    shape: "plain",
    name,
    limit: `a text of at most ${maximum} bytes without NUL`,
    accepts: (value) => typeof value === "string" && (textBytes(value)?.length ?? Infinity) <= maximum,
    fits: () => true,
    read: readText,
    write: (writer, value) => {
      writer.append(textBytes(value)!);
      writer.reserve(terminator);
    },
    show: (value) => JSON.stringify(value),
  };
}

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Lengths of link-layer addresses in bytes: none (tun), IPv4 tunnels, Ethernet, EUI-64, IPv6 tunnels, InfiniBand. */
const macLengths = [0, 4, 6, 8, 16, 20];

/** A link-layer address, `02:00:00:00:00:01`; empty for a link that has none. Lower case when decoded. */
export const mac: Plain<string> = {
  shape: "plain",
  name: "mac",
  limit: `an address of ${macLengths.slice(1).join(", ")} bytes, in hexadecimal pairs with colons (Ethernet has 6), or ""`,
  accepts: (value) =>
    typeof value === "string" &&
    (value === "" ||
      (/^[0-9a-f]{2}(:[0-9a-f]{2})*$/i.test(value) && macLengths.includes((value.length + 1) / 3))),
  fits: () => true,
  read: (bytes, start, end) => {
    if (start === end) return "";
    let value = hex[bytes[start]!]!;
    for (let at = start + 1; at < end; at++) value += `:${hex[bytes[at]!]}`;
    return value;
  },
  write: (writer, value) => writer.append(Buffer.from(value.replaceAll(":", ""), "hex")),
  show: (value) => value || "none",
};

/**
 * An IPv4 or IPv6 address by its length; canonical (RFC 5952) when decoded. A dump of all families may hold others:
 * those of MCTP and Phonet have one byte.
 */
export const ip: Plain<string> = {
  shape: "plain",
  name: "ip",
  limit: "an IPv4 or IPv6 address, without a zone or a prefix length",
  accepts: (value) => typeof value === "string" && isIP(value) !== 0 && !value.includes("%"),
  fits: (length) => length === 4 || length === 16,
  keepsOthers: true,
  read: (bytes, start, end) =>
    end - start === 4
      ? `${bytes[start]}.${bytes[start + 1]}.${bytes[start + 2]}.${bytes[start + 3]}`
      : ipaddr.fromByteArray([...bytes.subarray(start, end)]).toString(),
  write: (writer, value) =>
    writer.append(Uint8Array.from(parseIpv6(value)?.toByteArray() ?? value.split(".").map(Number))),
  show: String,
};

/** Present without a payload, or absent. */
export const flag: Plain<true> = {
  shape: "plain",
  name: "flag",
  limit: "true, or nothing at all",
  accepts: (value) => value === true,
  fits: (length) => length === 0,
  read: () => true,
  write: () => {},
  show: String,
};

/** Bytes as they are: what is too big or too rare to be worth a table. A view of the message, without a copy. */
export const binary: Plain<Buffer> = {
  shape: "plain",
  name: "binary",
  limit: "a Buffer",
  accepts: (value) => value instanceof Uint8Array,
  fits: () => true,
  read: (bytes, start, end) => bytes.subarray(start, end),
  write: (writer, value) => writer.append(value),
  show: showBytes,
};

export function showBytes(bytes: Buffer): string {
  const shown = bytes.toString("hex", 0, 32);
  return `(${bytes.length} bytes) ${shown}${bytes.length > 32 ? "…" : ""}`.trimEnd();
}

/** A fixed structure. Of one that a newer kernel made longer, what is known is read. */
export function struct<F extends Fields>(of: Layout<F>): Plain<FieldValues<F>> {
  const names = of.fields.map(({ name }) => name);
  return {
    shape: "plain",
    name: "struct",
    limit: `a number for each of ${of.fields.map(({ name, integer: kind }) => `${name} (${kind.name})`).join(", ")}`,
    accepts: (value) =>
      typeof value === "object" &&
      value !== null &&
      names.every((name) => (value as Record<string, unknown>)[name] !== undefined) &&
      layoutProblem(of, value) === undefined,
    fits: (length) => length >= of.size,
    read: (bytes, start) => readLayout(of, bytes, start),
    write: (writer, value) => {
      const at = writer.reserve(of.size);
      writeLayout(of, writer.bytes, at, value);
    },
    show: (value) => names.map((name) => `${name} ${value[name]}`).join(" "),
  };
}

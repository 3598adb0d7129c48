/** Integers in the byte order of the host, as netlink sends them, and a buffer that grows while it is written. */

import { endianness } from "node:os";

const little = endianness() === "LE";

/** The next multiple of 4: NLMSG_ALIGN and NLA_ALIGN (linux/netlink.h). */
export function aligned(length: number): number {
  return (length + 3) & ~3;
}

export function readU16(bytes: Buffer, at: number): number {
  const first = bytes[at]!;
  const second = bytes[at + 1]!;
  return little ? first | (second << 8) : (first << 8) | second;
}

export function readU32(bytes: Buffer, at: number): number {
  return little
    ? (readU16(bytes, at) | (readU16(bytes, at + 2) << 16)) >>> 0
    : ((readU16(bytes, at) << 16) | readU16(bytes, at + 2)) >>> 0;
}

/** How one kind of integer lies in memory. */
export interface Integer<T = number> {
  name: string;
  /** Bytes. */
  size: number;
  minimum: T;
  maximum: T;
  read(bytes: Buffer, at: number): T;
  write(bytes: Buffer, at: number, value: T): void;
}

export const integers = {
  u8: {
    name: "u8",
    size: 1,
    minimum: 0,
    maximum: 0xff,
    read: (bytes, at) => bytes[at]!,
    write: (bytes, at, value) => bytes.writeUInt8(value, at),
  },
  u16: {
    name: "u16",
    size: 2,
    minimum: 0,
    maximum: 0xffff,
    read: readU16,
    write: (bytes, at, value) => (little ? bytes.writeUInt16LE(value, at) : bytes.writeUInt16BE(value, at)),
  },
  /** Network byte order on every host. */
  u16be: {
    name: "u16be",
    size: 2,
    minimum: 0,
    maximum: 0xffff,
    read: (bytes, at) => (bytes[at]! << 8) | bytes[at + 1]!,
    write: (bytes, at, value) => bytes.writeUInt16BE(value, at),
  },
  u32: {
    name: "u32",
    size: 4,
    minimum: 0,
    maximum: 0xffff_ffff,
    read: readU32,
    write: (bytes, at, value) => (little ? bytes.writeUInt32LE(value, at) : bytes.writeUInt32BE(value, at)),
  },
  s32: {
    name: "s32",
    size: 4,
    minimum: -0x8000_0000,
    maximum: 0x7fff_ffff,
    read: (bytes, at) => readU32(bytes, at) | 0,
    write: (bytes, at, value) => (little ? bytes.writeInt32LE(value, at) : bytes.writeInt32BE(value, at)),
  },
} as const satisfies Record<string, Integer>;

export const wideInteger: Integer<bigint> = {
  name: "u64",
  size: 8,
  minimum: 0n,
  maximum: 0xffff_ffff_ffff_ffffn,
  read: (bytes, at) => (little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at)),
  write: (bytes, at, value) =>
    little ? bytes.writeBigUInt64LE(value, at) : bytes.writeBigUInt64BE(value, at),
};

/** What all writers write into: messages are small, many, and made one at a time. */
let scratch = Buffer.alloc(4096);

/** Bytes that are zero until they are written, so that padding is zero too. A new writer ends the one before it. */
export class Writer {
  bytes = scratch;
  length = 0;

  /** Makes room for `size` more bytes and gives the offset at which they begin. */
  reserve(size: number): number {
    const at = this.length;
    this.length += size;
    if (this.length > this.bytes.length) {
      const larger = Buffer.alloc(Math.max(this.length, 2 * this.bytes.length));
      this.bytes.copy(larger, 0, 0, at);
      this.bytes = scratch = larger;
    }
    this.bytes.fill(0, at, this.length);
    return at;
  }

  append(bytes: Uint8Array): void {
    const at = this.reserve(bytes.length);
    this.bytes.set(bytes, at);
  }

  /** A copy of what was written. */
  finish(): Buffer {
    return Buffer.from(this.bytes.subarray(0, this.length));
  }
}

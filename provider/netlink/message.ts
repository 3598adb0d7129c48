/** Netlink messages: the header that all share (struct nlmsghdr, linux/netlink.h), types, flags, and cutting a buffer. */

import { TuntapError } from "../errors";
import { aligned, readU32 } from "./bytes";
import { layout } from "./layout";

/** AF_*, linux/socket.h. BRIDGE is that of forwarding entries, also of links that are no bridge, and of a bridge's view of links. */
export const AF = { INET: 2, BRIDGE: 7, INET6: 10 } as const;

/** RTM_*, linux/rtnetlink.h. In each family NEW, DEL, GET and SET follow one another. */
export const RTM = {
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  SETLINK: 19,
  NEWADDR: 20,
  DELADDR: 21,
  GETADDR: 22,
  NEWROUTE: 24,
  DELROUTE: 25,
  GETROUTE: 26,
  NEWNEIGH: 28,
  DELNEIGH: 29,
  GETNEIGH: 30,
  NEWNSID: 88,
  DELNSID: 89,
  GETNSID: 90,
  NEWLINKPROP: 108,
  DELLINKPROP: 109,
  GETLINKPROP: 110,
  GETVLAN: 114,
} as const;

/** NLM_F_*, linux/netlink.h. From 0x100 on, the meaning depends on whether the message is a GET, a NEW or a DEL. */
export const NLM_F = {
  REQUEST: 1,
  MULTI: 2,
  ACK: 4,
  ECHO: 8,
  DUMP_INTR: 0x10,
  DUMP_FILTERED: 0x20,
  /** GET */
  ROOT: 0x100,
  MATCH: 0x200,
  ATOMIC: 0x400,
  DUMP: 0x300,
  /** NEW */
  REPLACE: 0x100,
  EXCL: 0x200,
  CREATE: 0x400,
  APPEND: 0x800,
  /** DEL */
  NONREC: 0x100,
  BULK: 0x200,
} as const;

/** struct nlmsghdr. `length` is in bytes, with this header and without the padding after the message. */
export const messageHeader = layout(16, {
  length: ["u32", 0],
  type: ["u16", 4],
  flags: ["u16", 6],
  sequence: ["u32", 8],
  port: ["u32", 12],
});

/** An attribute that no table knows, kept as it came. */
export interface RawAttribute {
  /** nla_type with its two flag bits, NLA_F_NESTED and NLA_F_NET_BYTEORDER. */
  type: number;
  /** The payload, without header and padding. */
  bytes: Buffer;
}

export interface Message<H, A> {
  /** RTM_* */
  type: number;
  /** NLM_F_* */
  flags: number;
  sequence: number;
  /** nlmsg_pid, the port of the sender. */
  port: number;
  header: H;
  attributes: A;
  unknown: RawAttribute[];
}

/** Cuts a receive buffer into its messages, each with its header and without padding, as views without a copy. */
export function splitMessages(bytes: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = messageEnd(bytes, at);
    messages.push(bytes.subarray(at, end));
    at += aligned(end - at);
  }
  return messages;
}

/** The offset after the message that begins at `at`; throws if there is no whole message. */
export function messageEnd(bytes: Buffer, at: number): number {
  const rest = bytes.length - at;
  if (rest < messageHeader.size) {
    throw malformed(
      `${rest} bytes are left where a message of at least ${messageHeader.size} should begin`,
      at,
    );
  }
  const length = readU32(bytes, at);
  if (length < messageHeader.size || length > rest) {
    throw malformed(`a message gives its length as ${length} bytes, with ${rest} there`, at);
  }
  return at + length;
}

export function malformed(problem: string, offset: number): TuntapError {
  return new TuntapError("MALFORMED_MESSAGE", { message: `Netlink, at offset ${offset}: ${problem}.` });
}

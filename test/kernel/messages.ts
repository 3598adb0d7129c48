/** The few netlink messages that these tests send, built by hand: the product's codec is not under test here. */

const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const NLA_F_NESTED = 0x8000;
const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_NEWLINKPROP = 108;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;
const IFLA_PROP_LIST = 52;
const IFLA_ALT_IFNAME = 53;

function attribute(type: number, payload: Buffer): Buffer {
  const bytes = Buffer.alloc((4 + payload.length + 3) & ~3);
  bytes.writeUInt16LE(4 + payload.length, 0);
  bytes.writeUInt16LE(type, 2);
  payload.copy(bytes, 4);
  return bytes;
}

const text = (value: string) => Buffer.from(`${value}\0`);

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function linkMessage(type: number, flags: number, ifindex: number, ...attributes: Buffer[]): Buffer {
  const head = Buffer.alloc(32);
  const message = Buffer.concat([head, ...attributes]);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(type, 4);
  message.writeUInt16LE(flags, 6);
  message.writeInt32LE(ifindex, 20);
  return message;
}

export const newLink = (kind: string, name: string) =>
  linkMessage(
    RTM_NEWLINK,
    NLM_F_CREATE | NLM_F_EXCL,
    0,
    attribute(IFLA_IFNAME, text(name)),
    attribute(IFLA_LINKINFO | NLA_F_NESTED, attribute(IFLA_INFO_KIND, text(kind))),
  );

export const setMtu = (name: string, mtu: number) =>
  linkMessage(RTM_NEWLINK, 0, 0, attribute(IFLA_IFNAME, text(name)), attribute(IFLA_MTU, u32(mtu)));

/** An attribute whose payload is shorter than its type, so that the kernel says where it is. */
export const setShortMtu = (name: string) =>
  linkMessage(RTM_NEWLINK, 0, 0, attribute(IFLA_IFNAME, text(name)), attribute(IFLA_MTU, Buffer.alloc(2)));

/** A message that says nothing of the link. */
export const touchLink = (ifindex: number) => linkMessage(RTM_NEWLINK, 0, ifindex);

export const deleteLink = (name: string) =>
  linkMessage(RTM_DELLINK, 0, 0, attribute(IFLA_IFNAME, text(name)));

export const addAltname = (ifindex: number, name: string) =>
  linkMessage(
    RTM_NEWLINKPROP,
    NLM_F_CREATE | NLM_F_EXCL,
    ifindex,
    attribute(IFLA_PROP_LIST | NLA_F_NESTED, attribute(IFLA_ALT_IFNAME, text(name))),
  );

export const getLinks = (ifindex = 0) => linkMessage(RTM_GETLINK, 0, ifindex);

/** The message types and lengths of a dump, one after the other. */
export function headers(bytes: Buffer): { length: number; type: number }[] {
  const found: { length: number; type: number }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    found.push({ length, type: bytes.readUInt16LE(at + 4) });
    at += (length + 3) & ~3;
  }
  return found;
}

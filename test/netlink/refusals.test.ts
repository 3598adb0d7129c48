/** What cannot be encoded is refused with its name, its value and the limit; what is malformed says where. */

import { describe, expect, test } from "vitest";
import { decodeAddress, encodeAddress } from "../../provider/netlink/address";
import { decodeLink, encodeLink, type LinkAttributes } from "../../provider/netlink/link";
import { NLM_F, RTM, splitMessages } from "../../provider/netlink/message";

const link = (attributes: object) => () =>
  encodeLink(RTM.NEWLINK, NLM_F.REQUEST, { index: 1 }, attributes as Partial<LinkAttributes>);
const address = (attributes: object) => () => encodeAddress(RTM.NEWADDR, NLM_F.REQUEST, {}, attributes);

describe("values that cannot be encoded", () => {
  test.each<[string, () => Buffer, name: string, value: string, limit: string]>([
    ["mtu below 0", link({ mtu: -1 }), "mtu", "-1", "an integer from 0 to 4294967295"],
    ["mtu beyond 32 bits", link({ mtu: 2 ** 32 }), "mtu", "4294967296", "an integer from 0 to 4294967295"],
    ["mtu with a fraction", link({ mtu: 1400.5 }), "mtu", "1400.5", "an integer"],
    ["mtu as a text", link({ mtu: "1400" }), "mtu", "'1400'", "an integer"],
    ["mtu NaN", link({ mtu: Number.NaN }), "mtu", "NaN", "an integer"],
    ["mtu null", link({ mtu: null }), "mtu", "null", "an integer"],
    [
      "a namespace id beyond 31 bits",
      link({ newNetnsid: 2 ** 31 }),
      "newNetnsid",
      "2147483648",
      "2147483647",
    ],
    ["a name of 16 bytes", link({ ifname: "a".repeat(16) }), "ifname", "'aaaa", "at most 15 bytes"],
    [
      "a name of 16 bytes in 8 characters",
      link({ ifname: "ä".repeat(8) }),
      "ifname",
      "'ää",
      "at most 15 bytes",
    ],
    ["a name with NUL", link({ ifname: "tap\0" }), "ifname", "tap\\x00", "without NUL"],
    ["a broken surrogate", link({ ifalias: "\ud800" }), "ifalias", "\\ud800", "a text of at most 255 bytes"],
    ["an alias of 256 bytes", link({ ifalias: "a".repeat(256) }), "ifalias", "'aaaa", "at most 255 bytes"],
    [
      "an altname of 128 bytes",
      link({ propList: { altIfname: ["ok", "a".repeat(128)] } }),
      "propList.altIfname[1]",
      "'aaaa",
      "at most 127 bytes",
    ],
    [
      "altnames that are no array",
      link({ propList: { altIfname: "x" } }),
      "propList.altIfname",
      "'x'",
      "an array",
    ],
    ["a MAC of 5 bytes", link({ address: "02:00:00:00:01" }), "address", "02:00:00:00:01", "Ethernet has 6"],
    ["a MAC with dashes", link({ address: "02-00-00-00-00-01" }), "address", "02-00", "pairs with colons"],
    [
      "an unknown attribute",
      link({ mtuu: 1 }),
      "mtuu",
      "1",
      "one of the attributes address, broadcast, ifname",
    ],
    ["an attribute of Object", link({ toString: 1 }), "toString", "1", "one of the attributes"],
    ["a nest that is a number", link({ linkinfo: 1 }), "linkinfo", "1", "an object with the attributes kind"],
    [
      "a field of a header in a nest",
      link({ linkinfo: { kind: "veth", data: { peer: { header: { index: 2 ** 31 } } } } }),
      "linkinfo.data.peer.header.index",
      "2147483648",
      "2147483647",
    ],
    [
      "an unknown attribute behind a header in a nest",
      link({ linkinfo: { kind: "veth", data: { peer: { name: "veth1" } } } }),
      "linkinfo.data.peer.name",
      "veth1",
      "one of the attributes address, ifname",
    ],
    [
      "an unknown attribute in a nest",
      link({ linkinfo: { kind: "tun", data: { user: 1 } } }),
      "linkinfo.data.user",
      "1",
      "one of the attributes owner, group",
    ],
    [
      "data of a kind without a table",
      link({ linkinfo: { kind: "macvlan", data: { id: 1 } } }),
      "linkinfo.data",
      "{ id: 1 }",
      "a Buffer, because kind is 'macvlan'",
    ],
    ["data that no kind tells", link({ linkinfo: { data: {} } }), "linkinfo.data", "{}", "kind is undefined"],
    [
      "a number where 64 bits are",
      link({ linkinfo: { kind: "bridge", data: { gcTimer: 1 } } }),
      "linkinfo.data.gcTimer",
      "1",
      "18446744073709551615",
    ],
    [
      "a flag that is false",
      link({ linkinfo: { kind: "bridge", data: { fdbFlush: false } } }),
      "linkinfo.data.fdbFlush",
      "false",
      "true",
    ],
    ["bytes that are a text", link({ afSpec: "00" }), "afSpec", "'00'", "a Buffer"],
    [
      "bytes beyond 16 bits",
      link({ afSpec: Buffer.alloc(65532) }),
      "afSpec",
      "65532 bytes",
      "at most 65531 bytes",
    ],
    [
      "a nest beyond 16 bits",
      link({ linkinfo: { xstats: Buffer.alloc(65530) } }),
      "linkinfo",
      "65536 bytes",
      "at most 65531",
    ],
    [
      "an address out of range",
      address({ local: "300.1.1.1" }),
      "local",
      "'300.1.1.1'",
      "an IPv4 or IPv6 address",
    ],
    [
      "an address with a length",
      address({ local: "10.0.0.1/24" }),
      "local",
      "/24",
      "without a zone or a prefix",
    ],
    ["an address with a zone", address({ local: "fe80::1%eth0" }), "local", "%eth0", "without a zone"],
    ["an address in short form", address({ local: "10.1" }), "local", "'10.1'", "an IPv4 or IPv6 address"],
    [
      "a structure with a field missing",
      address({ cacheinfo: { valid: 1 } }),
      "cacheinfo",
      "valid: 1",
      "preferred (u32)",
    ],
    [
      "a header field out of range",
      () => encodeAddress(RTM.NEWADDR, 0, { prefixLength: 256 }),
      "header.prefixLength",
      "256",
      "an integer from 0 to 255",
    ],
    [
      "an unknown header field",
      () => encodeLink(RTM.NEWLINK, 0, { ifindex: 1 } as object),
      "header.ifindex",
      "1",
      "one of the fields family, type, index",
    ],
    ["flags beyond 16 bits", () => encodeLink(RTM.NEWLINK, 2 ** 16, {}), "header.flags", "65536", "65535"],
    ["another family's type", () => encodeLink(RTM.NEWADDR, 0, {}), "type", "20", "a type of link"],
    [
      "an unknown attribute's type beyond 16 bits",
      () => encodeLink(RTM.NEWLINK, 0, {}, {}, [{ type: 65536, bytes: Buffer.alloc(0) }]),
      "unknown",
      "65536",
      "a 16-bit type",
    ],
  ])("%s", (_, encode, name, value, limit) => {
    expect(encode).toThrow(expect.objectContaining({ code: "INVALID_INPUT", property: name }));
    expect(encode).toThrow(`Netlink attribute ${name} cannot be `);
    expect(encode).toThrow(value);
    expect(encode).toThrow(limit);
  });

  test("what is at the limit is taken", () => {
    const attributes = {
      ifname: "a".repeat(15),
      ifalias: "ü".repeat(127),
      mtu: 0xffff_ffff,
      propList: { altIfname: ["a".repeat(127)] },
      afSpec: Buffer.alloc(65531),
    };
    expect(decodeLink(link(attributes)()).attributes).toStrictEqual(attributes);
  });

  test("undefined is left out", () => {
    expect(link({ mtu: undefined })()).toEqual(link({})());
  });
});

describe("malformed messages", () => {
  const attribute = (...bytes: number[]) => {
    const message = Buffer.concat([encodeLink(RTM.NEWLINK, 0, {}), Buffer.from(bytes)]);
    message.writeUInt32LE(message.length, 0);
    return message;
  };

  test.each<[string, () => unknown, string]>([
    ["nothing", () => decodeLink(Buffer.alloc(0)), "0 bytes are left"],
    ["a length of 0", () => decodeLink(Buffer.alloc(32)), "its length as 0 bytes, with 32 there"],
    ["a length beyond the end", () => decodeLink(attribute().subarray(0, 31)), "32 bytes, with 31 there"],
    ["another type", () => decodeAddress(attribute()), "message type 16 is none of address"],
    ["an attribute of 3 bytes", () => decodeLink(attribute(3, 0, 4, 0)), "its length as 3 bytes"],
    [
      "an attribute beyond the end",
      () => decodeLink(attribute(9, 0, 4, 0, 0, 0, 0, 0)),
      "9 bytes, with 8 there",
    ],
    ["bytes after the last attribute", () => decodeLink(attribute(4, 0)), "2 bytes, with 2 there"],
    ["a mtu of 3 bytes", () => decodeLink(attribute(7, 0, 4, 0, 0, 0, 0)), "link.mtu (u32) has 3 bytes"],
    [
      "inside a nest",
      () => decodeLink(attribute(8, 0, 18, 0, 5, 0, 1, 0)),
      "offset 36: an attribute of link.linkinfo gives its length as 5 bytes, with 4 there",
    ],
    [
      "rest of a buffer",
      () => [...splitMessages(Buffer.concat([attribute(), Buffer.alloc(8)]))],
      "8 bytes are left",
    ],
  ])("%s", (_, decode, problem) => {
    expect(decode).toThrow(expect.objectContaining({ code: "MALFORMED_MESSAGE" }));
    expect(decode).toThrow(problem);
  });
});

describe("what the kernel may send though we do not", () => {
  const raw = (type: number, ...bytes: number[]) =>
    encodeLink(RTM.NEWLINK, 0, {}, {}, [{ type, bytes: Buffer.from(bytes) }]);

  test("a text without NUL, a text with bytes after the NUL", () => {
    expect(decodeLink(raw(3, 0x74, 0x61, 0x70)).attributes.ifname).toBe("tap");
    expect(decodeLink(raw(3, 0x74, 0, 0x70)).attributes.ifname).toBe("t");
  });

  test("a name that is no UTF-8 stays itself", () => {
    const message = raw(3, 0x74, 0xe9, 0x70, 0);
    const { attributes } = decodeLink(message);
    expect(attributes.ifname).toBe("t\udce9p");
    expect(encodeLink(RTM.NEWLINK, 0, {}, attributes)).toEqual(message);
  });

  test("a flag on the type: NLA_F_NESTED of a known attribute", () => {
    expect(decodeLink(raw(18 | 0x8000, 8, 0, 1, 0, 0x74, 0x75, 0x6e, 0)).attributes.linkinfo).toEqual({
      kind: "tun",
    });
  });

  test("an attribute twice: the last counts", () => {
    const twice = encodeLink(RTM.NEWLINK, 0, {}, { mtu: 1 }, [{ type: 4, bytes: Buffer.from([2, 0, 0, 0]) }]);
    expect(decodeLink(twice).attributes).toEqual({ mtu: 2 });
  });

  test("data before its kind", () => {
    const attributes = { linkinfo: { data: { owner: 5 }, kind: "tun" } };
    expect(decodeLink(link(attributes)()).attributes).toStrictEqual(attributes);
  });

  test("addresses of other families are kept, not read", () => {
    const unknown = [{ type: 2, bytes: Buffer.from([8]) }];
    expect(decodeAddress(encodeAddress(RTM.NEWADDR, 0, { family: 45 }, {}, unknown))).toMatchObject({
      attributes: {},
      unknown,
    });
  });

  test("a link-layer address of no bytes", () => {
    expect(decodeLink(raw(1)).attributes.address).toBe("");
  });
});

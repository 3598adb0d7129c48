/** Dumps of which only the messages are decoded that differ from those of the last one. */

import { expect, test } from "vitest";
import { decodingChanges } from "../../provider/host/changes";
import { encodeAddress } from "../../provider/netlink/address";
import { decodeLink, encodeLink } from "../../provider/netlink/link";
import { RTM } from "../../provider/netlink/message";

/** As the kernel numbers the answers to one request. */
function dump(sequence: number, ...messages: Buffer[]): Buffer {
  const bytes = Buffer.concat(messages.map((message) => Buffer.from(message)));
  for (let at = 0; at < bytes.length; at += bytes.readUInt32LE(at)) bytes.writeUInt32LE(sequence, at + 8);
  return bytes;
}
const link = (index: number, mtu = 1500) => encodeLink(RTM.NEWLINK, 0, { index }, { mtu, group: index });

function counting() {
  const decoded: number[] = [];
  const decode = decodingChanges(
    (message) => {
      const { type, header, attributes } = decodeLink(message);
      decoded.push(header.index);
      return type === RTM.NEWLINK ? { index: header.index, mtu: attributes.mtu } : undefined;
    },
    (values) => values.map(({ index, mtu }) => `${index}: ${mtu}`),
  );
  return {
    look: (bytes: Buffer, namespace?: string) => {
      decoded.length = 0;
      return { shown: decode(bytes, namespace), decoded: [...decoded] };
    },
  };
}

test("what is as it was is not decoded again, whatever the number of the request", () => {
  const { look } = counting();
  const shown = ["1: 1500", "2: 1500"];
  expect(look(dump(1, link(1), link(2)))).toEqual({ shown, decoded: [1, 2] });
  expect(look(dump(2, link(1), link(2)))).toEqual({ shown, decoded: [] });
  expect(look(dump(3, link(1), link(2)))).toEqual({ shown, decoded: [] });
});

test("what changed, came, went or stands elsewhere is seen", () => {
  const { look } = counting();
  look(dump(1, link(1), link(2), link(3)));
  expect(look(dump(2, link(1), link(2, 1400), link(3)))).toEqual({
    shown: ["1: 1500", "2: 1400", "3: 1500"],
    decoded: [2],
  });
  expect(look(dump(3, link(4), link(3), link(1)))).toEqual({
    shown: ["4: 1500", "3: 1500", "1: 1500"],
    decoded: [4],
  });
  // One that went is forgotten.
  expect(look(dump(4, link(2, 1400)))).toEqual({ shown: ["2: 1400"], decoded: [2] });
  expect(look(Buffer.alloc(0))).toEqual({ shown: [], decoded: [] });
});

test("namespaces are apart", () => {
  const { look } = counting();
  look(dump(1, link(1, 1400)), "blue");
  expect(look(dump(2, link(1, 1300)), "green")).toEqual({ shown: ["1: 1300"], decoded: [1] });
  expect(look(dump(3, link(1, 1400)), "blue").decoded).toEqual([]);
});

test("messages that are no links are passed over, and of several of one link each is known", () => {
  const { look } = counting();
  const gone = encodeLink(RTM.DELLINK, 0, { index: 1 }, { mtu: 1 });
  const both = dump(1, gone, link(1, 1400), link(1, 1300));
  expect(look(both)).toEqual({ shown: ["1: 1400", "1: 1300"], decoded: [1, 1, 1] });
  expect(look(both)).toEqual({ shown: ["1: 1400", "1: 1300"], decoded: [] });
});

test("the index of an address stands where that of a link stands", () => {
  const address = encodeAddress(RTM.NEWADDR, 0, { index: 0x01020304 }, { local: "192.0.2.1" });
  expect(address.readUInt32LE(20)).toBe(0x01020304);
  expect(link(0x01020304).readUInt32LE(20)).toBe(0x01020304);
});

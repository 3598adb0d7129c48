/** Properties that hold for every message: nothing is lost, and no bytes lead to anything but a value or one error. */

import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isTuntapError } from "../../provider/errors";
import { addressFamily, decodeAddress } from "../../provider/netlink/address";
import { bridgeLinkFamily } from "../../provider/netlink/bridge-link";
import { attributeAt, explain } from "../../provider/netlink/explain";
import { attributesStart, decodeMessage, encodeMessage, type Family } from "../../provider/netlink/family";
import { decodeLink, linkFamily } from "../../provider/netlink/link";
import { splitMessages } from "../../provider/netlink/message";
import { neighbourFamily } from "../../provider/netlink/neighbour";
import { decodeRoute, routeFamily } from "../../provider/netlink/route";
import { readText, textBytes } from "../../provider/netlink/text";
import { unknownAttributes, valuesOf } from "./arbitraries";
import { addressMessages, anonymous, linkMessages, routeMessages } from "./fixtures";

const families: [string, Family][] = [
  ["link", linkFamily],
  ["address", addressFamily],
  ["route", routeFamily],
  ["neighbour", neighbourFamily],
  ["bridge link", bridgeLinkFamily],
];

/** With a nest. */
const routeWithMetrics = routeMessages.find((message) => decodeRoute(message).attributes.metrics?.mtu)!;

function headers(family: Family) {
  return fc.record(
    Object.fromEntries(
      family.header.fields.map(({ name, integer }) => [
        name,
        fc.integer({ min: integer.minimum, max: integer.maximum }),
      ]),
    ),
    { noNullPrototype: true },
  );
}

describe.each(families)("a message of %s", (_, family) => {
  const type = fc.constantFrom(...family.types);
  const flags = fc.integer({ min: 0, max: 0xffff });

  test("decodes to what was encoded, unknown attributes included, and encodes to the same bytes again", () => {
    fc.assert(
      fc.property(
        type,
        flags,
        headers(family),
        valuesOf(family.attributes),
        unknownAttributes,
        (type, flags, header, attributes, unknown) => {
          const bytes = encodeMessage(family, type, flags, header, attributes, unknown);
          const message = decodeMessage(family, bytes);
          expect(message).toStrictEqual({ type, flags, sequence: 0, port: 0, header, attributes, unknown });
          const again = encodeMessage(family, type, flags, header, message.attributes, message.unknown);
          expect(again.equals(bytes)).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("is aligned, and its length is that of its bytes", () => {
    fc.assert(
      fc.property(type, valuesOf(family.attributes), (type, attributes) => {
        const bytes = encodeMessage(family, type, 0, {}, attributes);
        expect(bytes.length % 4).toBe(0);
        expect(bytes.readUInt32LE(0)).toBe(bytes.length);
        expect([...splitMessages(Buffer.concat([bytes, bytes]))]).toEqual([bytes, bytes]);
      }),
    );
  });

  test("every attribute of the table survives alone", () => {
    for (const row of family.attributes.byName.values()) {
      fc.assert(
        fc.property(valuesOf({ ...family.attributes, byName: new Map([[row.name, row]]) }), (attributes) => {
          const bytes = encodeMessage(family, family.types[0]!, 0, {}, attributes);
          expect(decodeMessage(family, bytes).attributes).toStrictEqual(attributes);
        }),
        { numRuns: 20 },
      );
    }
  });
});

/** A decoded value, or the one error that malformed bytes may give. */
function attempt<T>(decode: () => T): { value?: T; malformed?: true } {
  try {
    return { value: decode() };
  } catch (error) {
    if (isTuntapError(error) && error.code === "MALFORMED_MESSAGE") return { malformed: true };
    throw error;
  }
}

/** Sets nlmsg_len to what is there, so that decoding gets past the header. */
function fitting(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  if (copy.length >= 4) copy.writeUInt32LE(copy.length, 0);
  return copy;
}

/** The same bytes amid others: reading outside of them would change the result. */
function amid(bytes: Buffer, filler: number): Buffer {
  const around = Buffer.alloc(bytes.length + 64, filler);
  bytes.copy(around, 32);
  return around.subarray(32, 32 + bytes.length);
}

function harmless(bytes: Buffer): void {
  for (const decode of [decodeLink, decodeAddress, decodeRoute]) {
    const outcomes = [0x00, 0xff, 0x08].map((filler) => attempt(() => decode(amid(bytes, filler))));
    expect(outcomes.map((outcome) => isDeepStrictEqual(outcome, outcomes[0]))).toEqual([true, true, true]);
  }
  expect(typeof explain(bytes)).toBe("string");
  for (let offset = 0; offset < bytes.length; offset += 4 + (bytes.length >> 4)) attributeAt(bytes, offset);
  attempt(() => [...splitMessages(bytes)]);
}

describe("bytes that are no message", () => {
  const real = fc.constantFrom(...linkMessages, ...addressMessages, ...routeMessages);

  test("a message cut anywhere is malformed", () => {
    for (const [message, decode] of [
      [linkMessages[2]!, decodeLink],
      [addressMessages[0]!, decodeAddress],
      [routeWithMetrics, decodeRoute],
    ] as const) {
      for (let length = 0; length < message.length; length++) {
        expect(attempt(() => decode(message.subarray(0, length)))).toEqual({ malformed: true });
        expect(attempt(() => [...splitMessages(message.subarray(0, length))])).toEqual(
          length === 0 ? { value: [] } : { malformed: true },
        );
      }
    }
  });

  test("cut with a length to match, it is harmless", () => {
    for (const message of [linkMessages[2]!, addressMessages[0]!, routeWithMetrics]) {
      for (let length = 0; length < message.length; length++) harmless(fitting(message.subarray(0, length)));
    }
  });

  test("random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => harmless(Buffer.from(bytes))),
      { numRuns: 1000 },
    );
  });

  test("random attributes behind a right header", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...linkFamily.types, ...addressFamily.types, ...routeFamily.types),
        fc.array(
          fc.tuple(
            fc.integer({ min: 0, max: 40 }),
            fc.integer({ min: 0, max: 75 }),
            fc.uint8Array({ maxLength: 36 }),
          ),
          { maxLength: 12 },
        ),
        (type, attributes) => {
          const header = Buffer.alloc(32);
          header.writeUInt16LE(type, 4);
          const parts = attributes.map(([length, number, payload]) => {
            const part = Buffer.alloc(4 + payload.length);
            part.writeUInt16LE(length, 0);
            part.writeUInt16LE(number, 2);
            part.set(payload, 4);
            return part;
          });
          harmless(fitting(Buffer.concat([header, ...parts])));
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("real messages with bytes changed", () => {
    fc.assert(
      fc.property(
        real,
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 6 }),
        (message, changes) => {
          const bytes = Buffer.from(message);
          for (const [position, value] of changes) bytes[position % bytes.length] = value;
          harmless(bytes);
          harmless(fitting(bytes));
        },
      ),
      { numRuns: 500 },
    );
  });

  test("what decodes all the same means what it says: it encodes and decodes to itself", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...linkMessages),
        fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })),
        (original, [position, value]) => {
          const bytes = anonymous(original);
          const start = attributesStart(linkFamily);
          bytes[start + (position % (bytes.length - start))] = value;
          const decoded = attempt(() => decodeLink(bytes)).value;
          if (!decoded) return;
          const { type, flags, header, attributes, unknown } = decoded;
          try {
            const again = decodeLink(encodeMessage(linkFamily, type, flags, header, attributes, unknown));
            expect(isDeepStrictEqual(again, decoded)).toBe(true);
          } catch (error) {
            // More than the kernel would give: a name of 16 bytes, an address of 5.
            if (!isTuntapError(error) || error.code !== "INVALID_INPUT") throw error;
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

test("any bytes without NUL are a text, and become the same bytes again", () => {
  fc.assert(
    fc.property(fc.uint8Array({ min: 1, maxLength: 40 }), (bytes) => {
      expect(textBytes(readText(Buffer.from(bytes), 0, bytes.length))).toEqual(Buffer.from(bytes));
    }),
    { numRuns: 2000 },
  );
});

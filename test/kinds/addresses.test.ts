import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { describe, expect, test } from "vitest";
import { canonicalAddress, canonicalCidr, netmaskOf, prefixLengthOf } from "../../provider/host/addresses";
import {
  addressRules,
  broadcastProblem,
  cidrProblem,
  ipv4Problem,
  netmaskProblem,
  peerProblem,
} from "../../provider/kinds/parts/address-checks";
import { desiredAddresses } from "../../provider/kinds/parts/addresses";

const groups = fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 });

/** An IPv6 address written in one of many ways: leading zeros, capitals, `::` anywhere it may stand. */
const ipv6Text = fc
  .record({ groups, pad: fc.boolean(), upper: fc.boolean(), zeros: fc.nat(8), at: fc.nat(7) })
  .map(({ groups: numbers, pad, upper, zeros, at }) => {
    const end = Math.min(8, at + zeros);
    const values = numbers.map((value, index) => (index >= at && index < end ? 0 : value));
    const words = values.map((value) => value.toString(16).padStart(pad ? 4 : 1, "0"));
    const text =
      end > at ? `${words.slice(0, at).join(":")}::${words.slice(end).join(":")}` : words.join(":");
    return { text: upper ? text.toUpperCase() : text, values };
  });

describe("canonical addresses", () => {
  test("an IPv6 address in any spelling is the same address, in ipaddr's RFC 5952 text", () => {
    fc.assert(
      fc.property(ipv6Text, fc.nat(128), ({ text, values }, length) => {
        const canonical = canonicalAddress(text);
        expect(canonical).toBe(new ipaddr.IPv6(values).toRFC5952String());
        expect(canonicalCidr(`${text}/${length}`)).toBe(`${canonical}/${length}`);
        expect(canonicalAddress(canonical as string)).toBe(canonical);
      }),
      { numRuns: 1000 },
    );
  });

  test("an IPv6 address that ends as an IPv4 address has that one's bytes at its end, and nothing else", () => {
    const groupTexts = fc.array(fc.nat(0xffff), { minLength: 0, maxLength: 6 });
    fc.assert(
      fc.property(groupTexts, groupTexts, fc.ipV4(), (before, after, tail) => {
        fc.pre(before.length + after.length < 6);
        const hex = (numbers: number[]) => numbers.map((number) => `${number.toString(16)}:`).join("");
        const [a = 0, b = 0, c = 0, d = 0] = tail.split(".").map(Number);
        const zeros = Array(6 - before.length - after.length).fill(0);
        const words = [...before, ...zeros, ...after, a * 256 + b, c * 256 + d];
        const gap = before.length === 0 ? "::" : ":";
        const text = `${hex(before)}${gap}${hex(after)}${tail}`;
        expect(canonicalAddress(text)).toBe(new ipaddr.IPv6(words).toRFC5952String());
        const whole = `${hex([...before, ...zeros, ...after])}${tail}`;
        expect(canonicalAddress(whole)).toBe(canonicalAddress(text));
      }),
    );
  });

  test.each([
    ["::1.2.3.4", "::102:304"],
    ["::ffff:1.2.3.4", "::ffff:102:304"],
    ["64:ff9b::192.0.2.1", "64:ff9b::c000:201"],
    ["1:2:3:4:5:6:255.255.255.255", "1:2:3:4:5:6:ffff:ffff"],
    ["::0.0.0.1", "::1"],
  ])("%s is %s", (text, canonical) => expect(canonicalAddress(text)).toBe(canonical));

  test("an IPv4 address is what ipaddr says", () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.nat(32), (text, length) => {
        expect(canonicalCidr(`${text}/${length}`)).toBe(`${ipaddr.IPv4.parse(text).toString()}/${length}`);
      }),
    );
  });

  test("any text is canonical after one turn, or nothing", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.ipV6(), fc.ipV4Extended(), fc.ipV4()),
        fc.string(),
        (head, tail) => {
          for (const text of [head, `${head}/${tail}`, `${head}/64`]) {
            const canonical = canonicalCidr(text);
            if (canonical === undefined) continue;
            expect(canonicalCidr(canonical)).toBe(canonical);
            expect(ipaddr.isValidCIDR(canonical)).toBe(true);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  test.each([
    "",
    "1",
    "10.1",
    "10.1.1",
    "010.0.0.1",
    "0x7f.0.0.1",
    "1.2.3.4.5",
    "256.1.1.1",
    ":::",
    "1::2::3",
    "fe80::1%eth0",
    "::1.2.3",
    "::1.2.3.04",
    "::1.2.3.256",
    "1.2.3.4::",
    "1:2:3:4:5:6:7:1.2.3.4",
    "::g",
    " ::1",
    "10.0.0.1 ",
  ])("%j is none", (text) => {
    expect(canonicalAddress(text)).toBeUndefined();
    expect(canonicalCidr(`${text}/8`)).toBeUndefined();
  });

  test.each([
    "10.0.0.1",
    "10.0.0.1/",
    "10.0.0.1/33",
    "::1/129",
    "10.0.0.1/8/8",
    "10.0.0.1/-1",
    "10.0.0.1/x",
    "/8",
  ])("%j is no address with prefix length", (text) => expect(canonicalCidr(text)).toBeUndefined());
});

describe("netmasks", () => {
  test("of every length there and back", () => {
    for (let length = 0; length <= 32; length++) {
      expect(prefixLengthOf(netmaskOf(length))).toBe(length);
      expect(netmaskProblem(netmaskOf(length))).toBeUndefined();
      expect(netmaskProblem(length)).toBeUndefined();
      expect(netmaskProblem(String(length))).toBeUndefined();
    }
  });

  test("every other address is none", () => {
    const masks = new Set(Array.from({ length: 33 }, (_, length) => netmaskOf(length)));
    fc.assert(
      fc.property(
        fc.ipV4().filter((text) => !masks.has(text)),
        (text) => {
          expect(netmaskProblem(text)).toBeDefined();
        },
      ),
    );
  });

  test("what is accepted as netmask makes an address with it", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: fc.constantFrom(..."0123456789."), maxLength: 16 }),
          fc.integer({ min: -5, max: 300 }),
          fc.integer({ min: -5, max: 300 }).map(String),
          fc.nat(99).map((number) => `0${number}`),
        ),
        (netmask) => {
          fc.pre(netmaskProblem(netmask) === undefined);
          const primary = desiredAddresses({ address: "192.0.2.1", netmask })?.primary;
          expect(primary?.cidr).toMatch(/^192\.0\.2\.1\/\d+$/);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe("what is accepted can be wanted", () => {
  test("an address with its length", () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.integer({ min: -1, max: 40 }), (address, length) => {
        const text = `${address}/${length}`;
        fc.pre(ipv4Problem(text) === undefined);
        expect(desiredAddresses({ address: text })?.primary?.cidr).toBe(canonicalCidr(text));
      }),
    );
  });

  test("each of addresses", () => {
    fc.assert(
      fc.property(fc.array(ipv6Text), fc.nat(128), (texts, length) => {
        const addresses = texts.map(({ text }) => `${text}/${length}`).filter((text) => !cidrProblem(text));
        const wanted = desiredAddresses({ addresses })?.all ?? [];
        expect(new Set(wanted.map(({ cidr }) => cidr))).toEqual(new Set(addresses.map(canonicalCidr)));
      }),
    );
  });

  test("the primary first, and one address in two spellings once", () => {
    const inputs = {
      address: "192.0.2.1/24",
      addresses: ["2001:DB8::1/64", "2001:db8:0::1/64", "192.0.2.1/24"],
    };
    expect(desiredAddresses(inputs)).toEqual({
      primary: { cidr: "192.0.2.1/24" },
      all: [{ cidr: "192.0.2.1/24" }, { cidr: "2001:db8::1/64" }],
      exclusive: false,
    });
  });

  test("nothing declared is nothing wanted, which is not the same as none", () => {
    expect(desiredAddresses({})).toBeUndefined();
    const none = { primary: undefined, all: [], exclusive: false };
    expect(desiredAddresses({ addresses: [] })).toEqual(none);
    expect(desiredAddresses({ address: "192.0.2.1" })).toEqual(none);
    expect(desiredAddresses({ exclusiveAddresses: true })).toEqual({ ...none, exclusive: true });
  });

  test("a peer makes a whole of an address without netmask", () => {
    const inputs = { address: "192.0.2.1", peerAddress: "192.0.2.2" };
    expect(desiredAddresses(inputs)?.primary).toEqual({ cidr: "192.0.2.1/32", peer: "192.0.2.2" });
    expect(desiredAddresses({ ...inputs, netmask: 30 })?.primary?.cidr).toBe("192.0.2.1/30");
  });
});

test.each<[string, Record<string, unknown>, string[]]>([
  ["nothing", {}, []],
  ["address and netmask", { address: "192.0.2.1", netmask: 24 }, []],
  ["that agree", { address: "192.0.2.1/24", netmask: "255.255.255.0" }, []],
  ["that do not", { address: "192.0.2.1/24", netmask: 25 }, ["netmask"]],
  ["netmask alone", { netmask: 24 }, ["netmask"]],
  ["address alone", { address: "192.0.2.1" }, ["address"]],
  ["a small mtu with IPv6", { mtu: 1279, addresses: ["::1/128"] }, ["mtu"]],
  ["enough mtu with IPv6", { mtu: 1280, addresses: ["::1/128"] }, []],
  ["a peer instead of a netmask", { address: "192.0.2.1", peerAddress: "192.0.2.2", mode: "tun" }, []],
  ["a peer on a tap", { address: "192.0.2.1", peerAddress: "192.0.2.2", mode: "tap" }, ["peerAddress"]],
  ["a peer alone", { peerAddress: "192.0.2.2", mode: "tun" }, ["peerAddress"]],
  ["oneself as peer", { address: "192.0.2.1", peerAddress: "192.0.2.1", mode: "tun" }, ["peerAddress"]],
  ["broadcast on a tun", { address: "192.0.2.1/24", broadcast: "192.0.2.127", mode: "tun" }, ["broadcast"]],
  ["broadcast alone", { broadcast: "192.0.2.127", mode: "tap" }, ["broadcast"]],
  ["an IPv6 address with two lengths", { addresses: ["2001:db8::1/64", "2001:DB8:0::1/128"] }, ["addresses"]],
  ["an IPv6 address in two spellings", { addresses: ["2001:db8::1/64", "2001:DB8:0::1/64"] }, []],
  ["an IPv4 address with two lengths", { addresses: ["192.0.2.1/24", "192.0.2.1/25"] }, []],
  ["a small mtu with IPv4", { mtu: 68, addresses: ["192.0.2.1/24"] }, []],
])("rules: %s", (_, inputs, properties) => {
  expect(addressRules(inputs).map(({ property }) => property)).toEqual(properties);
});

test.each([
  "0.0.0.0/8",
  "0.1.2.3/8",
  "224.0.0.1/4",
  "239.255.255.255/8",
  "::/0",
  "ff02::1/128",
  "FF0E::1/64",
])("%s is no address of one interface", (text) =>
  expect(cidrProblem(text)).toMatch(/not an address of one interface/),
);

test.each([
  ["192.0.2.2/24", /prefix length, which belongs to `address` or `netmask`/],
  ["2001:db8::1", /IPv6 address; give an IPv4 address/],
  ["192.0.2", /no IPv4 address/],
  ["192.0.2.256", /no IPv4 address/],
  ["", /no IPv4 address/],
])("%j is neither a peer nor a broadcast address", (text, reason) => {
  expect(peerProblem(text)).toMatch(reason);
  expect(broadcastProblem(text)).toMatch(reason);
});

test("255.255.255.255 is a broadcast address, and no peer", () => {
  expect(broadcastProblem("255.255.255.255")).toBeUndefined();
  expect(peerProblem("255.255.255.255")).toMatch(/not an address of one interface/);
});

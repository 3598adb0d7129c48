import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  interimName,
  isLease,
  isOfStack,
  leaseName,
  leaseUid,
  memberLease,
  parseUrn,
  sameStack,
} from "../provider/host/leases";
import { kinds } from "../provider/kinds";
import type { Kind } from "../provider/kinds/kind";
import { automaticName, linkNameProblem, namespaceNameProblem } from "../provider/kinds/parts/names";
import { defaultName, type Identity } from "../provider/request";
import { maskSecrets } from "../provider/secrets";

const tun = kinds.TunInterface as Kind;
const urn = (logicalName: string, { stack = "dev", project = "lab", types = "" } = {}) =>
  `urn:pulumi:${stack}::${project}::${types}pulumi-nodejs:dynamic/tuntap:TunInterface::${logicalName}`;

describe("automatic names", () => {
  const named = (logicalName: string) => defaultName(tun, { urn: urn(logicalName) });

  test.each([
    ["tap0", "tap0"],
    ["abcdefghijklmno", "abcdefghijklmno"],
    ["äöü", "äöü"],
  ])("%s is a name already", (logicalName, name) => expect(named(logicalName)).toBe(name));

  test.each([
    ["database-server-1", /^database-[0-9a-f]{6}$/],
    ["database-server-2", /^database-[0-9a-f]{6}$/],
    ["a name", /^a-name-[0-9a-f]{6}$/],
    ["all", /^all-[0-9a-f]{6}$/],
    ["vm/tap", /^vm-tap-[0-9a-f]{6}$/],
    ["ääääääää", /^[0-9a-f]{6}$/],
    ["tap::0", /^tap-0-[0-9a-f]{6}$/],
  ])("%s is shortened or mended, with a hash", (logicalName, name) => {
    expect(named(logicalName)).toMatch(name);
  });

  test("differ where only the end of the logical names does", () => {
    expect(named("database-server-1")).not.toBe(named("database-server-2"));
  });

  const anything = fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.string({ unit: "grapheme", maxLength: 40 }),
    fc.string({ maxLength: 400 }),
    fc.constantFrom("", ".", "..", "-", "all", "default", "%d", "/", "à", "-x".repeat(20), "….…"),
  );

  test("are valid whatever the logical name is, always the same, and never split a character", () => {
    fc.assert(
      fc.property(anything, (logicalName) => {
        const name = automaticName(logicalName, 15, linkNameProblem);
        expect(linkNameProblem(name)).toBeUndefined();
        expect(Buffer.from(name).toString()).toBe(name);
        expect(automaticName(logicalName, 15, linkNameProblem)).toBe(name);
      }),
      { numRuns: 2000 },
    );
  });

  test("of namespaces are valid too", () => {
    fc.assert(
      fc.property(anything, (logicalName) => {
        expect(namespaceNameProblem(automaticName(logicalName, 255, namespaceNameProblem))).toBeUndefined();
      }),
      { numRuns: 2000 },
    );
  });
});

describe("leases", () => {
  const lease = (identity: Partial<{ instance: string; urn: string; uid: number }> = {}) =>
    leaseName({ instance: "i1", urn: urn("tap0"), uid: 1000, ...identity });

  test("have their form, and fit into an alternative name", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.nat(2 ** 32 - 2), (logicalName, uid) => {
        const name = lease({ urn: urn(logicalName), uid });
        expect(name).toMatch(new RegExp(`^tuntap-${uid}-[0-9a-f]{32}$`));
        expect(Buffer.byteLength(name)).toBeLessThanOrEqual(50);
        expect(isLease(name)).toBe(true);
        expect(linkNameProblem(interimName(name))).toBeUndefined();
      }),
    );
  });

  test("are the same for both faces of the provider", () => {
    const plugin = (types = "") => `urn:pulumi:dev::lab::${types}tuntap:index:TunInterface::tap0`;
    expect(lease({ urn: plugin() })).toBe(lease());
    const dynamicParent = urn("tap0", { types: "pulumi-nodejs:dynamic/tuntap:Namespace$" });
    expect(lease({ urn: plugin("tuntap:index:Namespace$") })).toBe(lease({ urn: dynamicParent }));
    const component = urn("tap0", { types: "my:lab:Lab$" });
    expect(lease({ urn: plugin("my:lab:Lab$") })).toBe(lease({ urn: component }));
  });

  test("differ by uid, instance, stack, project, kind, parents and logical name", () => {
    const all = [
      lease(),
      lease({ uid: 0 }),
      lease({ instance: "i2" }),
      lease({ instance: undefined }),
      lease({ urn: urn("tap1") }),
      lease({ urn: urn("tap0", { stack: "prod" }) }),
      lease({ urn: urn("tap0", { project: "other" }) }),
      lease({ urn: urn("tap0", { types: "my:lab:Lab$" }) }),
      lease({ urn: urn("tap0", { types: "my:lab:Lab$my:lab:Vm$" }) }),
      lease({ urn: urn("tap0").replace("TunInterface", "Bridge") }),
    ];
    expect(new Set(all).size).toBe(all.length);
  });

  test("of further links of a resource are of the same stack and uid, and differ", () => {
    const own = lease();
    const members = ["b", "c", "fc1", ""].map((member) => memberLease(own, member));
    for (const member of members) {
      expect(isLease(member)).toBe(true);
      expect(sameStack(member, own)).toBe(true);
      expect(isOfStack(member, { instance: "i1", project: "lab", stack: "dev" })).toBe(true);
      expect(leaseUid(member)).toBe(1000);
    }
    const others = [memberLease(lease({ urn: urn("tap1") }), "b"), memberLease(members[0] as string, "b")];
    expect(new Set([own, ...members, ...others]).size).toBe(7);
    expect(memberLease(own, "b")).toBe(members[0]);
  });

  test("do not depend on where one part ends and the next begins", () => {
    const one = lease({ urn: urn("tap0", { stack: "ab", project: "c" }) });
    expect(lease({ urn: urn("tap0", { stack: "a", project: "bc" }) })).not.toBe(one);
  });

  test("tell the stack", () => {
    expect(sameStack(lease(), lease({ urn: urn("tap1") }))).toBe(true);
    expect(sameStack(lease(), lease({ urn: urn("tap0", { types: "my:lab:Lab$" }) }))).toBe(true);
    expect(sameStack(lease(), lease({ instance: "i2" }))).toBe(false);
    expect(sameStack(lease(), lease({ urn: urn("tap0", { stack: "prod" }) }))).toBe(false);
    expect(sameStack("vmtap0", "vmtap0")).toBe(false);
    expect(sameStack("", lease())).toBe(false);
  });

  test.each([
    "tuntap-0-",
    "tuntap-x-0123456789abcdef0123456789abcdef",
    "tuntap-0-0123456789ABCDEF0123456789ABCDEF",
    "xtuntap-0-0123456789abcdef0123456789abcdef",
  ])("%s is none", (name) => expect(isLease(name)).toBe(false));
});

test("a URN is taken apart, also with :: in the logical name", () => {
  expect(parseUrn(urn("a::b", { types: "my:lab:Lab$" }))).toEqual({
    stack: "dev",
    project: "lab",
    parents: "my:lab:Lab",
    kind: "TunInterface",
    logicalName: "a::b",
  });
});

describe("secrets in texts", () => {
  const identity = (...secrets: string[]): Identity => ({ urn: urn("tap0"), secrets });

  test.each<[string, Identity, Record<string, unknown>, string, string]>([
    ["text", identity("owner"), { owner: "alice" }, 'no user "alice"', 'no user "[secret]"'],
    ["numbers", identity("owner"), { owner: 1234 }, "uid 1234", "uid [secret]"],
    ["every time", identity("owner"), { owner: "alice" }, "alice, alice", "[secret], [secret]"],
    ["lists", identity("addresses"), { addresses: ["192.0.2.1/24"] }, "has 192.0.2.1/24", "has [secret]"],
    [
      "an address without its length",
      identity("address"),
      { address: "192.0.2.1/24" },
      "192.0.2.1 is",
      "[secret] is",
    ],
    ["the longer of two first", identity("name"), { name: "tap0x", namespace: "tap0" }, "tap0x", "[secret]"],
    [
      "the kernel's spelling",
      identity("addresses"),
      { addresses: ["2001:DB8:0:0::1/64"] },
      "2001:db8::1/64",
      "[secret]",
    ],
    [
      "the kernel's spelling alone",
      identity("addresses"),
      { addresses: ["2001:DB8:0:0::1/64"] },
      "2001:db8::1",
      "[secret]",
    ],
    ["nothing else", identity("owner"), { owner: "alice", mtu: 1500 }, "mtu 1500", "mtu 1500"],
    ["nothing that is masked", identity("name"), { name: "secret" }, "secret [secret]", "[secret] [secret]"],
    ["signs of patterns", identity("owner"), { owner: "a.*$&" }, "a.*$& and abc", "[secret] and abc"],
    ["no short numbers", identity("netmask"), { netmask: 24 }, "24 hours", "24 hours"],
    ["no booleans", identity("up"), { up: true }, "true", "true"],
    ["no unset values", identity("owner"), {}, "undefined", "undefined"],
  ])("%s", (_, who, inputs, text, expected) => expect(maskSecrets(text, who, inputs)).toBe(expected));

  test.each([
    ["192.0.2.129/25", "write the network, 192.0.2.128/25, or the host, 192.0.2.129/32"],
    ["2001:DB8:0::1/48", "write the network, 2001:db8::/48, or the host, 2001:db8::1/128"],
  ])("%s tells its network, too", (destination, text) => {
    expect(maskSecrets(text, identity("destination"), { destination })).toMatch(
      /^write the network, \[secret\], or the host, \[secret\]\/\d+$/,
    );
  });

  test("are looked for in all sources", () => {
    const text = "owner: alice on the host, bob declared";
    expect(maskSecrets(text, identity("owner"), { owner: "alice" }, { owner: "bob" })).toBe(
      "owner: [secret] on the host, [secret] declared",
    );
  });
});

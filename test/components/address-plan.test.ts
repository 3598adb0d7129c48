/** Addresses of VMs: each from its own name, none from another's. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { gatewayOf, macFor, networkOf, parseSubnet, planAddresses } from "../../sdk/components/address-plan";

const plan = (text: string, names: string[], given: Record<string, string> = {}) => {
  const subnet = parseSubnet(text, "subnet");
  return planAddresses(
    subnet,
    gatewayOf(subnet, undefined),
    Object.fromEntries(names.map((name) => [name, given[name]])),
  );
};
const isRefused = (work: () => unknown) => {
  try {
    work();
    return false;
  } catch {
    return true;
  }
};

describe("a subnet", () => {
  test.each([
    ["10.0.0.0/8", "255.0.0.0", "10.0.0.1"],
    ["10.20.0.0/24", "255.255.255.0", "10.20.0.1"],
    ["192.0.2.248/30", "255.255.255.252", "192.0.2.249"],
    ["128.0.0.0/9", "255.128.0.0", "128.0.0.1"],
    ["255.255.255.0/24", "255.255.255.0", "255.255.255.1"],
  ])("%s", (text, netmask, gateway) => {
    const subnet = parseSubnet(text, "subnet");
    expect(subnet.netmask).toBe(netmask);
    expect(gatewayOf(subnet, undefined)).toBe(gateway);
    expect(networkOf(subnet)).toBe(text.split("/")[0]);
  });

  test.each<[string, RegExp]>([
    ["10.0.0.0", /^subnet "10\.0\.0\.0" is no IPv4 subnet; write it as "10\.20\.0\.0\/24"\.$/],
    ["10.0.0.0/255.0.0.0", /is no IPv4 subnet/],
    ["10.0.0/24", /is no IPv4 subnet/],
    ["10.0.0.0/24/8", /is no IPv4 subnet/],
    ["2001:db8::/64", /is no IPv4 subnet/],
    ["10.0.0.0/7", /prefix length 7; give one from 8 to 30/],
    ["10.0.0.0/31", /prefix length 31; give one from 8 to 30/],
    ["10.20.0.9/24", /10\.20\.0\.9\/24 is an address in a subnet; write the subnet: 10\.20\.0\.0\/24/],
  ])("%s is refused", (text, message) => {
    expect(() => parseSubnet(text, "subnet")).toThrow(message);
  });

  test.each<[string, RegExp]>([
    ["10.20.0.0", /^address 10\.20\.0\.0 is no address for a machine .*from 10\.20\.0\.1 to 10\.20\.0\.254/],
    ["10.20.0.255", /is no address for a machine/],
    ["10.20.1.1", /is no address for a machine/],
    ["10.20.0.1/24", /"10\.20\.0\.1\/24" is no IPv4 address/],
  ])("the bridge's address %s is refused", (address, message) => {
    expect(() => gatewayOf(parseSubnet("10.20.0.0/24", "subnet"), address)).toThrow(message);
  });
});

describe("addresses by name", () => {
  const name = fc.stringMatching(/^[a-z]{1,6}[0-9]{0,2}$/);

  test("whatever others there are, a VM has the address that it has alone; or the plan is refused", () => {
    let planned = 0;
    const property = fc.property(fc.uniqueArray(name, { minLength: 1, maxLength: 30 }), (names) => {
      if (isRefused(() => plan("10.20.0.0/16", names))) return;
      planned += 1;
      const together = plan("10.20.0.0/16", names);
      for (const each of names) expect(plan("10.20.0.0/16", [each])[each]).toBe(together[each]);
      const distinct = new Set(Object.values(together));
      expect(distinct.size).toBe(names.length);
      for (const taken of ["10.20.0.0", "10.20.0.1", "10.20.255.255"]) expect(distinct).not.toContain(taken);
    });
    fc.assert(property, { numRuns: 300 });
    expect(planned).toBeGreaterThan(200);
  });

  test("numbered ones fill a subnet to the last address, whatever they are called", () => {
    const property = fc.property(fc.stringMatching(/^[a-z][a-z-]{0,5}[a-z]$/), (stem) => {
      const names = Array.from({ length: 253 }, (_, index) => `${stem}${index}`);
      const addresses = Object.values(plan("192.0.2.0/24", names));
      expect(new Set(addresses).size).toBe(253);
      expect(addresses).not.toContain("192.0.2.1");
      expect(addresses).toContain("192.0.2.254");
    });
    fc.assert(property, { numRuns: 50 });
  });

  test("one too many is refused with the room that there is", () => {
    expect(() => plan("192.0.2.0/30", ["a", "b"])).toThrow(
      "subnet 192.0.2.0/30 has room for 1 VMs; vms has 2.",
    );
    expect(plan("192.0.2.0/30", ["a"])).toEqual({ a: "192.0.2.2" });
  });

  test("two that meet are refused, with a free address that helps", () => {
    const names = ["a", "b", "c", "d", "e", "f"];
    const collide = () => plan("192.0.2.0/29", names.slice(0, 5));
    const given: Record<string, string> = {};
    let message = "";
    for (let tries = 0; tries < 10; tries += 1) {
      try {
        expect(new Set(Object.values(plan("192.0.2.0/29", names.slice(0, 5), given))).size).toBe(5);
        break;
      } catch (error) {
        message = (error as Error).message;
        const found = /vms\.(\w) have the same address \S+; give one .* such as "(\S+)"\.$/.exec(message);
        given[found?.[1] as string] = found?.[2] as string;
      }
    }
    expect(message).toMatch(/^(the bridge|vms\.\w) and vms\.\w have the same address 192\.0\.2\.\d;/);
    expect(collide).toThrow(/have the same address/);
    expect(isRefused(() => plan("192.0.2.0/29", names.slice(0, 5), given))).toBe(false);
  });

  test("a given one is taken as it is, and refused where it is the bridge's or no machine's", () => {
    expect(plan("192.0.2.0/24", ["a"], { a: "192.0.2.77" })).toEqual({ a: "192.0.2.77" });
    expect(() => plan("192.0.2.0/24", ["a"], { a: "192.0.2.1" })).toThrow(
      'the bridge and vms.a have the same address 192.0.2.1; give one of them another `address`, such as "192.0.2.2".',
    );
    expect(() => plan("192.0.2.0/24", ["a"], { a: "192.0.2.255" })).toThrow(
      /^vms\.a\.address 192\.0\.2\.255 is/,
    );
    expect(() => plan("192.0.2.0/24", ["a"], { a: "x" })).toThrow(/^vms\.a\.address "x" is no IPv4 address/);
  });
});

test("MAC addresses are unicast, locally administered, the same for the same words and for no others", () => {
  const words = fc.array(fc.string(), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(words, words, (one, other) => {
      expect(macFor(...one)).toMatch(/^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/);
      expect(macFor(...one) === macFor(...other)).toBe(JSON.stringify(one) === JSON.stringify(other));
    }),
  );
});

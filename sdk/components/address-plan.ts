/** Which address and which MAC a machine has: from its name alone, so that no other machine's coming or going moves it. */

import { createHash } from "node:crypto";
import { isIPv4 } from "node:net";

/** An IPv4 subnet. */
export interface Subnet {
  /** As it was given: `10.20.0.0/24`. */
  text: string;
  /** Its first address, of the network itself, as a number. */
  first: number;
  prefixLength: number;
  /** Dotted: `255.255.255.0`. */
  netmask: string;
  /** Its last address, the broadcast address, as a number. */
  last: number;
}

/** Shortest and longest prefix: what is shorter is no lab, and a /31 has no room for a bridge and a machine. */
const prefixLengths = { least: 8, most: 30 };

/**
 * @param property the input that holds it, for messages.
 * Errors: it is no IPv4 subnet, has host bits, or is too large or too small.
 */
export function parseSubnet(text: string, property: string): Subnet {
  const [address = "", length = "", ...more] = text.split("/");
  if (!isIPv4(address) || !/^\d{1,2}$/.test(length) || more.length > 0) {
    throw new Error(`${property} ${JSON.stringify(text)} is no IPv4 subnet; write it as "10.20.0.0/24".`);
  }
  const prefixLength = Number(length);
  const { least, most } = prefixLengths;
  if (prefixLength < least || prefixLength > most) {
    throw new Error(
      `${property} ${text} has the prefix length ${length}; give one from ${least} to ${most}.`,
    );
  }
  const size = 2 ** (32 - prefixLength);
  const given = toNumber(address);
  const first = given - (given % size);
  if (first !== given) {
    throw new Error(
      `${property} ${text} is an address in a subnet; write the subnet: ${toText(first)}/${length}.`,
    );
  }
  return { text, first, prefixLength, netmask: toText(2 ** 32 - size), last: first + size - 1 };
}

/**
 * The address of the bridge in its subnet.
 * @param given the wanted one; without it, it is the first.
 * Errors: it is no address of a machine in the subnet.
 */
export function gatewayOf(subnet: Subnet, given: string | undefined): string {
  return given === undefined ? toText(subnet.first + 1) : hostIn(subnet, given, "address");
}

/**
 * Addresses by name. An address that is not given follows from the name: names that differ only in a number at the
 * end (vm0, vm1 …) have neighbouring addresses, others have one by a hash. So two names may meet at one address;
 * that is refused, with one that is free, because evading would make addresses depend on one another.
 * @param given wanted addresses by name; undefined where it follows from the name.
 * Errors: two machines, or a machine and the gateway, have one address; an address is not in the subnet.
 */
export function planAddresses(
  subnet: Subnet,
  gateway: string,
  given: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const names = Object.keys(given);
  // Without the network itself, the broadcast address and the gateway.
  const room = subnet.last - subnet.first - 2;
  if (names.length > room) {
    throw new Error(`subnet ${subnet.text} has room for ${room} VMs; vms has ${names.length}.`);
  }
  const planned = names.map((name) => {
    const wanted = given[name];
    const address =
      wanted === undefined
        ? addressOf(name, subnet, gateway, room)
        : hostIn(subnet, wanted, `vms.${name}.address`);
    return [name, address] as const;
  });
  const taken = new Map([[gateway, "the bridge"]]);
  for (const [name, address] of planned) {
    const other = taken.get(address);
    if (other !== undefined) {
      const free = freeAddress(subnet, new Set([gateway, ...planned.map(([, each]) => each)]));
      throw new Error(
        `${other} and vms.${name} have the same address ${address}; give one of them another \`address\`, such as "${free}".`,
      );
    }
    taken.set(address, `vms.${name}`);
  }
  return Object.fromEntries(planned);
}

function addressOf(name: string, subnet: Subnet, gateway: string, room: number): string {
  const numbered = /^(?<stem>.*?)(?<number>0|[1-9]\d{0,8})$/.exec(name)?.groups;
  const slot = numbered
    ? (hashNumber("numbered", numbered.stem as string) + Number(numbered.number)) % room
    : hashNumber("named", name) % room;
  const host = subnet.first + 1 + slot;
  return toText(host >= toNumber(gateway) ? host + 1 : host);
}

function hostIn(subnet: Subnet, address: string, property: string): string {
  if (!isIPv4(address)) {
    throw new Error(
      `${property} ${JSON.stringify(address)} is no IPv4 address; write it without a prefix length.`,
    );
  }
  const host = toNumber(address);
  if (host <= subnet.first || host >= subnet.last) {
    throw new Error(
      `${property} ${address} is no address for a machine in ${subnet.text}; give one from ${toText(subnet.first + 1)} to ${toText(subnet.last - 1)}.`,
    );
  }
  return address;
}

function freeAddress(subnet: Subnet, taken: ReadonlySet<string>): string {
  let host = subnet.first + 1;
  // There are more addresses than names.
  while (taken.has(toText(host))) host += 1;
  return toText(host);
}

/** A MAC address, locally administered and unicast, that is always the same for the same words. */
export function macFor(...words: string[]): string {
  const bytes = digest(words).subarray(0, 6);
  bytes[0] = ((bytes[0] as number) & 0xfc) | 0x02;
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** The subnet's first address: `10.20.0.0`. */
export function networkOf(subnet: Subnet): string {
  return toText(subnet.first);
}

function hashNumber(...words: string[]): number {
  return digest(words).readUIntBE(0, 6);
}

function digest(words: string[]): Buffer {
  return createHash("sha256").update(JSON.stringify(words)).digest();
}

function toNumber(address: string): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

function toText(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join(".");
}

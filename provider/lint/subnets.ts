import ipaddr from "ipaddr.js";
import { type NewAddress, splitCidr } from "../host/addresses";
import { desiredAddresses } from "../kinds/parts/addresses";
import {
  entryOf,
  type Finding,
  labelOf,
  type Passing,
  type PassingLink,
  placeText,
  type Rule,
} from "./passing";

/** The subnet of one address of a link. Two of them are apart, or one is within the other. */
interface Subnet {
  urn: string;
  /** Of IPv6, not IPv4. */
  wide: boolean;
  /** The bits of its prefix, `0` and `1`: a subnet within begins with them. */
  bits: string;
}

/** So many overlaps are looked for; more are not told one by one. */
const enough = 4;

/**
 * Two links of one namespace with overlapping subnets: the kernel sends what goes there out of one of them only. No
 * subnet is that of a single address (/32, /128: an address in another's subnet, or of a point-to-point link), of a
 * link that is declared down (it has no route), or of a bridge's port (told by its kind already).
 */
export function overlappingSubnets(): Rule {
  const tables = new Map<string, SubnetTable>();
  const tablesOf = new Map<string, Set<SubnetTable>>();
  return (passing) => {
    const { urn } = passing;
    for (const table of tablesOf.get(urn) ?? []) table.forget(urn);
    tablesOf.delete(urn);
    const findings: Finding[] = [];
    for (const link of passing.links) {
      for (const subnet of subnetsOf(passing, link)) {
        const table = entryOf(tables, link.place + (subnet.wide ? 6 : 4), () => new SubnetTable());
        // Members of a pool may have one subnet among them.
        if (table.has(subnet)) continue;
        for (const other of table.overlapping(subnet)) findings.push(finding(subnet, other, link.namespace));
        table.add(subnet);
        entryOf(tablesOf, urn, () => new Set<SubnetTable>()).add(table);
      }
    }
    return findings;
  };
}

/** On the one whose URN comes last, and once: which of many others it overlaps makes no difference. */
function finding(one: Subnet, other: Subnet, namespace: string | undefined): Finding {
  const [first, last] = one.urn < other.urn ? [one, other] : [other, one];
  return {
    on: last.urn,
    about: "",
    message: `its subnet ${textOf(last)} overlaps that of ${labelOf(first.urn)} (${textOf(first)})${placeText(namespace)}: what is sent there goes out of only one of them; give them subnets of their own, or put the interfaces into one bridge that has the address`,
  };
}

const inputNames = ["address", "netmask", "addresses", "peerAddress", "bridge", "up"];

function subnetsOf({ urn, hidden }: Passing, { inputs }: PassingLink): Subnet[] {
  if (inputs.bridge !== undefined || inputs.up === false) return [];
  if (hidden.size > 0 && inputNames.some((name) => hidden.has(name))) return [];
  return (desiredAddresses(inputs)?.all ?? []).flatMap((address) => subnetOf(urn, address) ?? []);
}

function subnetOf(urn: string, { cidr, peer }: NewAddress): Subnet | undefined {
  const { address, prefixLength } = splitCidr(cidr);
  const wide = address.includes(":");
  if (prefixLength === (wide ? 128 : 32) || /^fe[89ab].:/.test(address)) return undefined;
  // On a point-to-point link the subnet is the peer's.
  return { urn, wide, bits: bitsOf(peer ?? address, wide).slice(0, prefixLength) };
}

const octets = Array.from({ length: 256 }, (_, value) => value.toString(2).padStart(8, "0"));

function bitsOf(address: string, wide: boolean): string {
  const bytes = wide ? ipaddr.IPv6.parse(address).toByteArray() : address.split(".");
  return bytes.map((byte) => octets[Number(byte)]).join("");
}

function textOf({ wide, bits }: Subnet): string {
  const [count, width] = wide ? [8, 16] : [4, 8];
  const all = bits.padEnd(count * width, "0");
  const words = Array.from({ length: count }, (_, at) => Number.parseInt(all.substr(at * width, width), 2));
  return `${wide ? new ipaddr.IPv6(words).toString() : words.join(".")}/${bits.length}`;
}

/** Subnets of one namespace and family. */
class SubnetTable {
  /** In the order of their bits: those within one come right behind it. */
  private readonly sorted: Subnet[] = [];
  /** By bits: those around a subnet are one look-up for each prefix length that there is. */
  private readonly byBits = new Map<string, Subnet[]>();
  private readonly lengths = new Set<number>();

  has({ bits, urn }: Subnet): boolean {
    return this.byBits.get(bits)?.some((other) => other.urn === urn) ?? false;
  }

  add(subnet: Subnet): void {
    const { bits } = subnet;
    this.sorted.splice(this.position(bits), 0, subnet);
    entryOf(this.byBits, bits, (): Subnet[] => []).push(subnet);
    this.lengths.add(bits.length);
  }

  forget(urn: string): void {
    for (let at = this.sorted.length - 1; at >= 0; at--) {
      const subnet = this.sorted[at] as Subnet;
      if (subnet.urn !== urn) continue;
      this.sorted.splice(at, 1);
      const same = this.byBits.get(subnet.bits);
      same?.splice(same.indexOf(subnet), 1);
    }
  }

  /** Those of other resources, one of each, the widest first. */
  overlapping({ urn, bits }: Subnet): Subnet[] {
    const found = new Map<string, Subnet>();
    const take = (other: Subnet) => {
      if (other.urn !== urn && !found.has(other.urn)) found.set(other.urn, other);
      return found.size < enough;
    };
    for (const length of [...this.lengths].sort((one, other) => one - other)) {
      if (length > bits.length) break;
      const around = this.byBits.get(bits.slice(0, length));
      if (around !== undefined && !around.every(take)) return [...found.values()];
    }
    for (let at = this.position(bits); at < this.sorted.length; at++) {
      const other = this.sorted[at] as Subnet;
      if (!other.bits.startsWith(bits)) break;
      if (other.bits.length > bits.length && !take(other)) break;
    }
    return [...found.values()];
  }

  /** Of the first subnet that does not come before those bits. */
  private position(bits: string): number {
    let low = 0;
    let high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.sorted[middle] as Subnet).bits < bits) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

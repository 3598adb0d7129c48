import ipaddr from "ipaddr.js";
import { type NewAddress, splitCidr } from "../host/addresses";
import { desiredAddresses } from "../kinds/parts/addresses";
import { entryOf, type Finding, labelOf, linksOf, type Passing, placeText, type Rule } from "./passing";

/** The subnet of one address of a link. Two of them are apart, or one is within the other. */
interface Subnet {
  urn: string;
  first: bigint;
  last: bigint;
  prefixLength: number;
  text: string;
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
    for (const link of linksOf(passing)) {
      for (const subnet of subnetsOf(passing, link.inputs)) {
        const key = `${link.place}${subnet.text.includes(":") ? 6 : 4}`;
        const table = entryOf(tables, key, () => new SubnetTable());
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
    message: `its subnet ${last.text} overlaps that of ${labelOf(first.urn)} (${first.text})${placeText(namespace)}: what is sent there goes out of only one of them; give them subnets of their own, or put the interfaces into one bridge that has the address`,
  };
}

const inputNames = ["address", "netmask", "addresses", "peerAddress", "bridge", "up"];

function subnetsOf({ urn, hidden }: Passing, inputs: Passing["inputs"]): Subnet[] {
  if (inputs.bridge !== undefined || inputs.up === false) return [];
  if (hidden.size > 0 && inputNames.some((name) => hidden.has(name))) return [];
  return (desiredAddresses(inputs)?.all ?? []).flatMap((address) => subnetOf(urn, address) ?? []);
}

function subnetOf(urn: string, { cidr, peer }: NewAddress): Subnet | undefined {
  const { address, prefixLength } = splitCidr(cidr);
  const wide = address.includes(":");
  const bits = wide ? 128 : 32;
  if (prefixLength === bits || /^fe[89ab].:/.test(address)) return undefined;
  const size = 1n << BigInt(bits - prefixLength);
  // On a point-to-point link the subnet is the peer's.
  const first = (numberOf(peer ?? address) / size) * size;
  return {
    urn,
    first,
    last: first + size - 1n,
    prefixLength,
    text: `${textOf(first, wide)}/${prefixLength}`,
  };
}

function numberOf(address: string): bigint {
  if (!address.includes(":"))
    return BigInt(address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0));
  return ipaddr.IPv6.parse(address).parts.reduce((sum, part) => (sum << 16n) | BigInt(part), 0n);
}

function textOf(value: bigint, wide: boolean): string {
  const [parts, width] = wide ? [8, 16n] : [4, 8n];
  const words = Array.from({ length: parts }, (_, at) =>
    Number((value >> (BigInt(parts - 1 - at) * width)) & ((1n << width) - 1n)),
  );
  return wide ? new ipaddr.IPv6(words).toString() : words.join(".");
}

/** Subnets of one namespace and family. */
class SubnetTable {
  /** By the first address. */
  private readonly sorted: Subnet[] = [];
  /** By prefix length and first address: those around an address are one look-up for each length. */
  private readonly byLength = new Map<number, Map<bigint, Subnet[]>>();

  add(subnet: Subnet): void {
    this.sorted.splice(this.position(subnet.first), 0, subnet);
    const subnets = entryOf(this.byLength, subnet.prefixLength, () => new Map<bigint, Subnet[]>());
    entryOf(subnets, subnet.first, (): Subnet[] => []).push(subnet);
  }

  forget(urn: string): void {
    for (let at = this.sorted.length - 1; at >= 0; at--) {
      const subnet = this.sorted[at] as Subnet;
      if (subnet.urn !== urn) continue;
      this.sorted.splice(at, 1);
      const same = this.byLength.get(subnet.prefixLength)?.get(subnet.first);
      same?.splice(same.indexOf(subnet), 1);
    }
  }

  /** Those of other resources, one of each, the widest first. */
  overlapping(subnet: Subnet): Subnet[] {
    const found = new Map<string, Subnet>();
    const take = (other: Subnet) => {
      if (other.urn !== subnet.urn && !found.has(other.urn)) found.set(other.urn, other);
      return found.size < enough;
    };
    const lengths = [...this.byLength.keys()].filter((length) => length <= subnet.prefixLength);
    for (const length of lengths.sort((a, b) => a - b)) {
      const size = (subnet.last - subnet.first + 1n) << BigInt(subnet.prefixLength - length);
      const around = this.byLength.get(length)?.get((subnet.first / size) * size) ?? [];
      if (!around.every(take)) return [...found.values()];
    }
    for (let at = this.position(subnet.first); at < this.sorted.length; at++) {
      const other = this.sorted[at] as Subnet;
      if (other.first > subnet.last) break;
      if (other.prefixLength > subnet.prefixLength && !take(other)) break;
    }
    return [...found.values()];
  }

  /** Of the first subnet that does not begin before an address. */
  private position(first: bigint): number {
    let low = 0;
    let high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.sorted[middle] as Subnet).first < first) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

import ipaddr from "ipaddr.js";
import { isLinkLocal, type NewAddress, splitCidr } from "../host/addresses";
import { entryOf } from "./passing";

/** The subnet of one address of a link. Two of them are apart, or one is within the other. */
export interface Subnet<Link> {
  /** Whose it is, of several links perhaps. */
  owner: string;
  link: Link;
  /** Of IPv6, not IPv4. */
  wide: boolean;
  /** The bits of its prefix, `0` and `1`: a subnet within begins with them. */
  bits: string;
}

/** undefined for a single address (/32, /128), and for link-local ones, which every link has. */
export function subnetOf<Link>(
  owner: string,
  link: Link,
  { cidr, peer }: NewAddress,
): Subnet<Link> | undefined {
  const { address, prefixLength } = splitCidr(cidr);
  const wide = address.includes(":");
  if (prefixLength === (wide ? 128 : 32) || isLinkLocal(address)) return undefined;
  // On a point-to-point link the subnet is the peer's.
  return { owner, link, wide, bits: bitsOf(peer ?? address, wide).slice(0, prefixLength) };
}

const octets = Array.from({ length: 256 }, (_, value) => value.toString(2).padStart(8, "0"));

function bitsOf(address: string, wide: boolean): string {
  const bytes = wide ? ipaddr.IPv6.parse(address).toByteArray() : address.split(".");
  return bytes.map((byte) => octets[Number(byte)]).join("");
}

/** `192.0.2.0/24` */
export function subnetText({ wide, bits }: Subnet<unknown>): string {
  const [count, width] = wide ? [8, 16] : [4, 8];
  const all = bits.padEnd(count * width, "0");
  const words = Array.from({ length: count }, (_, at) => Number.parseInt(all.substr(at * width, width), 2));
  return `${wide ? new ipaddr.IPv6(words).toString() : words.join(".")}/${bits.length}`;
}

/** So many overlaps are looked for; more are not told one by one. */
const enough = 4;

/** Subnets of one namespace and family. */
export class SubnetTable<Link> {
  /** In the order of their bits: those within one come right behind it. */
  private readonly sorted: Subnet<Link>[] = [];
  /** By bits: those around a subnet are one look-up for each prefix length that there is. */
  private readonly byBits = new Map<string, Subnet<Link>[]>();
  private readonly lengths = new Set<number>();

  /** The very same subnet of the same owner. */
  same({ bits, owner }: Subnet<unknown>): Subnet<Link> | undefined {
    return this.byBits.get(bits)?.find((other) => other.owner === owner);
  }

  add(subnet: Subnet<Link>): void {
    const { bits } = subnet;
    this.sorted.splice(this.position(bits), 0, subnet);
    entryOf(this.byBits, bits, (): Subnet<Link>[] => []).push(subnet);
    this.lengths.add(bits.length);
  }

  forget(owner: string): void {
    for (let at = this.sorted.length - 1; at >= 0; at--) {
      const subnet = this.sorted[at] as Subnet<Link>;
      if (subnet.owner !== owner) continue;
      this.sorted.splice(at, 1);
      const same = this.byBits.get(subnet.bits);
      same?.splice(same.indexOf(subnet), 1);
    }
  }

  /** Those that count, one of each owner, the widest first. */
  overlapping({ bits }: Subnet<unknown>, counts: (other: Subnet<Link>) => boolean): Subnet<Link>[] {
    const found = new Map<string, Subnet<Link>>();
    const take = (other: Subnet<Link>) => {
      if (!found.has(other.owner) && counts(other)) found.set(other.owner, other);
      return found.size < enough;
    };
    for (const length of [...this.lengths].sort((one, other) => one - other)) {
      if (length > bits.length) break;
      const around = this.byBits.get(bits.slice(0, length));
      if (around !== undefined && !around.every(take)) return [...found.values()];
    }
    for (let at = this.position(bits); at < this.sorted.length; at++) {
      const other = this.sorted[at] as Subnet<Link>;
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
      if ((this.sorted[middle] as Subnet<Link>).bits < bits) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

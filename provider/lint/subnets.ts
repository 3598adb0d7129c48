import type { Host } from "../host/host";
import { labelOf } from "../host/leases";
import type { Link } from "../host/links";
import { placeText } from "../host/namespaces";
import type { Scene } from "../host/scenes";
import { desiredAddresses } from "../kinds/parts/addresses";
import {
  type DeclaredLinks,
  entryOf,
  type Finding,
  isOurs,
  known,
  type Passing,
  type PassingLink,
  type Rule,
  seenAround,
} from "./passing";
import { type Subnet, SubnetTable, subnetOf, subnetText } from "./subnet-table";

type Declared = Subnet<PassingLink>;

/**
 * Two links of one namespace with overlapping subnets: the kernel sends what goes there out of one of them only. Both are
 * declared, by two resources or by one, or one of them is on the host and somebody else's. No subnet is that of a single
 * address (/32, /128: an address in another's subnet, or of a point-to-point link), of a link that is down (it has no
 * route), or of a bridge's port (told by its kind already).
 */
export function overlappingSubnets(): Rule {
  const tables = new Map<string, SubnetTable<PassingLink>>();
  const tablesOf = new Map<string, Set<SubnetTable<PassingLink>>>();
  const others = new OthersSubnets();
  return (passing, host, declared) => {
    const { urn } = passing;
    for (const table of tablesOf.get(urn) ?? []) table.forget(urn);
    tablesOf.delete(urn);
    const findings: Finding[] = [];
    const all: Declared[] = [];
    for (const link of passing.links) {
      for (const subnet of subnetsOf(passing, link)) {
        const table = entryOf(
          tables,
          link.place + (subnet.wide ? 6 : 4),
          () => new SubnetTable<PassingLink>(),
        );
        // All members of a pool may have one subnet among them.
        const same = table.same(subnet);
        if (same) {
          if (same.link !== link) findings.push(within(passing, same, subnet));
          continue;
        }
        for (const other of table.overlapping(subnet, (each) => each.link !== link))
          findings.push(other.owner === urn ? within(passing, other, subnet) : between(subnet, other));
        table.add(subnet);
        entryOf(tablesOf, urn, () => new Set()).add(table);
        all.push(subnet);
      }
    }
    if (all.length === 0) return findings;
    return others.beside(passing, all, host, declared).then((more) => [...findings, ...more]);
  };
}

/** On the one whose URN comes last, and once: which of many others it overlaps makes no difference. */
function between(one: Declared, other: Declared): Finding {
  const [first, last] = one.owner < other.owner ? [one, other] : [other, one];
  return {
    on: last.owner,
    about: "",
    message: `its subnet ${subnetText(last)} overlaps that of ${labelOf(first.owner)} (${subnetText(first)})${placeText(one.link.namespace)}: what is sent there goes out of only one of them; give them subnets of their own, or put the interfaces into one bridge that has the address`,
  };
}

/** Of two links of one resource. */
function within(passing: Passing, one: Declared, other: Declared): Finding {
  const names = [one, other].map(({ link }) => known<string>(passing, link, "name"));
  const words = names.includes(undefined) ? "two of its interfaces" : `its interfaces ${names.join(" and ")}`;
  const texts = [...new Set([subnetText(one), subnetText(other)])];
  const which = texts.length === 1 ? `are both in the subnet ${texts[0]}` : `overlap (${texts.join(", ")})`;
  const own = passing.kind === "TunPool" ? ' (`addressPlan.each` "/30" or "/31")' : "";
  return {
    on: one.owner,
    about: "within",
    message: `${words} ${which}${placeText(one.link.namespace)}: what is sent there goes out of only one of them; give each a subnet${own} or a namespace of its own, or put them into one bridge that has the address`,
  };
}

const inputNames = ["address", "netmask", "addresses", "peerAddress", "bridge", "up"];

function subnetsOf({ urn, hidden }: Passing, link: PassingLink): Declared[] {
  const { inputs } = link;
  if (inputs.bridge !== undefined || inputs.up === false) return [];
  if (hidden.size > 0 && inputNames.some((name) => hidden.has(name))) return [];
  return (desiredAddresses(inputs)?.all ?? []).flatMap((address) => subnetOf(urn, link, address) ?? []);
}

/** The subnets of links that the program neither declares nor has made. */
class OthersSubnets {
  /** Of a look, by family. */
  private readonly tables = new WeakMap<Scene, Record<4 | 6, SubnetTable<Link>>>();

  /** What those of a resource make with them: once. */
  async beside(
    passing: Passing,
    subnets: readonly Declared[],
    host: Host,
    declared: DeclaredLinks,
  ): Promise<Finding[]> {
    const places = new Map(subnets.map(({ link }) => [link.place, link]));
    for (const [place, somewhere] of places) {
      const scene = await seenAround(somewhere, host);
      if (scene === undefined) continue;
      const tables = this.tablesOf(scene, passing);
      for (const subnet of subnets) {
        if (subnet.link.place !== place) continue;
        const isForeign = ({ link }: Subnet<Link>) => !declared.have(subnet.link, link);
        const [other] = tables[subnet.wide ? 6 : 4].overlapping(subnet, isForeign);
        if (other) return [besideOther(subnet, other)];
      }
    }
    return [];
  }

  private tablesOf(scene: Scene, passing: Passing): Record<4 | 6, SubnetTable<Link>> {
    const known = this.tables.get(scene);
    if (known) return known;
    const tables = { 4: new SubnetTable<Link>(), 6: new SubnetTable<Link>() };
    this.tables.set(scene, tables);
    for (const [ifindex, addresses] of scene.addresses) {
      const link = scene.links.at(ifindex);
      if (!link?.up || link.master !== 0 || isOurs(passing, link)) continue;
      for (const address of addresses) {
        const subnet = subnetOf(link.name, link, address);
        if (subnet) tables[subnet.wide ? 6 : 4].add(subnet);
      }
    }
    return tables;
  }
}

function besideOther(subnet: Declared, { link, ...other }: Subnet<Link>): Finding {
  return {
    on: subnet.owner,
    about: "others",
    message: `its subnet ${subnetText(subnet)} overlaps that of ${link.name} (${subnetText({ link, ...other })}), which this program did not make${placeText(subnet.link.namespace)}: what is sent there goes out of only one of them, so that the other may be cut off, with an ssh connection that comes in by it; choose another subnet, or take that address off ${link.name}`,
  };
}

import type { Host } from "../host/host";
import { parseUrn } from "../host/leases";
import type { Inputs } from "../kinds/kind";
import { bridgedDrops } from "./bridged";
import { listeningDelay, mtuAboveBridge, unfilteredVlans } from "./bridges";
import { forwardingOff } from "./forwarding";
import { type Company, DeclaredLinks, type Finding, linksOf, type Passing, type Rule } from "./passing";
import { overlappingSubnets } from "./subnets";
import { mtuAboveUnderlay, tunnelBelowPorts } from "./tunnels";

/** Each makes a rule that remembers one run. */
const rules: readonly (() => Rule)[] = [
  overlappingSubnets,
  listeningDelay,
  mtuAboveBridge,
  mtuAboveUnderlay,
  tunnelBelowPorts,
  unfilteredVlans,
  forwardingOff,
  bridgedDrops,
];

type Told = Pick<Finding, "on" | "message">;

/** A resource whose check found nothing wrong. */
export interface Checked {
  kind: string;
  urn: string;
  /** As of its lease. */
  instance?: string;
  inputs: Inputs;
  /** Names of inputs that are not known, or that no message on another resource may tell. */
  hidden: readonly string[];
  /** Where it stands for several links: the inputs of each. */
  members?: readonly Inputs[];
  /** How many resources of a kind the program declares, where it says so. */
  company?: Company;
}

const none: ReadonlySet<string> = new Set();

/**
 * What is allowed, but probably not meant, and shows only where several resources are seen together, or one beside what
 * others have on the host. All of a run pass here, and what two of them make together is told once, always on the same
 * one: that which names the other, where one does. What one resource shows alone is said by `warnings` of its kind.
 */
export class Lint {
  private readonly rules = rules.map((make) => make());
  private readonly declared = new DeclaredLinks();
  private readonly told = new Set<string>();

  constructor(private readonly host: Host) {}

  /** @returns what to tell, on this resource or on one that passed before; mostly nothing, and often at once. */
  see({ kind, urn, instance, inputs, hidden, members, company }: Checked): Told[] | Promise<Told[]> {
    const { project, stack } = parseUrn(urn);
    const resource = {
      kind,
      urn,
      stack: { instance, project, stack },
      inputs,
      hidden: hidden.length > 0 ? new Set(hidden) : none,
      company,
    };
    const passing: Passing = { ...resource, links: linksOf(resource, members) };
    this.declared.see(passing);
    const found = this.rules.map((see) => see(passing, this.host, this.declared));
    if (found.every(isKnown)) return this.tell(found);
    return Promise.all(found).then((all) => this.tell(all));
  }

  /** What was not told yet, in the order of the rules. @param found what each of them found. */
  private tell(found: readonly (readonly Finding[])[]): Told[] {
    const news: Told[] = [];
    for (const [rule, findings] of found.entries()) {
      for (const { on, about, message } of findings) {
        const key = `${rule} ${on} ${about}`;
        if (!this.told.has(key)) news.push({ on, message });
        this.told.add(key);
      }
    }
    return news;
  }
}

function isKnown(found: ReturnType<Rule>): found is readonly Finding[] {
  return !("then" in found);
}

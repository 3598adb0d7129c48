import type { Host } from "../host/host";
import type { Inputs } from "../kinds/kind";
import { listeningDelay, mtuAboveBridge, mtuAboveUnderlay, unfilteredVlans } from "./bridges";
import { forwardingOff } from "./forwarding";
import { type Company, type Finding, linksOf, type Passing, type Rule } from "./passing";
import { overlappingSubnets } from "./subnets";

/** Each makes a rule that remembers one run. */
const rules: readonly (() => Rule)[] = [
  overlappingSubnets,
  listeningDelay,
  mtuAboveBridge,
  mtuAboveUnderlay,
  unfilteredVlans,
  forwardingOff,
];

type Told = Pick<Finding, "on" | "message">;

const none: ReadonlySet<string> = new Set();

/**
 * What is allowed, but probably not meant, and shows only where several resources are seen together. All of a run pass
 * here, and what two of them make together is told once, always on the same one: that which names the other, where one
 * does. What one resource shows alone is said by `warnings` of its kind.
 */
export class Lint {
  private readonly rules = rules.map((make, at) => ({ at, see: make() }));
  private readonly told = new Set<string>();

  constructor(private readonly host: Host) {}

  /**
   * @param hidden names of inputs that are not known, or that no message on another resource may tell.
   * @param members of a resource that stands for several links: the inputs of each.
   * @param company how many resources of a kind the program declares, where it says so.
   * @returns what to tell, on this resource or on one that passed before; mostly nothing, and then at once.
   */
  see(
    kind: string,
    urn: string,
    inputs: Inputs,
    hidden: readonly string[],
    members?: readonly Inputs[],
    company?: Company,
  ): Told[] | Promise<Told[]> {
    const resource = { kind, urn, inputs, hidden: hidden.length > 0 ? new Set(hidden) : none, company };
    const passing: Passing = { ...resource, links: linksOf(resource, members) };
    const told: Told[] = [];
    const later: Promise<void>[] = [];
    for (const { at, see } of this.rules) {
      const take = (findings: readonly Finding[]) => {
        for (const { on, about, message } of findings) {
          const key = `${at} ${on} ${about}`;
          if (!this.told.has(key)) told.push({ on, message });
          this.told.add(key);
        }
      };
      const findings = see(passing, this.host);
      if ("then" in findings) later.push(findings.then(take));
      else take(findings);
    }
    return later.length === 0 ? told : Promise.all(later).then(() => told);
  }
}

import type { Host } from "../host/host";
import type { Inputs } from "../kinds/kind";
import { listeningDelay, mtuAboveBridge, mtuAboveUnderlay } from "./bridges";
import { forwardingOff } from "./forwarding";
import type { Finding, Rule } from "./passing";
import { overlappingSubnets } from "./subnets";

/** Each makes a rule that remembers one run. */
const rules: readonly (() => Rule)[] = [
  overlappingSubnets,
  listeningDelay,
  mtuAboveBridge,
  mtuAboveUnderlay,
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
   * @param secrets names of inputs that no message on another resource may tell.
   * @returns what to tell, on this resource or on one that passed before; mostly nothing, and then at once.
   */
  see(
    kind: string,
    urn: string,
    inputs: Inputs,
    unknown: ReadonlySet<string>,
    secrets: readonly string[] = [],
  ): Told[] | Promise<Told[]> {
    const hidden = secrets.length > 0 ? new Set([...unknown, ...secrets]) : unknown.size > 0 ? unknown : none;
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
      const findings = see({ kind, urn, inputs, hidden }, this.host);
      if ("then" in findings) later.push(findings.then(take));
      else take(findings);
    }
    return later.length === 0 ? told : Promise.all(later).then(() => told);
  }
}

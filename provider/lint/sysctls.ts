import { canonicalValue } from "../host/sysctls";
import type { Inputs } from "../kinds/kind";
import { Facts, type Passing } from "./passing";

/**
 * What the Sysctls of a program say, and who waits for it. The engine checks one resource after the other, those that do
 * not depend on one another in any order, so that who comes before a Sysctl is judged when the last one has passed.
 */
export class DeclaredSysctls<Setting extends string> {
  private readonly values = new Facts<string>();
  private readonly passed = new Set<string>();
  /** Those that were checked before all Sysctls were that the program declares. */
  private waiting: Passing[] = [];

  /** @param settings which are looked at, by their names in /proc/sys: one may have several. */
  constructor(private readonly settings: Readonly<Record<string, Setting>>) {}

  /** @returns the setting that a Sysctl declares, if it is one of these. */
  see({ urn, inputs, hidden }: Passing): { setting: Setting; value: string } | undefined {
    this.passed.add(urn);
    this.values.forget(urn);
    const setting = hidden.size > 0 ? undefined : this.settings[String(inputs.name)];
    if (setting === undefined) return undefined;
    const value = canonicalValue(String(inputs.value));
    this.values.add(placed(setting, inputs), urn, value);
    return { setting, value };
  }

  /** Values by the URNs of those that declare it. @param inputs whose `namespace` it is about. */
  of(setting: Setting, inputs: Inputs): ReadonlyMap<string, string> {
    return this.values.of(placed(setting, inputs)) ?? new Map();
  }

  wait(passing: Passing): void {
    this.waiting = [...this.waiting.filter(({ urn }) => urn !== passing.urn), passing];
  }

  /** Those that need wait no longer. */
  ready(): Passing[] {
    const ready = this.waiting.filter(({ company }) => (company?.Sysctl ?? 0) <= this.passed.size);
    if (ready.length > 0) this.waiting = this.waiting.filter((each) => !ready.includes(each));
    return ready;
  }
}

/** A setting in the namespace of a resource, as a key. */
export function placed(setting: string, { namespace }: Inputs): string {
  return `${namespace ?? ""}\0${setting}`;
}

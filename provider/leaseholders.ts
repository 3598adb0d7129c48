import { TuntapError } from "./errors";
import { labelOf } from "./host/leases";

/**
 * Which resource of the program has which lease in one run: one that got another logical name by `aliases` keeps that of
 * its former name.
 */
export class Leaseholders {
  private readonly byLease = new Map<string, { urn: string; recordedAs: string }>();

  /**
   * @param recordedAs the URN in its record: the former one, until the new one is recorded.
   * Errors: NAME_CLAIMED, where another resource has the lease, so that one would take the other's object.
   */
  take(lease: string, urn: string, recordedAs = urn): void {
    const other = this.byLease.get(lease)?.urn;
    if (other !== undefined && other !== urn) {
      throw new TuntapError("NAME_CLAIMED", {
        message: `it has the same lease as ${labelOf(other)} of this program: one of them was renamed by \`aliases\`, and still has that of its former name, by which the other one would take its object`,
        remedy: "Give the one that is new another logical name.",
      });
    }
    this.byLease.set(lease, { urn, recordedAs });
  }

  /** The resource that has it instead of the one of that record; undefined where there is none. */
  successorOf(lease: string, recordedAs: string): string | undefined {
    const holder = this.byLease.get(lease);
    return holder === undefined || [holder.urn, holder.recordedAs].includes(recordedAs)
      ? undefined
      : holder.urn;
  }
}

/** Taking over what others made: whether it can be, and giving it back as it was where that fails. */

import {
  type AnyDifference,
  type AnyProperty,
  describeDifference,
  differences,
  equal,
  type Judged,
  judge,
  shown,
} from "./differences";
import { TuntapError } from "./errors";
import type { Host } from "./host/host";
import type { Inputs, Kind, Target } from "./kinds/kind";
import { send } from "./writing";

interface Adopting {
  kind: Kind;
  host: Host;
  target: Target;
  inputs: Inputs;
  desired: unknown;
}

/** What stands between an object of others and what is wanted. */
export interface Adoption {
  /** Why it cannot be taken over at all. */
  refusal?: TuntapError;
  /** What would be changed, now or when its holder is gone. */
  judged: Judged[];
}

/** Reads, never writes. @param unknown names of inputs that are not known yet. */
export async function adoption(
  { kind, host, target, inputs, desired }: Adopting,
  object: unknown,
  unknown?: ReadonlySet<string>,
): Promise<Adoption> {
  const refusal = await kind.unfit?.(target, object, host);
  if (refusal) return { refusal, judged: [] };
  const found = differences(kind, target, desired, object, unknown);
  const judged = await judge(kind, target, object, found, host);
  const hopeless = judged.find(({ verdict }) => verdict === "replace");
  if (!hopeless) return { judged };
  const difference = describeDifference(hopeless.difference, "declared", inputs);
  return {
    judged,
    refusal: new TuntapError(kind.codes.foreign, {
      message: `${kind.describe(object)} cannot be taken over: ${difference}, which cannot be changed`,
      property: hopeless.difference.property.name,
      remedy: "Declare what is there, or remove it by hand.",
    }),
  };
}

/**
 * Sets what was written of an object back to what it was before, and gives it back to whom it was.
 * @returns what a message should say of it where that failed; it is thrown by nobody, as another failure led here.
 */
export async function giveBack(goal: Adopting, before: unknown): Promise<string | undefined> {
  const { kind, host, target } = goal;
  try {
    const { object } = await kind.sight(target, host);
    if (object === undefined) return undefined;
    let kept: string[];
    try {
      kept = await restore(goal, before, object);
    } finally {
      await kind.giveBack?.(target, before, host);
    }
    return kept.length === 0
      ? undefined
      : `What was taken over is as it was before, but for ${kept.join(", ")}.`;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return `What was taken over, ${kind.describe(before)}, is not wholly as it was before: ${reason}`;
  }
}

/** @returns what the kernel has no way back for. */
async function restore(
  { kind, host, target, desired }: Adopting,
  before: unknown,
  now: unknown,
): Promise<string[]> {
  // Written as a whole, in one transaction: it was written, or it was not.
  if (kind.rewrite) return [];
  const changed = (kind.properties as readonly AnyProperty[]).flatMap((property): AnyDifference[] => {
    if (property.want(desired, undefined) === undefined) return [];
    const want = property.is(before, desired, undefined);
    const is = property.is(now, desired, undefined);
    if (want === undefined || equal(want, is)) return [];
    const former = property.back?.(before, desired) ?? desired;
    return [{ property, want, is, desired: former, observed: now, target }];
  });
  const kept = changed.filter(({ property, want, is }) => property.needsReplace?.(want, is));
  const back = changed.filter((difference) => !kept.includes(difference));
  for (const difference of back) await difference.property.apply?.(difference, host);
  await send({ kind, target, host }, back);
  return kept.map(({ property, is }) => `${property.name} ${shown(property, is)}`);
}

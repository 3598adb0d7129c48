import { adoption, giveBack } from "./adoption";
import { noPatience, type Patience } from "./busy";
import { type AnyDifference, describeDifference, differences, judge, unset } from "./differences";
import { isTuntapError, TuntapError } from "./errors";
import type { Host } from "./host/host";
import type { Inputs, Kind, Sighting, Target } from "./kinds/kind";
import { namingInput } from "./request";
import { send } from "./writing";

/** How often one property is written before another hand is suspected. */
const writesPerProperty = 2;
/** How often an object that vanishes meanwhile is made anew before another hand is suspected. */
const attempts = 3;

export interface Goal {
  kind: Kind;
  host: Host;
  target: Target;
  inputs: Inputs;
  desired: unknown;
  /** Whether leases of this program are unique to it: only then an orphan is taken up unasked. */
  leaseIsOurs: boolean;
  /** For processes that hold the object. */
  patience: Patience;
}

/** How an object came to be this resource's: made by this call, taken over from others as it was, or before. */
export type Origin = { made: true } | { adopted: unknown } | undefined;

export interface Converged {
  /** As it was read at the end. */
  object: unknown;
  origin: Origin;
}

/**
 * Observe → ensure → sync → verify: makes the kernel agree with the goal. If it fails, what this call made is removed
 * again, and what it took over is given back as it was.
 */
export async function converge(goal: Goal): Promise<Converged> {
  const { kind, host, target } = goal;
  for (let attempt = 1; ; attempt += 1) {
    let origin: Origin;
    try {
      const sighting = await waitWhileBlocked(goal, await kind.sight(target, host));
      origin = await ensure(goal, sighting, (adopted) => {
        origin = { adopted };
      });
      return { object: await synchronise(goal, origin), origin };
    } catch (error) {
      if (origin && "made" in origin) {
        await undo(goal, error);
        throw error;
      }
      // What was there already may end between two looks, with its last holder: then it is made anew.
      if (attempt < attempts && isTuntapError(error) && error.code === "LINK_VANISHED") continue;
      const left = origin && (await giveBack(goal, origin.adopted));
      if (left === undefined || !isTuntapError(error)) throw error;
      throw error.with({ message: `${error.facts.message} ${left}` });
    }
  }
}

/** Waits, where that is asked for, while a process blocks a change; the object may have ended with that process. */
async function waitWhileBlocked(goal: Goal, first: Sighting<unknown>): Promise<Sighting<unknown>> {
  const { kind, host, target, desired, patience } = goal;
  for (let sighting = first; ; sighting = await kind.sight(target, host)) {
    const object = sighting.object ?? adoptable(goal, sighting);
    if (object === undefined || !patience.waits) return sighting;
    const judged = await judge(kind, target, object, differences(kind, target, desired, object), host);
    if (!judged.some(({ verdict }) => verdict === "blocked")) return sighting;
    const reason = (await kind.inUse(target, object, host)) ?? "held";
    if (!(await patience.again(`${kind.describe(object)} is ${reason}`))) return sighting;
  }
}

/** What others made under the wanted name, where it is to be taken over. */
function adoptable({ inputs }: Goal, { obstacle }: Sighting<unknown>): unknown {
  return inputs.adopt === true && !obstacle?.sameStack ? obstacle?.object : undefined;
}

/**
 * Brings the object into being, under its lease.
 * @param adopts called with what others made, just before that is taken over.
 */
async function ensure(
  goal: Goal,
  sighting: Sighting<unknown>,
  adopts: (before: unknown) => void,
): Promise<Origin> {
  const { kind, host, target, inputs } = goal;
  if (sighting.namespaceMissing !== undefined) {
    throw new TuntapError("NAMESPACE_MISSING", {
      message: `namespace ${JSON.stringify(sighting.namespaceMissing)} does not exist`,
      property: kind.inputs.namespace ? "namespace" : namingInput(kind),
    });
  }
  const { object, obstacle } = sighting;
  if (object !== undefined) {
    if (!target.recorded && !goal.leaseIsOurs && inputs.adopt !== true)
      throw foreign(goal, object, "an interrupted run, or another clone of this program, left");
    if (sighting.leaseLost) await kind.takeOver(target, object, host);
    return remakeIfNeeded(goal, object);
  }
  if (obstacle && !obstacle.sameStack) {
    if (inputs.adopt !== true)
      throw foreign(goal, obstacle.object, `${obstacle.called ?? `the ${namingInput(kind)}`} is taken by`);
    return adopt(goal, obstacle.object, adopts);
  }
  return create(goal, obstacle !== undefined);
}

/** Takes over what others made. Errors, before anything is written: what cannot be taken over, or not now. */
async function adopt(goal: Goal, object: unknown, adopts: (before: unknown) => void): Promise<Origin> {
  const { kind, host, target, patience } = goal;
  const { refusal, judged } = await adoption(goal, object);
  if (refusal) throw refusal;
  const blocked = judged.find(({ verdict }) => verdict === "blocked");
  if (blocked && !patience.forced) {
    const { property } = blocked.difference;
    const reason = (await kind.inUse(target, object, host)) ?? "held";
    throw new TuntapError(kind.codes.inUse, {
      message: `${kind.describe(object)} is not taken over: its ${property.name} cannot be changed while it is ${reason}${patience.waited()}.`,
      property: property.name,
    });
  }
  if (blocked) return remake(goal, object);
  adopts(object);
  await kind.takeOver(target, object, host);
  await kind.settle?.(target, object, host);
  return { adopted: object };
}

async function create({ kind, target, desired, host }: Goal, inTheWay: boolean): Promise<Origin> {
  if (inTheWay) await kind.makeWay?.(target, host);
  target.made = (await kind.create(target, desired, host)) ?? undefined;
  return { made: true };
}

/**
 * Makes an object anew where only that leads to the goal: an orphan with other fixed properties, or a property
 * that its holder blocks when the inputs ask for force.
 */
async function remakeIfNeeded(goal: Goal, object: unknown): Promise<Origin> {
  const { kind, host, target, desired, patience } = goal;
  const judged = await judge(kind, target, object, differences(kind, target, desired, object), host);
  const must = judged.some(
    ({ verdict }) => verdict === "replace" || (verdict === "blocked" && patience.forced),
  );
  return must ? remake(goal, object) : undefined;
}

async function remake(goal: Goal, object: unknown): Promise<Origin> {
  const { kind, host, target, patience } = goal;
  await remove(kind, target, object, host, patience);
  return create(goal, true);
}

/** Writes differences until none is left, reading back after every write. */
async function synchronise(goal: Goal, origin: Origin): Promise<unknown> {
  const { kind, host, target, desired } = goal;
  const writes = new Map<string, number>();
  // What it is like for certain; not enough to end with.
  const known = origin && "made" in origin ? kind.asMade?.(target, desired) : undefined;
  if (known !== undefined) await writeAll(goal, differences(kind, target, desired, known), writes);
  for (let looks = 1; ; looks++) {
    const { object } = await kind.sight(target, host);
    if (object === undefined) {
      throw new TuntapError("LINK_VANISHED", {
        message: "it was deleted by someone else while it was being set up",
      });
    }
    const left = differences(kind, target, desired, object);
    if (looks === 1) left.push(...unset(kind, target, desired, object));
    if (left.length === 0) return object;
    if (kind.rewrite) {
      for (const difference of left) countWrite(writes, difference, goal);
      await kind.rewrite(target, object, desired, host);
      continue;
    }
    await writeAll(goal, origin && "adopted" in origin ? reversible(left) : left, writes);
  }
}

/** What can be set back, should what follows fail; what cannot when nothing else is left. */
function reversible(found: readonly AnyDifference[]): readonly AnyDifference[] {
  const first = found.filter(({ property, want, is }) => !property.needsReplace?.(is, want));
  return first.length > 0 ? first : found;
}

/** Writes what differs: all in one batch, or the first that cannot be written so. */
async function writeAll(
  goal: Goal,
  found: readonly AnyDifference[],
  writes: Map<string, number>,
): Promise<void> {
  // One at a time: each of these may change what the others must know, such as the name.
  const single = found.find(({ property }) => property.apply);
  for (const difference of single ? [single] : found) countWrite(writes, difference, goal);
  if (!single) await send(goal, found);
  else if (!(await applied(goal, single))) writes.delete(single.property.name);
}

/** Writes one property; false where a process blocked it, and there was a wait for that process. */
async function applied({ kind, host, patience }: Goal, difference: AnyDifference): Promise<boolean> {
  try {
    await difference.property.apply?.(difference, host);
    return true;
  } catch (error) {
    if (!isTuntapError(error) || error.code !== kind.codes.inUse) throw error;
    const reason = error.facts.message.replace(/\.$/, "");
    if (await patience.again(reason)) return false;
    throw error.with({ message: error.facts.message.replace(reason, () => reason + patience.waited()) });
  }
}

function countWrite(writes: Map<string, number>, difference: AnyDifference, goal: Goal): void {
  const { name } = difference.property;
  const count = (writes.get(name) ?? 0) + 1;
  writes.set(name, count);
  if (count <= writesPerProperty) return;
  throw new TuntapError("VERIFY_FAILED", {
    message: `after writing, ${describeDifference(difference, "declared", goal.inputs)}`,
    property: name,
    remedy: goal.kind.otherHands,
  });
}

/**
 * Deletes an object unless it is in use, once it is free, or all the same; and reads back that it is gone.
 * @returns what was left as it is, for people.
 */
export async function remove(
  kind: Kind,
  target: Target,
  object: unknown,
  host: Host,
  patience: Patience,
): Promise<string | undefined> {
  const free = await untilFree(kind, target, object, host, patience);
  if (free === undefined) return undefined;
  const left = (await kind.remove(target, free, host)) ?? undefined;
  if (kind.permanent) return left;
  if ((await kind.sight({ ...target, near: true }, host)).object !== undefined) {
    throw new TuntapError("VERIFY_FAILED", {
      message: "it is still there after it was deleted",
      remedy: kind.otherHands,
    });
  }
  return left;
}

/** The object when nobody uses it; undefined if it went away while that was awaited. */
async function untilFree(
  kind: Kind,
  target: Target,
  object: unknown,
  host: Host,
  patience: Patience,
): Promise<unknown> {
  let seen = object;
  while (seen !== undefined && !patience.forced) {
    const reason = await kind.inUse(target, seen, host);
    if (reason === undefined) break;
    if (!(await patience.again(`${kind.describe(seen)} is ${reason}`))) {
      throw new TuntapError(kind.codes.inUse, {
        message: `${kind.describe(seen)} ${kind.permanent ? "is left as it is" : "is not deleted"}: it is ${reason}${patience.waited()}.`,
      });
    }
    seen = (await kind.sight(target, host)).object;
  }
  return seen;
}

function foreign({ kind }: Goal, object: unknown, how: string): TuntapError {
  return new TuntapError(kind.codes.foreign, {
    message: `${how} ${kind.describe(object)}, and it is left as it is`,
    property: namingInput(kind),
  });
}

/** Thrown when a half-made object could not be removed: the engine keeps it, and the next run repairs it. */
export class HalfMade extends Error {
  constructor(
    readonly reason: unknown,
    readonly object: unknown,
  ) {
    super("half made", { cause: reason });
  }
}

async function undo(goal: Goal, reason: unknown): Promise<void> {
  const { kind, target, host } = goal;
  let object: unknown;
  try {
    object = (await kind.sight(target, host)).object;
    if (object !== undefined) await remove(kind, target, object, host, noPatience);
  } catch {
    if (object !== undefined && !target.recorded) throw new HalfMade(reason, object);
  }
}

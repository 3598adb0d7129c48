import { noPatience, type Patience } from "./busy";
import { type AnyDifference, describeDifference, differences, judge, shown, unset } from "./differences";
import { isTuntapError, TuntapError } from "./errors";
import type { Host } from "./host/host";
import { accepted, refusal } from "./host/refusals";
import type { Reply } from "./kernel/kernel";
import type { Inputs, Kind, Sighting, Target, Write } from "./kinds/kind";
import { namingInput } from "./request";

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

/**
 * Observe → ensure → sync → verify: makes the kernel agree with the goal and gives back what was read at the
 * end. What this call made is removed again if it fails.
 */
export async function converge(goal: Goal): Promise<unknown> {
  const { kind, host, target } = goal;
  for (let attempt = 1; ; attempt += 1) {
    let made = false;
    try {
      made = await ensure(goal, await waitWhileBlocked(goal, await kind.sight(target, host)));
      return await synchronise(goal, made ? kind.asMade?.(target, goal.desired) : undefined);
    } catch (error) {
      if (made) await undo(goal, error);
      // What was there already may end between two looks, with its last holder: then it is made anew.
      else if (attempt < attempts && isTuntapError(error) && error.code === "LINK_VANISHED") continue;
      throw error;
    }
  }
}

/** Waits, where that is asked for, while a process blocks a change; the object may have ended with that process. */
async function waitWhileBlocked(goal: Goal, first: Sighting<unknown>): Promise<Sighting<unknown>> {
  const { kind, host, target, desired, patience } = goal;
  for (let sighting = first; ; sighting = await kind.sight(target, host)) {
    const { object } = sighting;
    if (object === undefined || !patience.waits) return sighting;
    const judged = await judge(kind, target, object, differences(kind, target, desired, object), host);
    if (!judged.some(({ verdict }) => verdict === "blocked")) return sighting;
    const reason = (await kind.inUse(target, object, host)) ?? "held";
    if (!(await patience.again(`${kind.describe(object)} is ${reason}`))) return sighting;
  }
}

/** Brings the object into being, under its lease; true if this call made it. */
async function ensure(goal: Goal, sighting: Sighting<unknown>): Promise<boolean> {
  const { kind, host, target, inputs, desired } = goal;
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
    const judged = await judge(
      kind,
      target,
      obstacle.object,
      differences(kind, target, desired, obstacle.object),
      host,
    );
    const hopeless = judged.find(({ verdict }) => verdict === "replace");
    if (hopeless) {
      throw new TuntapError(kind.codes.foreign, {
        message: `${kind.describe(obstacle.object)} cannot be taken over: ${describeDifference(hopeless.difference, "declared", inputs)}, which cannot be changed`,
        property: hopeless.difference.property.name,
        remedy: "Declare what is there, or remove it by hand.",
      });
    }
    await kind.takeOver(target, obstacle.object, host);
    return false;
  }
  return create(goal, obstacle !== undefined);
}

async function create({ kind, target, desired, host }: Goal, inTheWay: boolean): Promise<true> {
  if (inTheWay) await kind.makeWay?.(target, host);
  target.made = (await kind.create(target, desired, host)) ?? undefined;
  return true;
}

/**
 * Makes an object anew where only that leads to the goal: an orphan with other fixed properties, or a property
 * that its holder blocks when the inputs ask for force.
 */
async function remakeIfNeeded(goal: Goal, object: unknown): Promise<boolean> {
  const { kind, host, target, desired, patience } = goal;
  const judged = await judge(kind, target, object, differences(kind, target, desired, object), host);
  const must = judged.some(
    ({ verdict }) => verdict === "replace" || (verdict === "blocked" && patience.forced),
  );
  if (!must) return false;
  await remove(kind, target, object, host, patience);
  return create(goal, true);
}

/**
 * Writes differences until none is left, reading back after every write.
 * @param known what it is like for certain; not enough to end with.
 */
async function synchronise(goal: Goal, known: unknown): Promise<unknown> {
  const { kind, host, target, desired } = goal;
  const writes = new Map<string, number>();
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
    await writeAll(goal, left, writes);
  }
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
    throw error.with({}, (text) => text.replace(reason, () => reason + patience.waited()));
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
  });
}

/** One batch for all properties; the first refusal names its property. */
async function send({ kind, target, host }: Goal, found: readonly AnyDifference[]): Promise<void> {
  const ordered = [
    ...found.filter(({ property, want }) => property.first?.(want)),
    ...found.filter(({ property, want }) => !property.first?.(want)),
  ];
  const writes = ordered.flatMap((difference) =>
    (difference.property.messages?.(difference) ?? []).map((write) => ({ write, difference })),
  );
  const replies = await sendInPlaces(host, writes, ({ difference: { property, observed } }) =>
    property.inside ? property.inside(observed) : kind.inside(target),
  );
  for (const [position, { write, difference }] of writes.entries()) {
    const reply = replies[position];
    if (!reply || accepted(reply, write.alreadySo)) continue;
    const { property, want } = difference;
    throw refusal(reply, {
      message: `the kernel refused ${write.what ?? `${property.name} ${shown(property, want)}`}`,
      operation: "rtnetlink",
      property: property.name,
      remedy: property.explain?.(reply.errno),
    });
  }
}

/** Sends each write where it belongs, those of one namespace in their order. */
async function sendInPlaces<W extends { write: Write }>(
  host: Host,
  writes: readonly W[],
  placeOf: (write: W) => string | undefined,
): Promise<(Reply | undefined)[]> {
  const places = new Map<string | undefined, number[]>();
  for (const [position, write] of writes.entries()) {
    const place = placeOf(write);
    places.set(place, [...(places.get(place) ?? []), position]);
  }
  const replies: (Reply | undefined)[] = [];
  for (const [place, positions] of places) {
    const messages = positions.map((position) => (writes[position] as W).write.bytes);
    const answers = await host.batch.send(place, messages);
    for (const [index, position] of positions.entries()) replies[position] = answers[index];
  }
  return replies;
}

/** Deletes an object unless it is in use, once it is free, or all the same; and reads back that it is gone. */
export async function remove(
  kind: Kind,
  target: Target,
  object: unknown,
  host: Host,
  patience: Patience,
): Promise<void> {
  const free = await untilFree(kind, target, object, host, patience);
  if (free === undefined) return;
  await kind.remove(target, free, host);
  if (kind.permanent) return;
  if ((await kind.sight({ ...target, near: true }, host)).object !== undefined) {
    throw new TuntapError("VERIFY_FAILED", { message: "it is still there after it was deleted" });
  }
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

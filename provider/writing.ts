import { type AnyDifference, shown } from "./differences";
import type { Host } from "./host/host";
import { accepted, refusal } from "./host/refusals";
import type { Reply } from "./kernel/kernel";
import type { Kind, Target, Write } from "./kinds/kind";

/** What is written to. */
interface Place {
  kind: Kind;
  target: Target;
  host: Host;
}

/** One batch for all properties; the first refusal names its property. */
export async function send({ kind, target, host }: Place, found: readonly AnyDifference[]): Promise<void> {
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

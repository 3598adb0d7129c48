import type { Host } from "../../host/host";
import { describeLink, type LinkTable } from "../../host/links";
import type { Obstacle, Sighting, Target } from "../kind";
import { bothEnds, type End, endLease, endOf, endTarget, type ObservedPair } from "./ends";
import { type ObservedLink, observeLink, sightLink } from "./link";

/** Looks for both ends: each by its lease, and one that lost it by the other. */
export async function sightPair(target: Target, host: Host): Promise<Sighting<ObservedPair>> {
  const targets = bothEnds.map((end) => endTarget(target, end, endOf(target.wanted, end)));
  const found = await Promise.all(targets.map((each) => sightLink(each, host, "veth")));
  const [a, b] = found.map(({ object }) => object);
  const ends = [
    a ?? (b && (await findPeer(b, targets[0] as Target, host))),
    b ?? (a && (await findPeer(a, targets[1] as Target, host))),
  ] as const;
  const sighting: Sighting<ObservedPair> = {
    namespaceMissing: found.find(({ namespaceMissing }) => namespaceMissing !== undefined)?.namespaceMissing,
  };
  if (ends[0] ?? ends[1]) {
    sighting.object = { ends };
    sighting.leaseLost = bothEnds.some((end) => ends[end] && !hasLease(ends[end], target, end));
  }
  sighting.obstacle = await obstacleOf(found, ends, targets, host);
  return sighting;
}

/** Whether an end carries its lease. */
export function hasLease({ link }: ObservedLink, { lease }: Target, end: End): boolean {
  return link.leases.includes(endLease(lease, end));
}

/** What has the name of an end: a stranger rather than a link of this stack. */
async function obstacleOf(
  found: readonly Sighting<ObservedLink>[],
  ends: ObservedPair["ends"],
  targets: readonly Target[],
  host: Host,
): Promise<Obstacle<ObservedPair> | undefined> {
  const all = bothEnds.flatMap((end) => {
    const { obstacle } = found[end] as Sighting<ObservedLink>;
    return obstacle && !ends.some((own) => own && isSame(own, obstacle.object)) ? [{ end, obstacle }] : [];
  });
  const worst = all.find(({ obstacle }) => !obstacle.sameStack) ?? all[0];
  if (worst === undefined) return undefined;
  const { end, obstacle } = worst;
  const peer = await findPeer(obstacle.object, targets[end === 0 ? 1 : 0] as Target, host);
  return {
    ...obstacle,
    object: { ends: end === 0 ? [obstacle.object, peer] : [peer, obstacle.object] },
    called: `ends[${end}].name ${JSON.stringify(targets[end]?.name)}`,
  };
}

function isSame(one: ObservedLink, other: ObservedLink): boolean {
  return one.ifindex === other.ifindex && one.namespace === other.namespace;
}

/**
 * The other end of a veth, in whatever namespace that has a name: the kernel tells its ifindex, and an id of its
 * namespace, through which it can be looked at, and so told from a namesake.
 */
async function findPeer(
  { link, ifindex, namespace }: ObservedLink,
  target: Target,
  host: Host,
): Promise<ObservedLink | undefined> {
  const { below } = link;
  if (link.kind !== "veth" || below === undefined) return undefined;
  const { namespaceId } = below;
  const at = (links: LinkTable) => links.at(below.ifindex);
  if (namespaceId === undefined) {
    return observeLink(namespace, at, target, host);
  }
  const wanted = (await host.links.behind(namespace, namespaceId)).at(below.ifindex);
  if (wanted === undefined) return undefined;
  const places = [target.namespace, undefined, ...(await host.namespaces.names())];
  const seen = await Promise.all(
    [...new Set(places)]
      .filter((place) => place !== namespace)
      .map((place) => observeLink(place, at, target, host)),
  );
  const alike = seen.filter(
    (other) =>
      other?.link.below?.ifindex === ifindex &&
      other.link.name === wanted.name &&
      other.link.macAddress === wanted.macAddress &&
      other.link.alternativeNames.join() === wanted.alternativeNames.join(),
  );
  // Two that cannot be told apart are none.
  return alike.length === 1 ? alike[0] : undefined;
}

/** Links on top of an end, which would go with it, but for those of this stack. */
export function linksOnTop(
  { ends }: ObservedPair,
  isOurs: (leases: readonly string[]) => boolean,
): string | undefined {
  const found = ends.flatMap((end) =>
    (end?.neighbours.all ?? []).filter(
      ({ below, kind, leases }) =>
        below?.ifindex === end?.ifindex &&
        below?.namespaceId === undefined &&
        kind !== "veth" &&
        !isOurs(leases),
    ),
  );
  return found.length === 0
    ? undefined
    : `used by links on top of it that are not of this stack, and would go with it: ${found.map(describeLink).join(", ")}`;
}

import { constants } from "node:os";
import { TuntapError } from "../../errors";
import type { Host } from "../../host/host";
import { interimName, sameStack } from "../../host/leases";
import { createLink, type Link } from "../../host/links";
import { renameLink } from "../../host/names";
import { accepted, refusal } from "../../host/refusals";
import type { Target } from "../kind";
import { bridgeIndex } from "./bridge-port";
import { bothEnds, type DesiredPair, endLease, endOf, endTarget, type ObservedPair } from "./ends";
import { nameTaken, takeOverLink, wrongKind } from "./link";
import { lookAtMade } from "./making";
import { giveBack, takeOver } from "./taking-over";
import { hasLease } from "./veth";

/** What must be known of an end to make it. */
interface Wanted {
  name: string | undefined;
  namespace: string | undefined;
  bridge: string | undefined;
}

/**
 * Both ends at once, where they shall be, under names that their leases give; then with the leases, then under their own
 * names: at whatever moment this is interrupted, the next run knows the pair.
 */
export async function createPair(target: Target, desired: DesiredPair<Wanted>, host: Host): Promise<void> {
  const targets = bothEnds.map((which) => endTarget(target, which, desired.ends[which])) as [Target, Target];
  // Before anything is made.
  for (const { bridge, namespace } of desired.ends)
    if (bridge !== undefined) bridgeIndex(await host.links.table(namespace), bridge);
  const [a, b] = targets;
  const peer = { ifname: interimName(b.lease) };
  const message = createLink(interimName(a.lease), "veth", {}, { peer });
  // The second end is made where the message is sent, the first where it leads to.
  const [made] =
    a.namespace === b.namespace
      ? await host.batch.send(a.namespace, [message])
      : await host.move(b.namespace, a.namespace, [message]);
  const look = () => Promise.all(targets.map((each) => interimLink(each, host)));
  const links = await lookAtMade(made, a, look, host);
  if (!accepted(made)) {
    if (made?.errno === constants.errno.EEXIST) {
      const other = links[0] ? 0 : 1;
      throw nameTaken(interimName(endLease(target.lease, other)), links[other], { errno: made.errno });
    }
    throw refusal(made as { errno: number }, {
      message: "the pair could not be made",
      operation: "RTM_NEWLINK",
    });
  }
  const [first] = links;
  try {
    for (const which of bothEnds) {
      const link = links[which];
      const own = targets[which];
      if (link === undefined) {
        throw new TuntapError("LINK_VANISHED", {
          message: "it was deleted by someone else while it was made",
        });
      }
      await takeOverLink(own, { link, namespace: own.namespace, ifindex: link.ifindex }, host);
    }
    for (const which of bothEnds) {
      const { namespace, lease, name } = targets[which];
      await renameLink(host, namespace, links[which] as Link, lease, name);
    }
  } catch (error) {
    if (first) await host.batch.deleteLink(a.namespace, first.ifindex);
    throw error;
  }
}

async function interimLink({ lease, namespace }: Target, host: Host): Promise<Link | undefined> {
  return (await host.links.table(namespace)).named(interimName(lease));
}

/** Why a pair cannot be taken over: FOREIGN_LINK. */
export async function unfitPair(
  target: Target,
  { ends }: ObservedPair,
  host: Host,
): Promise<TuntapError | undefined> {
  for (const each of ends) if (each && each.link.kind !== "veth") return wrongKind(each.link, "veth");
  for (const which of bothEnds) {
    const { name, namespace } = endOf(target.wanted, which) as { name: string; namespace?: string };
    const namesake = (await host.links.table(namespace)).named(name);
    if (namesake === undefined || namesake.leases.some((other) => sameStack(other, target.lease))) continue;
    // The name may be that of either end: they may change places.
    const isOfPair = ends.some((each) => each?.namespace === namespace && each?.ifindex === namesake.ifindex);
    if (!isOfPair) return nameTaken(name, namesake);
  }
  return undefined;
}

/** Puts the leases on the ends of a pair that has them not. */
export async function takeOverPair(target: Target, { ends }: ObservedPair, host: Host): Promise<void> {
  for (const which of bothEnds) {
    const observed = ends[which];
    if (!observed || hasLease(observed, target, which)) continue;
    await takeOver({ ...target, lease: endLease(target.lease, which) }, observed, host);
  }
}

/** Takes the leases off the ends of a pair again. */
export async function giveBackPair(target: Target, { ends }: ObservedPair, host: Host): Promise<void> {
  for (const which of bothEnds) {
    const before = ends[which];
    if (!before || hasLease(before, target, which)) continue;
    await giveBack({ ...target, lease: endLease(target.lease, which) }, before, host);
  }
}

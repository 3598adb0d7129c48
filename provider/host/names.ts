import { constants } from "node:os";
import { TuntapError } from "../errors";
import type { NamespaceName } from "../kernel/kernel";
import { rememberedOf } from "../remember";
import type { Host } from "./host";
import { interimName, sameStack } from "./leases";
import { describeLink, type Link, setLink, setLinkUp } from "./links";
import { accepted, refusal } from "./refusals";
import { Queues } from "./turns";

/** Renames of one namespace happen one after the other: two that swap names would else run into each other. */
const renames = rememberedOf((_host: Host) => new Queues<NamespaceName>());

/**
 * Gives a link its name. A link of the same stack that still has it is moved to an interim name: its own
 * resource finds it by its lease and renames it in its turn, so names can be swapped in any order.
 * Errors: FOREIGN_LINK when a link of anybody else has the name.
 */
export function renameLink(
  host: Host,
  namespace: NamespaceName,
  link: Link,
  lease: string,
  name: string,
): Promise<void> {
  return renames(host).add(namespace, async () => {
    await moveOthersAway(host, namespace, name, lease);
    await rename(host, namespace, link.ifindex, link.name, name);
  });
}

/** Frees a name for a link that is about to be made. Errors: as renameLink. */
export function freeName(host: Host, namespace: NamespaceName, name: string, lease: string): Promise<void> {
  return renames(host).add(namespace, () => moveOthersAway(host, namespace, name, lease));
}

async function moveOthersAway(
  host: Host,
  namespace: NamespaceName,
  name: string,
  lease: string,
): Promise<void> {
  const other = (await host.links.table(namespace)).named(name);
  if (!other || other.leases.includes(lease)) return;
  const theirs = other.leases.find((candidate) => sameStack(candidate, lease));
  // A name that is only an alternative name cannot be freed by renaming.
  if (theirs === undefined || other.name !== name) {
    throw new TuntapError("FOREIGN_LINK", {
      message: `the name ${name} is taken by ${describeLink(other)}`,
      property: "name",
    });
  }
  await rename(host, namespace, other.ifindex, other.name, interimName(theirs));
}

async function rename(
  host: Host,
  namespace: NamespaceName,
  ifindex: number,
  from: string,
  to: string,
): Promise<void> {
  const message = setLink(ifindex, { ifname: to });
  let [reply] = await host.batch.send(namespace, [message]);
  if (reply?.errno === constants.errno.EBUSY) {
    // Before Linux 6.2 a link must be down for it. What goes with that is written again after the next look.
    const around = [setLinkUp(ifindex, false), message, setLinkUp(ifindex, true)];
    reply = (await host.batch.send(namespace, around))[1];
  }
  if (reply === undefined || accepted(reply)) return;
  throw refusal(reply, {
    message: `${from} could not be renamed to ${to}`,
    operation: "RTM_NEWLINK",
    property: "name",
  });
}

import { constants } from "node:os";
import type { Host } from "../../host/host";
import { addAlternativeName, type PortData, removeAlternativeName } from "../../host/links";
import { accepted, refusal } from "../../host/refusals";
import type { Target } from "../kind";
import type { ObservedLink } from "./link";
import { portWrites } from "./port-settings";

/** Gives a link back to those from whom it was taken: its settings as a port, without our lease, with theirs. */
export async function giveBackLink(target: Target, before: ObservedLink, host: Host): Promise<void> {
  const { link, namespace, ifindex } = before;
  const now = (await host.links.table(namespace)).at(ifindex);
  // A port that left its bridge and is back has lost what was not declared of it.
  const isBack = now?.master === link.master && now.port && link.port;
  const replies = await host.batch.send(namespace, [
    ...(isBack ? portWrites(ifindex, now.port as PortData, link.port as PortData) : []),
    removeAlternativeName(ifindex, target.lease),
    ...link.leases.map((lease) => addAlternativeName(ifindex, lease)),
  ]);
  const refused = replies.find((reply) => !accepted(reply, constants.errno.ENODEV));
  if (refused)
    throw refusal(refused, {
      message: `the lease ${target.lease} could not be taken off`,
      operation: "RTM_DELLINKPROP",
    });
}

import { constants } from "node:os";
import type { Host } from "../../host/host";
import { addAlternativeName, removeAlternativeName } from "../../host/links";
import { accepted, refusal } from "../../host/refusals";
import type { Target } from "../kind";
import { noteFormerPort, restoreFormerPort } from "./former-port";
import { type ObservedLink, takeOverLink } from "./link";

/** What a link was as a port when it was taken over, by what was seen of it then. */
const formerPorts = new WeakMap<ObservedLink, string>();

/** Puts the lease on a link of others, and notes what it would lose by leaving its bridge. */
export async function takeOver(target: Target, before: ObservedLink, host: Host): Promise<void> {
  const note = target.recorded || before.link.master === 0 ? undefined : await noteFormerPort(before, host);
  if (note !== undefined) formerPorts.set(before, note);
  await takeOverLink(target, before, host);
}

/** Gives a link back to those from whom it was taken: as the port that it was, without our lease, with theirs. */
export async function giveBack(target: Target, before: ObservedLink, host: Host): Promise<void> {
  const { link, namespace, ifindex } = before;
  const note = formerPorts.get(before);
  const now = (await host.links.table(namespace)).at(ifindex);
  const port =
    note !== undefined && now?.master === link.master ? await restoreFormerPort(note, before, host) : [];
  const names = await host.batch.send(namespace, [
    removeAlternativeName(ifindex, target.lease),
    ...link.leases.map((lease) => addAlternativeName(ifindex, lease)),
  ]);
  const refused = [...port, ...names].find((reply) => !accepted(reply, constants.errno.ENODEV));
  if (refused) throw refusal(refused, { message: "its lease or its settings as a port were refused" });
}

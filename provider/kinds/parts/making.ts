import { TuntapError } from "../../errors";
import type { Host } from "../../host/host";
import { interimName } from "../../host/leases";
import { deleteNamed, type LinkTable } from "../../host/links";
import { renameLink } from "../../host/names";
import { accepted } from "../../host/refusals";
import type { Reply } from "../../kernel/kernel";
import type { Target } from "../kind";
import { takeOverLink, writeLongName } from "./link";

/**
 * Looks at what was made under the interim name of a lease. Where that fails, it is deleted: its index is not known, but
 * nothing else has that name.
 */
export async function lookAtMade<T>(
  made: Reply | undefined,
  { namespace, lease }: Pick<Target, "namespace" | "lease">,
  look: () => Promise<T>,
  host: Host,
): Promise<T> {
  try {
    return await look();
  } catch (error) {
    if (accepted(made)) await host.batch.send(namespace, [deleteNamed(interimName(lease))]);
    throw error;
  }
}

/**
 * Makes a link by one message: under a name that its lease gives, then with the lease, then under its own name. At
 * whatever moment this is interrupted, the next run knows the link. On failure nothing of it is left.
 * @param message makes it under that name.
 * @param refusedAs the error where the kernel refuses that; with the links that there are then.
 */
export async function makeLink(
  target: Target,
  message: (interim: string) => Buffer,
  refusedAs: (reply: Reply, interim: string, links: LinkTable) => TuntapError,
  host: Host,
): Promise<void> {
  const { namespace, name, lease } = target;
  const interim = interimName(lease);
  const [made] = await host.batch.send(namespace, [message(interim)]);
  const links = await lookAtMade(made, target, () => host.links.table(namespace), host);
  if (!accepted(made)) throw refusedAs(made as Reply, interim, links);
  const link = links.named(interim);
  if (link === undefined) {
    throw new TuntapError("LINK_VANISHED", { message: "it was deleted by someone else while it was made" });
  }
  try {
    await takeOverLink(target, { link, namespace, ifindex: link.ifindex }, host);
    await renameLink(host, namespace, link, lease, name);
  } catch (error) {
    await host.batch.deleteLink(namespace, link.ifindex);
    throw error;
  }
  await writeLongName(target, link.ifindex, host);
}

import { constants } from "node:os";
import { type ErrorCode, isTuntapError, TuntapError } from "../../errors";
import type { Address } from "../../host/addresses";
import type { Host } from "../../host/host";
import { interimName, sameStack } from "../../host/leases";
import {
  addAlternativeName,
  describeLink,
  type Link,
  type LinkTable,
  removeAlternativeName,
} from "../../host/links";
import { freeName } from "../../host/names";
import { accepted, refusal } from "../../host/refusals";
import type { Scene } from "../../host/scenes";
import type { PortVlans } from "../../host/vlans";
import type { Inputs, Problem, Sighting, Target } from "../kind";
import { linkClaim, linkNameBytes, linkNameProblem, linkSpace } from "./names";

/** What kinds that are links observe of one. */
export interface ObservedLink {
  link: Link;
  /** The namespace it is in, which need not be the one it shall be in. */
  namespace: string | undefined;
  ifindex: number;
  hasBroadcast: boolean;
  addresses: readonly Address[];
  /** All links beside it, at the same moment. */
  neighbours: LinkTable;
  /** Of a port, where anything is declared of its VLANs and the kernel knows them. */
  vlans?: PortVlans;
  bootId: string;
  /** Inode of the namespace it is in, 0 for the host's. */
  namespaceInode: number;
}

/**
 * Looks for a link by its lease: where it shall be, where it was, and, if it was made already, in every other
 * namespace that has a name, as someone may have moved it.
 * @param kind of IFLA_LINKINFO; a link without its lease is taken for the recorded one only if it is of that kind.
 */
export async function sightLink(target: Target, host: Host, kind: string): Promise<Sighting<ObservedLink>> {
  const { namespace, recorded } = target;
  const wanted = await sceneOf(namespace, target, host);
  const sighting: Sighting<ObservedLink> = {};
  if (wanted === undefined) sighting.namespaceMissing = namespace;
  const object = findIn(wanted, target, kind) ?? (recorded && (await findElsewhere(target, host, kind)));
  if (object !== undefined) {
    sighting.object = object;
    // To know them costs a dump of their own.
    if (concernsVlans(target))
      object.vlans = await host.vlans.ofPort(object.namespace, object.link, object.neighbours);
    sighting.leaseLost = !object.link.leases.includes(target.lease);
  }
  const namesake = wanted?.links.named(target.name);
  if (wanted && namesake && namesake !== object?.link) {
    sighting.obstacle = {
      object: observe(namesake, wanted),
      sameStack: namesake.leases.some((lease) => sameStack(lease, target.lease)),
      leased: namesake.leases.length > 0,
    };
  }
  return sighting;
}

/** Whether anything is declared of the VLANs of a port, or was. */
function concernsVlans({ wanted, recorded }: Target): boolean {
  return declaresVlans(wanted) || declaresVlans(recorded);
}

function declaresVlans(values: Inputs | undefined): boolean {
  return (values?.port as Inputs | undefined)?.vlans !== undefined;
}

/** undefined where the namespace does not exist. */
async function sceneOf(
  namespace: string | undefined,
  { glance }: Pick<Target, "glance">,
  host: Host,
): Promise<Scene | undefined> {
  try {
    return await (glance ? host.scenes.lately(namespace) : host.scenes.now(namespace));
  } catch (error) {
    if (isTuntapError(error) && error.code === "NAMESPACE_MISSING") return undefined;
    throw error;
  }
}

function findIn(scene: Scene | undefined, target: Target, kind: string): ObservedLink | undefined {
  const { lease, recorded } = target;
  const leased = scene?.links.named(lease);
  if (scene && leased) return observe(leased, scene);
  const isFree = (link: Link | undefined): link is Link => link?.kind === kind && link.leases.length === 0;
  // Made by a run that was interrupted before it could write the lease.
  const interim = scene?.links.named(interimName(lease));
  if (scene && isFree(interim)) return observe(interim, scene);
  // The recorded link, if it is certainly that one and has lost nothing but its lease.
  const link = scene?.links.at(Number(recorded?.ifindex));
  if (!scene || !recorded || !isFree(link) || link.name !== recorded.name) return undefined;
  return scene.bootId === recorded.__bootId && scene.namespaceInode === recorded.__namespaceInode
    ? observe(link, scene)
    : undefined;
}

async function findElsewhere(target: Target, host: Host, kind: string): Promise<ObservedLink | undefined> {
  const { namespace, recorded } = target;
  const recordedPlace = recorded?.namespace as string | undefined;
  const everywhere = target.near ? [] : [undefined, ...(await host.namespaces.names())];
  const names = [recordedPlace, ...everywhere].filter(
    (name, position, all) => name !== namespace && all.indexOf(name) === position,
  );
  for (const name of names) {
    const found = findIn(await sceneOf(name, target, host), target, kind);
    if (found) return found;
  }
  return undefined;
}

function observe(link: Link, scene: Scene): ObservedLink {
  const { namespace, links, addresses, bootId, namespaceInode } = scene;
  return {
    link,
    namespace,
    ifindex: link.ifindex,
    hasBroadcast: link.broadcast,
    addresses: addresses.get(link.ifindex) ?? [],
    neighbours: links,
    bootId,
    namespaceInode,
  };
}

/** A link as it is found; undefined where it, or the namespace, does not exist. */
export async function observeLink(
  namespace: string | undefined,
  find: (links: LinkTable) => Link | undefined,
  target: Target,
  host: Host,
): Promise<ObservedLink | undefined> {
  const scene = await sceneOf(namespace, target, host);
  const link = scene && find(scene.links);
  if (!scene || !link) return undefined;
  const object = observe(link, scene);
  if (concernsVlans(target)) object.vlans = await host.vlans.ofPort(namespace, link, scene.links);
  return object;
}

/** The members of a kind that all kinds of links have alike. */
export const linkKind = {
  naming: { bytes: linkNameBytes, problem: linkNameProblem, space: linkSpace },
  inside: (target: Target) => target.namespace,
  describe: ({ link }: ObservedLink) => describeLink(link),
  makeWay: (target: Target, host: Host) => freeName(host, target.namespace, target.name, target.lease),
  async remove(_target: Target, { namespace, ifindex }: ObservedLink, host: Host): Promise<void> {
    const reply = await host.batch.deleteLink(namespace, ifindex);
    if (accepted(reply, constants.errno.ENODEV)) return;
    throw refusal(reply, { message: "it could not be deleted", operation: "RTM_DELLINK" });
  },
  /** Facts that recognise a link when its lease is lost. */
  remember: ({ bootId, namespaceInode }: ObservedLink): Record<string, unknown> => ({
    __bootId: bootId,
    __namespaceInode: namespaceInode,
  }),
};

/** The lease under which a link is known: the recorded one, which outlives the name on the link. */
export function leaseOf({ link }: ObservedLink, recorded: Inputs | undefined): string | undefined {
  return (recorded?.__lease as string | undefined) ?? link.leases[0];
}

/** The links among which a declared one is looked for in a check; undefined where that is not known or not there yet. */
export async function linksToCheck(
  { namespace }: Inputs,
  unknown: ReadonlySet<string>,
  host: Host,
): Promise<LinkTable | undefined> {
  if (unknown.has("namespace")) return undefined;
  return (await sceneOf(namespace as string | undefined, { glance: true }, host))?.links;
}

/** That a declared link does not exist, unless a resource of this program has its name: that one makes it. */
export function linkMissing(property: string, name: string, namespace: unknown, code?: ErrorCode): Problem {
  const where = namespace === undefined ? "" : ` in namespace ${JSON.stringify(namespace)}`;
  return {
    property,
    code,
    message: `${property} ${JSON.stringify(name)} does not exist${where}. If a resource of this program makes it, pass that resource's \`.name\` instead of text, so that it is made first`,
    warning: true,
    unless: [linkClaim(name, { namespace })],
  };
}

/** The long logical name as an alternative name: a convenience for people, so where another link has it, nothing. */
export async function writeLongName(
  { namespace, longName }: Target,
  ifindex: number,
  host: Host,
): Promise<void> {
  if (longName !== undefined) await host.batch.send(namespace, [addAlternativeName(ifindex, longName)]);
}

/** The error of a link that is of another kind than the resource. */
export function wrongKind(link: Link, wanted: string): TuntapError {
  return new TuntapError("FOREIGN_LINK", {
    message: `${describeLink(link)} is no ${wanted}, so it cannot be taken over`,
    property: "name",
    remedy: "Choose another `name`, or remove that link by hand.",
  });
}

/** Puts the lease on a link that has it not, and any other lease away. */
export async function takeOverLink(
  target: Target,
  observed: Pick<ObservedLink, "link" | "namespace" | "ifindex">,
  host: Host,
): Promise<void> {
  const replies = await host.batch.send(observed.namespace, [
    ...observed.link.leases.map((lease) => removeAlternativeName(observed.ifindex, lease)),
    addAlternativeName(observed.ifindex, target.lease),
  ]);
  const refused = replies.find((reply) => !accepted(reply));
  if (refused)
    throw refusal(refused, { message: "its lease could not be written", operation: "RTM_NEWLINKPROP" });
}

/** The error of a name that another link has. */
export function nameTaken(
  name: string,
  other: Link | undefined,
  facts: { errno?: number; operation?: string } = {},
): TuntapError {
  return new TuntapError("FOREIGN_LINK", {
    message: `the name ${name} is taken by ${other ? describeLink(other) : "another link"}`,
    property: "name",
    ...facts,
  });
}

import { type AnyProperty, differences, inputOf, shown, valueAt } from "./differences";
import { isTuntapError } from "./errors";
import {
  type Census,
  census,
  type LeasedTable,
  leasedBy,
  removalOf,
  standsForNamespace,
  tableRemovalOf,
  tablesLeasedBy,
  type Unseen,
} from "./host/census";
import type { Host } from "./host/host";
import { type LeaseStack, leaseName, parseUrn } from "./host/leases";
import { describeLeases, describeLink } from "./host/links";
import { type NamedProcess, nameUsers } from "./host/survey";
import { kinds } from "./kinds";
import { type Inputs, isSet, type Kind, type Sighting, type Target } from "./kinds/kind";
import { numberOf, recordedMembers } from "./members";
import { describeLoss } from "./plan";
import { declaredOf, type Identity, identityOf, type Outputs, targetOf } from "./request";
import { masked, maskSecrets } from "./secrets";

/** A resource as a state has it, or a member of a set. */
export interface Recorded {
  urn: string;
  outputs: Outputs;
  /** Of a member. */
  number?: number;
  /** Names of outputs that are secret beside those of secret inputs. */
  secrets: readonly string[];
}

/** A resource whose making was begun, and whose end the state does not know. */
export interface Unfinished {
  urn: string;
  instance: string | undefined;
}

/** What a state tells of a program. */
export interface Recollection {
  resources: readonly Recorded[];
  unfinished: readonly Unfinished[];
  /** Whose leases are looked for beyond those that are recorded. */
  stacks: readonly LeaseStack[];
}

export interface InspectedProperty {
  name: string;
  /** As recorded at the last up or refresh; absent for what is not managed. */
  declared?: unknown;
  observed: unknown;
  drift: boolean;
  /** The same for people. */
  shown: { declared: string; observed: string };
}

/** What became of a resource. */
export type Condition = "present" | "gone" | "unfinished" | "unreadable";

export interface Inspection {
  urn: string;
  kind: string;
  logicalName: string;
  /** As recorded; where the host has another, its property says so. */
  name?: string;
  /** As recorded; absent for the host's. */
  namespace?: string;
  condition: Condition;
  /** Whether the next up would change anything of it. */
  drift: boolean;
  lease?: string;
  /** Whether the object carries its lease. */
  leased: boolean;
  properties: InspectedProperty[];
  carrier?: boolean;
  holders: NamedProcess[];
  /** Why it is not as it should be, beyond its properties. */
  message?: string;
}

/** An object with a lease of the stack that no state knows. */
export interface Orphan {
  kind: string;
  name: string;
  namespace?: string;
  lease: string;
  description: string;
  holders: NamedProcess[];
  /** The words of a command that removes it. */
  removal: string[];
}

export interface Inspected {
  resources: Inspection[];
  orphans: Orphan[];
  unseen: Unseen[];
}

/** Compares what a state says with what the kernel shows. Reads, never writes. */
export async function inspect(
  host: Host,
  { resources, unfinished, stacks }: Recollection,
): Promise<Inspected> {
  const [everything, tables, ...inspected] = await Promise.all([
    census(host),
    tablesLeasedBy(host, stacks),
    ...resources.flatMap(membersOf).map((recorded) => inspectResource(host, recorded)),
  ]);
  const begun = unfinished.map((resource) => inspectUnfinished(host, resource, everything));
  // An object of a known lease in another place than its resource was seen in is nobody's all the same.
  const seen = new Set(inspected.flatMap(({ seenAt = [] }) => seenAt));
  const awaited = (lease: string) =>
    begun.some(
      (one) =>
        one.lease !== undefined &&
        (one.lease === lease ||
          numberOf(one.lease, [lease]) !== undefined ||
          memberLeasesOf(one.kind, one.lease).includes(lease)),
    );
  const isLeftOver = ({ lease, namespace }: { lease: string; namespace: string | undefined }) =>
    !awaited(lease) && !seen.has(place(lease, namespace));
  const orphans = leasedBy(everything.links, stacks).filter(isLeftOver);
  return {
    // A state's own order is that in which things were made, which is another one every time.
    resources: [...inspected.map(({ inspection }) => inspection), ...begun].sort((one, other) =>
      sortKey(one).localeCompare(sortKey(other)),
    ),
    // What is in a namespace goes before the namespace.
    orphans: await Promise.all([
      ...orphans
        .filter((orphan) => !standsForNamespace(orphan))
        .map((orphan) => describeOrphan(host, orphan)),
      ...tables.filter(isLeftOver).map(describeTable),
      ...orphans.filter(standsForNamespace).map((orphan) => describeOrphan(host, orphan)),
    ]),
    unseen: everything.unseen,
  };
}

function sortKey({ namespace, kind, logicalName }: Inspection): string {
  return `${namespace ?? ""} ${kind} ${logicalName}`;
}

function place(lease: string, namespace: string | undefined): string {
  return `${lease} ${namespace ?? ""}`;
}

interface Seen {
  inspection: Inspection;
  /** Leases and namespaces of the object. */
  seenAt?: string[];
}

/** The leases of the further links of a resource of that kind. */
function memberLeasesOf(kindName: string, lease: string): string[] {
  const kind = Object.hasOwn(kinds, kindName) ? kinds[kindName] : undefined;
  return (kind && !isSet(kind) && kind.memberLeases?.(lease)) || [];
}

/** A resource that stands for many objects as each of them; one of which nothing can be made, as it is. */
function membersOf(resource: Recorded): Recorded[] {
  const kind = kinds[parseUrn(resource.urn).kind];
  if (kind === undefined || !isSet(kind)) return [resource];
  try {
    return [...recordedMembers(kind, resource.outputs)].map(([number, outputs]) => ({
      ...resource,
      outputs,
      number,
      secrets: outputs.__tuntap?.secrets ?? [],
    }));
  } catch (error) {
    if (!isTuntapError(error)) throw error;
    return [resource];
  }
}

async function inspectResource(host: Host, { urn, outputs, secrets, number }: Recorded): Promise<Seen> {
  const { kind: kindName, logicalName: called } = parseUrn(urn);
  const logicalName = number === undefined ? called : `${called}[${number}]`;
  const found = Object.hasOwn(kinds, kindName) ? kinds[kindName] : undefined;
  const kind = found && isSet(found) ? found.member : found;
  const inspection: Inspection = {
    urn,
    kind: kindName,
    logicalName,
    name: shownText(outputs, "name", secrets),
    namespace: shownText(outputs, "namespace", secrets),
    condition: "unreadable",
    drift: false,
    lease: kind?.unleased ? undefined : outputs.__lease,
    leased: false,
    properties: [],
    holders: [],
  };
  if (kind === undefined) {
    const message = `this version of pulumi-tuntap has no kind ${kindName}; install the version that made it, or a newer one`;
    return { inspection: { ...inspection, message } };
  }
  try {
    const identity = identityOf(outputs);
    const guarded = { ...identity, secrets: [...new Set([...(identity.secrets ?? []), ...secrets])] };
    return await look(host, kind, guarded, outputs, inspection);
  } catch (error) {
    if (!isTuntapError(error)) throw error;
    const message = maskSecrets(error.message, { urn, secrets }, outputs);
    return { inspection: { ...inspection, message } };
  }
}

async function look(
  host: Host,
  kind: Kind,
  identity: Identity,
  outputs: Outputs,
  inspection: Inspection,
): Promise<Seen> {
  const target = targetOf(kind, host, identity, outputs, outputs);
  const sighting = await kind.sight(target, host);
  const { object } = sighting;
  if (object === undefined) {
    const message = maskSecrets(await describeGone(host, kind, target, sighting), identity, outputs);
    return { inspection: { ...inspection, condition: "gone", drift: true, message } };
  }
  const declared = declaredOf(kind, outputs);
  const [desired, { namespace, members = [], carrier, processes }] = await Promise.all([
    kind.desire(declared, host),
    kind.whereabouts(target, object, host),
  ]);
  const properties = inspectProperties(kind, target, declared, desired, object, identity.secrets ?? []);
  const leased = sighting.leaseLost !== true;
  const present: Inspection = {
    ...inspection,
    condition: "present",
    drift: !leased || properties.some(({ drift }) => drift),
    leased,
    properties,
    holders: await nameUsers(host, processes),
  };
  if (carrier !== undefined) present.carrier = carrier;
  if (!leased) present.message = "its lease was taken off; the next up restores it";
  return {
    inspection: present,
    seenAt: [{ lease: target.lease, namespace }, ...members].map((each) => place(each.lease, each.namespace)),
  };
}

async function describeGone(
  host: Host,
  kind: Kind,
  target: Target,
  { obstacle }: Sighting<unknown>,
): Promise<string> {
  const isTaken = obstacle !== undefined && !obstacle.sameStack;
  const follows = isTaken
    ? `its name is taken by ${kind.describe(obstacle.object)}`
    : "the next up makes it anew";
  return describeLoss(host, kind, target, follows);
}

function inspectProperties(
  kind: Kind,
  target: Target,
  declared: Inputs,
  desired: unknown,
  object: unknown,
  secrets: readonly string[],
): InspectedProperty[] {
  const differing = new Set(differences(kind, target, desired, object).map(({ property }) => property.name));
  return (kind.properties as readonly AnyProperty[]).map((property) => {
    const { name, inputs } = property;
    const want = property.want(desired, target.recorded);
    const is = property.is(object, desired, target.recorded);
    const drift = differing.has(name);
    const show = (value: unknown) => shown(property, value);
    if (inputs.some((input) => secrets.includes(inputOf(input)))) {
      const observed = drift ? "[another value]" : masked;
      return { name, declared: masked, observed, drift, shown: { declared: masked, observed } };
    }
    const isDeclared = inputs.some((input) => valueAt(declared, input) !== undefined);
    // What was declared once and is not any more is wanted away, but not declared.
    if (want === undefined || (!isDeclared && !drift))
      return { name, observed: is, drift, shown: { declared: "", observed: show(is) } };
    // In the program's words where there is one word for it.
    const word = inputs.length === 1 ? valueAt(declared, inputs[0] as string) : undefined;
    const value = word ?? want;
    const text = typeof word === "string" && typeof want !== "string" ? word : show(want);
    return {
      name,
      declared: value,
      observed: drift ? is : value,
      drift,
      shown: { declared: text, observed: drift ? show(is) : text },
    };
  });
}

function inspectUnfinished(host: Host, { urn, instance }: Unfinished, { links }: Census): Inspection {
  const { kind, logicalName } = parseUrn(urn);
  const declaration = kinds[kind];
  const lease = leaseName({ urn, instance, uid: host.uid });
  const ofSet = declaration !== undefined && isSet(declaration);
  const single = ofSet ? undefined : declaration;
  const unleased = single?.unleased;
  const carries = (leases: readonly string[]) =>
    ofSet ? numberOf(lease, leases) !== undefined : leases.includes(lease);
  const all = links.filter(({ link }) => carries(link.leases));
  const [found] = all;
  const missing =
    unleased || single?.leasedApart
      ? "whether something of it is there cannot be told"
      : "nothing of it is there";
  const some = ofSet ? `${all.length} of its members are there` : undefined;
  const what = found ? (some ?? `it is there as ${describeLink(found.link)}`) : missing;
  return {
    urn,
    kind,
    logicalName,
    namespace: found?.namespace,
    condition: "unfinished",
    drift: true,
    lease: unleased ? undefined : lease,
    leased: found !== undefined,
    properties: [],
    holders: [],
    message: `a run that goes on, or was interrupted, began to make it; ${what}; the next up goes on from there`,
  };
}

async function describeOrphan(host: Host, orphan: ReturnType<typeof leasedBy>[number]): Promise<Orphan> {
  const { namespace, link, lease } = orphan;
  const isNamespace = standsForNamespace(orphan);
  const processes =
    isNamespace && namespace !== undefined
      ? await host.namespaces.processes(namespace)
      : link.tun
        ? await host.consumers(namespace, link.name)
        : [];
  return {
    kind: isNamespace ? "namespace" : (link.tun?.mode ?? link.kind ?? "link"),
    name: isNamespace && namespace !== undefined ? namespace : link.name,
    ...(isNamespace || namespace === undefined ? {} : { namespace }),
    lease,
    description: isNamespace
      ? `network namespace "${namespace}" (${describeLeases([lease])})`
      : describeLink(link),
    holders: await nameUsers(host, processes),
    removal: removalOf(orphan),
  };
}

function describeTable(left: LeasedTable): Orphan {
  const { namespace, table, lease } = left;
  const called = `${table.family} ${table.name}`;
  return {
    kind: "nftables table",
    name: called,
    ...(namespace === undefined ? {} : { namespace }),
    lease,
    description: `nftables table ${called} (${describeLeases([lease])})`,
    holders: [],
    removal: tableRemovalOf(left),
  };
}

function shownText(outputs: Outputs, name: string, secrets: readonly string[]): string | undefined {
  const value = outputs[name];
  if (typeof value !== "string") return undefined;
  return secrets.includes(name) || outputs.__tuntap?.secrets?.includes(name) ? masked : value;
}

import { isTuntapError } from "../errors";
import type { Host } from "../host/host";
import { isInterimName, isOfStack, type LeaseStack } from "../host/leases";
import type { Link } from "../host/links";
import type { Scene } from "../host/scenes";
import type { Inputs } from "../kinds/kind";

/** A resource as its check passes by, valid by itself. */
export interface Passing {
  kind: string;
  urn: string;
  /** By which links are told that this program made. */
  stack: LeaseStack;
  inputs: Inputs;
  /** The links that it declares; none while it is not known where they are. */
  links: readonly PassingLink[];
  /** Names of inputs that no rule may look at: not known yet, or a secret that no other resource may tell. */
  hidden: ReadonlySet<string>;
  /** What else the program declares, where it says so. */
  company: Company | undefined;
}

/** How many resources of a kind there are, by its name. */
export type Company = Readonly<Record<string, number>>;

/** Something that only the whole program shows. */
export interface Finding {
  /**
   * The URN of the resource that it is told on. Resources that do not depend on each other pass in any order, in
   * another one in each run, so that it does not go by who passed first.
   */
  on: string;
  /** It is told once in a run: a resource, and what it is told about. */
  about: string;
  message: string;
}

/**
 * What looks at all resources of a run, one after the other, in any order. A resource may pass again, with other inputs.
 * @param declared the links of those that have passed.
 */
export type Rule = (
  passing: Passing,
  host: Host,
  declared: DeclaredLinks,
) => readonly Finding[] | Promise<readonly Finding[]>;

export const nothing: readonly Finding[] = [];

/** What several looks find; at once where there is none. */
export function together(looks: readonly Promise<readonly Finding[]>[]): ReturnType<Rule> {
  return looks.length === 0 ? nothing : Promise.all(looks).then((found) => found.flat());
}

/** The value of a key, made where there is none. */
export function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const value = map.get(key);
  if (value !== undefined) return value;
  const made = make();
  map.set(key, made);
  return made;
}

/** What resources that passed have said, by a key that others look up; each by the URN of who said it last. */
export class Facts<T> {
  private readonly byKey = new Map<string, Map<string, T>>();
  private readonly keysOf = new Map<string, string[]>();

  /** A resource that passes again says all anew. */
  forget(urn: string): void {
    const keys = this.keysOf.get(urn);
    if (keys === undefined) return;
    for (const key of keys) this.byKey.get(key)?.delete(urn);
    this.keysOf.delete(urn);
  }

  add(key: string, urn: string, fact: T): void {
    const facts = entryOf(this.byKey, key, () => new Map<string, T>());
    if (!facts.has(urn)) entryOf(this.keysOf, urn, (): string[] => []).push(key);
    facts.set(urn, fact);
  }

  /** By URN; undefined where nobody said anything. */
  of(key: string): ReadonlyMap<string, T> | undefined {
    return this.byKey.get(key);
  }
}

/** The links of resources that have passed. */
export class DeclaredLinks {
  private readonly names = new Facts<true>();

  see(passing: Passing): void {
    this.names.forget(passing.urn);
    for (const link of passing.links) {
      const name = known<string>(passing, link, "name");
      if (name !== undefined) this.names.add(link.place + name, passing.urn, true);
    }
  }

  /** Whether a link of the host is one of them, by a name that it has. */
  have({ place }: PassingLink, { name, alternativeNames }: Link): boolean {
    return [name, ...alternativeNames].some((each) => (this.names.of(place + each)?.size ?? 0) > 0);
  }
}

/** A link that a resource declares. */
export interface PassingLink {
  /** Where names are unique: `namespace` and a separator. */
  place: string;
  namespace: string | undefined;
  inputs: Inputs;
}

/** Kinds whose inputs are those of one link. */
const singles: ReadonlySet<string> = new Set(["TunInterface", "Bridge", "Vxlan"]);

/**
 * The links of a resource, whatever its kind.
 * @param members where it stands for several: the inputs of each.
 */
export function linksOf(
  { kind, inputs, hidden }: Omit<Passing, "links">,
  members: readonly Inputs[] | undefined,
): readonly PassingLink[] {
  if (members) return hidden.has("namespace") ? [] : members.map(linkOf);
  if (singles.has(kind)) return hidden.has("namespace") ? [] : [linkOf(inputs)];
  const { ends } = inputs;
  return Array.isArray(ends) && !hidden.has("ends") ? ends.map(linkOf) : [];
}

export function linkOf(inputs: Inputs): PassingLink {
  const namespace = inputs.namespace as string | undefined;
  return { place: `${namespace ?? ""}\0`, namespace, inputs };
}

/** A known input of a link. */
export function known<T extends string | number | boolean>(
  { hidden }: Passing,
  { inputs }: PassingLink,
  name: string,
): T | undefined {
  return hidden.has(name) ? undefined : (inputs[name] as T | undefined);
}

/** What there is where a link shall be; undefined where that place is not there yet, or cannot be looked at. */
export async function seenAround({ namespace }: PassingLink, host: Host): Promise<Scene | undefined> {
  try {
    return await host.scenes.ofOthers(namespace);
  } catch (error) {
    if (isTuntapError(error)) return undefined;
    throw error;
  }
}

/** Whether this program made a link of the host, or another run of it: then it passes by itself, or is about to go. */
export function isOurs({ stack }: Passing, { name, leases }: Link): boolean {
  return isInterimName(name) || leases.some((lease) => isOfStack(lease, stack));
}

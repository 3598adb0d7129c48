/** Random topologies, and what another hand does to them: as plain data, so that a counterexample can be read. */

import fc from "fast-check";
import type { Hand } from "./hand";
import type { Witness } from "./witness";

/**
 * Namespaces: two that outlive a topology, and one that it makes itself. As `@here`, `@there` and `@made` they stand
 * in inputs, and as `@each` the pattern of their names, with their numbers.
 */
export const places = ["here", "there", "made"] as const;
export type Place = (typeof places)[number];

/** Stands for a network card: an interface in `@here` that outlives all topologies. */
export const card = "nic0";

/** A resource, which comes behind those that it depends on. */
export interface Resource {
  kind: string;
  /** The logical one; for most kinds also that of the object. */
  name: string;
  place: Place;
  inputs: Readonly<Record<string, unknown>>;
}

/** What is declared of one link, in the words of `ip -j -d addr`. */
export interface ExpectedLink {
  name: string;
  place: Place;
  /** What must be among what is shown. */
  shown: Record<string, unknown>;
  up: boolean;
  /** Flags of `ip`, and whether they are to be there. */
  flags?: Record<string, boolean>;
  /** undefined: not managed. One with a peer as `LOCAL peer PEER/LENGTH`. */
  addresses: string[] | undefined;
  /** Of the first address. */
  broadcast?: string;
  /** Whether addresses that others gave it go. */
  exclusive?: boolean;
  /** What must be shown till somebody attaches, who then chooses for himself. */
  first?: Record<string, unknown>;
  /** The link with which it goes. */
  peer?: string;
}

export interface Mutation {
  name: string;
  /** Whether it makes sense for what is declared. */
  suits?(resource: Resource): boolean;
  /** @param value anything from 0 to 1000. @returns false where it could not be done. */
  by(hand: Hand, resource: Resource, value: number): Promise<boolean>;
}

/** A kind of resource: how one comes about, what others see of it, and what they may do to it. */
export interface Model<Choices = unknown> {
  kind: string;
  choices: fc.Arbitrary<Choices>;
  /** @returns undefined where what it needs is not among those before. */
  build(choices: Choices, number: number, before: readonly Resource[]): Resource | undefined;
  /** Of a kind that is links: what each is to be. */
  links?(resource: Resource): ExpectedLink[];
  /** Of any other: what is not as declared, seen from outside. */
  faults?(resource: Resource, witness: Witness): Promise<string[]>;
  mutations: Mutation[];
}

/** A model whose choices nobody else need know. */
export function model<Choices>(of: Model<Choices>): Model {
  return of as unknown as Model;
}

interface Deed {
  resource: string;
  mutation: string;
  value: number;
}

export interface Scenario {
  resources: Resource[];
  deeds: Deed[];
}

const number = fc.noBias(fc.nat(1000));

/** @param models each behind those that it may depend on. */
export function scenarios(models: readonly Model[]): fc.Arbitrary<Scenario> {
  const picks = models.map((of, position) => of.choices.map((choices) => ({ position, choices })));
  return fc
    .tuple(
      fc.array(fc.oneof(...picks), { minLength: 2, maxLength: 8 }),
      fc.array(fc.tuple(number, number, number), { minLength: 1, maxLength: 6 }),
    )
    .map(([picked, hands]) => {
      const resources = resolve(models, picked);
      const deeds = hands.flatMap(([on, what, value]): Deed[] => {
        const resource = resources[on % resources.length];
        const possible = mutationsOf(models, resource);
        const mutation = possible[what % possible.length];
        return resource && mutation ? [{ resource: resource.name, mutation: mutation.name, value }] : [];
      });
      return { resources, deeds };
    });
}

/** Of each kind every mutation at least once: on few topologies, which are the same in every run. */
export function everyMutation(models: readonly Model[]): Scenario[] {
  const open = new Set(
    models.flatMap(({ kind, mutations }) => mutations.map(({ name }) => `${kind} ${name}`)),
  );
  // One on each resource, so that none is in the way of another.
  const deedsOn = (resources: readonly { resource: Resource; possible: string[] }[]) => {
    const taken = new Set<string>();
    return resources.flatMap(({ resource, possible }) => {
      const of = (mutation: string) => `${resource.kind} ${mutation}`;
      const mutation = possible.find((name) => open.has(of(name)) && !taken.has(of(name)));
      if (mutation === undefined) return [];
      taken.add(of(mutation));
      return [{ resource, mutation, key: of(mutation) }];
    });
  };
  const sample = fc.sample(scenarios(models), { seed: 1, numRuns: 2000 }).map(({ resources }) =>
    resources.map((resource) => ({
      resource,
      possible: mutationsOf(models, resource).map(({ name }) => name),
    })),
  );
  const found: Scenario[] = [];
  for (;;) {
    const [best] = sample
      .map((resources) => ({ resources, deeds: deedsOn(resources) }))
      .sort((one, other) => other.deeds.length - one.deeds.length);
    if (!best || best.deeds.length === 0) return found;
    for (const { key } of best.deeds) open.delete(key);
    found.push({
      resources: best.resources.map(({ resource }) => resource),
      // Twice, as it may be for one link of several; what others depend on comes last.
      deeds: best.deeds
        .reverse()
        .flatMap(({ resource: { name }, mutation }) =>
          [0, 1].map((value) => ({ resource: name, mutation, value })),
        ),
    });
  }
}

function resolve(
  models: readonly Model[],
  picked: readonly { position: number; choices: unknown }[],
): Resource[] {
  const resources: Resource[] = [];
  for (const { position, choices } of [...picked].sort((one, other) => one.position - other.position)) {
    const made = models[position]?.build(choices, resources.length, resources);
    if (made) resources.push(made);
  }
  return resources;
}

export function mutationsOf(models: readonly Model[], resource: Resource | undefined): Mutation[] {
  const { mutations = [] } = models.find(({ kind }) => kind === resource?.kind) ?? {};
  return mutations.filter(({ suits }) => resource !== undefined && (suits?.(resource) ?? true));
}

/** Where a resource is to be: in the one that is made only where something makes it. */
export const anyPlace = fc.constantFrom<Place>("here", "here", "there", "made");

export function placed(wish: Place, before: readonly Resource[]): Place {
  return wish !== "made" || before.some(({ kind }) => kind === "Namespace") ? wish : "here";
}

/** One of those before that suits, or none; wherever it is, who needs it goes there. */
export function pick(
  before: readonly Resource[],
  wish: number | undefined,
  suits: (resource: Resource) => boolean,
): Resource | undefined {
  const possible = wish === undefined ? [] : before.filter(suits);
  return possible[(wish as number) % possible.length];
}

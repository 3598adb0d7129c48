/**
 * Random topologies of all kinds: brought up, changed by another hand, repaired by one `up`, which the next finds as it
 * should be, and taken down to what was before. A failure prints the seed and the smallest topology that fails;
 * TUNTAP_TEST_SEED=SEED tries those of that seed again, TUNTAP_TEST_RUNS is how many.
 */

import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kinds } from "../../provider/kinds";
import { placesOf } from "../harness/inputs";
import { Program } from "../harness/program";
import { bridgePort } from "../harness/topology/foreign";
import { Hand } from "../harness/topology/hand";
import { bridge } from "../harness/topology/links";
import { namespace, nat, route, sysctl, sysctls } from "../harness/topology/settings";
import { pool, tap } from "../harness/topology/taps";
import {
  type ExpectedLink,
  everyMutation,
  mutationsOf,
  type Resource,
  type Scenario,
  scenarios,
} from "../harness/topology/topology";
import { pair, vxlan } from "../harness/topology/tunnels";
import { addressesOf, linkFaults, overview, type SeenLink, Witness } from "../harness/topology/witness";

/** Each behind those that it may depend on. */
const models = [namespace, bridge, bridgePort, tap, pool, pair, vxlan, route, sysctl, nat];
const runs = Number(process.env.TUNTAP_TEST_RUNS ?? 200);
const limit = 900_000;
const seed = process.env.TUNTAP_TEST_SEED;

let witness: Witness;
let before: string;
/** How often each thing was done by hand. */
const done = new Map<string, number>();

async function begin(): Promise<void> {
  witness = await Witness.open();
  before = await witness.snapshot(sysctls);
}
beforeAll(begin);
afterAll(() => witness.close());

/** What no topology has, and why. */
const exceptions: Readonly<Record<string, RegExp>> = {
  "modules are the whole host's": /^KernelModule /,
  "not every kernel has VLANs of bridges": / vlanFiltering$| vlanDefaultPvid$|port\.vlans/,
};

test("every input of every kind is in some topology, but for those that cannot be", () => {
  const declared = Object.values(kinds).flatMap((kind) =>
    placesOf(kind)
      .filter(({ schema }) => !schema.output)
      .map(({ path }) => `${kind.name} ${path}`),
  );
  const seen = new Set(
    fc
      .sample(scenarios(models), { seed: 1, numRuns: 3000 })
      .flatMap(({ resources }) => resources.flatMap(({ kind, inputs }) => pathsIn(inputs, kind))),
  );
  const known = Object.values(exceptions);
  const expected = declared.filter((path) => !known.some((exception) => exception.test(path)));
  expect(declared.filter((path) => seen.has(path)).sort()).toEqual(expected.sort());
  expect([...seen].filter((path) => !declared.includes(path))).toEqual([]);
});

/** As `placesOf` names them. */
function pathsIn(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return value.flatMap((each) => [`${path}[0]`, ...pathsIn(each, `${path}[0]`)]);
  if (typeof value !== "object" || value === null) return [];
  const joint = path.includes(" ") ? "." : " ";
  return Object.entries(value).flatMap(([name, inner]) => {
    const at = `${path}${joint}${name}`;
    return [at, ...pathsIn(inner, at)];
  });
}

const modelOf = ({ kind }: Resource) => models.find((of) => of.kind === kind);
const linksOf = (resource: Resource) => modelOf(resource)?.links?.(resource) ?? [];

/** One `up` in a run of its own; what it did to each. */
async function up(program: Program, { resources }: Scenario): Promise<Record<string, string>> {
  program.newRun();
  const steps: Record<string, string> = {};
  for (const { kind, name, inputs } of resources) {
    const step = await program.declare(kind, name, witness.named(inputs));
    steps[name] = step.operation === "same" ? "same" : `${step.operation} ${step.notices.join()}`;
  }
  return steps;
}

/** What is not as it is declared, or not as others left it. */
async function faults(
  { resources }: Scenario,
  strangers: ReadonlyMap<string, string[]> | undefined,
): Promise<string[]> {
  const seen = {
    here: await witness.links("here"),
    there: await witness.links("there"),
    made: await witness.links("made"),
  };
  const found = resources.map(async (resource) => [
    ...linksOf(resource).flatMap((link) =>
      linkFaults(link, seen[link.place], strangers && (strangers.get(link.name) ?? [])),
    ),
    ...((await modelOf(resource)?.faults?.(resource, witness)) ?? []),
  ]);
  return (await Promise.all(found)).flat();
}

function none(found: readonly string[]): void {
  if (found.length > 0) throw new Error(found.join("\n"));
}

/** The declared links that another hand left where they were: these must stay, with what it gave them. */
async function kept(hand: Hand, links: readonly ExpectedLink[]) {
  const found: { link: ExpectedLink; seen: SeenLink }[] = [];
  for (const link of links) {
    const at = hand.at(link.name);
    if (at?.place !== link.place) continue;
    const seen = (await witness.links(link.place)).find(({ ifname }) => ifname === at.name);
    if (seen) found.push({ link, seen });
  }
  return found;
}

async function live(scenario: Scenario, hand: Hand): Promise<void> {
  const { resources, deeds } = scenario;
  const links = resources.flatMap(linksOf);
  const program = new Program(witness.lab("here").name);
  const same = Object.fromEntries(resources.map(({ name }) => [name, "same"]));
  await up(program, scenario);
  none(await faults(scenario, undefined));
  expect(await up(program, scenario)).toEqual(same);

  for (const { resource: name, mutation, value } of deeds) {
    const resource = resources.find((each) => each.name === name) as Resource;
    const of = mutationsOf(models, resource).find((each) => each.name === mutation);
    if (!(await of?.by(hand, resource, value))) continue;
    const key = `${resource.kind} ${mutation}`;
    done.set(key, (done.get(key) ?? 0) + 1);
  }
  const still = await kept(hand, links);
  const strangers = new Map(
    still.map(({ link, seen }) => [
      link.name,
      addressesOf(seen).filter(
        (address) =>
          !link.exclusive && !link.addresses?.includes(address) && (link.up || !address.includes(":")),
      ),
    ]),
  );
  await up(program, scenario);
  none([...(await faults(scenario, strangers)), ...hand.lost()]);
  for (const { link, seen } of still) {
    const now = (await witness.links(link.place)).find(({ ifname }) => ifname === link.name);
    expect(now?.ifindex, link.name).toBe(seen.ifindex);
  }
  expect(await up(program, scenario)).toEqual(same);
  for (const { name } of resources)
    expect((await program.newRun().refresh(name))?.outputs).toEqual(program.state.get(name)?.outputs);
  expect(await up(program, scenario)).toEqual(same);

  await hand.end();
  await program.newRun().removeAll();
  expect(await witness.snapshot(sysctls)).toBe(before);
}

/** With every mutation, the same in every run. */
const always = everyMutation(models);

test(
  `${runs} random topologies and ${always.length} that are always tried, each as declared, whatever another hand did, and gone without a trace`,
  async () => {
    await fc.assert(
      fc.asyncProperty(scenarios(models), async (scenario) => {
        const hand = new Hand(witness, scenario.resources.flatMap(linksOf));
        try {
          await live(scenario, hand);
        } catch (error) {
          const story = `by hand:\n${hand.did.join("\n")}\n${await overview(witness)}`;
          await witness.close();
          await begin();
          throw new Error(`${error instanceof Error ? error.message : error}\n${story}`, { cause: error });
        }
      }),
      {
        // Examples count among the runs.
        numRuns: runs + always.length,
        examples: always.map((scenario): [Scenario] => [scenario]),
        ...(seed !== undefined && { seed: Number(seed) }),
        // Of a failure that takes long to make smaller, the smallest till then.
        interruptAfterTimeLimit: limit - 60_000,
        markInterruptAsFailure: true,
      },
    );
    const possible = models.flatMap(({ kind, mutations }) => mutations.map(({ name }) => `${kind} ${name}`));
    if (runs >= 200) expect(possible.filter((key) => !done.has(key))).toEqual([]);
  },
  limit,
);

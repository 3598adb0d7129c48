/**
 * Our core without the engine, in a process of its own as in a real run: `core PHASE NAMESPACE COUNT STATE KIND BRIDGES`, where
 * KIND is TunInterface, COUNT of which are made, or TunPool, one of that many (on bridges, where some are named). It prints
 * the milliseconds that the phase took, without the start of the process and the loading of modules; a diff without the
 * check before it, which is a phase of its own. What one phase leaves for the next is in the file STATE.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { Claims } from "../provider/claims";
import { Host } from "../provider/host/host";
import { openKernel } from "../provider/kernel/open";
import { kinds } from "../provider/kinds";
import type { AnyKind } from "../provider/kinds/kind";
import { Reconciler } from "../provider/reconcile";
import type { Outputs, Wanted } from "../provider/request";
import { compileLate } from "../provider/tiering";
import { addressOf, owner, poolSubnet } from "./taps";

type State = Record<string, Outputs>;

const [phase = "", namespace = "", count = "", file = "", kindName = "TunInterface", bridges] =
  process.argv.slice(2);
const kind = kinds[kindName] as AnyKind;
const isPool = kindName === "TunPool";
const names = isPool ? ["tap"] : Array.from({ length: Number(count) }, (_, number) => `tap${number}`);

function wantedOf(name: string, number: number): Wanted {
  const urn = `urn:pulumi:dev::bench::pulumi-nodejs:dynamic/tuntap:${kindName}::${name}`;
  const inputs = isPool ? poolInputs() : { owner, address: addressOf(number), namespace };
  return { identity: { urn, instance: "bench", secrets: [] }, inputs, unknown: new Set() };
}

function poolInputs() {
  const addressPlan = { subnet: poolSubnet };
  const ports = bridges === undefined ? {} : { bridges: bridges.split(",") };
  return { count: Number(count), owner, addressPlan, ...ports, namespace };
}

/** As the engine asks: every resource is checked, and what the check filled in goes on. */
async function checked(reconciler: Reconciler, wanted: Wanted, isNew: boolean): Promise<Wanted> {
  const { inputs, problems } = await reconciler.check(kind, wanted, isNew);
  if (problems.length > 0) throw new Error(problems.map(({ message }) => message).join("\n"));
  return { ...wanted, inputs };
}

async function create(reconciler: Reconciler): Promise<State> {
  const asked = names.map((name, number) => checked(reconciler, wantedOf(name, number), true));
  const wanted = await Promise.all(asked);
  began = performance.now();
  const made = names.map(
    async (name, number) => [name, (await reconciler.create(kind, wanted[number]!)).outputs] as const,
  );
  return Object.fromEntries(await Promise.all(made));
}

async function check(reconciler: Reconciler, state: State): Promise<State> {
  await Promise.all(names.map((name, number) => checked(reconciler, wantedOf(name, number), false)));
  return state;
}

async function diff(reconciler: Reconciler, state: State): Promise<State> {
  const asked = names.map((name, number) => checked(reconciler, wantedOf(name, number), false));
  const wanted = await Promise.all(asked);
  began = performance.now();
  const compared = names.map(async (name, number) => {
    const recorded = state[name] as Outputs;
    const { changes, notices } = await reconciler.diff(kind, wanted[number]!, recorded);
    if (changes || notices.length > 0) throw new Error(`${name} differs: ${JSON.stringify(notices)}`);
  });
  await Promise.all(compared);
  return state;
}

async function remove(reconciler: Reconciler, state: State): Promise<State> {
  await Promise.all(names.map((name) => reconciler.remove(kind, state[name] as Outputs)));
  return {};
}

const phases: Record<string, (reconciler: Reconciler, state: State) => Promise<State>> = {
  create,
  check,
  diff,
  remove,
};

let began = 0;

// As the provider does where it is loaded.
compileLate();

async function main(): Promise<void> {
  const work = phases[phase];
  if (!work) throw new Error(`no phase ${phase}`);
  const recorded = phase === "create" ? {} : (JSON.parse(readFileSync(file, "utf8")) as State);
  began = performance.now();
  const state = await work(new Reconciler(new Host(openKernel()), new Claims()), recorded);
  const milliseconds = performance.now() - began;
  writeFileSync(file, JSON.stringify(state));
  process.stdout.write(`${milliseconds.toFixed(3)}\n`);
}

void main();

/** With the engine: `tuntap up`, a no-op `up`, `down`; beside the same with a provider that does nothing. */
import { type ChildProcess, spawn } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import type { Lab } from "../test/harness/lab";
import { alternate, type Contender, type Measurements } from "./measure";
import { addressOf, owner } from "./taps";

export const up = "up";
export const unchanged = "no-op up";
export const down = "down";
export const ours = "tuntap";
export const empty = "empty provider";
/** What the CLI does by itself until it starts the engine. */
export const startOf = (work: string) => `${work}: start of the CLI`;
/** VmHWM of the dynamic-provider process. */
export const memoryOf = (work: string) => `${work}: peak memory of the provider`;

const repository = resolve(__dirname, "../../..");
const command = join(repository, "dist", "cli", "main.js");
const firstCall = join(__dirname, "first-call.js");
const lookMilliseconds = 200;

/** The program of a user, with as many interfaces as the environment says. */
const program = (lab: Lab) => `import * as tuntap from "pulumi-tuntap";
const address = ${addressOf};
for (let number = 0; number < Number(process.env.TAPS); number++)
  new tuntap.TunInterface("tap" + number, { owner: ${owner}, address: address(number), namespace: "${lab.name}" });
`;

/** The same inputs, taken as they are: what the engine costs with any provider. */
const emptyProgram = (lab: Lab) => `import * as pulumi from "@pulumi/pulumi";
const address = ${addressOf};
class Provider implements pulumi.dynamic.ResourceProvider {
  async check(olds: any, news: any) { return { inputs: news }; }
  async diff(id: string, olds: any, news: any) { return { changes: false }; }
  async create(inputs: any) { return { id: "empty", outs: inputs }; }
  async read(id: string, props: any) { return { id, props }; }
  async update(id: string, olds: any, news: any) { return { outs: news }; }
  async delete(id: string, props: any) {}
}
const provider = new Provider();
class Empty extends pulumi.dynamic.Resource {
  constructor(name: string, args: object) { super(provider, name, args, {}, "empty", "Empty"); }
}
for (let number = 0; number < Number(process.env.TAPS); number++)
  new Empty("tap" + number, { owner: ${owner}, address: address(number), namespace: "${lab.name}" });
`;

export async function measureRuns(
  measurements: Measurements,
  lab: Lab,
  folder: string,
  sizes: readonly number[],
  roundsOf: (taps: number) => number,
): Promise<void> {
  for (const taps of sizes) {
    const contenders = [
      contender(measurements, ours, folder, program(lab), () => lab.links()),
      contender(measurements, empty, folder, emptyProgram(lab)),
    ];
    await alternate(measurements, contenders, taps, roundsOf(taps));
  }
}

/** @param witness what is there in truth: all of it after `up`, nothing after `down`. */
function contender(
  measurements: Measurements,
  name: string,
  parent: string,
  source: string,
  witness?: () => Promise<unknown[]>,
): Contender {
  const folder = mkdtempSync(join(parent, "program-"));
  writeFileSync(join(folder, "Pulumi.yaml"), "name: bench\nruntime: nodejs\n");
  writeFileSync(join(folder, "index.ts"), source);
  const modules = join(folder, "node_modules");
  mkdirSync(modules);
  symlinkSync(repository, join(modules, "pulumi-tuntap"));
  symlinkSync(join(repository, "node_modules", "@pulumi"), join(modules, "@pulumi"));
  const work = (which: string, verb: "up" | "down", changes: "create" | "same" | "delete") => ({
    name: which,
    run: async (taps: number) => {
      const ran = await tuntap(folder, verb, taps);
      const there = await witness?.();
      const expected = verb === "down" ? 0 : taps;
      if (ran.changes[changes] !== taps || (there && there.length !== expected))
        throw new Error(`${name}, ${which}: ${JSON.stringify(ran.changes)}, ${there?.length} interfaces`);
      const about = { taps, contender: name };
      measurements.add({ ...about, work: startOf(which) }, ran.startMilliseconds);
      measurements.add({ ...about, work: memoryOf(which), unit: "MB" }, ran.peakMegabytes);
      return ran.milliseconds;
    },
  });
  return {
    name,
    works: [work(up, "up", "create"), work(unchanged, "up", "same"), work(down, "down", "delete")],
  };
}

interface Ran {
  milliseconds: number;
  changes: Record<string, number>;
  /** From the start of the CLI's process to its first call of the engine. */
  startMilliseconds: number;
  peakMegabytes: number;
}

async function tuntap(folder: string, verb: "up" | "down", taps: number): Promise<Ran> {
  const note = join(folder, "first-call");
  rmSync(note, { force: true });
  const began = performance.timeOrigin + performance.now();
  const child = spawn(process.execPath, ["--require", firstCall, command, verb, folder, "--json", "--yes"], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, TAPS: String(taps), BENCH_FIRST_CALL: note },
  });
  const peak = watchMemory(child);
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (data) => {
    stdout += data;
  });
  child.stderr.on("data", (data) => {
    stderr += data;
  });
  const code = await new Promise((end) => child.once("close", end));
  const milliseconds = performance.timeOrigin + performance.now() - began;
  const peakMegabytes = peak();
  if (code !== 0) throw new Error(`tuntap ${verb} ended with ${code}:\n${stderr.slice(-2000)}`);
  const { changes } = JSON.parse(stdout) as { changes: Record<string, number> };
  const startMilliseconds = Number(readFileSync(note, "utf8")) - began;
  return { milliseconds, changes, startMilliseconds, peakMegabytes };
}

/** Looks at the dynamic providers below a process until the function it gives is called. */
function watchMemory(root: ChildProcess): () => number {
  let peak = 0;
  const timer = setInterval(() => {
    const parents = new Map(readdirSync("/proc").flatMap((name) => parentOf(name) ?? []));
    for (const [pid] of parents) {
      if (!isBelow(parents, pid, root.pid!) || !isProvider(pid)) continue;
      peak = Math.max(peak, Number(/VmHWM:\s*(\d+) kB/.exec(readProcess(pid, "status"))?.[1] ?? 0) / 1024);
    }
  }, lookMilliseconds);
  return () => {
    clearInterval(timer);
    return peak;
  };
}

function parentOf(name: string): [[pid: number, parent: number]] | undefined {
  if (!/^\d+$/.test(name)) return undefined;
  const stat = readProcess(Number(name), "stat");
  const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  return [[Number(name), parent]];
}

function isBelow(parents: ReadonlyMap<number, number>, pid: number, root: number): boolean {
  for (let at = parents.get(pid); at !== undefined && at > 1; at = parents.get(at))
    if (at === root) return true;
  return false;
}

function isProvider(pid: number): boolean {
  return readProcess(pid, "cmdline").split("\0")[1]?.includes("dynamic-provider") === true;
}

function readProcess(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return ""; // It ended.
  }
}

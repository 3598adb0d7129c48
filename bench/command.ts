/** `tuntap up` and `tuntap down` as a user runs them, and what they take. */
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
import type { Contender, Measurements } from "./measure";

/** The words for what is run, which a part may have for itself. */
export interface Works {
  up: string;
  unchanged: string;
  down: string;
}

/** What the CLI does by itself until it starts the engine. */
export const startOf = (work: string) => `${work}: start of the CLI`;
/** VmHWM of the dynamic-provider process. */
export const memoryOf = (work: string) => `${work}: peak memory of the provider`;
/** Of both engine runs, the plan's and the real one: user and system, whatever else the machine does meanwhile. */
const processorOf = (work: string) => `${work}: processor time of the provider`;

const repository = resolve(__dirname, "../../..");
const command = join(repository, "dist", "cli", "main.js");
const firstCall = join(__dirname, "first-call.js");
const lookMilliseconds = 200;
/** USER_HZ, in which /proc counts (proc(5)). */
const ticksPerSecond = 100;

export interface Program {
  name: string;
  /** The text of index.ts; the environment's TAPS says how many interfaces. */
  source: string;
  /** How many resources of the program there are, of so many interfaces. */
  resources(taps: number): number;
  /** Looks from outside whether all of it is there after `up`, and nothing after `down`. */
  witness?(taps: number): Promise<void>;
}

/** A contender that runs the whole command on a program in a folder of its own. */
export function contender(
  measurements: Measurements,
  parent: string,
  { up, unchanged, down }: Works,
  { name, source, resources, witness }: Program,
): Contender {
  const folder = programFolder(parent, source);
  const work = (which: string, verb: "up" | "down", changes: "create" | "same" | "delete") => ({
    name: which,
    run: async (taps: number) => {
      const ran = await tuntap(folder, verb, taps);
      if (ran.changes[changes] !== resources(taps))
        throw new Error(`${name}, ${which}: ${JSON.stringify(ran.changes)}`);
      await witness?.(verb === "down" ? 0 : taps);
      const about = { taps, contender: name };
      measurements.add({ ...about, work: startOf(which) }, ran.startMilliseconds);
      measurements.add({ ...about, work: memoryOf(which), unit: "MB" }, ran.peakMegabytes);
      measurements.add({ ...about, work: processorOf(which) }, ran.processorMilliseconds);
      return ran.milliseconds;
    },
  });
  return {
    name,
    works: [work(up, "up", "create"), work(unchanged, "up", "same"), work(down, "down", "delete")],
  };
}

function programFolder(parent: string, source: string): string {
  const folder = mkdtempSync(join(parent, "program-"));
  writeFileSync(join(folder, "Pulumi.yaml"), "name: bench\nruntime: nodejs\n");
  writeFileSync(join(folder, "index.ts"), source);
  const modules = join(folder, "node_modules");
  mkdirSync(modules);
  symlinkSync(repository, join(modules, "pulumi-tuntap"));
  symlinkSync(join(repository, "node_modules", "@pulumi"), join(modules, "@pulumi"));
  return folder;
}

interface Ran {
  milliseconds: number;
  changes: Record<string, number>;
  /** From the start of the CLI's process to its first call of the engine. */
  startMilliseconds: number;
  peakMegabytes: number;
  processorMilliseconds: number;
}

async function tuntap(folder: string, verb: "up" | "down", taps: number): Promise<Ran> {
  const note = join(folder, "first-call");
  rmSync(note, { force: true });
  const began = performance.timeOrigin + performance.now();
  const child = spawn(process.execPath, ["--require", firstCall, command, verb, folder, "--json", "--yes"], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, TAPS: String(taps), BENCH_FIRST_CALL: note },
  });
  const used = watchProviders(child);
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
  const spent = used();
  if (code !== 0) throw new Error(`tuntap ${verb} ended with ${code}:\n${stderr.slice(-2000)}`);
  const { changes } = JSON.parse(stdout) as { changes: Record<string, number> };
  const startMilliseconds = Number(readFileSync(note, "utf8")) - began;
  return { milliseconds, changes, startMilliseconds, ...spent };
}

type Spent = Pick<Ran, "peakMegabytes" | "processorMilliseconds">;

/** Looks at the dynamic providers below a process until the function it gives is called. */
function watchProviders(root: ChildProcess): () => Spent {
  let peakMegabytes = 0;
  const processor = new Map<number, number>();
  const timer = setInterval(() => {
    const stats = new Map(readdirSync("/proc").flatMap((name) => statOf(name) ?? []));
    for (const [pid, { milliseconds }] of stats) {
      if (!isBelow(stats, pid, root.pid!) || !isProvider(pid)) continue;
      processor.set(pid, milliseconds);
      const peak = Number(/VmHWM:\s*(\d+) kB/.exec(readProcess(pid, "status"))?.[1] ?? 0) / 1024;
      peakMegabytes = Math.max(peakMegabytes, peak);
    }
  }, lookMilliseconds);
  return () => {
    clearInterval(timer);
    const processorMilliseconds = [...processor.values()].reduce((sum, each) => sum + each, 0);
    return { peakMegabytes, processorMilliseconds };
  };
}

interface Stat {
  parent: number;
  /** Of the processor, until now. */
  milliseconds: number;
}

function statOf(name: string): [[pid: number, Stat]] | undefined {
  if (!/^\d+$/.test(name)) return undefined;
  const stat = readProcess(Number(name), "stat");
  // From the third field on: state, parent …, and the fourteenth and fifteenth are utime and stime.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return [[Number(name), { parent: Number(fields[1]), milliseconds: (ticks / ticksPerSecond) * 1000 }]];
}

function isBelow(stats: ReadonlyMap<number, Stat>, pid: number, root: number): boolean {
  for (let at = stats.get(pid)?.parent; at !== undefined && at > 1; at = stats.get(at)?.parent)
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

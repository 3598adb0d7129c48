import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { run, sleep, until } from "./shell";
import type { Finished, Workspace } from "./workspace";

const repository = resolve(__dirname, "../..");
export const cli = join(repository, "dist", "cli", "main.js");

/** Where to stop the provider: before or after a system call made for a namespace, see crash.cc. */
export interface Point {
  namespace: string;
  phase: "before" | "after";
  /**
   * `kill` ends the whole process, `hold` blocks the thread until it is released. `delay` blocks it for 1.5 s and
   * does not count as reached: what arrives meanwhile is done together afterwards.
   */
  action: "kill" | "hold" | "delay";
  /** A call, or several in their order, joined by `>`. */
  steps: string;
}

/**
 * Stops the dynamic provider, and nothing else, exactly at given system calls: a `node` that comes first on PATH
 * preloads crash.cc into it. What was really reached is read from its log.
 */
export class Crash {
  private readonly folder = mkdtempSync(join(tmpdir(), "tuntap-crash-"));

  static async open(): Promise<Crash> {
    const crash = new Crash();
    const library = join(crash.folder, "crash.so");
    const flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"];
    await run("g++", ...flags, "-o", library, join(__dirname, "crash.cc"), "-ldl");
    mkdirSync(join(crash.folder, "bin"));
    const node = join(crash.folder, "bin", "node");
    writeFileSync(
      node,
      `#!/bin/sh
case "$1" in */dynamic-provider*) LD_PRELOAD=${library}; export LD_PRELOAD;; esac
exec ${process.execPath} "$@"
`,
    );
    chmodSync(node, 0o755);
    crash.arm();
    return crash;
  }

  /** For the commands whose provider is watched. */
  get environment(): Record<string, string> {
    const path = `${join(this.folder, "bin")}${delimiter}${process.env.PATH}`;
    return { PATH: path, TT_CRASH_FOLDER: this.folder };
  }

  /** Sets the points of the next run, and forgets what earlier ones did. */
  arm(...points: Point[]): void {
    const hold = join(this.folder, "hold");
    rmSync(hold, { recursive: true, force: true });
    mkdirSync(hold);
    for (const { action, namespace } of points)
      if (action === "hold") writeFileSync(join(hold, namespace), "");
    const lines = points.map(
      ({ namespace, phase, action, steps }) => `${namespace} ${phase} ${action} ${steps}\n`,
    );
    writeFileSync(join(this.folder, "points"), lines.join(""));
    writeFileSync(join(this.folder, "log"), "");
  }

  /** Lets threads go on that are held for these namespaces. */
  release(...namespaces: string[]): void {
    for (const name of namespaces) rmSync(join(this.folder, "hold", name), { force: true });
  }

  private get log(): string[][] {
    const lines = readFileSync(join(this.folder, "log"), "utf8").split("\n");
    return lines.filter(Boolean).map((line) => line.split(" "));
  }

  /** The namespaces whose point was reached. */
  get fired(): string[] {
    return this.log.filter(([, what]) => what === "fired").map(([, , namespace]) => namespace as string);
  }

  /** The calls seen for a namespace, in their order, for messages of tests that fail. */
  calls(namespace: string): string {
    const seen = this.log.filter(([, what, where]) => what === "event" && where === namespace);
    return seen.map(([pid, , , phase, step]) => `${pid} ${phase} ${step}`).join("\n");
  }

  /** Whether a call was seen after it returned. */
  saw(namespace: string, call: string): boolean {
    return this.log.some(
      ([, , where, phase, step]) => where === namespace && phase === "after" && step === call,
    );
  }

  /** How often a call was seen, in whatever namespace. */
  count(call: string): number {
    return this.log.filter(
      ([, what, , phase, step]) => what === "event" && phase === "after" && step === call,
    ).length;
  }

  /** Waits until every point with `hold` is reached, all in one process, and gives its pid. */
  async held(...namespaces: string[]): Promise<number> {
    const missing = () => namespaces.filter((name) => !this.fired.includes(name));
    try {
      await until("every point is reached", () => missing().length === 0, 90_000);
    } catch (error) {
      const seen = missing().map((name) => `${name}:\n${this.calls(name)}`);
      throw new Error(`not reached:\n${seen.join("\n")}`, { cause: error });
    }
    return this.provider;
  }

  /** Runs a command, holds its provider at all of these points, and kills it there; gives how the command ended. */
  async kill(workspace: Workspace, command: "up" | "down", points: readonly Point[]): Promise<Finished> {
    this.arm(...points);
    workspace.environment = this.environment;
    const { finished } = workspace.start(command);
    workspace.environment = {};
    const provider = await this.held(...points.map(({ namespace }) => namespace)).catch((error) => {
      // Those that are held go on, and the command ends.
      this.arm();
      throw error;
    });
    process.kill(provider, "SIGKILL");
    await ended(provider);
    return finished;
  }

  /** The provider that was last heard of. */
  get provider(): number {
    return Number(this.log.at(-1)?.[0]);
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

interface Status {
  name: string;
  state: string;
  parent: number;
}

/** @param process its pid, or below /proc the path of a thread. */
function statusOf(process: number | string): Status | undefined {
  try {
    const stat = readFileSync(`/proc/${process}/stat`, "utf8");
    const end = stat.lastIndexOf(")");
    const [state, parent] = stat.slice(end + 2).split(" ");
    return { name: stat.slice(stat.indexOf("(") + 1, end), state: state as string, parent: Number(parent) };
  } catch {
    return undefined;
  }
}

/** Stops a process, and waits until all of its threads have stopped. */
export async function stop(pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  await until(`${pid} has stopped`, () => statusOf(pid)?.state === "T");
}

/** Whether any thread of a process does: of one that is killed the first may be gone while another is in a system call. */
export function lives(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).some((thread) => {
      const state = statusOf(`${pid}/task/${thread}`)?.state;
      return state !== undefined && state !== "Z" && state !== "X";
    });
  } catch {
    return false;
  }
}

/** The engine of a provider: its grandparent, with the launcher's shell between them. */
export function engineOf(provider: number): number {
  const shell = statusOf(provider)?.parent ?? 0;
  const engine = statusOf(shell)?.parent ?? 0;
  if (statusOf(engine)?.name !== "pulumi")
    throw new Error(`${engine} is no engine: ${statusOf(engine)?.name}`);
  return engine;
}

/** Everything that descends from a process. */
export function descendants(pid: number): number[] {
  const parents = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    const parent = /^\d+$/.test(entry) ? statusOf(Number(entry))?.parent : undefined;
    if (parent !== undefined) parents.set(parent, [...(parents.get(parent) ?? []), Number(entry)]);
  }
  const below = (of: number): number[] =>
    (parents.get(of) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(pid);
}

/** Waits for the end of a process and gives how long that took. */
export async function ended(pid: number, milliseconds = 15_000): Promise<number> {
  const began = Date.now();
  while (lives(pid)) {
    if (Date.now() - began > milliseconds) throw new Error(`${pid} lives on after ${milliseconds} ms`);
    await sleep(5);
  }
  return Date.now() - began;
}

function isProvider(pid: number): boolean {
  try {
    return (
      readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")[1]?.includes("/dynamic-provider") === true
    );
  } catch {
    return false;
  }
}

/**
 * Kills the engine of a provider. Gives how long the provider outlived it, and which other providers of the engine
 * lived on after 2 s; those are ended here.
 */
export async function loseEngine(provider: number): Promise<{ milliseconds: number; late: number[] }> {
  const engine = engineOf(provider);
  const others = descendants(engine).filter((pid) => pid !== provider && isProvider(pid));
  process.kill(engine, "SIGKILL");
  const began = Date.now();
  const milliseconds = await ended(provider);
  while (others.some(lives) && Date.now() - began < 2000) await sleep(20);
  const late = others.filter(lives);
  for (const pid of late) process.kill(pid, "SIGKILL");
  return { milliseconds, late };
}

/** What a run that did not end well may leave in the state. */
export interface Leftovers {
  locks: string[];
  pending: string[];
  resources: number;
}

/** Read from the folder of the state, by the format of the engine. */
export function leftovers(workspace: Workspace, stack = "dev"): Leftovers {
  const state = join(workspace.folder, ".tuntap", "state", ".pulumi");
  const locks = join(state, "locks");
  const files = existsSync(locks) ? readdirSync(locks, { recursive: true }).map(String) : [];
  const { latest } = JSON.parse(
    readFileSync(join(state, "stacks", "test", `${stack}.json`), "utf8"),
  ).checkpoint;
  return {
    locks: files.filter((file) => file.endsWith(".json")),
    pending: (latest?.pending_operations ?? []).map((each: { type: string }) => each.type),
    resources: (latest?.resources ?? []).length,
  };
}

/** The same by the engine's own word, through `tuntap env`. */
export async function exported(workspace: Workspace): Promise<{ pending: number; resources: number }> {
  const script = `eval "$('${process.execPath}' '${cli}' env .)" && pulumi stack export --stack dev`;
  const text = await run("sh", "-c", `cd '${workspace.folder}' && ${script}`);
  const { deployment } = JSON.parse(text);
  return {
    pending: (deployment.pending_operations ?? []).length,
    resources: (deployment.resources ?? []).length,
  };
}

const driver = `
const { readFileSync } = require("node:fs");
const { createInterface } = require("node:readline");
const { LocalWorkspace } = require("@pulumi/pulumi/automation");
const tuntap = require("pulumi-tuntap");
(async () => {
  const program = async () => {
    for (const { kind, name, args } of JSON.parse(readFileSync("spec.json", "utf8"))) new tuntap[kind](name, args);
  };
  const args = { stackName: "dev", projectName: "test", program };
  const stack = await LocalWorkspace.createOrSelectStack(args, { workDir: process.cwd() });
  for await (const line of createInterface({ input: process.stdin })) {
    const { command, ...options } = JSON.parse(line);
    const failure = await stack[command]({ ...options, color: "never", suppressOutputs: true, showSecrets: false })
      .then(() => "", (error) => String(error.message ?? error));
    console.log(JSON.stringify({ failure }));
  }
  process.exit(0);
})();
`;

/**
 * Runs parts of a program, one resource after the other, on the state of `tuntap` but without its plan before
 * each: many crashes in little time.
 */
export class Driver {
  private constructor(
    private readonly child: ChildProcess,
    private readonly lines: AsyncIterator<string>,
  ) {}

  static async open(workspace: Workspace, crash: Crash): Promise<Driver> {
    const { folder } = workspace;
    writeFileSync(join(folder, "driver.cjs"), driver);
    const { PATH, ...rest } = crash.environment;
    const script = `eval "$('${process.execPath}' '${cli}' env .)"; PATH="$FIRST:$PATH" exec '${process.execPath}' driver.cjs`;
    const child = spawn("sh", ["-c", script], {
      cwd: folder,
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, ...rest, FIRST: PATH?.split(delimiter)[0] },
    });
    const reader = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    return new Driver(child, reader[Symbol.asyncIterator]());
  }

  /** Runs one command on one resource; gives why it failed, or an empty text. */
  async run(command: "up" | "destroy", kind: string, name: string): Promise<string> {
    const target = [`urn:pulumi:dev::test::pulumi-nodejs:dynamic/tuntap:${kind}::${name}`];
    this.child.stdin?.write(`${JSON.stringify({ command, target })}\n`);
    const { value } = await this.lines.next();
    return (JSON.parse(value) as { failure: string }).failure;
  }

  async close(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const end = new Promise((done) => this.child.once("exit", done));
    this.child.stdin?.end();
    await end;
  }
}

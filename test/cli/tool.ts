/** Runs the real command on the real engine, in a project of its own with a home of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll } from "vitest";

export const repository = join(__dirname, "..", "..");
const fixtures = join(repository, "test", "fixtures", "cli");
/** A whole up on a busy machine. */
export const slow = 180_000;

export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
  /** stdout and stderr in the order they came. */
  all: string;
}

export interface Running {
  child: ChildProcess;
  /** Resolves when the output so far matches. */
  until(pattern: RegExp): Promise<void>;
  ended: Promise<Ran>;
}

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

export function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), "tuntap-cli-"));
  folders.push(folder);
  return folder;
}

/** Things `a` and `b` of the fixture, the second made after the first. */
const twoThings = `
import * as pulumi from "@pulumi/pulumi";
import { Thing } from "./things/thing";
const config = new pulumi.Config();
const common = { store: __dirname + "/store" };
const a = new Thing("a", { ...common, mtu: config.getNumber("mtu") ?? 1500, delayMs: config.getNumber("delay") });
new Thing("b", { ...common, password: pulumi.secret("hush") }, { dependsOn: a });
export const name: pulumi.Output<string> = a.name;
export const hidden = pulumi.secret("hush");
`;

export interface Lab {
  root: string;
  home: string;
  store: string;
  tuntap(args: string[], env?: Record<string, string>): Promise<Ran>;
  start(args: string[], env?: Record<string, string>): Running;
  /** As the leader of a process group of its own. */
  inGroup(args: string[]): Running;
  /** As root without these capabilities, so that what is another user's is closed to it. */
  without(capabilities: string[], args: string[]): Promise<Ran>;
  /** On a pseudo-terminal, as its foreground process group. */
  onTerminal(args: string[]): Running;
  env(extra?: Record<string, string>): NodeJS.ProcessEnv;
  write(file: string, text: string): void;
  read(file: string): string;
}

/** A project with the given files; `Pulumi.yaml` and two things where nothing else is said. */
export function lab(files: Record<string, string> = {}): Lab {
  const base = temporary();
  const root = join(base, "project");
  const home = join(base, "home");
  mkdirSync(root);
  mkdirSync(home);
  cpSync(join(fixtures, "things"), join(root, "things"), { recursive: true });
  symlinkSync(join(repository, "node_modules"), join(root, "node_modules"));
  const write = (file: string, text: string) => {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  };
  const content: Record<string, string> = { "Pulumi.yaml": "name: lab\nruntime: nodejs\n", ...files };
  if (!Object.keys(content).some((file) => /index|main/.test(file))) content["index.ts"] = twoThings;
  for (const [file, text] of Object.entries(content)) write(file, text);
  const env = (extra: Record<string, string> = {}) => ({ ...cleanEnv(home), ...extra });
  const command = [process.execPath, "--import", join(repository, "node_modules/tsx/dist/loader.mjs")];
  command.push(join(repository, "cli", "main.ts"));
  const start = (args: string[], extra?: Record<string, string>) =>
    launch([...command, ...args], root, env(extra));
  return {
    root,
    home,
    store: join(root, "store"),
    env,
    write,
    read: (file) => readFileSync(join(root, file), "utf8"),
    start,
    tuntap: (args, extra) => start(args, extra).ended,
    inGroup: (args) => launch(["setsid", ...command, ...args], root, env()),
    without: (capabilities, args) => {
      const less = capabilities.map((each) => `-${each}`).join();
      return launch(
        ["setpriv", `--bounding-set=${less}`, `--inh-caps=${less}`, ...command, ...args],
        root,
        env(),
      ).ended;
    },
    onTerminal: (args) => {
      const line = [...command, ...args].map((word) => `'${word}'`).join(" ");
      return launch(
        ["script", "-qefc", `stty cols 120 rows 40; ${line}`, "/dev/null"],
        root,
        env({ TERM: "xterm" }),
      );
    },
  };
}

/** No variable of the developer's own Pulumi; the engine's cache is shared, since filling it takes minutes. */
function cleanEnv(home: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([key]) => !/^(PULUMI|TUNTAP|SUDO|NO_COLOR|FORCE_COLOR)/.test(key),
  );
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  return { ...Object.fromEntries(kept), HOME: home, XDG_CACHE_HOME: cache };
}

export function launch(command: string[], cwd: string, env: NodeJS.ProcessEnv): Running {
  const [file = "", ...args] = command;
  const child = spawn(file, args, { cwd, env, stdio: ["pipe", "pipe", "pipe"] });
  const seen = { stdout: "", stderr: "", all: "" };
  const waiting: (() => void)[] = [];
  const take = (which: "stdout" | "stderr") => (data: Buffer) => {
    seen[which] += data;
    seen.all += data;
    for (const check of waiting) check();
  };
  child.stdout?.on("data", take("stdout"));
  child.stderr?.on("data", take("stderr"));
  const ended = new Promise<Ran>((done) => child.on("close", (code) => done({ code, ...seen })));
  const until = (pattern: RegExp) =>
    new Promise<void>((done, reject) => {
      const check = () => pattern.test(seen.all) && done();
      waiting.push(check);
      check();
      ended.then(() => reject(new Error(`ended without ${pattern}:\n${seen.all}`)));
    });
  return { child, until, ended };
}

/** The processes whose parent is the given one and whose command line matches. */
export async function childOf(parent: number, pattern: RegExp): Promise<number> {
  const { readdirSync } = await import("node:fs");
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name) || !existsSync(`/proc/${name}/stat`)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const ppid = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      if (ppid === parent && pattern.test(readFileSync(`/proc/${name}/cmdline`, "utf8"))) return Number(name);
    } catch {
      // It ended.
    }
  }
  throw new Error(`no child of ${parent} matches ${pattern}`);
}

export async function waitFor<T>(attempt: () => T | Promise<T>, limit = 60_000): Promise<NonNullable<T>> {
  const until = Date.now() + limit;
  for (;;) {
    try {
      const result = await attempt();
      if (result) return result;
    } catch (error) {
      if (Date.now() > until) throw error;
    }
    if (Date.now() > until) throw new Error("waited in vain");
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** The one object of --json; fails where stdout holds anything else. */
export function object(ran: Ran): Record<string, unknown> {
  const lines = ran.stdout.split("\n");
  if (lines.length !== 2 || lines[1] !== "") throw new Error(`not one object:\n${ran.stdout}\n${ran.stderr}`);
  return JSON.parse(lines[0] ?? "") as Record<string, unknown>;
}

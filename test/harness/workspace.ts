import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { attempt } from "./shell";

const repository = resolve(__dirname, "../..");
const cli = join(repository, "dist", "cli", "main.js");

/**
 * A resource of a program, as data: `{ $ref: "lab.name" }` is an output, `{ $resource: "lab" }` the resource itself,
 * `{ $secret: value }` a secret.
 */
export interface Declared {
  kind: keyof typeof import("../../sdk/resources");
  name: string;
  args?: Record<string, unknown>;
  options?: Record<string, unknown>;
}

/** What `tuntap --json` prints. */
export interface Report {
  command: string;
  stack: string;
  result: "succeeded" | "failed";
  changes: Record<"create" | "update" | "delete" | "replace" | "same", number>;
  outputs: Record<string, unknown>;
  diagnostics: { severity: string; message: string; urn?: string }[];
  durationMs: number;
}

/** What `tuntap status --json` prints. */
export interface Status {
  created: boolean;
  resources: {
    kind: string;
    logicalName: string;
    name: string | null;
    namespace: string | null;
    condition: string;
    drift: boolean;
    lease: string | null;
    leased: boolean;
    properties: { name: string; declared: unknown; observed: unknown; drift: boolean }[];
    carrier: boolean | null;
    holders: Process[];
    message: string;
  }[];
  orphans: {
    kind: string;
    name: string;
    namespace: string | null;
    lease: string;
    description: string;
    holders: Process[];
    command: string;
  }[];
  diagnostics: { severity: string; message: string }[];
}

interface Process {
  pid: number;
  command: string;
  uid: number;
  user: string | null;
}

export interface Finished {
  code: number | null;
  report: Report;
  stdout: string;
  stderr: string;
}

const program = `import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import * as tuntap from "pulumi-tuntap";

const made: Record<string, any> = {};
const value = (given: any): any => {
  if (given === null || typeof given !== "object") return given;
  if (Array.isArray(given)) return given.map(value);
  if ("$secret" in given) return pulumi.secret(given.$secret);
  if ("$resource" in given) return made[given.$resource];
  if (!("$ref" in given)) return Object.fromEntries(Object.entries(given).map(([key, inner]) => [key, value(inner)]));
  const [name, output] = given.$ref.split(".");
  return made[name][output];
};
for (const { kind, name, args, options } of JSON.parse(readFileSync("spec.json", "utf8"))) {
  const inputs = Object.fromEntries(Object.entries(args ?? {}).map(([key, given]) => [key, value(given)]));
  made[name] = new (tuntap as any)[kind](name, inputs, value(options));
}
`;

/**
 * A user's folder with a program in it, outside the repository, and the built package installed by links. The
 * commands that are run there are the package's own, with the real engine behind them.
 */
export class Workspace {
  readonly folder = mkdtempSync(join(tmpdir(), "tuntap-test-"));

  constructor(project = "test", source = program) {
    writeFileSync(join(this.folder, "Pulumi.yaml"), `name: ${project}\nruntime: nodejs\n`);
    this.write(source);
    const modules = join(this.folder, "node_modules");
    mkdirSync(modules);
    symlinkSync(repository, join(modules, "pulumi-tuntap"));
    symlinkSync(join(repository, "node_modules", "@pulumi"), join(modules, "@pulumi"));
    this.declare();
  }

  /** Another program text. */
  write(source: string): void {
    writeFileSync(join(this.folder, "index.ts"), source);
  }

  declare(...resources: Declared[]): void {
    writeFileSync(join(this.folder, "spec.json"), JSON.stringify(resources));
  }

  /** Runs `tuntap COMMAND FOLDER --json` with `--yes` where it is needed. */
  async run(command: "preview" | "up" | "refresh" | "down", ...flags: string[]): Promise<Finished> {
    return this.start(command, ...flags).finished;
  }

  /** Runs `tuntap status`: with its object, and the lines for people. */
  async status(...flags: string[]): Promise<{ code: number | null; status: Status; text: string }> {
    const { code, stdout } = await this.start("status", ...flags).finished;
    const shown = await attempt(process.execPath, cli, "status", this.folder, ...flags);
    if (shown.code !== code) throw new Error(`exit code ${code} with --json, ${shown.code} without`);
    return { code, status: JSON.parse(stdout), text: shown.output };
  }

  /** Runs a command that must succeed. */
  async succeed(command: "preview" | "up" | "refresh" | "down", ...flags: string[]): Promise<Report> {
    const { code, report, stderr } = await this.run(command, ...flags);
    if (code !== 0)
      throw new Error(`tuntap ${command} ended with ${code}:\n${JSON.stringify(report, null, 1)}\n${stderr}`);
    return report;
  }

  start(command: "preview" | "up" | "refresh" | "down" | "status", ...flags: string[]) {
    const yes = command === "preview" || command === "status" ? [] : ["--yes"];
    const child = spawn(process.execPath, [cli, command, this.folder, "--json", ...yes, ...flags], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...this.environment },
      detached: true,
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (data) => {
      stdout += data;
    });
    child.stderr.on("data", (data) => {
      stderr += data;
    });
    const finished = new Promise<Finished>((resolve, reject) => {
      child.once("close", (code) => {
        try {
          resolve({ code, report: stdout.trim() === "" ? emptyReport : JSON.parse(stdout), stdout, stderr });
        } catch (error) {
          reject(new Error(`no JSON on stdout: ${stdout}\n${stderr}`, { cause: error }));
        }
      });
    });
    return { child, finished, stderr: () => stderr };
  }

  /** Extra environment of the commands. */
  environment: Record<string, string> = {};

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const emptyReport: Report = {
  command: "",
  stack: "",
  result: "failed",
  changes: { create: 0, update: 0, delete: 0, replace: 0, same: 0 },
  outputs: {},
  diagnostics: [],
  durationMs: 0,
};

/** Messages of a report's diagnostics, one line each. */
export function messages(report: Report): string {
  return report.diagnostics.map(({ severity, message }) => `${severity}: ${message}`).join("\n");
}

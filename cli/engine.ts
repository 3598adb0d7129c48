/** The Pulumi engine: found on PATH or in the cache, else downloaded, else built. */
import { createRequire } from "node:module";
import type * as Automation from "@pulumi/pulumi/automation";
import { buildWithGo, installOfficial } from "./engine/acquire";
import { type Engine, type Search, searchCache, searchPath } from "./engine/installed";
import { minimumEngine, minimumGo } from "./engine/version";
import { Failure } from "./failure";
import type { Terminal } from "./terminal";

/** The copy of the Automation API that belongs to the program's @pulumi/pulumi. */
export interface AutomationCopy {
  api: typeof Automation;
  file: string;
}

type Step = [source: Engine["source"], search: (terminal: Terminal) => Search | Promise<Search>];

const steps: Step[] = [
  ["PATH", searchPath],
  ["cache", searchCache],
  ["official install", installOfficial],
  ["built with Go", buildWithGo],
];

export async function findEngine(terminal: Terminal): Promise<Engine> {
  const reasons: string[] = [];
  for (const [source, search] of steps) {
    const { engine, reason } = await search(terminal);
    if (engine) return { ...engine, source };
    reasons.push(`${source}: ${reason}`);
    // An engine of the user's that is not taken, or a download that failed, is worth a line.
    if (source === "official install" || (source === "PATH" && !reason.startsWith("there is no"))) {
      terminal.note(`${source}: ${reason}; going on`);
    }
  }
  throw new Failure(
    [
      "no Pulumi engine, and none could be had:",
      ...reasons.map((reason) => `  ${reason}`),
      "one of these helps:",
      `  1. install Pulumi ${minimumEngine} or newer on PATH: https://www.pulumi.com/docs/install/`,
      "  2. let this host reach https://get.pulumi.com, then run: tuntap engine",
      `  3. install Go ${minimumGo} or newer (with a module proxy in reach), then run: tuntap engine`,
    ].join("\n"),
  );
}

/**
 * The engine as the Automation API wants it, without asking for a version that is already known, and without the
 * three more engine processes in which it reads outputs and history after each update: the events told them.
 * @param isSelected whether the engine's `stack select` would change nothing, so that it need not be started for it.
 * @param meanwhile done once, as soon as the first engine process has been started.
 */
export function asCommand(
  automation: AutomationCopy,
  engine: Engine,
  isSelected = false,
  meanwhile: () => void = () => {},
): Automation.PulumiCommand {
  const { SemVer } = createRequire(automation.file)("semver") as { SemVer: new (version: string) => unknown };
  const spared = isSelected ? { ...unread, "stack select": "" } : unread;
  let started = false;
  // Internal to the API, so not in its types; where a version has no such method, ours is not called either.
  const prototype = automation.api.PulumiCommand.prototype as Automation.PulumiCommand & { run: Run };
  return Object.assign(Object.create(prototype), {
    command: engine.path,
    version: new SemVer(engine.version),
    run(this: Automation.PulumiCommand, args: string[], ...rest: unknown[]) {
      const stdout = spared[args.slice(0, 2).join(" ")];
      if (stdout !== undefined) return Promise.resolve({ stdout, stderr: "", code: 0 });
      if (!started) setImmediate(meanwhile);
      started = true;
      return prototype.run.call(this, args, ...rest);
    },
  });
}

type Run = (args: string[], ...rest: unknown[]) => Promise<{ stdout: string; stderr: string; code: number }>;

/** Commands whose answers nobody reads here, and the empty ones that stand for them. */
const unread: Readonly<Record<string, string>> = { "stack output": "{}", "stack history": "[]" };

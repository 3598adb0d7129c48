/** What a stack's state says beside what the kernel shows. Nothing is changed, and no lock is taken. */
import { Host } from "../provider/host/host";
import type { LeaseStack } from "../provider/host/leases";
import { type Inspected, inspect, type Recollection } from "../provider/inspect";
import { openKernel } from "../provider/kernel/open";
import { configuredInstance, type Deployment, readDeployment } from "./deployment";
import { findEngine } from "./engine";
import { type ExitCode, exitCode, Failure, messageOf } from "./failure";
import { findLocks } from "./lock";
import { notSeen, sayDiagnostics, withoutRoot } from "./looking";
import { shortName } from "./options";
import type { Diagnostic } from "./plan";
import { findProject, type Project } from "./project";
import { renderStatus, statusObject } from "./render/status";
import { isMissing, lookAtState, type State } from "./state";
import { Terminal } from "./terminal";
import { clearTorn } from "./torn";

export interface StatusOptions {
  stack: string;
  json: boolean;
  diff: boolean;
  expectNoChanges: boolean;
}

interface Seen {
  /** Whether there is a state of the stack. */
  created: boolean;
  found: Inspected;
  diagnostics: Diagnostic[];
}

export async function runStatus(folder: string, options: StatusOptions): Promise<ExitCode> {
  const began = Date.now();
  const terminal = new Terminal(options.json);
  let code: ExitCode = exitCode.failed;
  let seen: Seen = { created: false, found: { resources: [], orphans: [], unseen: [] }, diagnostics: [] };
  try {
    seen = await look(folder, options, terminal);
    code = judge(seen, options);
    if (!options.json) renderStatus({ ...options, ...seen }, terminal);
  } catch (error) {
    if (error instanceof Failure) code = error.code;
    seen.diagnostics.push({ severity: "error", message: messageOf(error) });
  }
  sayDiagnostics(seen.diagnostics, terminal);
  if (options.json)
    await terminal.object(statusObject({ ...options, ...seen, code, durationMs: Date.now() - began }));
  return code;
}

async function look(folder: string, options: StatusOptions, terminal: Terminal): Promise<Seen> {
  const project = findProject(folder);
  const state = lookAtState(project);
  const diagnostics: Diagnostic[] = [];
  noteRun(project, state, options.stack, diagnostics);
  const deployment = await recall(project, state, options.stack, terminal);
  const stacks = stacksOf(project, state, options.stack, deployment);
  const recollection: Recollection = {
    resources: deployment?.resources ?? [],
    unfinished: deployment?.creating ?? [],
    stacks,
  };
  const found = await inspect(new Host(openKernel()), recollection);
  diagnostics.push(...notSeen(found.unseen), ...withoutRoot());
  return { created: deployment !== undefined, found, diagnostics };
}

async function recall(
  project: Project,
  state: State,
  stack: string,
  terminal: Terminal,
): Promise<Deployment | undefined> {
  if (isMissing(project, state, shortName(stack))) return undefined;
  const engine = await findEngine(terminal);
  if (state.backend.folder) await clearTorn(state.backend.folder, terminal);
  return readDeployment(project, state, engine, stack);
}

/** A run that goes on may be changing what is looked at. */
function noteRun(project: Project, state: State, stack: string, diagnostics: Diagnostic[]): void {
  if (!state.backend.folder) return;
  const name = shortName(stack);
  for (const { holder, pid, user, host } of findLocks(state.backend.folder, project.name, name)) {
    if (holder === "dead") continue;
    const message = `a run holds stack ${name} (process ${pid} of ${user}@${host}), so this may be changing`;
    diagnostics.push({ severity: "warning", message });
  }
}

/** The stack under every instance that it may have worked as. */
function stacksOf(
  project: Project,
  state: State,
  stack: string,
  deployment: Deployment | undefined,
): LeaseStack[] {
  const recorded = deployment?.resources.map(({ outputs }) => outputs.__tuntap?.instance) ?? [];
  const instances = [...recorded, configuredInstance(project, stack), state.env.TUNTAP_INSTANCE];
  const known = new Set(instances.filter((instance) => instance !== undefined));
  return [...known].map((instance) => ({ instance, project: project.name, stack: shortName(stack) }));
}

function judge({ found }: Seen, options: StatusOptions): ExitCode {
  const { resources, orphans } = found;
  if (resources.some(({ condition }) => condition === "unreadable")) return exitCode.failed;
  const differs = orphans.length > 0 || resources.some(({ drift }) => drift);
  return differs && options.expectNoChanges ? exitCode.changes : exitCode.done;
}

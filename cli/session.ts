/** Everything a command needs before the engine can work: project, engine, state, settings, stack. */
import { existsSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import type * as Automation from "@pulumi/pulumi/automation";
import { complain } from "./complaint";
import { DeclaredOptions } from "./declared-options";
import { deferHeavyModules } from "./defer";
import { type AutomationCopy, asCommand, findEngine } from "./engine";
import type { Engine } from "./engine/installed";
import { watchExit } from "./exit";
import { clearDeadLocks, hasPendingCreates } from "./lock";
import { type RunOptions, shortName } from "./options";
import { type ProgramError, prepareTypeScript, resolveForProgram, runProgram } from "./program";
import { findEntry, findProject, type Project } from "./project";
import { openSettings, parseConfig, type Settings } from "./settings";
import { type Interruption, watchSignals } from "./signals";
import { giveBackState, isMissing, isSelected, openState, type State } from "./state";
import type { Terminal } from "./terminal";
import { clearTorn } from "./torn";

export interface Session {
  terminal: Terminal;
  options: RunOptions;
  project: Project;
  engine: Engine;
  state: State;
  settings: Settings;
  stack: Automation.Stack;
  /** What the program threw, with the line of the user's code. */
  programErrors: ProgramError[];
  /** The options of the resources in its last run. */
  declared: DeclaredOptions;
  /** Signals that arrive from the moment on when there is something to end cleanly. */
  interruption: Interruption;
  close(): void;
}

/** Which part of the work needs what: a preview changes no lock, and `down` runs no program. */
export interface Needs {
  program: boolean;
  lock: boolean;
}

export async function openSession(
  folder: string,
  options: RunOptions,
  terminal: Terminal,
  needs: Needs,
): Promise<Session> {
  const project = findProject(folder);
  if (needs.program) warnOfEntry(project, terminal);
  const config = options.config.map((pair) => parseConfig(project.name, pair));
  const engine = await findEngine(terminal);
  const state = openState(project);
  const interruption = watchSignals(terminal, state.home);
  const programErrors: ProgramError[] = [];
  const onError = (error: ProgramError) => {
    if (!programErrors.some(({ located }) => located === error.located)) programErrors.push(error);
  };
  const unwatchExit = watchExit((error) => {
    onError(error);
    interruption.end();
  });
  const close = () => {
    unwatchExit();
    interruption.stop();
    giveBackState(project, state, shortName(options.stack));
  };
  try {
    Object.assign(process.env, { TUNTAP_INSTANCE: state.env.TUNTAP_INSTANCE, no_grpc_proxy: withoutProxy() });
    const settings = openSettings(project, state, options.stack, options.config);
    if (needs.lock) clearLocks(project, state, options.stack, terminal);
    if (state.backend.folder) await clearTorn(state.backend.folder, terminal);
    const automation = loadAutomation(project);
    // What only a program needs is loaded while the engine begins to work; what fails then, fails again and is told.
    const meanwhile = () => needs.program && void prepareTypeScript().catch(() => {});
    const declared = new DeclaredOptions(state.home, shortName(options.stack));
    const program = () => {
      declared.watch(require(resolveForProgram(project, "@pulumi/pulumi")));
      return runProgram(project, onError);
    };
    const workspace: Automation.LocalWorkspaceOptions = {
      workDir: project.root,
      pulumiCommand: asCommand(automation, engine, isSelected(project, state, options.stack), meanwhile),
      envVars: { ...state.env, ...forProviders(options, interruption), PATH: pathWithNode() },
    };
    const opening = { project, state, settings, options, config, workspace, program };
    const stack = await openStack(automation.api, opening).catch((error) => {
      throw complain({ settings, state }, error);
    });
    if (needs.lock) await clearPending({ project, state, settings, options, terminal, stack, interruption });
    return {
      terminal,
      options,
      project,
      engine,
      state,
      settings,
      stack,
      programErrors,
      declared,
      interruption,
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

export function loadAutomation(project: Project): AutomationCopy {
  const file = resolveForProgram(project, "@pulumi/pulumi/automation");
  deferHeavyModules(file);
  return { api: require(file) as typeof Automation, file };
}

interface Opening {
  project: Project;
  state: State;
  settings: Settings;
  options: RunOptions;
  config: [string, string][];
  workspace: Automation.LocalWorkspaceOptions;
  program: Automation.PulumiFn;
}

async function openStack(api: typeof Automation, opening: Opening): Promise<Automation.Stack> {
  const { project, state, settings, options, config, workspace, program } = opening;
  const args = { stackName: options.stack, projectName: project.name, program };
  const own = () => api.LocalWorkspace.create({ ...workspace, workDir: settings.folder });
  let stack: Automation.Stack;
  if (state.backend.own) {
    // Making the stack beside the private copy leaves the user's Pulumi.<stack>.yaml as it is.
    if (isMissing(project, state, shortName(options.stack))) await (await own()).createStack(options.stack);
    stack = await api.LocalWorkspace.selectStack(args, workspace);
  } else {
    stack = await api.LocalWorkspace.createOrSelectStack(args, workspace);
  }
  if (config.length) {
    const values = Object.fromEntries(config.map(([key, value]) => [key, { value }]));
    await (await own()).setAllConfig(options.stack, values);
  }
  return stack;
}

function clearLocks(project: Project, state: State, stack: string, terminal: Terminal): void {
  if (!state.backend.folder) return;
  for (const lock of clearDeadLocks(state.backend.folder, project.name, shortName(stack))) {
    terminal.note(`removed the lock of process ${lock.pid}, which is dead (${lock.since.toISOString()})`);
  }
}

/** What a crash began and never ended is forgotten: the resource itself is found again by its provider. */
async function clearPending(
  at: Omit<Session, "engine" | "programErrors" | "declared" | "close">,
): Promise<void> {
  const { project, state, settings, options, terminal, stack } = at;
  const name = shortName(options.stack);
  if (!state.backend.folder || !hasPendingCreates(state.backend.folder, project.name, name)) return;
  const root = `urn:pulumi:${name}::${project.name}::pulumi:pulumi:Stack::${project.name}-${name}`;
  await stack.refresh({
    clearPendingCreates: true,
    target: [root],
    color: "never",
    showSecrets: false,
    signal: at.interruption.signal,
    ...(settings.copy ? { configFile: settings.copy } : {}),
  });
  terminal.note("cleared creates that a crash left pending");
}

/** What our provider, which the engine starts, must know of this run. */
function forProviders(options: RunOptions, interruption: Interruption): Record<string, string> {
  return {
    ...watchedProviders(),
    ...(options.onBusy ? { TUNTAP_ON_BUSY: options.onBusy } : {}),
    TUNTAP_INTERRUPTED_FILE: interruption.sign,
  };
}

/** Preloads provider-watch into the engine's providers; run from its sources, the command goes without it. */
function watchedProviders(): Record<string, string> {
  const watch = join(__dirname, "provider-watch.js");
  if (!existsSync(watch)) return {};
  const preload = `--require "${watch.replace(/["\\]/g, "\\$&")}"`;
  return { NODE_OPTIONS: [process.env.NODE_OPTIONS, preload].filter(Boolean).join(" ") };
}

/** The engine's providers are started with `node`: where PATH has none, as sudo's may, it is this one. */
function pathWithNode(): string {
  return [process.env.PATH, dirname(process.execPath)].filter(Boolean).join(delimiter);
}

/** The engine is on this host, but gRPC asks a proxy for it where one is set (grpc-js, http_proxy.ts). */
function withoutProxy(): string {
  const given = process.env.no_grpc_proxy || process.env.no_proxy;
  return [given, "127.0.0.1"].filter(Boolean).join();
}

function warnOfEntry(project: Project, terminal: Terminal): void {
  const { warning } = findEntry(project);
  if (warning) terminal.note(`warning: ${warning}`);
}

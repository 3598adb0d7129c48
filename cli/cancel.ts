/** Ends the run that holds a stack: a process of this host is asked to end, any other lock is removed. */
import { setTimeout as sleep } from "node:timers/promises";
import { asCommand, findEngine } from "./engine";
import { type ExitCode, exitCode, Failure } from "./failure";
import { findLocks, type Lock, removeLock } from "./lock";
import { shortName } from "./options";
import { findProject, type Project } from "./project";
import { loadAutomation } from "./session";
import { giveBackState, openState, type State } from "./state";
import { seconds, Terminal } from "./terminal";

const patience = 60_000;

export async function cancelRun(folder: string, stack: string): Promise<ExitCode> {
  const terminal = new Terminal(false);
  const project = findProject(folder);
  const state = openState(project);
  try {
    if (state.backend.folder) await cancelInFolder(state.backend.folder, project, shortName(stack), terminal);
    else await cancelInService(project, state, stack, terminal);
    return exitCode.done;
  } finally {
    giveBackState(project, state, shortName(stack));
  }
}

async function cancelInFolder(
  folder: string,
  project: Project,
  stack: string,
  terminal: Terminal,
): Promise<void> {
  const locks = findLocks(folder, project.name, stack);
  if (locks.length === 0) terminal.say(`stack ${stack} is not locked`);
  for (const lock of locks) {
    if (lock.holder === "alive") await askToEnd(lock, folder, project, stack, terminal);
    removeLock(lock);
    terminal.say(`removed the lock of ${lock.user}@${lock.host}, process ${lock.pid} (${lock.holder})`);
  }
}

/** A lock that is taken from a running engine would let two write one state; so the engine ends first. */
async function askToEnd(
  lock: Lock,
  folder: string,
  project: Project,
  stack: string,
  terminal: Terminal,
): Promise<void> {
  terminal.note(`asking process ${lock.pid} to end`);
  interrupt(lock.pid);
  const until = Date.now() + patience;
  const held = () =>
    findLocks(folder, project.name, stack).some(
      (other) => other.file === lock.file && other.holder === "alive",
    );
  terminal.status(() => `waiting for process ${lock.pid} (${seconds(until - Date.now())} left)`);
  while (held() && Date.now() < until) await sleep(100);
  terminal.status(undefined);
  if (held())
    throw new Failure(
      `process ${lock.pid} does not end; end it with: kill -9 ${lock.pid}, then cancel again`,
    );
}

function interrupt(pid: number): void {
  try {
    process.kill(pid, "SIGINT");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EPERM")
      throw new Failure(`process ${pid} is another user's: run this as that user, or as root`);
    // It ended in this moment.
  }
}

async function cancelInService(
  project: Project,
  state: State,
  stack: string,
  terminal: Terminal,
): Promise<void> {
  const engine = await findEngine(terminal);
  const automation = loadAutomation(project);
  const args = { stackName: stack, projectName: project.name, program: async () => ({}) };
  const options = { workDir: project.root, pulumiCommand: asCommand(automation, engine), envVars: state.env };
  const selected = await automation.api.LocalWorkspace.selectStack(args, options);
  await selected.cancel();
  terminal.say(`cancelled what ran on stack ${stack}`);
}

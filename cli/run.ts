/** One command from beginning to end: its exit code, and what is printed whatever happens. */
import { type ExitCode, exitCode, Failure, messageOf } from "./failure";
import type { RunOptions } from "./options";
import type { Command } from "./phase";
import { noChanges, outcome } from "./render/outcome";
import { openSession, type Session } from "./session";
import { Terminal } from "./terminal";
import { mustAgree, type Result, work } from "./work";

export async function run(command: Command, folder: string, options: RunOptions): Promise<ExitCode> {
  const began = Date.now();
  const terminal = new Terminal(options.json);
  terminal.captureStdout();
  const result = await attempt(command, folder, options, terminal, began);
  terminal.releaseStdout();
  if (options.json) {
    const { code, ...rest } = result;
    const succeeded = code === exitCode.done ? ("succeeded" as const) : ("failed" as const);
    const durationMs = Date.now() - began;
    await terminal.object(outcome({ command, stack: options.stack, result: succeeded, ...rest, durationMs }));
  }
  return result.code;
}

async function attempt(
  command: Command,
  folder: string,
  options: RunOptions,
  terminal: Terminal,
  began: number,
): Promise<Result> {
  try {
    mustAgree(command, options, terminal);
    const needs = { program: command === "preview" || command === "up", lock: command !== "preview" };
    const session = await openSession(folder, options, terminal, needs);
    try {
      return withLateErrors(await work(command, session, began), session);
    } finally {
      session.close();
    }
  } catch (error) {
    const message = messageOf(error);
    terminal.note(`${terminal.paint("red", "error:")} ${message}`);
    const code = error instanceof Failure ? error.code : exitCode.failed;
    return {
      code,
      changes: noChanges,
      steps: [],
      outputs: {},
      diagnostics: [{ severity: "error", message }],
    };
  }
}

/** What the program did wrong while no engine ran, as when a question was asked. */
function withLateErrors(result: Result, { programErrors, terminal }: Session): Result {
  if (programErrors.length === 0) return result;
  const late = programErrors.map(({ located }) => ({ severity: "error" as const, message: located }));
  for (const { message } of late) terminal.note(`${terminal.paint("red", "error:")} ${message}`);
  return { ...result, code: exitCode.failed, diagnostics: [...result.diagnostics, ...late] };
}

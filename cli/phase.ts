/** One run of the engine: a plan, or its application. */
import type { EngineEvent } from "@pulumi/pulumi/automation";
import { explain, isEcho, reasons } from "./complaint";
import type { Diagnostic, Plan } from "./plan";
import { type ProgramError, shortenStack } from "./program";
import { followProgress } from "./render/progress";
import type { Session } from "./session";

export type Command = "preview" | "up" | "refresh" | "down";
export type Phase = "plan" | "apply";

export interface Ending {
  succeeded: boolean;
  interrupted: NodeJS.Signals | undefined;
}

const titles = {
  plan: { preview: "planning", up: "planning", refresh: "reading", down: "planning" },
  apply: { preview: "planning", up: "up", refresh: "refresh", down: "down" },
};

/** Runs the engine and records its events in the plan; what failed is among the plan's diagnostics. */
export async function perform(
  session: Session,
  command: Command,
  phase: Phase,
  plan: Plan,
  total?: number,
): Promise<Ending> {
  const { interruption } = session;
  const stopProgress = followProgress(titles[phase][command], plan, session.terminal, total);
  try {
    mustGoOn(session);
    const onEvent = (event: EngineEvent) => {
      // Nothing else does it print (pkg/backend/cancellation_scope.go of the engine).
      if (event.stdoutEvent) interruption.reachedEngine();
      plan.record(event);
    };
    await callEngine(session, command, phase, onEvent, interruption.signal);
    mustGoOn(session);
    return { succeeded: true, interrupted: interruption.interrupted() };
  } catch (error) {
    addCause(session, plan, error, interruption.interrupted());
    return { succeeded: false, interrupted: interruption.interrupted() };
  } finally {
    session.terminal.endLine();
    stopProgress();
  }
}

/** What the program did meanwhile may be known to us alone. */
function mustGoOn({ programErrors }: Session): void {
  if (programErrors.length) throw new Error(programErrors[0]?.text);
}

async function callEngine(
  session: Session,
  command: Command,
  phase: Phase,
  onEvent: (event: EngineEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const { stack, options, settings } = session;
  const common = {
    onEvent,
    signal,
    parallel: options.parallel,
    color: "never" as const,
    suppressOutputs: true,
    ...(settings.copy ? { configFile: settings.copy } : {}),
  };
  // The history that the Automation API reads afterwards would need the passphrase of the user's own file.
  const applied = { ...common, showSecrets: false };
  if (command === "down") await stack.destroy({ ...applied, previewOnly: phase === "plan" });
  else if (command === "refresh") await stack.refresh({ ...applied, previewOnly: phase === "plan" });
  else if (phase === "plan") await stack.preview({ ...common, refresh: true });
  else await stack.up({ ...applied, refresh: true });
}

/** The engine says that it failed; this finds out why, and leaves out what only repeats the reason. */
function addCause(
  session: Session,
  plan: Plan,
  error: unknown,
  interrupted: NodeJS.Signals | undefined,
): void {
  const thrown = session.programErrors.splice(0);
  const kept = plan.diagnostics
    .filter(
      (one) => one.severity !== "error" || one.urn || !(isEcho(one.message) || isThrown(one.message, thrown)),
    )
    .map((one) => (one.severity === "error" ? { ...one, message: shortenStack(one.message) } : one));
  plan.diagnostics.length = 0;
  // They were said when they came.
  plan.diagnostics.push(...kept.filter((one) => !repeats(one, kept)));
  for (const { located } of thrown) plan.diagnose({ severity: "error", message: located });
  if (plan.diagnostics.some((one) => one.severity === "error")) return;
  // That it was interrupted is said anyway, with what is left.
  if (interrupted) plan.diagnostics.push({ severity: "error", message: `interrupted by ${interrupted}` });
  else
    for (const message of reasons(error))
      plan.diagnose({ severity: "error", message: explain(session, message) });
}

function isThrown(message: string, thrown: readonly ProgramError[]): boolean {
  const unhandled = /^(Unhandled exception|One or more errors occurred)/.test(message);
  // As it is, with its stack, or, of what is no Error, with two words before it.
  const bare = shortenStack(message).replace(/^(Error: |unknown error )/, "");
  return thrown.some(
    ({ text, located }) => bare === text || bare === located || (unhandled && message.includes(text)),
  );
}

/** The node runtime reports an exception twice: where it was, and once more as its bare text. */
function repeats(one: Diagnostic, all: readonly Diagnostic[]): boolean {
  if (one.severity !== "error" || one.urn) return false;
  if (one.message.startsWith("One or more errors occurred")) return all.length > 1;
  return all.some(
    (other) => other !== one && other.message.startsWith("Unhandled") && other.message.includes(one.message),
  );
}

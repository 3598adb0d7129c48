/** Plan, agreement, application: the course of every command that runs the engine. */
import { isEcho } from "./complaint";
import { type ExitCode, exitCode, usage } from "./failure";
import type { RunOptions } from "./options";
import { type Command, type Ending, perform } from "./phase";
import { type Changes, type Diagnostic, Plan, type Properties } from "./plan";
import { type OutcomeStep, stepsOf } from "./render/outcome";
import { countChanges, groupByResource, renderMessage, renderPlan } from "./render/plan";
import { renderTable, rowsOf } from "./render/table";
import { listOf, nameOf, show } from "./render/value";
import type { Session } from "./session";
import { seconds, type Terminal } from "./terminal";

export interface Result {
  code: ExitCode;
  changes: Changes;
  steps: OutcomeStep[];
  outputs: Properties;
  diagnostics: Diagnostic[];
}

const questions = {
  up: "Bring this up?",
  down: "Remove all this?",
  refresh: "Write this to the state?",
  preview: "",
};

/** Refuses at once what would have to ask where nobody can answer. */
export function mustAgree(command: Command, options: RunOptions, terminal: Terminal): void {
  if (command === "preview" || options.yes || options.expectNoChanges || terminal.interactive) return;
  const why = options.json
    ? "with --json nobody can be asked"
    : "this is no terminal, so nobody can be asked";
  throw usage(`${command} shows its plan and asks; ${why}: give --yes`);
}

export async function work(command: Command, session: Session, began: number): Promise<Result> {
  const { terminal, options } = session;
  const kind = command === "refresh" ? "refresh" : "run";
  const planned = new Plan(kind);
  const planning = await perform(session, command, "plan", planned);
  showPlan(planned, session);
  if (!planning.succeeded || planning.interrupted)
    return fail(planned, planning, terminal, "nothing was changed");
  showSummary(command, planned, session);
  const changed = planned.changed();
  if (options.expectNoChanges && changed) {
    const message = `changes where none were expected: ${countChanges(planned.changes(), "planned", planned.kind)}`;
    terminal.note(`${terminal.paint("red", "error:")} ${message}`);
    return {
      ...resultOf(planned, exitCode.changes),
      diagnostics: [...planned.diagnostics, { severity: "error", message }],
    };
  }
  if (command === "preview" || options.expectNoChanges) return resultOf(planned, exitCode.done);
  const sameOptions = command !== "up" || session.declared.areRecorded();
  if (!changed && !planned.stateChanged && !planned.outputsChanged() && sameOptions) {
    showEnd(command, planned, terminal);
    return resultOf(planned, exitCode.done);
  }
  if (changed && !options.yes && !(await confirm(questions[command], session.interruption.signal))) {
    terminal.say("Nothing was changed.");
    return resultOf(planned, exitCode.failed);
  }
  return apply(command, session, planned, began);
}

async function apply(command: Command, session: Session, planned: Plan, began: number): Promise<Result> {
  const { terminal } = session;
  const applied = new Plan(planned.kind);
  // What the plan said is not said again.
  for (const message of planned.diagnostics) applied.diagnose(message);
  applied.onDiagnostic = (message) => {
    if (!isEcho(message.message)) terminal.say(`  ${about(message)}${renderMessage(message, terminal)}`);
  };
  const ending = await perform(session, command, "apply", applied, planned.steps.size);
  const steps = stepsOf(planned.steps, applied.steps);
  if (!ending.succeeded)
    return { ...fail(applied, ending, terminal, whatIsLeft(command, planned, applied)), steps };
  if (command === "up") session.declared.record();
  terminal.say(
    `Done: ${countChanges(applied.changes(), "done", applied.kind)} (${seconds(Date.now() - began)})`,
  );
  showEnd(command, applied, terminal);
  return { ...resultOf(applied, exitCode.done), steps };
}

function showPlan(plan: Plan, session: Session): void {
  const { terminal, options } = session;
  for (const line of renderPlan(plan, terminal, options.diff)) terminal.say(line);
  for (const message of groupByResource(plan.diagnostics).get("") ?? [])
    terminal.say(`  ${renderMessage(message, terminal)}`);
  showStray(plan, terminal);
}

function showSummary(command: Command, plan: Plan, session: Session): void {
  const { terminal, options } = session;
  const summary = countChanges(plan.changes(), "planned", plan.kind);
  const what = plan.changed() ? summary : `nothing changes (${summary})`;
  terminal.say(
    terminal.paint("bold", `${command === "refresh" ? "State" : "Plan"} of ${options.stack}: ${what}`),
  );
}

/** Messages on resources that no step mentions: a check that failed is one. */
function showStray(plan: Plan, terminal: Terminal): void {
  for (const message of plan.diagnostics) {
    if (message.urn && !plan.steps.has(message.urn))
      terminal.say(`  ${about(message)}${renderMessage(message, terminal)}`);
  }
}

function showEnd(command: Command, plan: Plan, terminal: Terminal): void {
  if (command !== "up") return;
  const outputs = Object.entries(plan.stackOutputs);
  if (outputs.length) terminal.say("Outputs:");
  for (const [name, value] of outputs) terminal.say(`  ${name}: ${show(value)}`);
  const rows = rowsOf(plan.outputs);
  if (rows.length) terminal.say(renderTable(rows));
}

function fail(plan: Plan, ending: Ending, terminal: Terminal, left: string): Result {
  const errors = plan.diagnostics.filter((message) => message.severity === "error").length;
  const cause = ending.interrupted
    ? `interrupted by ${ending.interrupted}`
    : `${errors} error${errors === 1 ? "" : "s"}`;
  terminal.note(`${terminal.paint("red", "failed:")} ${cause}; ${left}`);
  return resultOf(plan, exitCode.failed);
}

/** After a run that did not end well: what was done, what was not, and what may be half made. */
function whatIsLeft(command: Command, planned: Plan, applied: Plan): string {
  const wanted = [...planned.steps.values()].filter((step) => step.operation !== "same");
  const state = (urn: string) => applied.steps.get(urn)?.state;
  const open = wanted.filter((step) => state(step.urn) === "running").map((step) => step.urn);
  const left = wanted
    .filter((step) => !["done", "running"].includes(state(step.urn) ?? ""))
    .map((step) => step.urn);
  const finished = wanted.length - open.length - left.length;
  const parts = [`${finished} of ${wanted.length} done`];
  if (left.length) parts.push(`not done: ${listOf(left)}`);
  if (open.length) parts.push(`begun, end unknown: ${listOf(open)}`);
  return `${parts.join("; ")}; the next "tuntap ${command}" goes on from here`;
}

function about(message: Diagnostic): string {
  return message.urn ? `${nameOf(message.urn).kind} ${nameOf(message.urn).name}: ` : "";
}

function resultOf(plan: Plan, code: ExitCode): Result {
  const { stackOutputs: outputs, diagnostics } = plan;
  return { code, changes: plan.changes(), steps: stepsOf(plan.steps), outputs, diagnostics };
}

async function confirm(message: string, signal: AbortSignal): Promise<boolean> {
  const prompts = await import("@clack/prompts");
  return (await prompts.confirm({ message, signal, initialValue: false })) === true;
}

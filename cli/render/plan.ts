/** The plan in words: each resource, what happens to it, its properties old => new, and what was said about it. */
import { readPackageFile } from "../package-file";
import type { Changes, Diagnostic, Operation, Plan, Step } from "../plan";
import type { Terminal } from "../terminal";
import { nameOf, plain, show } from "./value";

const signs: Record<Operation, string> = { create: "+", update: "~", delete: "-", replace: "+-", same: "=" };
const colours = { create: "green", update: "yellow", delete: "red", replace: "yellow", same: "dim" } as const;
const order: Operation[] = ["create", "update", "replace", "delete", "same"];
const done = {
  create: "created",
  update: "updated",
  replace: "replaced",
  delete: "deleted",
  same: "unchanged",
};
/** What a refresh does to the state, in its own words. */
const found = {
  create: "found",
  update: "differs",
  replace: "differs",
  delete: "is gone",
  same: "unchanged",
};

/** What a refresh did, which is to the state alone. */
const noted = {
  ...done,
  update: "updated in the state",
  delete: "gone from the host, taken out of the state:",
};

export function renderPlan(plan: Plan, terminal: Terminal, full: boolean): string[] {
  const lines: string[] = [];
  const about = groupByResource(plan.diagnostics);
  for (const step of plan.steps.values()) {
    const messages = about.get(step.urn) ?? [];
    if (step.operation === "same" && messages.length === 0 && !full) continue;
    const { kind, name } = nameOf(step.urn);
    const head = `  ${signs[step.operation].padEnd(2)} ${kind} ${name}  ${headWord(step, plan.kind)}`;
    lines.push(terminal.paint(colours[step.operation], head));
    for (const line of propertyLines(step, full)) lines.push(`       ${line}`);
    for (const message of messages) lines.push(`       ${renderMessage(message, terminal)}`);
  }
  return lines;
}

/** `1 to create, 2 unchanged`, or `1 created, 2 unchanged`. */
export function countChanges(changes: Changes, tense: "planned" | "done", of: Plan["kind"] = "run"): string {
  const parts = order
    .filter((operation) => changes[operation] > 0)
    .map((operation) => {
      // A refresh deletes nothing but what the state says.
      const forgets = of === "refresh" && operation === "delete";
      const word =
        tense === "planned" && operation !== "same"
          ? `to ${forgets ? "forget" : operation}`
          : forgets
            ? "forgotten"
            : done[operation];
      return `${changes[operation]} ${word}`;
    });
  return parts.join(", ") || "no resources";
}

export function renderMessage(message: Diagnostic, terminal: Terminal): string {
  const colour = message.severity === "error" ? "red" : message.severity === "warning" ? "yellow" : "dim";
  return `${terminal.paint(colour, `${message.severity}:`)} ${message.message.replaceAll("\n", "\n         ")}`;
}

export function describeDone(step: Step, of: Plan["kind"]): string {
  const { kind, name } = nameOf(step.urn);
  const word = (of === "refresh" ? noted : done)[step.operation];
  return `${step.kept ? "forgot" : word} ${kind} ${name}`;
}

function headWord(step: Step, kind: Plan["kind"]): string {
  if (kind === "refresh") return found[step.operation];
  if (step.kept) return "forget: it stays on the host (retainOnDelete)";
  if (step.vanished && step.operation === "create") return "create again: it does not exist any more";
  const why = step.operation === "replace" && step.replaces.length ? ` (${step.replaces.join(", ")})` : "";
  return step.operation === "same" ? "unchanged" : step.operation + why;
}

function propertyLines(step: Step, full: boolean): string[] {
  const lines: string[] = [];
  for (const row of compare(step, full)) {
    const [was, value] = [row.was, row.value].map((each) => show(each, full));
    if (row.changed) lines.push(`${row.key}: ${"was" in row ? `${was} => ` : ""}${value}`);
    else if (full) lines.push(`${row.key}: ${value}`);
  }
  return lines;
}

/** A property of a step, secrets masked; null where it is not set. */
export interface ChangedProperty {
  name: string;
  before: unknown;
  after: unknown;
}

/** What a step changes, as the plan shows it. */
export function changedProperties(step: Step): ChangedProperty[] {
  const gone = step.operation === "delete";
  return compare(step, false)
    .filter(({ changed }) => changed || gone)
    .map(({ key, was, value }) => ({
      name: key,
      before: plain(gone ? value : was) ?? null,
      after: gone ? null : (plain(value) ?? null),
    }));
}

interface Row {
  key: string;
  changed: boolean;
  /** Where two states are compared. */
  was?: unknown;
  value: unknown;
}

function compare(step: Step, full: boolean): Row[] {
  const { before, after } = step;
  if (step.operation === "delete") return rowsOf(before?.inputs, false);
  // What is the default anyway need not be among the inputs.
  const { kind } = nameOf(step.urn);
  if (!before) {
    if (full) return rowsOf({ ...defaultsOf(kind), ...after?.inputs }, true);
    return rowsOf(after?.inputs, true).filter(({ key, value }) => defaultsOf(kind)[key] !== value);
  }
  // Of a resource that is looked at anew, what it is counts; of one that is changed, what is declared.
  const old = step.operation === "same" ? before.outputs : before.inputs;
  const target = after?.inputs ?? {};
  const keys = [...new Set([...Object.keys(old), ...Object.keys(target), ...step.named.map(topKey)])];
  return visible(keys).map((key) => {
    const was = key in old ? old[key] : before.outputs[key];
    const becomes = key in target ? target[key] : step.operation === "same" ? was : defaultsOf(kind)[key];
    const changed =
      step.operation !== "same" && (show(was) !== show(becomes) || step.named.some((n) => topKey(n) === key));
    return { key, changed, was, value: becomes };
  });
}

function rowsOf(properties: Record<string, unknown> | undefined, changed: boolean): Row[] {
  return visible(Object.keys(properties ?? {})).map((key) => {
    const value = properties?.[key];
    return { key, changed, value };
  });
}

/** Of a kind, by input. Read when the first change is shown: most plans have none. */
function defaultsOf(kind: string): Readonly<Record<string, unknown>> {
  defaults ??= readDefaults();
  return defaults.get(kind) ?? {};
}

let defaults: Map<string, Record<string, unknown>> | undefined;

function readDefaults(): Map<string, Record<string, unknown>> {
  const { resources = {} } = (readPackageFile("schema.json") ?? {}) as {
    resources?: Record<string, { inputProperties: Record<string, { default?: unknown }> }>;
  };
  return new Map(
    Object.entries(resources).map(([type, { inputProperties }]) => {
      const stated = Object.entries(inputProperties).filter(([, schema]) => schema.default !== undefined);
      return [
        String(type.split(":").at(-1)),
        Object.fromEntries(stated.map(([input, schema]) => [input, schema.default])),
      ];
    }),
  );
}

function visible(keys: string[]): string[] {
  return keys.filter((key) => !key.startsWith("__")).sort();
}

function topKey(path: string): string {
  return path.split(/[.[]/)[0] ?? path;
}

export function groupByResource(diagnostics: readonly Diagnostic[]): Map<string, Diagnostic[]> {
  const groups = new Map<string, Diagnostic[]>();
  for (const diagnostic of diagnostics) {
    const key = diagnostic.urn ?? "";
    groups.set(key, [...(groups.get(key) ?? []), diagnostic]);
  }
  return groups;
}

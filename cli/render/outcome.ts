/** The one object of --json. */
import type { Changes, Diagnostic, Operation, Properties, Step } from "../plan";
import { type ChangedProperty, changedProperties } from "./plan";
import { nameOf, plain } from "./value";

/** What happens to one resource, of those that change. */
export interface OutcomeStep {
  urn: string;
  kind: string;
  /** The logical name. */
  name: string;
  operation: Operation;
  state: "planned" | "done" | "failed" | "unknown";
  /** The properties for which a replacement is needed. */
  replaces: string[];
  properties: ChangedProperty[];
}

export interface Outcome {
  command: string;
  stack: string;
  result: "succeeded" | "failed";
  changes: Changes;
  steps: OutcomeStep[];
  outputs: Properties;
  diagnostics: Diagnostic[];
  durationMs: number;
}

export const noChanges: Changes = { create: 0, update: 0, delete: 0, replace: 0, same: 0 };

/**
 * What a run does or did.
 * @param planned the steps of the plan.
 * @param applied those of its application, if there was one.
 */
export function stepsOf(
  planned: ReadonlyMap<string, Step>,
  applied?: ReadonlyMap<string, Step>,
): OutcomeStep[] {
  const steps = new Map([...planned, ...(applied ?? [])]);
  return [...steps.values()]
    .filter(({ operation }) => operation !== "same")
    .map((step) => ({
      urn: step.urn,
      ...nameOf(step.urn),
      operation: step.operation,
      state: stateOf(applied?.get(step.urn)),
      replaces: step.operation === "replace" ? step.replaces.filter((key) => !key.startsWith("__")) : [],
      properties: changedProperties(step),
    }));
}

function stateOf(step: Step | undefined): OutcomeStep["state"] {
  if (!step) return "planned";
  return step.state === "running" ? "unknown" : step.state;
}

/** Builds the object with its fields in the documented order, secrets masked. */
export function outcome(parts: Omit<Outcome, "outputs"> & { outputs: Properties }): Outcome {
  const { command, stack, result, changes, steps, durationMs } = parts;
  const diagnostics = parts.diagnostics.map(({ severity, message, urn }) => ({
    severity,
    message,
    urn: urn ?? "",
  }));
  return {
    command,
    stack,
    result,
    changes,
    steps,
    outputs: plain(parts.outputs) as Properties,
    diagnostics,
    durationMs,
  };
}

/** The one object of --json. */
import type { Changes, Diagnostic, Properties } from "../plan";
import { plain } from "./value";

export interface Outcome {
  command: string;
  stack: string;
  result: "succeeded" | "failed";
  changes: Changes;
  outputs: Properties;
  diagnostics: Diagnostic[];
  durationMs: number;
}

export const noChanges: Changes = { create: 0, update: 0, delete: 0, replace: 0, same: 0 };

/** Builds the object with its fields in the documented order, secrets masked. */
export function outcome(parts: Omit<Outcome, "outputs"> & { outputs: Properties }): Outcome {
  const { command, stack, result, changes, durationMs } = parts;
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
    outputs: plain(parts.outputs) as Properties,
    diagnostics,
    durationMs,
  };
}

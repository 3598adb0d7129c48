/** What commands that only look have in common. */
import type { Unseen } from "../provider/host/census";
import type { Diagnostic } from "./plan";
import type { Terminal } from "./terminal";

export function notSeen(unseen: readonly Unseen[]): Diagnostic[] {
  return unseen.map(({ namespace, reason }) => ({
    severity: "warning",
    message: `${namespace === undefined ? "the host's namespace" : `namespace ${namespace}`} was not looked into: ${reason}`,
  }));
}

export function withoutRoot(): Diagnostic[] {
  if (process.geteuid?.() === 0) return [];
  return [{ severity: "warning", message: "without root, processes of other users are not seen" }];
}

export function sayDiagnostics(diagnostics: readonly Diagnostic[], terminal: Terminal): void {
  for (const { severity, message } of diagnostics)
    terminal.note(`${terminal.paint(severity === "error" ? "red" : "yellow", `${severity}:`)} ${message}`);
}

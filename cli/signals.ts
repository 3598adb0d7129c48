/**
 * SIGINT and SIGTERM while the engine works. The engine ends cleanly at its first signal and hard at its second, so
 * it must get exactly one: a terminal's Ctrl-C reaches it by itself, everything else is passed on.
 */
import { readFileSync } from "node:fs";
import type { Terminal } from "./terminal";

export interface Interruption {
  /** Given to the Automation API: aborting it asks the engine to end. */
  signal: AbortSignal;
  interrupted(): NodeJS.Signals | undefined;
  stop(): void;
}

export function watchSignals(terminal: Terminal): Interruption {
  const controller = new AbortController();
  let first: NodeJS.Signals | undefined;
  const onSignal = (name: NodeJS.Signals) => {
    const again = first !== undefined;
    first ??= name;
    if (!again) terminal.note(`${name}: the engine finishes what it has begun, and ends`);
    if (name === "SIGINT" && engineHasIt()) return;
    controller.abort();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    signal: controller.signal,
    interrupted: () => first,
    stop: () => {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}

/** The engine is in our process group; where that is the terminal's foreground group, Ctrl-C went to both. */
function engineHasIt(): boolean {
  try {
    const stat = readFileSync("/proc/self/stat", "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [, , group, , , foreground] = fields.map(Number);
    return foreground !== undefined && foreground > 0 && foreground === group;
  } catch {
    return false;
  }
}

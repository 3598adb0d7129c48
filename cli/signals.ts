/**
 * SIGINT and SIGTERM while the engine works. The engine ends cleanly at its first signal and hard at its second, so
 * it must get exactly one: a terminal's Ctrl-C, and what is sent to a whole process group, reach it by themselves,
 * everything else is passed on.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parentOf, statFields } from "./process-stat";
import type { Terminal } from "./terminal";

const insistMilliseconds = 2000;
/** How long the engine has to say that a signal has reached it by itself. */
const sayMilliseconds = 500;

export interface Interruption {
  /** A file that exists from the first signal on: the engine does not tell our provider, which may be waiting. */
  sign: string;
  /** Given to the Automation API: aborting it asks the engine to end. */
  signal: AbortSignal;
  interrupted(): NodeJS.Signals | undefined;
  /** Called when the engine says that a signal has reached it. */
  reachedEngine(): void;
  /** Asks the engine to end, though no signal came. */
  end(): void;
  stop(): void;
}

/** @param folder where the sign is put. */
export function watchSignals(terminal: Terminal, folder: string): Interruption {
  const sign = join(folder, `interrupted-${process.pid}`);
  rmSync(sign, { force: true });
  const controller = new AbortController();
  // As it is now: the program's own calls are caught.
  const exit = process.exit.bind(process);
  let first: NodeJS.Signals | undefined;
  let reached = false;
  let passing: NodeJS.Timeout | undefined;
  let again = false;
  let insisting: NodeJS.Timeout | undefined;
  const passOn = () => {
    passing = undefined;
    // What came again was the same then: timeout(1) tells its child, and then its group.
    if (reached) return;
    controller.abort();
    if (again && engines().length > 0) insist();
  };
  /** The second signal is meant: the engine ends hard, or this where none runs. */
  const insist = () => {
    if (engines().length === 0) {
      rmSync(sign, { force: true });
      exit(1);
    }
    interruptEngines();
    // Two signals that come close together may reach a busy engine as one, so it is told until it has ended.
    insisting ??= setInterval(interruptEngines, insistMilliseconds);
  };
  const onSignal = (name: NodeJS.Signals) => {
    const isFirst = first === undefined;
    if (isFirst) {
      first = name;
      terminal.note(`${name}: the engine finishes what it has begun, and ends`);
      leave(sign);
    }
    if (name === "SIGINT" && engineHasIt()) return;
    if (passing) again = true;
    // The engine may know of the first before this does.
    else if (!isFirst && (reached || controller.signal.aborted)) insist();
    else passing = setTimeout(passOn, sayMilliseconds);
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    sign,
    signal: controller.signal,
    interrupted: () => first,
    reachedEngine: () => {
      reached = true;
    },
    end: () => {
      leave(sign);
      controller.abort();
    },
    stop: () => {
      clearTimeout(passing);
      clearInterval(insisting);
      rmSync(sign, { force: true });
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}

function leave(sign: string): void {
  try {
    writeFileSync(sign, "");
  } catch {
    // Without it a wait goes on to its own end.
  }
}

function interruptEngines(): void {
  for (const engine of engines()) {
    try {
      process.kill(engine, "SIGINT");
    } catch {
      // It ended in this moment.
    }
  }
}

/** Our child processes that are the engine; the Automation API does not tell. */
function engines(): number[] {
  const numbers = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return numbers.map(Number).filter((pid) => parentOf(pid) === process.pid && nameOf(pid) === "pulumi");
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "";
  }
}

/** The engine is in our process group; where that is the terminal's foreground group, Ctrl-C went to both. */
function engineHasIt(): boolean {
  const [, , group, , , foreground] = statFields("self") ?? [];
  return Number(foreground) > 0 && foreground === group;
}

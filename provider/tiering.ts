import { setFlagsFromString } from "node:v8";

/**
 * Makes V8 wait longer until it compiles a function for speed. That of Node.js 20 (V8 11) begins after 66 kB of bytecode:
 * a process that works for less than a second then spends more on compiling than it gets back, on the core that the
 * kernel's and the engine's work needs. V8 12 waits by itself, and has no such flag. It is for the whole process, and for
 * what runs afterwards.
 */
export function compileLate(): void {
  if (process.versions.v8.startsWith("11.")) setFlagsFromString("--interrupt-budget=500000");
}

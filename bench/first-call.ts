/** Preloaded into the CLI: notes the moment, in milliseconds of the epoch, at which it first starts the engine. */
import childProcess from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { basename } from "node:path";

const note = process.env.BENCH_FIRST_CALL;
const { spawn } = childProcess;

childProcess.spawn = ((file: string, ...rest: never[]) => {
  if (note && basename(file) === "pulumi" && !existsSync(note))
    writeFileSync(note, String(performance.timeOrigin + performance.now()));
  return (spawn as (...args: unknown[]) => unknown)(file, ...rest);
}) as typeof spawn;

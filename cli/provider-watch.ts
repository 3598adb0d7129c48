/**
 * Preloaded into the processes that the engine starts (NODE_OPTIONS). The dynamic provider serialises no functions, so
 * it starts without what only that needs. And it outlives an engine that is
 * killed, and before its first call no code of ours is in it to notice; so it watches its engine from the first moment.
 */
import { readFileSync } from "node:fs";

const lookMilliseconds = 500;

/** The parent of a process; undefined once it is gone. */
function parentOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
  } catch {
    return undefined;
  }
}

const program = process.argv[1];
if (program?.includes("dynamic-provider")) {
  const { deferHeavyModules } = require("./defer") as typeof import("./defer");
  deferHeavyModules(program);
  // The engine starts a launcher, and the launcher this; the launcher stays when its engine is killed.
  const engine = parentOf(process.ppid);
  setInterval(() => {
    if (parentOf(process.ppid) !== engine) process.exit(1);
  }, lookMilliseconds).unref();
}

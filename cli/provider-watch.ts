/**
 * Preloaded into the processes that the engine starts (NODE_OPTIONS). The dynamic provider serialises no functions, so
 * it starts without what only that needs. And it outlives an engine that is killed, and before its first call no code of
 * ours is in it to notice; so it watches its engine from the first moment.
 */
import { parentOf } from "./process-stat";

const lookMilliseconds = 500;

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

/** Locks of a state folder that a dead engine left behind. */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { Failure, notYours } from "./failure";
import { statFields } from "./process-stat";

export interface Lock {
  file: string;
  pid: number;
  host: string;
  user: string;
  since: Date;
  holder: "alive" | "dead" | "elsewhere";
}

/** The locks of a stack in a folder backend. */
export function findLocks(folder: string, project: string, stack: string): Lock[] {
  const base = join(folder, ".pulumi", "locks");
  const folders = [join(base, "organization", project, stack), join(base, stack)];
  return folders
    .filter((at) => existsSync(at))
    .flatMap((at) =>
      readdirSync(at)
        .filter((name) => name.endsWith(".json"))
        .flatMap((name) => readLock(join(at, name)) ?? []),
    );
}

/** Does a living engine, of whatever stack and host, work in the folder? */
export function anyLiveLock(folder: string): boolean {
  const base = join(folder, ".pulumi", "locks");
  if (!existsSync(base)) return false;
  return readdirSync(base, { recursive: true, withFileTypes: true }).some(
    (entry) => entry.name.endsWith(".json") && mayBeHeld(join(entry.parentPath, entry.name)),
  );
}

function mayBeHeld(file: string): boolean {
  try {
    return ["alive", "elsewhere"].includes(readLock(file)?.holder ?? "");
  } catch {
    // Another user's, of another stack perhaps.
    return true;
  }
}

/** Removes the locks of dead processes and gives them; a lock that somebody may hold is an error. */
export function clearDeadLocks(folder: string, project: string, stack: string): Lock[] {
  const locks = findLocks(folder, project, stack);
  const held = locks.find((lock) => lock.holder !== "dead");
  if (held) {
    throw new Failure(
      `stack ${stack} is locked by ${held.user}@${held.host}, process ${held.pid}, since ${held.since.toISOString()}` +
        (held.holder === "alive" ? ", which is running" : ", another host") +
        `\nwait for it, or run "tuntap cancel" (which asks it to end, or removes the lock)`,
    );
  }
  for (const lock of locks) removeLock(lock);
  return locks;
}

export function removeLock(lock: Lock): void {
  rmSync(lock.file, { force: true });
  rmSync(`${lock.file}.attrs`, { force: true });
}

/** Are there creates in the state that a crash left without an end? */
export function hasPendingCreates(folder: string, project: string, stack: string): boolean {
  const base = join(folder, ".pulumi", "stacks");
  for (const file of [join(base, project, `${stack}.json`), join(base, `${stack}.json`)]) {
    if (!existsSync(file)) continue;
    const text = readFileSync(file, "utf8");
    if (!text.includes('"pending_operations"')) return false;
    const state = JSON.parse(text) as {
      checkpoint?: { latest?: { pending_operations?: { type: string }[] } };
    };
    return (
      state.checkpoint?.latest?.pending_operations?.some((operation) => operation.type === "creating") ===
      true
    );
  }
  return false;
}

function readLock(file: string): Lock | undefined {
  try {
    const content = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
    const pid = Number(content.pid);
    const host = String(content.hostname);
    const since = new Date(String(content.timestamp));
    const holder = host !== hostname() ? "elsewhere" : isAlive(pid, since) ? "alive" : "dead";
    return { file, pid, host, user: String(content.username), since, holder };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EACCES") throw notYours(file);
    // It was removed in this moment, or is no lock.
    return undefined;
  }
}

/** A process with this number that began after the lock was written is another one. */
function isAlive(pid: number, since: Date): boolean {
  const born = startOf(pid);
  if (!born) return false;
  return Number.isNaN(since.getTime()) || born <= since.getTime() + 2000;
}

/** In milliseconds since 1970; undefined of one that has ended. */
function startOf(pid: number): number | undefined {
  const fields = statFields(pid);
  if (!fields || fields[0] === "Z" || fields[0] === "X") return undefined;
  const boot = Number(/^btime (\d+)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1]);
  return (boot + Number(fields[19]) / 100) * 1000;
}

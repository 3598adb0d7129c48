/**
 * Under sudo, what is written into the folders of the user who called sudo belongs to that user in the end.
 * Everything that knows about this is here.
 */
import { chownSync, lchownSync, lstatSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";

export interface Invoker {
  uid: number;
  gid: number;
  home: string;
}

/** The user behind `sudo`, or undefined where this process is who it seems to be. */
export function invoker(env: NodeJS.ProcessEnv = process.env): Invoker | undefined {
  if (process.geteuid?.() !== 0) return undefined;
  const uid = Number.parseInt(env.SUDO_UID ?? "", 10);
  const gid = Number.parseInt(env.SUDO_GID ?? "", 10);
  if (!(uid > 0) || !(gid >= 0)) return undefined;
  return { uid, gid, home: homeOf(uid) ?? homedir() };
}

/** The home of the one whose files these are: caches go there, also under sudo. */
export function userHome(): string {
  return invoker()?.home ?? homedir();
}

export function inside(path: string, folder: string): boolean {
  const step = relative(resolve(folder), resolve(path));
  return step === "" || !(step.startsWith("..") || step.startsWith("/"));
}

/** Makes a folder with its parents; in a folder of the user's, each one made here belongs to the user. */
export function makeFolder(path: string, mode = 0o755): void {
  const first = mkdirSync(path, { recursive: true, mode });
  const user = invoker();
  if (!first || !user || !ownedByInvoker(dirname(first))) return;
  for (let at = path; inside(at, first); at = dirname(at)) chownSync(at, user.uid, user.gid);
}

/** Gives what root made below `path` to the user; never follows a link, never touches another's file. */
export function giveBack(path: string, depth = Number.POSITIVE_INFINITY): void {
  const user = invoker();
  if (user) giveTo(user, path, depth);
}

function giveTo(user: Invoker, path: string, depth: number): void {
  try {
    const stat = lstatSync(path);
    // A file with two names may be a system file that somebody linked here.
    const single = stat.isDirectory() || stat.nlink === 1;
    if (stat.uid === 0 && single) lchownSync(path, user.uid, user.gid);
    if (!stat.isDirectory() || depth <= 0) return;
    for (const name of readdirSync(path)) giveTo(user, join(path, name), depth - 1);
  } catch {
    // It went away, or the file system knows no owners: nothing to give.
  }
}

/** Is the folder the user's own? Only then are new files in it given back. */
export function ownedByInvoker(folder: string): boolean {
  const user = invoker();
  if (!user) return false;
  try {
    return lstatSync(folder).uid === user.uid;
  } catch {
    return false;
  }
}

function homeOf(uid: number): string | undefined {
  try {
    const line = readFileSync("/etc/passwd", "utf8")
      .split("\n")
      .find((entry) => Number(entry.split(":")[2]) === uid && entry.includes(":"));
    return line?.split(":")[5] || undefined;
  } catch {
    return undefined;
  }
}

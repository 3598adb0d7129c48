/** What a killed engine leaves half-written in a state folder, and what every later engine fails to read. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { anyLiveLock } from "./lock";
import type { Terminal } from "./terminal";

/** An engine writes and renames such a file within milliseconds; one of this age is nobody's any more. */
const draftMilliseconds = 2000;

/** Removes them, and says so. */
export async function clearTorn(folder: string, terminal: Terminal): Promise<void> {
  for (const file of await removeTornFiles(folder))
    terminal.note(`removed ${relative(folder, file)}, which a killed engine left half-written`);
}

/**
 * Removes, where no living engine works in the folder:
 * - `*.attrs` that are no JSON: the engine rewrites them before it renames the file that they go with, and can do
 *   without them;
 * - drafts of locks (`*.tmp`), which count as locks although nobody holds them.
 *
 * @returns what was removed.
 */
async function removeTornFiles(folder: string): Promise<string[]> {
  const root = join(folder, ".pulumi");
  if (!existsSync(root) || anyLiveLock(folder)) return [];
  const names = ["stacks", "locks", "history", "backups"].flatMap((part) => filesIn(join(root, part)));
  const torn = names.filter((name) => name.endsWith(".attrs") && !isJson(name));
  const drafts = names.filter((name) => name.startsWith(join(root, "locks")) && name.endsWith(".tmp"));
  for (const name of drafts) if (await isStale(name)) torn.push(name);
  for (const name of torn) rmSync(name, { force: true });
  return torn;
}

function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

function isJson(file: string): boolean {
  try {
    JSON.parse(readFileSync(file, "utf8"));
    return true;
  } catch (error) {
    return !(error instanceof SyntaxError);
  }
}

/** Waits until the draft is old enough to be judged; false if its writer finished it meanwhile. */
async function isStale(file: string): Promise<boolean> {
  for (;;) {
    const written = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
    if (written === undefined) return false;
    const left = written + draftMilliseconds - Date.now();
    if (left <= 0) return true;
    await new Promise((resolve) => setTimeout(resolve, Math.min(left, draftMilliseconds)));
  }
}

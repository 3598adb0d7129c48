import { readFileSync } from "node:fs";

/**
 * What /proc/PID/stat tells of a process after its name (proc(5)): state, parent, group, session, terminal, foreground
 * group … Undefined once it is gone.
 */
export function statFields(pid: number | "self"): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

/** The parent of a process. */
export function parentOf(pid: number): number | undefined {
  const parent = statFields(pid)?.[1];
  return parent === undefined ? undefined : Number(parent);
}

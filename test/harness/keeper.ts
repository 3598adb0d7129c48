import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import type { Lab } from "./lab";

/** The pid of the process that keeps an interface of the lab (`persistence: "process"`), as /proc and ip tell it. */
export async function keeperOf(name: string, lab: Lab): Promise<number | undefined> {
  const { altnames = [] } = await lab.mustHave(name);
  const pids = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry));
  return pids.map(Number).find((pid) => {
    try {
      if (basename(readlinkSync(`/proc/${pid}/exe`)) !== "tuntap-helper") return false;
      const [, command, , lease = ""] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      return command === "hold" && altnames.includes(lease) && isAttachedTo(pid, name);
    } catch {
      // It ended while it was looked at.
      return false;
    }
  });
}

function isAttachedTo(pid: number, name: string): boolean {
  return readdirSync(`/proc/${pid}/fdinfo`).some((descriptor) =>
    readFileSync(`/proc/${pid}/fdinfo/${descriptor}`, "utf8").includes(`iff:\t${name}\n`),
  );
}

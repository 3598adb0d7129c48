import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { giveBack, makeFolder, userHome } from "../../cli/ownership";

/** The oldest that package.json allows, and the newest of the later lines that are supported. */
export const nodeVersions = ["20.12.0", "22.23.3", "24.21.0"] as const;

const cache = join(process.env.XDG_CACHE_HOME || join(userHome(), ".cache"), "pulumi-tuntap", "node");

/** A Node.js of a version and machine, from its npm package, kept in the user's cache; else why there is none. */
export function obtainNode(
  version: string,
  machine: string = process.arch,
): { path?: string; reason: string } {
  const folder = join(cache, `${version}-${machine}`);
  const name = `node-linux-${machine}`;
  const path = join(folder, "node_modules", name, "bin", "node");
  if (!existsSync(path)) {
    makeFolder(folder);
    // --force: it may be for another machine than this one.
    const options = ["--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--force"];
    const args = ["install", "--loglevel=error", ...options, `${name}@${version}`];
    const { status, stderr } = spawnSync("npm", args, { encoding: "utf8" });
    giveBack(cache);
    if (status !== 0) return { reason: stderr.trim().split("\n").at(-1) ?? "npm failed" };
  }
  return existsSync(path) ? { path, reason: "" } : { reason: `${name} has no bin/node` };
}

/** Engines that are already here: on PATH, or in the cache. */
import { accessSync, constants, existsSync, realpathSync, statSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { userHome } from "../ownership";
import { runProcess } from "./process";
import { atLeast, engineVersion, findVersion, minimumEngine } from "./version";

export interface Engine {
  /** The `pulumi` binary. */
  path: string;
  version: string;
  source: "PATH" | "cache" | "official install" | "built with Go";
}

/** The dynamic provider's launcher; without it no resource of ours can be made. */
export const launcher = "pulumi-resource-pulumi-nodejs";

export interface Search {
  engine?: Engine;
  /** Why there is none, in words. */
  reason: string;
}

export async function searchPath(): Promise<Search> {
  const path = which("pulumi");
  if (!path) return { reason: "there is no pulumi on PATH" };
  const answer = await runProcess(path, ["version"], {
    env: { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true" },
  });
  const version = answer.code === 0 ? findVersion(answer.stdout) : undefined;
  if (!version) return { reason: `${path} does not tell its version` };
  if (!atLeast(version, minimumEngine)) {
    return { reason: `${path} is ${version}, older than ${minimumEngine}` };
  }
  if (!which(launcher) && !isExecutable(join(dirname(realpathSync(path)), launcher))) {
    return { reason: `${path} lacks ${launcher} beside it` };
  }
  return { engine: { path, version, source: "PATH" }, reason: "" };
}

/** The folder of all cached engines. */
export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(userHome(), ".cache"), "pulumi-tuntap", "engine");
}

export function searchCache(): Search {
  const bin = join(cacheFolder(), engineVersion, "bin");
  const path = join(bin, "pulumi");
  if (!isExecutable(path) || !isExecutable(join(bin, launcher))) {
    return { reason: existsSync(bin) ? `${bin} is incomplete` : "no engine was cached yet" };
  }
  return { engine: { path, version: engineVersion, source: "cache" }, reason: "" };
}

export function which(name: string): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter).filter(Boolean);
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    // A folder can be "executed" too.
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

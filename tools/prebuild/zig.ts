/** The compiler behind the prebuilt files: Zig, as PyPI's `ziglang`, pinned by hash and kept in the user's cache. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { giveBack, makeFolder, userHome } from "../../cli/ownership";

const requirements = join(__dirname, "requirements.txt");
const cache = join(process.env.XDG_CACHE_HOME || join(userHome(), ".cache"), "pulumi-tuntap", "zig");

export const version = /^ziglang==(\S+)/m.exec(readFileSync(requirements, "utf8"))![1]!;
/** What Zig compiles for itself, such as a target's C and C++ libraries, is kept beside it. */
export const environment = {
  ZIG_GLOBAL_CACHE_DIR: join(cache, "cache"),
  ZIG_LOCAL_CACHE_DIR: join(cache, "cache"),
};

/** Path of the compiler; installed where it is not there yet. */
export function ensureZig(): string {
  const path = join(cache, version, "ziglang", "zig");
  if (!existsSync(path)) install(join(cache, version));
  return path;
}

/** Keeps what is worth keeping with the user, also under sudo. */
export function giveCacheBack(): void {
  giveBack(cache);
}

/** Works in a folder beside the final one and renames at the end, so that there is never half a compiler. */
function install(place: string): void {
  process.stderr.write(`prebuild: installing ziglang ${version}, once (about 100 MB) …\n`);
  makeFolder(cache);
  const work = mkdtempSync(join(cache, `.${version}-`));
  try {
    python("python3", "-m", "venv", join(work, "venv"));
    const options = ["--quiet", "--no-cache-dir", "--no-input", "--disable-pip-version-check", "--no-deps"];
    const source = ["--only-binary", ":all:", "--require-hashes", "-r", requirements];
    const target = join(work, "packages");
    python(join(work, "venv/bin/python"), "-m", "pip", "install", ...options, ...source, "--target", target);
    rmSync(place, { recursive: true, force: true });
    renameSync(target, place);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function python(command: string, ...args: string[]): void {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status === 0) return;
  const lines = `${stdout ?? ""}${stderr ?? ""}`.trim().split("\n");
  throw new Error(
    [
      `ziglang ${version} could not be installed: ${error?.message ?? lines.slice(-4).join("\n")}`,
      "It builds the addon and the helper for every kind of machine, so there is no complete package without it.",
      "It needs Python 3 with venv (on Debian-like hosts: apt-get install python3-venv) and, once, a Python package index.",
    ].join("\n"),
  );
}

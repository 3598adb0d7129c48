/** The compiler behind the prebuilt files: Zig, as PyPI's `ziglang`, pinned by hash and kept in the user's cache. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { giveBack, userHome } from "../../cli/ownership";
import { makeWorkFolder } from "../../cli/work-folder";

const requirements = join(__dirname, "requirements.txt");
const cache = join(process.env.XDG_CACHE_HOME || join(userHome(), ".cache"), "pulumi-tuntap", "zig");

export const version = /^ziglang==(\S+)/m.exec(readFileSync(requirements, "utf8"))![1]!;
/** What Zig compiles for itself, such as a target's C and C++ libraries, is kept beside it. */
export const environment = {
  ZIG_GLOBAL_CACHE_DIR: join(cache, "cache"),
  ZIG_LOCAL_CACHE_DIR: join(cache, "cache"),
};

const place = join(cache, version);
const compiler = join(place, "ziglang", "zig");

/** Path of the compiler; installed where it is not there yet. */
export function ensureZig(): string {
  if (!existsSync(compiler)) install();
  return compiler;
}

/** Keeps what is worth keeping with the user, also under sudo. */
export function giveCacheBack(): void {
  giveBack(cache);
}

/** Never half a compiler, also when two run at once. */
function install(): void {
  process.stderr.write(`prebuild: installing ziglang ${version}, once (about 100 MB) …\n`);
  const work = makeWorkFolder(cache, version);
  try {
    python("python3", "-m", "venv", join(work, "venv"));
    const options = ["--quiet", "--no-cache-dir", "--no-input", "--disable-pip-version-check", "--no-deps"];
    const source = ["--only-binary", ":all:", "--require-hashes", "-r", requirements];
    const target = join(work, "packages");
    python(join(work, "venv/bin/python"), "-m", "pip", "install", ...options, ...source, "--target", target);
    // Another run was faster, and its compiler may be at work by now.
    if (existsSync(compiler)) return;
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

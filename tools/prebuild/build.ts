/** What native/Makefile makes, made by Zig for a machine of any kind. */
import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { ensureZig, environment, giveCacheBack, version } from "./zig";

export const root = join(__dirname, "../..");

/** Kinds of machines by Node's names of them, and by Zig's. */
export const machines = { x64: "x86_64", arm64: "aarch64" };
export type Machine = keyof typeof machines;

/** C libraries: the addon must do with that of Node.js 20, a program can bring its own. */
export const libraries = { glibc: "linux-gnu.2.28", static: "linux-musl -static" };

/** Inside native/; of another Zig, everything is made anew. */
export const buildFolder = join("build", `zig-${version}`);

/**
 * Builds one product, where it is out of date.
 *
 * @param product a target of native/Makefile, inside its build folder.
 * @returns the file's path.
 * @throws Error with what make and the compiler said.
 */
export function build(machine: Machine, library: keyof typeof libraries, product: string): string {
  const folder = join(buildFolder, `linux-${machine}`);
  const target = join(folder, product);
  const compiler = `'${ensureZig()}' c++ -target ${machines[machine]}-${libraries[library]}`;
  const make = (...options: string[]) => {
    const args = [
      "-s",
      "-C",
      "native",
      ...options,
      `build=${folder}`,
      `CXX=${compiler}`,
      "LDFLAGS=-s",
      target,
    ];
    return spawnSync("make", args, { cwd: root, env: { ...process.env, ...environment }, encoding: "utf8" });
  };
  if (make("-q").status !== 0) process.stderr.write(`prebuild: building linux-${machine}/${product} …\n`);
  const { status, error, stderr } = make(`-j${availableParallelism()}`);
  giveCacheBack();
  if (status !== 0)
    throw new Error(`linux-${machine}/${product} could not be built: ${error?.message ?? stderr}`);
  return join(root, "native", target);
}

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { type ErrorCode, TuntapError } from "../errors";
import { type SystemFailure, systemFailureCode } from "./failures";
import type { Kernel } from "./kernel";

const packageName = "pulumi-tuntap";

/** The addon's face: the port itself, and the way it learns to make errors. */
interface Addon extends Kernel {
  initialize(makeError: (failure: SystemFailure) => Error, helper: string): void;
}

function makeError(failure: SystemFailure): TuntapError {
  const code = systemFailureCode(failure);
  return new TuntapError(code, {
    message: describe(code, failure),
    errno: failure.errno,
    operation: failure.operation,
    extack: failure.extack,
  });
}

function describe(code: ErrorCode, { operation, path }: SystemFailure): string {
  if (code === "NAMESPACE_MISSING") return `There is no network namespace ${path}.`;
  if (code === "HELPER_MISSING") return `The program ${path} is not there or cannot be executed.`;
  if (code === "INVALID_INPUT") return `"${path}" is no valid ${operation}.`;
  return path ? `${operation} of ${path} failed.` : `${operation} failed.`;
}

/**
 * Loads the native addon: the one built here, else the one that came with the package.
 *
 * @param roots folders to look in; the package's own.
 */
export function loadAddon(roots: readonly string[] = packageRoots(__dirname)): Kernel {
  const candidates = roots.flatMap((root) => [
    join(root, "native", "build", "tuntap.node"),
    join(root, "prebuilds", `linux-${process.arch}`, "tuntap.node"),
  ]);
  const found = candidates.find((candidate) => existsSync(candidate));
  if (!found) {
    throw new TuntapError("ADDON_MISSING", { message: `There is no ${candidates.join(" and no ")}.` });
  }
  try {
    const addon: Addon = createRequire(__filename)(found);
    addon.initialize(makeError, helperBeside(found));
    return addon;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TuntapError("ADDON_MISSING", { message: `${found} could not be loaded: ${reason}.`, cause });
  }
}

/** The program that stays behind for `hold`; it is looked for only when one is asked for. */
function helperBeside(addon: string): string {
  return join(dirname(addon), "tuntap-helper");
}

/** Folders above with a package.json of this package: this file runs from the source tree and from `dist/`. */
function packageRoots(folder: string): string[] {
  const description = join(folder, "package.json");
  const own = existsSync(description) && JSON.parse(readFileSync(description, "utf8")).name === packageName;
  const parent = dirname(folder);
  return [...(own ? [folder] : []), ...(parent === folder ? [] : packageRoots(parent))];
}

import { type ErrorCode, TuntapError } from "../errors";
import { type SystemFailure, systemFailureCode } from "./failures";
import type { Kernel } from "./kernel";
import { loadNative } from "./load";

/** The addon's face: the port itself, and the way it learns to make errors. */
interface Addon extends Kernel {
  initialize(makeError: (failure: SystemFailure) => Error, helper: string): void;
}

/** What the addon's calls are rejected with. */
export function makeError(failure: SystemFailure): TuntapError {
  const code = systemFailureCode(failure);
  return new TuntapError(code, {
    message: describe(code, failure),
    errno: failure.errno,
    operation: failure.operation,
    extack: failure.extack,
  });
}

function describe(code: ErrorCode, { operation, path, pid }: SystemFailure): string {
  if (code === "NAMESPACE_MISSING") return `There is no network namespace ${path}.`;
  if (code === "NAMESPACES_LOCKED")
    return `${pid === undefined ? "Another process" : `Process ${pid}`} holds the lock on ${path} and does not let go of it.`;
  if (code === "HELPER_MISSING") return `The program ${path} is not there or cannot be executed.`;
  if (code === "NFT_MISSING")
    return `The program nft, which sets up NAT, is in none of these places: ${path}.`;
  if (code === "KMOD_MISSING")
    return `The program modprobe, which loads modules, is in none of these places: ${path}.`;
  if (code === "INVALID_INPUT") return `"${path}" is no valid ${operation}.`;
  return path ? `${operation} of ${path} failed.` : `${operation} failed.`;
}

/** The native addon as the port: of the host that this process runs on. See load.ts for where it is looked for. */
export function loadAddon(roots?: readonly string[]): Kernel {
  const { addon, helper } = loadNative<Addon>(roots);
  addon.initialize(makeError, helper);
  return addon;
}

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { type ErrorCode, TuntapError } from "../errors";
import type { Kernel } from "./kernel";

const packageName = "pulumi-tuntap";
const namespaceFolder = "/run/netns";
const tunNode = "/dev/net/tun";
const { errno } = constants;

/** What is known of a system call that failed. */
export interface SystemFailure {
  /** Positive errno. */
  errno: number;
  /** System call, ioctl, or step of a TUN operation. */
  operation: string;
  /** The file it was about; for the step `open` of a TUN operation it is `/dev/net/tun`. */
  path?: string;
  /** The kernel's own sentence. */
  extack?: string;
}

/** The addon's face: the port itself, and the way it learns to make errors. */
interface Addon extends Kernel {
  initialize(makeError: (failure: SystemFailure) => Error): void;
}

/**
 * The error code of a failed system call, or of a TUN operation's failed step. First what the operation makes of
 * an errno, then what the errno says by itself.
 */
export function systemFailureCode({ errno: number, operation, path = tunNode }: SystemFailure): ErrorCode {
  if (operation === "open" && path === tunNode) {
    if (number === errno.ENOENT) return "TUN_NODE_MISSING";
    if (number === errno.ENODEV || number === errno.ENXIO) return "TUN_MODULE_MISSING";
  }
  if (path === namespaceFolder || path.startsWith(`${namespaceFolder}/`)) {
    if (number === errno.ENOENT) return "NAMESPACE_MISSING";
    // A file without a namespace behind it.
    if (operation === "setns" && number === errno.EINVAL) return "NAMESPACE_MISSING";
  }
  if (operation === "namespace name" || operation === "sysctl name") return "INVALID_INPUT";
  return codes[number] ?? "KERNEL_REFUSED";
}

const codes: Readonly<Record<number, ErrorCode>> = {
  [errno.EPERM]: "PERMISSION_DENIED",
  [errno.EACCES]: "PERMISSION_DENIED",
  [errno.ENOBUFS]: "RECEIVE_OVERFLOW",
  [errno.ENOMEM]: "OUT_OF_MEMORY",
};

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
    addon.initialize(makeError);
    return addon;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TuntapError("ADDON_MISSING", { message: `${found} could not be loaded: ${reason}.`, cause });
  }
}

/** Folders above with a package.json of this package: this file runs from the source tree and from `dist/`. */
function packageRoots(folder: string): string[] {
  const description = join(folder, "package.json");
  const own = existsSync(description) && JSON.parse(readFileSync(description, "utf8")).name === packageName;
  const parent = dirname(folder);
  return [...(own ? [folder] : []), ...(parent === folder ? [] : packageRoots(parent))];
}

import { constants } from "node:os";
import type { ErrorCode } from "../errors";

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
  /** The process that is in the way, where one is known. */
  pid?: number;
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
    if (operation === "flock" && number === errno.ETIMEDOUT) return "NAMESPACES_LOCKED";
    // A file without a namespace behind it.
    if (operation === "setns" && number === errno.EINVAL) return "NAMESPACE_MISSING";
  }
  if (operation === "posix_spawn" || operation === "tuntap-helper") return "HELPER_MISSING";
  if (operation === "nft" && (number === errno.ENOENT || number === errno.EACCES)) return "NFT_MISSING";
  if (operation === "modprobe" && (number === errno.ENOENT || number === errno.EACCES)) return "KMOD_MISSING";
  if (operation === "module name" || operation === "module parameter") return "INVALID_INPUT";
  if (operation === "nft input" || operation === "namespace name" || operation.startsWith("sysctl "))
    return "INVALID_INPUT";
  return codes[number] ?? "KERNEL_REFUSED";
}

const codes: Readonly<Record<number, ErrorCode>> = {
  [errno.EPERM]: "PERMISSION_DENIED",
  [errno.EACCES]: "PERMISSION_DENIED",
  [errno.ENOBUFS]: "RECEIVE_OVERFLOW",
  [errno.ENOMEM]: "OUT_OF_MEMORY",
  [errno.ENOSYS]: "NOT_SUPPORTED",
};

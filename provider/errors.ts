/** The one error class and its table. docs/errors.md is generated from it. */

import { constants } from "node:os";

/** What the table says of each code. */
export interface ErrorEntry {
  /** What happened, in one sentence, for the errors page. */
  meaning: string;
  /** What to do. */
  remedy: string;
  /** Whether the same call may succeed when it is made again. */
  retryable?: true;
}

export const errorTable = {
  INVALID_INPUT: {
    meaning: "An input is outside what its schema or the kernel allows. Nothing was changed.",
    remedy: "Correct the input that the message names.",
  },
  NAME_CLAIMED: {
    meaning:
      "Two resources of one program claim the same: the name of an interface, namespace or table, a setting, a module, a route, a VNI, or a port that is forwarded.",
    remedy: "Give one of them another `name`, or declare it once.",
  },
  FOREIGN_LINK: {
    meaning: "A link of that name exists that this program did not make.",
    remedy: "Choose another `name`, remove the link by hand, or take it over with `adopt: true`.",
  },
  LINK_BUSY: {
    meaning: "A process holds the interface, so it is not deleted, replaced or re-owned.",
    remedy:
      'Stop the process that the message names; or set `onBusy` (for one run: `tuntap up|down --on-busy MODE`) to "wait", which waits for its end, or to "force", which pulls the interface from under it.',
  },
  LINK_VANISHED: {
    meaning: "The link disappeared while it was being changed.",
    remedy: "Run again; it is made anew.",
    retryable: true,
  },
  BRIDGE_MISSING: {
    meaning: "The bridge that the interface shall be a port of does not exist in its namespace.",
    remedy:
      "Make it first (`ip link add name NAME type bridge`), or pass the `.name` of the resource that makes it.",
  },
  NOT_A_BRIDGE: {
    meaning: "The link that the interface shall be a port of is no bridge.",
    remedy: "Give the name of a bridge.",
  },
  BRIDGE_FULL: {
    meaning:
      "The bridge has no room for another port: a Linux bridge has at most 1023, whoever put them there.",
    remedy:
      "Use another bridge (a `TunPool` spreads its interfaces over several by `bridges`), or take ports off this one (`ip link set NAME nomaster`).",
  },
  VNI_TAKEN: {
    meaning:
      "Another VXLAN interface of the network namespace has the same VNI and destination port, and the kernel allows one.",
    remedy:
      "Choose another `vni` or `destinationPort`, or remove the other one; one of the same name can be taken over with `adopt: true`.",
  },
  DEVICE_MISSING: {
    meaning: "The interface by which the packets of a tunnel shall leave does not exist in its namespace.",
    remedy: "Give the name of one that exists, or pass the `.name` of the resource that makes it.",
  },
  INTERFACE_MISSING: {
    meaning: "The interface that shall be put on a bridge does not exist in its namespace.",
    remedy:
      "Check its name with `ip link`. If a resource of this program makes it, pass that resource's `.name` instead of text, so that it is made first.",
  },
  PORT_TAKEN: {
    meaning: "The interface that shall be put on a bridge is a port of something else already.",
    remedy:
      "Take it off there (`ip link set NAME nomaster`), or set `adopt: true`: then it is taken off, and put back there when the resource goes.",
  },
  LOCKOUT: {
    meaning:
      "The interface is not put on a bridge, or not taken off it, as that would cut off the default route or the ssh connection in use.",
    remedy: "Use another interface; or have another way to the host, and set `allowLockout: true`.",
  },
  BRIDGE_IN_USE: {
    meaning: "Ports are on the bridge that this stack did not make, so it is not deleted or made anew.",
    remedy:
      'Take the ports that the message names off the bridge (`ip link set NAME nomaster`); or set `onBusy` (for one run: `tuntap up|down --on-busy MODE`) to "wait", which waits for them to leave, or to "force", which deletes the bridge and leaves them in none.',
  },
  NAMESPACE_MISSING: {
    meaning: "The network namespace does not exist.",
    remedy:
      "Declare it as a `Namespace` resource and pass that resource's `.name`, so that it is made first; or make it with `ip netns add`.",
  },
  NAMESPACE_FOREIGN: {
    meaning: "A network namespace of that name exists that this program did not make.",
    remedy:
      "Choose another `name`; or do not declare it, and give its name as text to the interfaces that live in it.",
  },
  NAMESPACE_IN_USE: {
    meaning: "The network namespace holds links or processes that are not of this program.",
    remedy: "Remove or stop what the message names, or set `force: true`.",
  },
  NAMESPACES_LOCKED: {
    meaning:
      "Another process holds the lock on /run/netns that is taken to make and to remove network namespaces, here and by `ip netns`, and has not let go of it for 20 s. Any user can take it. Nothing was changed.",
    remedy:
      "See what that process is (`ps -fp PID`; `sudo lslocks` shows who holds /run/netns), wait for its end or end it, and run again.",
    retryable: true,
  },
  SYSCTL_MISSING: {
    meaning: "There is no sysctl of that name, or not in that network namespace.",
    remedy:
      "Check the name with `sysctl -a` (in a namespace, `ip netns exec NAME sysctl -a`). One of an interface is there while the interface is: make it of that resource's `.name`. Others need a kernel module.",
  },
  SYSCTL_REFUSED: {
    meaning: "The kernel does not let the sysctl be read or written, or does not take the value.",
    remedy: "Give a value that the kernel documents for it, or do not declare it.",
  },
  FOREIGN_ROUTE: {
    meaning:
      "A route of the same destination, metric and table exists that was not made by this package: its protocol is another one.",
    remedy:
      "Choose another `metric` or `table`, remove the route by hand, or take it over with `adopt: true`.",
  },
  ROUTE_REFUSED: {
    meaning: "The kernel refused a route; errno and its own words are in the message.",
    remedy: "See the kernel's words.",
  },
  NFT_MISSING: {
    meaning: "The program `nft`, by which tables of NAT are written and read, is not on the host.",
    remedy: "Install nftables (on Debian-like hosts: apt-get install nftables).",
  },
  NFT_REFUSED: {
    meaning:
      "The program `nft`, or the kernel behind it, did not do what it was told; its words are in the message.",
    remedy:
      "See its words. Where it does not know a word or expression, nftables or the kernel is too old (0.9.3 and Linux 5.5 are needed) or lacks that part (nf_tables, nft_masq, nft_nat, nft_fib_inet).",
  },
  FOREIGN_TABLE: {
    meaning: "A table of nftables of that name exists (family inet) that this program did not make.",
    remedy:
      "Choose another `name`, remove the table by hand (`nft delete table inet NAME`), or take it over with `adopt: true`: then what is in it is replaced.",
  },
  MODULE_MISSING: {
    meaning:
      "The kernel has no module of that name: it is neither built in nor loaded, and cannot be loaded.",
    remedy:
      "Check the name (`modprobe -n -v NAME`); install the package that has it (on Debian-like hosts linux-image-extra or linux-modules-extra, for some).",
  },
  MODULE_REFUSED: {
    meaning: "A module of the kernel was not loaded, unloaded or given its parameters.",
    remedy: "See the words of modprobe in the message, and of the kernel (`dmesg`).",
  },
  KMOD_MISSING: {
    meaning: "The program `modprobe`, by which modules of the kernel are loaded, is not on the host.",
    remedy: "Install kmod (on Debian-like hosts: apt-get install kmod).",
  },
  TUN_NODE_MISSING: {
    meaning: "The device node /dev/net/tun does not exist.",
    remedy:
      "Make it with `mkdir -p /dev/net && mknod /dev/net/tun c 10 200`; in a container, pass the device in (`--device /dev/net/tun`).",
  },
  TUN_MODULE_MISSING: {
    meaning: "The node /dev/net/tun exists, but the kernel has no tun driver behind it.",
    remedy:
      "Run `modprobe tun`. If no module of that name is found after a kernel upgrade, reboot into the installed kernel.",
  },
  PERMISSION_DENIED: {
    meaning: "The kernel refused for lack of privilege.",
    remedy: "Run as root (`sudo`), or with CAP_NET_ADMIN and CAP_SYS_ADMIN.",
  },
  ACCOUNT_UNKNOWN: {
    meaning: "No user or group of that name exists on the host.",
    remedy: "Create the account, or give a numeric id.",
  },
  VERIFY_FAILED: {
    meaning:
      "After writing, the kernel shows another value than the one written. Below is what to do where that is of a link; of anything else the message says it.",
    remedy:
      "Look for another manager of this link (systemd-networkd, NetworkManager, udev) and exclude the link there.",
    retryable: true,
  },
  OUT_OF_MEMORY: {
    meaning: "The kernel could not allocate what was asked for.",
    remedy: "Ask for less, or free memory on the host.",
  },
  NOT_SUPPORTED: {
    meaning: "This kernel does not support what was asked for.",
    remedy: "See the message for the operation; a newer kernel may support it.",
  },
  KERNEL_REFUSED: {
    meaning: "The kernel refused a request; errno and its own words are in the message.",
    remedy: "See errno and the kernel's words.",
  },
  RECEIVE_OVERFLOW: {
    meaning: "The kernel dropped answers because the receive buffer was full.",
    remedy: "Run again.",
    retryable: true,
  },
  DUMP_INTERRUPTED: {
    meaning: "The kernel's objects kept changing while they were listed.",
    remedy: "Run again when the host is calmer.",
    retryable: true,
  },
  MALFORMED_MESSAGE: {
    meaning: "Bytes that should be a netlink message are not one.",
    remedy: "This is a defect of this program or of the kernel: report it with the message.",
  },
  ADDON_MISSING: {
    meaning: "The native addon for this machine was not found or could not be loaded.",
    remedy:
      "Install a package that carries it for this machine (`npm pack` makes one for x64 and arm64); or, in a clone of the source, run `sh tools/bootstrap.sh` (on Debian-like hosts it needs: apt-get install g++ make).",
  },
  PREBUILT_DAMAGED: {
    meaning:
      "A native file that came with the package is missing or not as it was packed, so it is not loaded.",
    remedy: "Install the package again: remove node_modules/pulumi-tuntap, then `npm install`.",
  },
  HELPER_MISSING: {
    meaning:
      'The program `tuntap-helper`, which keeps interfaces with `persistence: "process"`, was not found beside the addon, could not be started or ended at once.',
    remedy:
      "Install the package again; or, in a clone of the source, run `sh tools/bootstrap.sh` (on Debian-like hosts it needs: apt-get install g++ make).",
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof errorTable;

/** What is known of a failure beyond its code. */
export interface ErrorFacts {
  /** One sentence: what was being done to what, and what went wrong. */
  message: string;
  /** Positive errno. */
  errno?: number;
  /** System call, ioctl or netlink message that failed. */
  operation?: string;
  /** The kernel's own sentence. */
  extack?: string;
  /** Resource as the user knows it, e.g. `TunInterface tap0`. */
  resource?: string;
  /** Input that it is about. */
  property?: string;
  /** Replaces the table's remedy where more is known. */
  remedy?: string;
  cause?: unknown;
}

const brand = Symbol.for("pulumi-tuntap.error");

/** Every failure that this package reports. Recognise it by `code`, never by its text. */
export class TuntapError extends Error {
  readonly [brand] = true;
  readonly code: ErrorCode;
  readonly errno?: number;
  readonly operation?: string;
  readonly extack?: string;
  readonly resource?: string;
  readonly property?: string;
  readonly remedy: string;

  constructor(
    code: ErrorCode,
    readonly facts: ErrorFacts,
  ) {
    const remedy = facts.remedy ?? errorTable[code].remedy;
    super(describe(code, facts, remedy), { cause: facts.cause });
    this.name = "TuntapError";
    this.code = code;
    this.errno = facts.errno;
    this.operation = facts.operation;
    this.extack = facts.extack;
    this.resource = facts.resource;
    this.property = facts.property;
    this.remedy = remedy;
  }

  /** The same error with other facts in place of those that are given. */
  with(facts: Partial<ErrorFacts>): TuntapError {
    return new TuntapError(this.code, { ...this.facts, ...facts, cause: this });
  }

  /** The same error with its texts passed through `edit`, and other facts beside them. */
  reworded(edit: (text: string) => string, facts: Partial<ErrorFacts> = {}): TuntapError {
    const { extack } = this;
    return this.with({
      ...facts,
      message: edit(this.facts.message),
      remedy: edit(this.remedy),
      ...(extack !== undefined && { extack: edit(extack) }),
    });
  }

  get retryable(): boolean {
    return (errorTable[this.code] as ErrorEntry).retryable === true;
  }
}

/** Brand instead of `instanceof`: two copies of this package may be loaded. */
export function isTuntapError(error: unknown): error is TuntapError {
  return typeof error === "object" && error !== null && brand in error;
}

function describe(code: ErrorCode, facts: ErrorFacts, remedy: string): string {
  const where = facts.resource ? `${facts.resource}${facts.property ? `, ${facts.property}` : ""}: ` : "";
  const details: string[] = [code];
  if (facts.operation) details.push(facts.operation);
  if (facts.errno) details.push(errnoName(facts.errno));
  if (facts.extack) details.push(`kernel: "${facts.extack}"`);
  return `${where}${facts.message} [${details.join(", ")}] ${remedy}`;
}

/** Of asm-generic/errno.h; Node.js does not have it. */
export const EXFULL = 54;

const errnoNames = new Map(
  Object.entries({ ...constants.errno, EXFULL }).map(([name, number]) => [number, name]),
);

/** `EBUSY (16)`; a bare number where it has no name here. */
function errnoName(errno: number): string {
  const name = errnoNames.get(errno);
  return name ? `${name} (${errno})` : `errno ${errno}`;
}

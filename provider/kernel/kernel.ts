/**
 * The port to the kernel of one host. Everything the provider knows about a host, and everything it changes
 * there, passes through these verbs; there is no general exec and no general file access.
 *
 * Verbs are about bytes and system calls. What they mean is known above: `netlink/` encodes and decodes,
 * `host/` gives them types.
 */

/** Where a call acts: a name stands for `/run/netns/NAME`, `undefined` for the namespace the process started in. */
export type NamespaceName = string | undefined;

/** The kernel's answer to one netlink message. */
export interface Reply {
  /**
   * 0 when acknowledged, otherwise the positive errno. ENOBUFS means that the acknowledgement was lost
   * (receive overflow): the outcome is unknown and must be read back.
   */
  errno: number;
  /** NLMSGERR_ATTR_MSG, the kernel's own sentence, where it gave one. */
  extack?: string;
  /** NLMSGERR_ATTR_OFFS, the offset in the request at which the offending attribute begins. */
  offset?: number;
}

/** The answer to one dump request. */
export interface Dump {
  /** All messages of the dump, back to back, headers included, without NLMSG_DONE. */
  bytes: Buffer;
  /** NLM_F_DUMP_INTR was seen: the objects changed meanwhile, and the dump may be inconsistent. */
  interrupted: boolean;
}

/** Creates a TUN or TAP interface. Always exclusive (IFF_TUN_EXCL): an existing name is EBUSY, never taken over. */
export interface TunCreate {
  operation: "create";
  /** The final name, at most 15 bytes. */
  name: string;
  /** IFF_TUN or IFF_TAP with IFF_NO_PI, IFF_VNET_HDR, IFF_MULTI_QUEUE (linux/if_tun.h). */
  flags: number;
  /**
   * A netlink message that is sent after TUNSETIFF and before anything persists; its ifi_index is filled in.
   * It carries the lease, so that a process killed at any later step leaves a link that says whose it is.
   */
  message?: Buffer;
  /** TUNSETOWNER, a uid. Absent: not set. */
  owner?: number;
  /** TUNSETGROUP, a gid. Absent: not set. */
  group?: number;
  /** TUNSETPERSIST as the last step. */
  persist: boolean;
}

/** Attaches for a moment to an existing interface, to change what only an attached descriptor can change. */
export interface TunAttach {
  operation: "attach";
  name: string;
  /** The link expected under that name; if another is found, nothing is changed and the result is ENODEV. */
  ifindex: number;
  /** The flags just read (an attach rewrites them); IFF_NO_CARRIER is added where the kernel has it. */
  flags: number;
  owner?: number;
  group?: number;
  persist?: boolean;
}

export type TunOperation = TunCreate | TunAttach;

/** What became of one TUN operation. A failed create leaves no link. */
export interface TunResult {
  errno: number;
  /** The step that failed, by the name of its system call or ioctl: `open`, `TUNSETIFF`, `message`, `TUNSETOWNER`, … */
  step?: string;
  extack?: string;
  /** Of the link, where there is one. */
  ifindex?: number;
}

/**
 * Starts the keeper of an existing multi-queue interface (`persistence: "process"`): a process of its own that
 * keeps one queue open without using it (IFF_DETACH_QUEUE), so that the interface lives without TUNSETPERSIST
 * and its carrier stays while consumers come and go. It outlives this process, follows the interface when that
 * is renamed or moved, and ends with it. Where the interface has a keeper already, none is started.
 */
export interface HoldStart {
  operation: "start";
  name: string;
  /** The link expected under that name; if another or none is found, nothing is done and the result is ENODEV. */
  ifindex: number;
  /** The flags just read, IFF_MULTI_QUEUE among them; without it the result is EINVAL. */
  flags: number;
  /** Whose it is; the keeper's command line shows it. At most 127 bytes. */
  lease: string;
}

/** Ends the keeper of an interface and waits until it is gone. An interface that nothing else keeps goes with it. */
export interface HoldEnd {
  operation: "end";
  name: string;
  /** As for `start`. */
  ifindex: number;
}

export type HoldOperation = HoldStart | HoldEnd;

/** What became of one hold operation. A failed start leaves no keeper. */
export interface HoldResult {
  errno: number;
  /**
   * The step that failed, by the name of its system call or ioctl: `open`, `TUNSETIFF`, `posix_spawn`, …; `tuntap-helper`
   * (with EPIPE) where that program ended before it said what became of the queue.
   */
  step?: string;
  /** How that program ended: its exit code, or 128 and the number of a signal. */
  status?: number;
  /** The keeper that runs now, or that was ended; absent where there was none to end. */
  pid?: number;
}

/** One descriptor of `/dev/net/tun` that is attached to an interface. */
export interface Holder {
  /** The interface, by its name in the namespace asked about. */
  link: string;
  pid: number;
  /** The command line, arguments joined by blanks, at most 200 bytes. */
  command: string;
  /** Effective uid. */
  uid: number;
  /** IFF_DETACH_QUEUE: the descriptor keeps a queue without using it. */
  detached: boolean;
  /** It is a keeper that `hold` started, and so no consumer. Told from the kernel, not from what it says of itself. */
  keeper: boolean;
  /** The lease that a keeper's command line names. */
  lease?: string;
}

export interface ProcessInfo {
  pid: number;
  command: string;
  uid: number;
}

/** An entry of `/run/netns`. */
export interface NamespaceEntry {
  name: string;
  /** False for a file without a namespace behind it, as an interrupted creation leaves it. */
  mounted: boolean;
  /** Inode of the namespace (nsfs), 0 if not mounted. */
  inode: number;
}

/** What `nft` answered. */
export interface NftResult {
  /** Exit code; 0 where it did all of what it was told, else it did nothing. */
  status: number;
  /** What it printed: for each command that lists, one JSON document on a line of its own. */
  output: string;
  /** What it complained of. */
  errors: string;
}

/** What is known of a module of the kernel. */
export interface ModuleFacts {
  /** Of the kernel that runs (`uname -r`). */
  release: string;
  /** Whether that kernel can load modules at all. */
  modular: boolean;
  /** There is a folder for it in /sys/module. */
  present: boolean;
  /** `live`, `coming` or `going`, only of one that was loaded. */
  state?: string;
  /** modules.builtin names it. */
  builtIn: boolean;
  /** modules.dep names it. */
  available: boolean;
  /** None of those, but the kernel itself has a function that begins it, as the names in /proc/kallsyms tell. */
  initialised: boolean;
  /** None of those either: how the kernel was configured, where that can be read; text, or gzip of it. */
  config?: Buffer;
  /** Kernels that have a folder in /lib/modules. */
  releases: string[];
  /** Modules that use it. */
  users: string[];
  /** Values of the parameters that can be read. */
  parameters: Readonly<Record<string, string>>;
  /** How the change ended that was asked for. */
  change?: { status: number; output: string; errors: string };
}

/** What modprobe(8) is to do; parameters are `name=value`. */
export type ModuleChange = { operation: "load"; parameters: readonly string[] } | { operation: "unload" };

/** A passwd or group entry of the host. */
export interface Account {
  id: number;
  name: string;
}

export interface Kernel {
  /** Sends netlink route messages, in order, and gives one reply for each. One failing does not stop the rest. */
  request(namespace: NamespaceName, messages: Buffer[]): Promise<Reply[]>;
  /**
   * Moves links from one namespace to another: RTM_NEWLINK messages that are sent in `from`, each with an
   * IFLA_NET_NS_FD added that leads to `to`. One that makes a link makes it there. Each link that moves waits for a grace period of the kernel, about 20 ms.
   */
  move(from: NamespaceName, to: NamespaceName, messages: Buffer[]): Promise<Reply[]>;
  /** Sends one dump request (NLM_F_DUMP) and gives all that came back. */
  dump(namespace: NamespaceName, message: Buffer): Promise<Dump>;
  /** TUN ioctls, each operation independent of the others. */
  tun(namespace: NamespaceName, operations: TunOperation[]): Promise<TunResult[]>;
  /** Starts and ends the keepers of interfaces, one after the other, each independent of the others. */
  hold(namespace: NamespaceName, operations: HoldOperation[]): Promise<HoldResult[]>;

  /** The entries of `/run/netns`. */
  listNamespaces(): Promise<NamespaceEntry[]>;
  /**
   * Makes a namespace as `ip netns add` does. `message` is sent inside before it gets its name; it marks the
   * namespace's `lo` with the lease. A file without a namespace behind it is taken over.
   */
  addNamespace(name: string, message?: Buffer): Promise<void>;
  /** Unmounts and removes the entry, as `ip netns del` does. */
  removeNamespace(name: string): Promise<void>;
  /** Processes with a thread in the namespace. */
  namespaceProcesses(name: string): Promise<ProcessInfo[]>;

  /** Every process that holds a TUN or TAP interface of the namespace. Complete only for root. */
  holders(namespace: NamespaceName): Promise<Holder[]>;
  /**
   * Reads a sysctl, or writes it and then reads it, without the trailing newline. Of some values the kernel takes
   * only the beginning, without an error: what was read tells.
   *
   * @param name dotted, as sysctl(8) has it: a slash stands for a dot inside a part (`net.ipv4.conf.eth0/1.mtu`). One that
   * leads out of /proc/sys is refused before anything is opened.
   */
  sysctl(namespace: NamespaceName, name: string, value?: string): Promise<string>;
  /**
   * Runs `nft -j -f -` (nftables) with that input. The program is looked for in /usr/sbin, /sbin, /usr/bin and
   * /usr/local/sbin alone. At most 16 MiB go in and 64 MiB come out, within a minute.
   *
   * @param json as libnftables-json(5) has it, without escapes in its texts (what is no JSON, nft would take for its own
   * language); its commands are one transaction.
   */
  nft(namespace: NamespaceName, json: string): Promise<NftResult>;
  /**
   * Tables that iptables-legacy or ip6tables-legacy made there, which nft does not show: a name a line. Empty where
   * there is none.
   */
  legacyTables(namespace: NamespaceName, version: 4 | 6): Promise<string>;
  /**
   * What is known of a module, after it was loaded or unloaded if that is asked for. That is done by the program
   * modprobe (kmod), which is looked for in /usr/sbin, /sbin and /usr/bin alone.
   */
  module(name: string, change?: ModuleChange): Promise<ModuleFacts>;
  /** Resolves a user or group on the host, by name or id; `undefined` where it does not exist. */
  account(database: "user" | "group", key: string | number): Promise<Account | undefined>;
}

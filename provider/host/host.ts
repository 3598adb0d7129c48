import { type Gathering, KeyedCollectors } from "../kernel/collector";
import type { Holder, Kernel, NamespaceName, Reply } from "../kernel/kernel";
import { Accounts } from "./accounts";
import { Addresses } from "./addresses";
import { Batch } from "./batch";
import { Forwarding } from "./forwarding";
import { Links } from "./links";
import { Modules } from "./modules";
import { Namespaces } from "./namespaces";
import { Nftables } from "./nftables";
import { Ports } from "./ports";
import { Routes } from "./routes";
import { Scenes } from "./scenes";
import { Sysctls } from "./sysctls";
import { Tuns } from "./tuns";
import { Turns } from "./turns";
import { Vlans } from "./vlans";

/** All descriptors of all processes are read: several milliseconds, for one interface as for all. */
const lookingForHolders: Gathering<unknown> = {
  enough: ({ length }) => length >= 16,
  quiet: 5,
  limit: () => 50,
};

/** One host, in the terms in which kinds are written. */
export class Host {
  readonly links: Links;
  readonly ports: Ports;
  readonly addresses: Addresses;
  readonly tuns: Tuns;
  readonly namespaces: Namespaces;
  readonly accounts: Accounts;
  readonly routes: Routes;
  readonly forwarding: Forwarding;
  readonly scenes: Scenes;
  readonly sysctls: Sysctls;
  readonly vlans: Vlans;
  readonly nftables: Nftables;
  readonly modules: Modules;
  readonly batch: Batch;
  private readonly holding: KeyedCollectors<NamespaceName, undefined, Holder[]>;
  private boot: Promise<string> | undefined;
  /** On whose behalf the provider works; part of every lease. */
  readonly uid = process.getuid?.() ?? 0;

  private readonly kernel: Kernel;

  constructor(given: Kernel) {
    const kernel = noting(given, (write) => this.scenes.whileWriting(write));
    this.kernel = kernel;
    this.links = new Links(kernel);
    this.ports = new Ports(kernel);
    this.addresses = new Addresses(kernel);
    this.routes = new Routes(kernel);
    this.forwarding = new Forwarding(kernel);
    this.vlans = new Vlans(kernel);
    this.batch = new Batch(kernel, async (namespace) => {
      const { links } = await this.scenes.lately(namespace);
      return new Set(links.all.map((link) => link.group));
    });
    this.tuns = new Tuns(kernel, this.batch);
    this.namespaces = new Namespaces(kernel);
    this.accounts = new Accounts(kernel);
    this.scenes = new Scenes(this);
    this.sysctls = new Sysctls(kernel, this.uid);
    this.modules = new Modules(kernel, this.uid);
    this.nftables = new Nftables(kernel, this.uid);
    const look = async (namespace: NamespaceName, askers: undefined[]) => {
      const holders = await kernel.holders(namespace);
      return askers.map(() => holders);
    };
    this.holding = new KeyedCollectors(look, () => lookingForHolders);
  }

  /** The processes that hold a TUN or TAP interface to use it: all but its keeper. */
  async consumers(namespace: NamespaceName, link: string): Promise<Holder[]> {
    return (await this.holders(namespace, link)).filter(({ keeper }) => !keeper);
  }

  /** The process that was started to keep a TUN or TAP interface (`persistence: "process"`). */
  async keeper(namespace: NamespaceName, link: string): Promise<Holder | undefined> {
    return (await this.holders(namespace, link)).find(({ keeper }) => keeper);
  }

  private async holders(namespace: NamespaceName, link: string): Promise<Holder[]> {
    return (await this.holding.add(namespace, undefined)).filter((holder) => holder.link === link);
  }

  /** Moves links by RTM_NEWLINK messages that are sent where they are. */
  move(from: NamespaceName, to: NamespaceName, messages: Buffer[]): Promise<Reply[]> {
    return this.kernel.move(from, to, messages);
  }

  /** `pid 4711 (qemu-system-x86_64 -m 512 …) of alice (uid 1000)`, one after the other. */
  async describeHolders(holders: readonly { pid: number; command: string; uid: number }[]): Promise<string> {
    const texts = await Promise.all(
      eachProcess(holders).map(
        async ({ pid, command, uid }) =>
          `pid ${pid} (${command}) of ${await this.accounts.describeUser(uid)}`,
      ),
    );
    return texts.join(", ");
  }

  /** Changes with every start of the host, so that a recorded ifindex means something only beside it. */
  bootId(): Promise<string> {
    this.boot ??= this.kernel.sysctl(undefined, "kernel.random.boot_id");
    return this.boot;
  }
}

/** Each process once: one that holds several queues is one process. */
export function eachProcess<Process extends { pid: number }>(found: readonly Process[]): Process[] {
  return [...new Map(found.map((process) => [process.pid, process])).values()];
}

/** The kernel, with each call that may change something wrapped. */
function noting(kernel: Kernel, note: <T>(write: () => Promise<T>) => Promise<T>): Kernel {
  const turns = new Turns();
  const write =
    <Args extends unknown[], Result>(call: (...args: Args) => Promise<Result>) =>
    (...args: Args): Promise<Result> =>
      note(() => turns.write(() => call.apply(kernel, args)));
  // Some take addresses away, or give them.
  const writeSysctl = write(kernel.sysctl);
  const changeModule = write(kernel.module);
  return {
    // One that was disturbed while many are made would be disturbed again.
    dump: async (...args) => {
      const dump = await kernel.dump(...args);
      return dump.interrupted ? turns.quietly(() => kernel.dump(...args)) : dump;
    },
    listNamespaces: () => kernel.listNamespaces(),
    namespaceProcesses: (...args) => kernel.namespaceProcesses(...args),
    holders: (...args) => kernel.holders(...args),
    sysctl: (namespace, name, value) =>
      value === undefined ? kernel.sysctl(namespace, name) : writeSysctl(namespace, name, value),
    // Filters and translates what passes; links and addresses stay as they are.
    nft: (...args) => kernel.nft(...args),
    legacyTables: (...args) => kernel.legacyTables(...args),
    // What is loaded may make links; what is unloaded takes them away.
    module: (name, change) => (change === undefined ? kernel.module(name) : changeModule(name, change)),
    account: (...args) => kernel.account(...args),
    request: write(kernel.request),
    tun: write(kernel.tun),
    move: write(kernel.move),
    hold: write(kernel.hold),
    addNamespace: write(kernel.addNamespace),
    removeNamespace: write(kernel.removeNamespace),
  };
}

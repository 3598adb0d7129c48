import { Collector } from "../kernel/collector";
import type { Kernel, NamespaceEntry, NamespaceName, ProcessInfo } from "../kernel/kernel";
import { addAlternativeName } from "./links";

/** ifindex of `lo`, the first link of every namespace; the lease of a namespace stands on it. */
export const loopbackIndex = 1;

/** ` in namespace blue`, and nothing for the host's. */
export function placeText(namespace: NamespaceName): string {
  return namespace === undefined ? "" : ` in namespace ${namespace}`;
}

/** The named network namespaces of the host, as `ip netns` knows them. */
export class Namespaces {
  private readonly listing: Collector<undefined, Map<string, NamespaceEntry>>;

  constructor(private readonly kernel: Kernel) {
    this.listing = new Collector(async (askers) => {
      const entries = new Map((await kernel.listNamespaces()).map((entry) => [entry.name, entry]));
      return askers.map(() => entries);
    });
  }

  /** The names behind which a namespace stands. */
  async names(): Promise<string[]> {
    return [...(await this.listing.add(undefined)).values()]
      .filter(({ mounted }) => mounted)
      .map(({ name }) => name);
  }

  /** The entry of that name, if a namespace stands behind it. */
  async find(name: string): Promise<NamespaceEntry | undefined> {
    const entry = (await this.listing.add(undefined)).get(name);
    return entry?.mounted ? entry : undefined;
  }

  /** Whether there is such a namespace; the host's always is. */
  async exists(namespace: NamespaceName): Promise<boolean> {
    return namespace === undefined || (await this.find(namespace)) !== undefined;
  }

  /** Makes it, with the lease on its `lo` from the first moment on. */
  add(name: string, lease: string): Promise<void> {
    return this.kernel.addNamespace(name, addAlternativeName(loopbackIndex, lease));
  }

  remove(name: string): Promise<void> {
    return this.kernel.removeNamespace(name);
  }

  processes(name: string): Promise<ProcessInfo[]> {
    return this.kernel.namespaceProcesses(name);
  }
}

import { KeyedCollectors } from "../kernel/collector";
import type { NamespaceName } from "../kernel/kernel";
import type { Addresses, AddressTable } from "./addresses";
import type { Links, LinkTable } from "./links";
import type { Namespaces } from "./namespaces";

/** What there is in a namespace, in one answer for all who ask at the same moment. */
export interface Scene {
  namespace: NamespaceName;
  links: LinkTable;
  addresses: AddressTable;
  bootId: string;
  /** Inode of the namespace, 0 for the host's. */
  namespaceInode: number;
}

/** Of the host. */
interface Sources {
  links: Links;
  addresses: Addresses;
  namespaces: Namespaces;
  bootId(): Promise<string>;
}

/*
 * The engine asks for one resource after the other, many hundred times in a run, and to look at a namespace costs as
 * much as it has links and addresses, about 10 µs each: without more ado the square. So who writes waits for company
 * while the share of each is more than half a millisecond, and where there are more of them than that a plan takes what
 * was seen a moment ago, so that looking is a fiftieth of the work or so. Whoever is written for meanwhile will ask too.
 */
const objectsPerAsker = 50;
const quietMilliseconds = 5;
const momentPerObject = 0.5;
const shortestWait = 250;
const longestMoment = 1000;

export class Scenes {
  private readonly looking: KeyedCollectors<NamespaceName, "plan" | "work", Scene>;
  private readonly latest = new Map<NamespaceName, { scene: Scene; began: number; writes: number }>();
  /** Begun and ended ones. */
  private writes = 0;
  private writing = 0;

  constructor(host: Sources) {
    this.looking = new KeyedCollectors(
      async (namespace, askers) => {
        const { writes } = this;
        const began = performance.now();
        const [links, addresses, bootId, entry] = await Promise.all([
          host.links.table(namespace),
          host.addresses.table(namespace),
          host.bootId(),
          namespace === undefined ? undefined : host.namespaces.find(namespace),
        ]);
        const scene = { namespace, links, addresses, bootId, namespaceInode: entry?.inode ?? 0 };
        this.latest.set(namespace, { scene, began, writes });
        return askers.map(() => scene);
      },
      (namespace) => ({
        quiet: quietMilliseconds,
        limit: () => Math.max(shortestWait, this.momentOf(namespace)),
        enough: (askers) =>
          askers.includes("plan") ||
          (this.writing === 0 && askers.length * objectsPerAsker >= this.sizeOf(namespace)),
        expected: () => this.writing > 0,
      }),
    );
  }

  /** As it is after the question. Errors: NAMESPACE_MISSING. */
  now(namespace: NamespaceName): Promise<Scene> {
    return this.looking.add(namespace, "work");
  }

  /**
   * As it is after the question; with more than 50 links and addresses, as it was at most a moment ago (0.5 ms for each,
   * a second at most), and not before anything was last written from here. Errors: NAMESPACE_MISSING.
   */
  async lately(namespace: NamespaceName): Promise<Scene> {
    const last = this.latest.get(namespace);
    const age = performance.now() - (last?.began ?? 0);
    if (last?.writes === this.writes && age <= this.momentOf(namespace)) return last.scene;
    return this.looking.add(namespace, "plan");
  }

  /** As `lately`, but with or without what was written from here since: for what others have there. */
  async ofOthers(namespace: NamespaceName): Promise<Scene> {
    const last = this.latest.get(namespace);
    const age = performance.now() - (last?.began ?? 0);
    return last && age <= this.momentOf(namespace) ? last.scene : this.looking.add(namespace, "plan");
  }

  /** Does what may write something, in whatever namespace: what was seen before says nothing about afterwards. */
  async whileWriting<T>(write: () => Promise<T>): Promise<T> {
    this.writes++;
    this.writing++;
    try {
      return await write();
    } finally {
      this.writes++;
      this.writing--;
    }
  }

  /** Milliseconds in which one look is enough. */
  private momentOf(namespace: NamespaceName): number {
    const size = this.sizeOf(namespace);
    return size > objectsPerAsker ? Math.min(size * momentPerObject, longestMoment) : 0;
  }

  private sizeOf(namespace: NamespaceName): number {
    const scene = this.latest.get(namespace)?.scene;
    return scene ? scene.links.all.length + scene.addresses.size : 0;
  }
}

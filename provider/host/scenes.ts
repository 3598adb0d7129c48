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

export class Scenes {
  private readonly looking: KeyedCollectors<NamespaceName, undefined, Scene>;

  constructor(host: Sources) {
    this.looking = new KeyedCollectors(async (namespace, askers) => {
      const [links, addresses, bootId, entry] = await Promise.all([
        host.links.table(namespace),
        host.addresses.table(namespace),
        host.bootId(),
        namespace === undefined ? undefined : host.namespaces.find(namespace),
      ]);
      const scene = { namespace, links, addresses, bootId, namespaceInode: entry?.inode ?? 0 };
      return askers.map(() => scene);
    });
  }

  /** Errors: NAMESPACE_MISSING. */
  of(namespace: NamespaceName): Promise<Scene> {
    return this.looking.add(namespace, undefined);
  }
}

import { isTuntapError, TuntapError } from "../errors";
import { KeyedCollectors } from "./collector";
import type { Kernel, NamespaceName } from "./kernel";

/** How often a dump is repeated that the kernel says was disturbed, before it is given up. */
const attempts = 20;

/**
 * One dump, decoded once, for all who ask at the same moment. Whoever asks gets a dump that began after the
 * question, so what was written before is in it.
 */
export class SharedDump<T> {
  private readonly collectors: KeyedCollectors<NamespaceName, undefined, T>;

  /**
   * @param request the netlink dump request.
   * @param decode makes of the dump's bytes what the callers share; they must not change it.
   */
  constructor(kernel: Kernel, request: Buffer, decode: (bytes: Buffer, namespace: NamespaceName) => T) {
    this.collectors = new KeyedCollectors(async (namespace, askers) => {
      const shared = decode(await consistentDump(kernel, namespace, request), namespace);
      return askers.map(() => shared);
    });
  }

  get(namespace: NamespaceName): Promise<T> {
    return this.collectors.add(namespace, undefined);
  }
}

/** Dumps until the kernel says that nothing changed meanwhile (NLM_F_DUMP_INTR) and nothing was lost (ENOBUFS). */
export async function consistentDump(
  kernel: Kernel,
  namespace: NamespaceName,
  request: Buffer,
): Promise<Buffer> {
  for (let attempt = 1; ; attempt++) {
    try {
      const dump = await kernel.dump(namespace, request);
      if (!dump.interrupted) return dump.bytes;
    } catch (error) {
      if (!isTuntapError(error) || error.code !== "RECEIVE_OVERFLOW" || attempt === attempts) throw error;
    }
    if (attempt === attempts) {
      throw new TuntapError("DUMP_INTERRUPTED", {
        message: `a list of kernel objects in ${namespace ? `namespace ${namespace}` : "the host's namespace"} was disturbed ${attempts} times in a row`,
      });
    }
    // Room for whoever is changing things to finish, a little more each time.
    await new Promise((resolve) => setTimeout(resolve, attempt * 2));
  }
}

import { randomInt } from "node:crypto";
import { constants } from "node:os";
import { type Gathering, KeyedCollectors } from "../kernel/collector";
import type { Kernel, NamespaceName, Reply, TunOperation, TunResult } from "../kernel/kernel";
import { encodeLink } from "../netlink/link";
import { NLM_F, RTM } from "../netlink/message";

/** Flags of a request that changes something. */
export const change = NLM_F.REQUEST | NLM_F.ACK;

/**
 * How deletes wait for others. Deleting costs one RCU grace period, about 20 ms, no matter how many links go in it, so
 * a few milliseconds of waiting are well spent.
 */
const deletesTogether: Gathering<number> = {
  enough: ({ length }) => length >= 100,
  quiet: 5,
  limit: () => 20,
};

/** Making one costs the kernel 0.2 ms: meanwhile those that are made already go on. */
const creationsTogether: Gathering<TunOperation> = {
  enough: () => true,
  quiet: 0,
  limit: () => 0,
  most: 128,
};

/** Merges writes that arrive together: one system call for many callers, each with its own answer. */
export class Batch {
  private readonly requests: KeyedCollectors<NamespaceName, Buffer[], Reply[]>;
  private readonly operations: KeyedCollectors<NamespaceName, TunOperation, TunResult>;
  private readonly deletions: KeyedCollectors<NamespaceName, number, Reply>;

  /** @param groupsInUse the IFLA_GROUP numbers that links of a namespace carry now. */
  constructor(
    private readonly kernel: Kernel,
    private readonly groupsInUse: (namespace: NamespaceName) => Promise<Set<number>>,
  ) {
    this.requests = new KeyedCollectors((namespace, lists) => this.sendAll(namespace, lists));
    this.operations = new KeyedCollectors(
      (namespace, items) => kernel.tun(namespace, items),
      () => creationsTogether,
    );
    this.deletions = new KeyedCollectors(
      (namespace, indexes) => this.deleteAll(namespace, indexes),
      () => deletesTogether,
    );
  }

  /** Sends messages in order; other callers' messages may travel in the same batch. */
  send(namespace: NamespaceName, messages: Buffer[]): Promise<Reply[]> {
    return this.requests.add(namespace, messages);
  }

  tun(namespace: NamespaceName, operation: TunOperation): Promise<TunResult> {
    return this.operations.add(namespace, operation);
  }

  deleteLink(namespace: NamespaceName, ifindex: number): Promise<Reply> {
    return this.deletions.add(namespace, ifindex);
  }

  private async sendAll(namespace: NamespaceName, lists: Buffer[][]): Promise<Reply[][]> {
    const replies = await this.kernel.request(namespace, lists.flat());
    let next = 0;
    return lists.map((list) => {
      const start = next;
      next += list.length;
      return replies.slice(start, next);
    });
  }

  /**
   * Many links go as one group: each is given an IFLA_GROUP number that nobody uses, then one RTM_DELLINK names
   * the group, and the kernel unregisters them together.
   */
  private async deleteAll(namespace: NamespaceName, indexes: number[]): Promise<Reply[]> {
    if (indexes.length === 1) return this.deleteEach(namespace, indexes);
    const group = await this.unusedGroup(namespace);
    const grouped = await this.kernel.request(
      namespace,
      indexes.map((index) => encodeLink(RTM.NEWLINK, change, { index }, { group })),
    );
    const [deleted] = await this.kernel.request(namespace, [encodeLink(RTM.DELLINK, change, {}, { group })]);
    if (deleted?.errno === 0) {
      // A link that could not join the group was not deleted with it: tried by itself unless it is gone.
      return Promise.all(
        indexes.map(async (index, position) => {
          const reply = grouped[position] as Reply;
          if (reply.errno === 0 || reply.errno === constants.errno.ENODEV) return reply;
          return (await this.deleteEach(namespace, [index]))[0] as Reply;
        }),
      );
    }
    return this.deleteEach(namespace, indexes);
  }

  private deleteEach(namespace: NamespaceName, indexes: number[]): Promise<Reply[]> {
    return this.kernel.request(
      namespace,
      indexes.map((index) => encodeLink(RTM.DELLINK, change, { index })),
    );
  }

  private async unusedGroup(namespace: NamespaceName): Promise<number> {
    const used = await this.groupsInUse(namespace);
    for (;;) {
      const group = randomInt(0x1000_0000, 0x7fff_ffff);
      if (!used.has(group)) return group;
    }
  }
}

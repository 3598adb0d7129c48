/**
 * Who claims which name in this run. Two resources of one program that want the same name would take the object
 * from each other; only here, where all of them pass, can that be seen before anything is changed.
 */
export class Claims {
  /** By space and name, who has it. */
  private readonly holders = new Map<string, Map<string, string>>();
  private readonly claims = new Map<string, readonly Claimed[]>();

  /**
   * @param urn who claims; a resource that claims again gives up its former claims.
   * @param wanted what is claimed: names of different spaces do not collide.
   * @returns the first that another resource has already, and that one's URN; undefined when the claims stand.
   */
  claim<Wanted extends Claimed>(
    urn: string,
    wanted: readonly Wanted[],
  ): { wanted: Wanted; holder: string } | undefined {
    for (const one of wanted) {
      const holder = this.rivalOf(urn, one);
      if (holder !== undefined) return { wanted: one, holder };
    }
    for (const { space, name } of this.claims.get(urn) ?? []) this.holders.get(space)?.delete(name);
    for (const { space, name } of wanted) {
      const names = this.holders.get(space) ?? new Map<string, string>();
      this.holders.set(space, names.set(name, urn));
    }
    this.claims.set(urn, wanted);
    return undefined;
  }

  private rivalOf(urn: string, { space, name, clashes }: Claimed): string | undefined {
    const names = this.holders.get(space);
    const same = names?.get(name);
    if (same !== undefined && same !== urn) return same;
    if (!names || !clashes) return undefined;
    for (const [other, holder] of names) if (holder !== urn && clashes(other)) return holder;
    return undefined;
  }

  isClaimed(space: string, name: string): boolean {
    return this.holderOf(space, name) !== undefined;
  }

  /** The URN of the resource that has claimed it. */
  holderOf(space: string, name: string): string | undefined {
    return this.holders.get(space)?.get(name);
  }
}

interface Claimed {
  space: string;
  name: string;
  /** Whether it leaves no room for another one, where that is not only one of the same name. */
  clashes?(other: string): boolean;
}

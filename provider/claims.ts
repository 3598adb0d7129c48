/**
 * Who claims which name in this run. Two resources of one program that want the same name would take the object
 * from each other; only here, where all of them pass, can that be seen before anything is changed.
 */
export class Claims {
  private readonly holders = new Map<string, string>();
  private readonly claims = new Map<string, readonly string[]>();

  /**
   * @param urn who claims; a resource that claims again gives up its former claims.
   * @param wanted what is claimed: names of different spaces do not collide.
   * @returns the first that another resource has already, and that one's URN; undefined when the claims stand.
   */
  claim<Wanted extends { space: string; name: string }>(
    urn: string,
    wanted: readonly Wanted[],
  ): { wanted: Wanted; holder: string } | undefined {
    const keys = wanted.map(({ space, name }) => `${space}\0${name}`);
    for (const [position, key] of keys.entries()) {
      const holder = this.holders.get(key);
      if (holder !== undefined && holder !== urn) return { wanted: wanted[position] as Wanted, holder };
    }
    for (const former of this.claims.get(urn) ?? []) this.holders.delete(former);
    for (const key of keys) this.holders.set(key, urn);
    this.claims.set(urn, keys);
    return undefined;
  }

  isClaimed(space: string, name: string): boolean {
    return this.holders.has(`${space}\0${name}`);
  }
}

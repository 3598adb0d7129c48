/**
 * Who claims which name in this run. Two resources of one program that want the same name would take the object
 * from each other; only here, where all of them pass, can that be seen before anything is changed.
 */
export class Claims {
  private readonly holders = new Map<string, string>();
  private readonly claims = new Map<string, string>();

  /**
   * @param urn who claims; a resource that claims again gives up its former claim.
   * @param space what is claimed: names of different spaces do not collide.
   * @returns the URN of another resource that has the name already; undefined when the claim stands.
   */
  claim(urn: string, space: string, name: string): string | undefined {
    const key = `${space}\0${name}`;
    const holder = this.holders.get(key);
    if (holder !== undefined && holder !== urn) return holder;
    const former = this.claims.get(urn);
    if (former !== undefined && former !== key) this.holders.delete(former);
    this.holders.set(key, urn);
    this.claims.set(urn, key);
    return undefined;
  }

  isClaimed(space: string, name: string): boolean {
    return this.holders.has(`${space}\0${name}`);
  }
}

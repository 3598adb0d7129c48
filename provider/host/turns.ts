/** Work on one thing that is done one after the other, also where it fails; by what it is about. */
export class Queues<Key> {
  private readonly last = new Map<Key, Promise<unknown>>();

  add<T>(key: Key, work: () => Promise<T>): Promise<T> {
    const next = (this.last.get(key) ?? Promise.resolve()).then(work, work);
    this.last.set(key, next);
    return next;
  }
}

/**
 * Writes go on side by side. What they would disturb waits for those that are under way, and holds off those that
 * come meanwhile.
 */
export class Turns {
  private writing = 0;
  private quiet = 0;
  private waiting: (() => void)[] = [];

  async write<T>(work: () => Promise<T>): Promise<T> {
    while (this.quiet > 0) await this.changed();
    this.writing++;
    try {
      return await work();
    } finally {
      this.writing--;
      this.tell();
    }
  }

  async quietly<T>(work: () => Promise<T>): Promise<T> {
    this.quiet++;
    try {
      while (this.writing > 0) await this.changed();
      return await work();
    } finally {
      this.quiet--;
      this.tell();
    }
  }

  private changed(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private tell(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

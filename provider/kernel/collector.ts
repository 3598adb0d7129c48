/**
 * Collects calls that arrive together and runs them as one. While one run is under way the next gathers, so
 * the size of a batch follows the load by itself.
 */
export class Collector<Item, Result> {
  private waiting: { item: Item; resolve: (result: Result) => void; reject: (error: unknown) => void }[] = [];
  private running = false;

  /**
   * @param run works on all items of a moment and gives one result for each, in order.
   * @param gatherMilliseconds how long the first call waits for company; 0 is one turn of the event loop.
   */
  constructor(
    private readonly run: (items: Item[]) => Promise<Result[]>,
    private readonly gatherMilliseconds = 0,
  ) {}

  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.running || this.waiting.length === 0) return;
    this.running = true;
    if (this.gatherMilliseconds > 0) setTimeout(() => void this.flush(), this.gatherMilliseconds);
    else setImmediate(() => void this.flush());
  }

  private async flush(): Promise<void> {
    const batch = this.waiting;
    this.waiting = [];
    try {
      const results = await this.run(batch.map((entry) => entry.item));
      for (const [index, entry] of batch.entries()) entry.resolve(results[index] as Result);
    } catch (error) {
      for (const entry of batch) entry.reject(error);
    } finally {
      this.running = false;
      this.schedule();
    }
  }
}

/** One collector per key, made when it is first asked for. */
export class KeyedCollectors<Key, Item, Result> {
  private readonly collectors = new Map<Key, Collector<Item, Result>>();

  constructor(
    private readonly run: (key: Key, items: Item[]) => Promise<Result[]>,
    private readonly gatherMilliseconds = 0,
  ) {}

  add(key: Key, item: Item): Promise<Result> {
    let collector = this.collectors.get(key);
    if (!collector) {
      collector = new Collector((items) => this.run(key, items), this.gatherMilliseconds);
      this.collectors.set(key, collector);
    }
    return collector.add(item);
  }
}

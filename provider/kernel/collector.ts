/** How long calls wait for company, where a run costs more than a wait. */
export interface Gathering<Item> {
  /** Whether these calls are worth a run: then nobody waits. */
  enough(items: readonly Item[]): boolean;
  /** Milliseconds without another call, after which none is expected. */
  quiet: number;
  /** Milliseconds that the first call waits at most. */
  limit(): number;
  /** Whether more calls are under way for certain, so that it is worth to wait also when none came for a while. */
  expected?(): boolean;
  /**
   * How many calls are one run at most. So many wait for nothing, and a second run may begin before the first has
   * ended: callers of the one go on while the other works.
   */
  most?: number;
}

const atOnce: Gathering<unknown> = { enough: () => true, quiet: 0, limit: () => 0 };

/**
 * Collects calls that arrive together and runs them as one. While one run is under way the next gathers, so
 * the size of a batch follows the load by itself.
 */
export class Collector<Item, Result> {
  private waiting: { item: Item; resolve: (result: Result) => void; reject: (error: unknown) => void }[] = [];
  private running = 0;
  private gathers = false;

  /**
   * @param run works on all items of a moment and gives one result for each, in order.
   * @param gathering by default, what arrives in one turn of the event loop is one run.
   */
  constructor(
    private readonly run: (items: Item[]) => Promise<Result[]>,
    private readonly gathering: Gathering<Item> = atOnce,
  ) {}

  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.waiting.length >= (this.gathering.most ?? Number.POSITIVE_INFINITY) && this.running < 2) {
      void this.flush();
      return;
    }
    if (this.gathers || this.running > 0 || this.waiting.length === 0) return;
    this.gathers = true;
    const end = performance.now() + this.gathering.limit();
    setImmediate(() => this.gather(end));
  }

  /** Waits as long as calls keep arriving, and are too few. */
  private gather(end: number): void {
    const count = this.waiting.length;
    const { quiet } = this.gathering;
    const left = end - performance.now();
    if (left <= 0 || this.gathering.enough(this.waiting.map(({ item }) => item))) {
      this.stopGathering();
      return;
    }
    // After the timer one more turn, in which is read what has come in meanwhile.
    setTimeout(
      () =>
        setImmediate(() => {
          if (this.waiting.length > count || this.gathering.expected?.()) {
            this.gather(end);
            return;
          }
          this.stopGathering();
        }),
      Math.min(quiet, left),
    );
  }

  private stopGathering(): void {
    this.gathers = false;
    // What gathered may have gone with full runs; the rest goes when one of them ends.
    if (this.running === 0) void this.flush();
  }

  private async flush(): Promise<void> {
    const batch = this.waiting;
    this.waiting = batch.splice(this.gathering.most ?? batch.length);
    this.running++;
    try {
      const results = await this.run(batch.map((entry) => entry.item));
      for (const [index, entry] of batch.entries()) entry.resolve(results[index] as Result);
    } catch (error) {
      for (const entry of batch) entry.reject(error);
    } finally {
      this.running--;
      this.schedule();
    }
  }
}

/** One collector per key, made when it is first asked for. */
export class KeyedCollectors<Key, Item, Result> {
  private readonly collectors = new Map<Key, Collector<Item, Result>>();

  constructor(
    private readonly run: (key: Key, items: Item[]) => Promise<Result[]>,
    private readonly gathering: (key: Key) => Gathering<Item> = () => atOnce,
  ) {}

  add(key: Key, item: Item): Promise<Result> {
    let collector = this.collectors.get(key);
    if (!collector) {
      collector = new Collector((items) => this.run(key, items), this.gathering(key));
      this.collectors.set(key, collector);
    }
    return collector.add(item);
  }
}

import { describe, expect, test } from "vitest";
import { TuntapError } from "../../provider/errors";
import { Links } from "../../provider/host/links";
import { Collector, type Gathering, KeyedCollectors } from "../../provider/kernel/collector";
import { consistentDump, SharedDump } from "../../provider/kernel/dumps";
import { encodeLink } from "../../provider/netlink/link";
import { RTM } from "../../provider/netlink/message";
import { ScriptedKernel } from "../harness/scripted-kernel";
import { sleep } from "../harness/shell";

/** A promise that a test settles when it likes. */
function deferred<T>() {
  let settle: (value: T) => void = () => {};
  const promise = new Promise<T>((resolve) => {
    settle = resolve;
  });
  return { promise, settle };
}

describe("calls that arrive together", () => {
  test("run as one, and each gets its own result", async () => {
    const batches: number[][] = [];
    const collector = new Collector<number, number>(async (items) => {
      batches.push(items);
      return items.map((item) => item * 10);
    });
    expect(await Promise.all([1, 2, 3].map((item) => collector.add(item)))).toEqual([10, 20, 30]);
    expect(batches).toEqual([[1, 2, 3]]);
  });

  test("while one run is under way, the next gathers", async () => {
    const batches: number[][] = [];
    const gate = deferred<void>();
    const collector = new Collector<number, number>(async (items) => {
      batches.push(items);
      if (batches.length === 1) await gate.promise;
      return items;
    });
    const first = collector.add(1);
    await sleep(5);
    const others = [collector.add(2)];
    await sleep(5);
    others.push(collector.add(3));
    gate.settle();
    await Promise.all([first, ...others]);
    expect(batches).toEqual([[1], [2, 3]]);
  });

  test("fail together, and the next run is not harmed", async () => {
    let runs = 0;
    const collector = new Collector<number, number>(async (items) => {
      runs += 1;
      if (runs === 1) throw new Error("once");
      return items;
    });
    const results = await Promise.allSettled([collector.add(1), collector.add(2)]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await collector.add(3)).toBe(3);
  });

  test("of different keys run apart", async () => {
    const batches: [string, number[]][] = [];
    const collectors = new KeyedCollectors<string, number, number>(async (key, items) => {
      batches.push([key, items]);
      return items;
    });
    await Promise.all([collectors.add("a", 1), collectors.add("b", 2), collectors.add("a", 3)]);
    expect(batches).toEqual([
      ["a", [1, 3]],
      ["b", [2]],
    ]);
  });

  describe("that cost more than a wait", () => {
    const gathered = async (gathering: Gathering<number>, calls: number, milliseconds: number) => {
      const batches: number[] = [];
      const collector = new Collector<number, number>(async (items) => {
        batches.push(items.length);
        return items;
      }, gathering);
      const results: Promise<number>[] = [];
      for (let call = 0; call < calls; call++) {
        results.push(collector.add(call));
        if (milliseconds > 0) await sleep(milliseconds);
      }
      await Promise.all(results);
      return batches;
    };
    const never = () => false;

    test("gather as long as more arrive", async () => {
      expect(await gathered({ enough: never, quiet: 200, limit: () => 10_000 }, 10, 5)).toEqual([10]);
    });

    test("but no longer than the limit", async () => {
      const batches = await gathered({ enough: never, quiet: 1000, limit: () => 50 }, 20, 10);
      expect(batches.length).toBeGreaterThan(1);
      expect(batches[0]).toBeLessThan(20);
    });

    test("gather on while more are expected, though none come", async () => {
      let expected = true;
      setTimeout(() => {
        expected = false;
      }, 150);
      const gathering = { enough: never, quiet: 1, limit: () => 60_000, expected: () => expected };
      expect(await gathered(gathering, 4, 30)).toEqual([4]);
    });

    test("do not wait where they are enough", async () => {
      const began = performance.now();
      const enough = ({ length }: readonly number[]) => length >= 5;
      expect(await gathered({ enough, quiet: 5000, limit: () => 5000 }, 5, 0)).toEqual([5]);
      expect(performance.now() - began).toBeLessThan(1000);
    });
  });
});

describe("more calls than one run takes", () => {
  const atOnce = { enough: () => true, quiet: 0, limit: () => 0 };

  test("go in several, of which two work at once, and none is lost or out of order", async () => {
    const batches: number[][] = [];
    let running = 0;
    let together = 0;
    const collector = new Collector<number, number>(
      async (items) => {
        batches.push(items);
        together = Math.max(together, ++running);
        await sleep(5);
        running--;
        return items.map((item) => item * 10);
      },
      { ...atOnce, most: 4 },
    );
    const calls = Array.from({ length: 18 }, (_, item) => item);
    expect(await Promise.all(calls.map((item) => collector.add(item)))).toEqual(
      calls.map((item) => item * 10),
    );
    expect(batches.map(({ length }) => length)).toEqual([4, 4, 4, 4, 2]);
    expect(batches.flat()).toEqual(calls);
    expect(together).toBe(2);
  });

  test("the first go on before the last are done", async () => {
    const gate = deferred<void>();
    const collector = new Collector<number, number>(
      async (items) => {
        if (items.includes(5)) await gate.promise;
        return items;
      },
      { ...atOnce, most: 2 },
    );
    const calls = [0, 1, 2, 3, 4, 5].map((item) => collector.add(item));
    expect(await calls[0]).toBe(0);
    gate.settle();
    expect(await Promise.all(calls)).toEqual([0, 1, 2, 3, 4, 5]);
  });
});

describe("a dump", () => {
  const request = Buffer.from("request");
  const overflow = () => new TuntapError("RECEIVE_OVERFLOW", { message: "the receive buffer was full" });

  test("that was disturbed is made again", async () => {
    const kernel = new ScriptedKernel();
    kernel.answerDump = (attempt) => ({ bytes: Buffer.from(`${attempt}`), interrupted: attempt < 4 });
    expect(String(await consistentDump(kernel, undefined, request))).toBe("4");
    expect(kernel.dumps).toBe(4);
  });

  test("that is disturbed 20 times is given up, with where", async () => {
    const kernel = new ScriptedKernel();
    kernel.answerDump = () => ({ bytes: Buffer.alloc(0), interrupted: true });
    await expect(consistentDump(kernel, "blue", request)).rejects.toMatchObject({
      code: "DUMP_INTERRUPTED",
      retryable: true,
      message: expect.stringContaining("namespace blue was disturbed 20 times"),
    });
    expect(kernel.dumps).toBe(20);
  });

  test("of the links of a namespace without a name is made again, too", async () => {
    const kernel = new ScriptedKernel();
    const link = encodeLink(RTM.NEWLINK, 0, { index: 7 }, { ifname: "far0" });
    kernel.answerDump = (attempt) => ({
      bytes: attempt === 1 ? Buffer.alloc(0) : link,
      interrupted: attempt === 1,
    });
    expect((await new Links(kernel).behind(undefined, 0)).at(7)?.name).toBe("far0");
  });

  test("of which answers were lost is made again", async () => {
    const kernel = new ScriptedKernel();
    kernel.answerDump = (attempt) => {
      if (attempt === 1) throw overflow();
      return { bytes: Buffer.from("whole"), interrupted: false };
    };
    expect(String(await consistentDump(kernel, undefined, request))).toBe("whole");
  });

  test("of which answers are always lost ends with that error", async () => {
    const kernel = new ScriptedKernel();
    kernel.answerDump = () => {
      throw overflow();
    };
    await expect(consistentDump(kernel, undefined, request)).rejects.toMatchObject({
      code: "RECEIVE_OVERFLOW",
    });
    expect(kernel.dumps).toBe(20);
  });

  test("that fails otherwise is not made again", async () => {
    const kernel = new ScriptedKernel();
    kernel.answerDump = () => {
      throw new TuntapError("NAMESPACE_MISSING", { message: "no such namespace" });
    };
    await expect(consistentDump(kernel, "blue", request)).rejects.toMatchObject({
      code: "NAMESPACE_MISSING",
    });
    expect(kernel.dumps).toBe(1);
  });

  test("is shared by all who ask at one moment, decoded once", async () => {
    const kernel = new ScriptedKernel();
    let decoded = 0;
    const dump = new SharedDump(kernel, request, () => ({ decoded: ++decoded }));
    const results = await Promise.all(Array.from({ length: 50 }, () => dump.get(undefined)));
    expect(new Set(results).size).toBe(1);
    expect([kernel.dumps, decoded]).toEqual([1, 1]);
  });

  test("that began before the question is not the answer to it", async () => {
    const kernel = new ScriptedKernel();
    const gate = deferred<void>();
    let written = "before";
    kernel.answerDump = async (attempt) => {
      const bytes = Buffer.from(written);
      if (attempt === 1) await gate.promise;
      return { bytes, interrupted: false };
    };
    const dump = new SharedDump(kernel, request, String);
    const first = dump.get(undefined);
    await sleep(5);
    written = "after";
    const second = dump.get(undefined);
    gate.settle();
    expect([await first, await second]).toEqual(["before", "after"]);
    expect(kernel.dumps).toBe(2);
  });

  test("of each namespace is its own", async () => {
    const kernel = new ScriptedKernel();
    const dump = new SharedDump(kernel, request, String);
    await Promise.all([dump.get(undefined), dump.get("blue"), dump.get("blue")]);
    expect(kernel.dumps).toBe(2);
  });
});

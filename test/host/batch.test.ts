import { constants } from "node:os";
import { describe, expect, test } from "vitest";
import { Batch } from "../../provider/host/batch";
import type { Reply } from "../../provider/kernel/kernel";
import { decodeLink } from "../../provider/netlink/link";
import { RTM } from "../../provider/netlink/message";
import { ScriptedKernel } from "../harness/scripted-kernel";

const { EPERM, ENODEV, EBUSY, EOPNOTSUPP, ENOBUFS } = constants.errno;
const text = (messages: readonly Buffer[]) => messages.map(String);

function batchOn(kernel: ScriptedKernel, groupsInUse: number[] = []): Batch {
  return new Batch(kernel, async () => new Set(groupsInUse));
}

describe("writes", () => {
  test("of many callers go out together, in order, and each gets its own answers", async () => {
    const kernel = new ScriptedKernel();
    const refusals: Record<string, Reply> = { c: { errno: EPERM, extack: "no" } };
    kernel.answer = (messages) => text(messages).map((message) => refusals[message] ?? { errno: 0 });
    const batch = batchOn(kernel);
    const send = (...messages: string[]) =>
      batch.send(
        undefined,
        messages.map((message) => Buffer.from(message)),
      );
    expect(await Promise.all([send("a", "b"), send("c"), send(), send("d", "e", "f")])).toEqual([
      [{ errno: 0 }, { errno: 0 }],
      [{ errno: EPERM, extack: "no" }],
      [],
      [{ errno: 0 }, { errno: 0 }, { errno: 0 }],
    ]);
    expect(kernel.requests.map(({ messages }) => text(messages))).toEqual([["a", "b", "c", "d", "e", "f"]]);
  });

  test("to different namespaces go apart", async () => {
    const kernel = new ScriptedKernel();
    const batch = batchOn(kernel);
    await Promise.all([batch.send("blue", [Buffer.from("a")]), batch.send(undefined, [Buffer.from("b")])]);
    expect(kernel.requests.map(({ namespace, messages }) => [namespace, ...text(messages)])).toEqual([
      ["blue", "a"],
      [undefined, "b"],
    ]);
  });

  test("of TUN operations go out together too", async () => {
    const kernel = new ScriptedKernel();
    let calls = 0;
    kernel.answerTun = (operations) => {
      calls += 1;
      return operations.map(({ name }) => ({ errno: name === "tap1" ? EBUSY : 0 }));
    };
    const batch = batchOn(kernel);
    const create = (name: string) =>
      batch.tun(undefined, { operation: "create", name, flags: 0, persist: true });
    const results = await Promise.all(["tap0", "tap1", "tap2"].map(create));
    expect(results.map(({ errno }) => errno)).toEqual([0, EBUSY, 0]);
    expect(calls).toBe(1);
  });

  test("whose system call fails, fail for all", async () => {
    const kernel = new ScriptedKernel();
    kernel.answer = () => {
      throw new Error("no such namespace");
    };
    const batch = batchOn(kernel);
    const results = await Promise.allSettled([batch.send("x", []), batch.send("x", [])]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  });
});

/** What a delete asks the kernel, in words. */
function words(message: Buffer): string {
  const { type, header, attributes } = decodeLink(message);
  const group = attributes.group === undefined ? "" : " group";
  return `${type === RTM.DELLINK ? "delete" : "set"}${header.index ? ` ${header.index}` : ""}${group}`;
}

function groupOf(message: Buffer): number | undefined {
  return decodeLink(message).attributes.group;
}

describe("deletes", () => {
  /** A kernel that answers by what is asked; everything else succeeds. */
  function kernelWith(answers: Readonly<Record<string, number>>): ScriptedKernel {
    const kernel = new ScriptedKernel();
    kernel.answer = (messages) => messages.map((message) => ({ errno: answers[words(message)] ?? 0 }));
    return kernel;
  }

  async function deleteAll(kernel: ScriptedKernel, ...indexes: number[]) {
    const batch = batchOn(kernel);
    const replies = await Promise.all(indexes.map((index) => batch.deleteLink("blue", index)));
    return {
      errnos: replies.map(({ errno }) => errno),
      asked: kernel.requests.map(({ messages }) => messages.map(words)),
    };
  }

  test("a single one is deleted as it is", async () => {
    const { errnos, asked } = await deleteAll(kernelWith({}), 7);
    expect(errnos).toEqual([0]);
    expect(asked).toEqual([["delete 7"]]);
  });

  test("many go as one group", async () => {
    const kernel = kernelWith({});
    const { errnos, asked } = await deleteAll(kernel, 7, 8, 9);
    expect(errnos).toEqual([0, 0, 0]);
    expect(asked).toEqual([["set 7 group", "set 8 group", "set 9 group"], ["delete group"]]);
    const groups = kernel.requests.flatMap(({ messages }) => messages.map(groupOf));
    expect(new Set(groups).size).toBe(1);
    expect(groups[0]).toBeGreaterThan(0);
  });

  test("one that vanished meanwhile does not keep the others", async () => {
    const { errnos, asked } = await deleteAll(kernelWith({ "set 8 group": ENODEV }), 7, 8, 9);
    expect(errnos).toEqual([0, ENODEV, 0]);
    expect(asked).toHaveLength(2);
  });

  test("one that could not join the group is deleted by itself", async () => {
    const { errnos, asked } = await deleteAll(kernelWith({ "set 8 group": ENOBUFS }), 7, 8, 9);
    expect(errnos).toEqual([0, 0, 0]);
    expect(asked[2]).toEqual(["delete 8"]);
  });

  test("a group that is refused is deleted one by one, each with its own answer", async () => {
    const kernel = kernelWith({ "delete group": EOPNOTSUPP, "delete 8": EBUSY });
    const { errnos, asked } = await deleteAll(kernel, 7, 8, 9);
    expect(errnos).toEqual([0, EBUSY, 0]);
    expect(asked[2]).toEqual(["delete 7", "delete 8", "delete 9"]);
  });

  test("a group of links that all vanished is no failure of anybody", async () => {
    const answers = { "set 7 group": ENODEV, "set 8 group": ENODEV, "delete group": ENODEV };
    const { errnos } = await deleteAll(
      kernelWith({ ...answers, "delete 7": ENODEV, "delete 8": ENODEV }),
      7,
      8,
    );
    expect(errnos).toEqual([ENODEV, ENODEV]);
  });

  test("the same link asked for twice is deleted once", async () => {
    const { errnos } = await deleteAll(kernelWith({}), 7, 7);
    expect(errnos).toEqual([0, 0]);
  });

  test("those of one namespace do not wait for those of another", async () => {
    const kernel = kernelWith({});
    const batch = batchOn(kernel);
    await Promise.all([batch.deleteLink("blue", 7), batch.deleteLink("red", 7), batch.deleteLink("red", 8)]);
    const blue = kernel.requests.filter(({ namespace }) => namespace === "blue");
    expect(blue.map(({ messages }) => messages.map(words))).toEqual([["delete 7"]]);
  });

  test("a group that somebody uses is never taken", async () => {
    const kernel = kernelWith({});
    let asked = 0;
    const batch = new Batch(kernel, async () => {
      asked += 1;
      return new Set([0]);
    });
    await Promise.all([batch.deleteLink(undefined, 7), batch.deleteLink(undefined, 8)]);
    expect(asked).toBe(1);
    expect(groupOf(kernel.requests[0]?.messages[0] as Buffer)).not.toBe(0);
  });
});

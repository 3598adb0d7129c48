import { constants } from "node:os";
import { expect, test } from "vitest";
import { Patience } from "../../provider/busy";
import { converge } from "../../provider/converge";
import { Host } from "../../provider/host/host";
import type { Kind, Property, Target } from "../../provider/kinds/kind";
import { ScriptedKernel } from "../harness/scripted-kernel";

const { ENOBUFS, EPERM } = constants.errno;

interface Lamp {
  level: number;
  colour: number;
}

/** An object with two properties, each written by a message of its own: `level 3`. */
function lamp(start: Lamp) {
  const state = { ...start };
  const kernel = new ScriptedKernel();
  const property = (name: keyof Lamp): Property<Lamp, Lamp, number> => ({
    name,
    inputs: [name],
    verdict: { idle: "live", single: "live", multi: "live" },
    want: (desired) => desired[name],
    is: (observed) => observed[name],
    messages: ({ want }) => [{ bytes: Buffer.from(`${name} ${want}`) }],
  });
  const kind = {
    name: "Lamp",
    inside: () => undefined,
    properties: [property("level"), property("colour")],
    codes: { inUse: "LINK_BUSY", foreign: "FOREIGN_LINK" },
    sight: async () => ({ object: { ...state } }),
    describe: () => "the lamp",
    onBusy: () => ({ mode: "fail", seconds: 0 }),
  } as unknown as Kind;
  const target: Target = { lease: "", namespace: undefined, name: "l0", recorded: {} };
  const write = (message: Buffer) => {
    const [name, value] = String(message).split(" ");
    state[name as keyof Lamp] = Number(value);
  };
  const run = async (desired: Lamp) => {
    const { object } = await converge({
      kind,
      host: new Host(kernel),
      target,
      inputs: { ...desired },
      desired,
      leaseIsOurs: true,
      patience: new Patience({ mode: "fail", seconds: 0 }),
    });
    return object;
  };
  return { kernel, write, run, kind, state };
}

test("what was written is read back, in one batch", async () => {
  const { kernel, write, run } = lamp({ level: 0, colour: 0 });
  kernel.answer = (messages) => {
    messages.forEach(write);
    return messages.map(() => ({ errno: 0 }));
  };
  expect(await run({ level: 3, colour: 4 })).toEqual({ level: 3, colour: 4 });
  expect(kernel.requests.map(({ messages }) => messages.map(String))).toEqual([["level 3", "colour 4"]]);
});

test("a lost acknowledgement is no failure: reading back tells, and what is missing is written again", async () => {
  const { kernel, write, run } = lamp({ level: 0, colour: 0 });
  kernel.answer = (messages) => {
    // The first arrives without an answer, the second does not arrive at all.
    if (kernel.requests.length === 1) write(messages[0] as Buffer);
    else messages.forEach(write);
    return messages.map(() => ({ errno: kernel.requests.length === 1 ? ENOBUFS : 0 }));
  };
  expect(await run({ level: 3, colour: 4 })).toEqual({ level: 3, colour: 4 });
  expect(kernel.requests.map(({ messages }) => messages.map(String))).toEqual([
    ["level 3", "colour 4"],
    ["colour 4"],
  ]);
});

test("a refusal names its property, and others keep what they got", async () => {
  const { kernel, write, run, state } = lamp({ level: 0, colour: 0 });
  kernel.answer = (messages) => {
    write(messages[0] as Buffer);
    return [{ errno: 0 }, { errno: EPERM, extack: "no colours here" }];
  };
  await expect(run({ level: 3, colour: 4 })).rejects.toMatchObject({
    code: "PERMISSION_DENIED",
    property: "colour",
    errno: EPERM,
    extack: "no colours here",
  });
  expect(state).toEqual({ level: 3, colour: 0 });
});

test("what is acknowledged but does not stay fails verification, after a second try", async () => {
  const { kernel, run } = lamp({ level: 0, colour: 0 });
  await expect(run({ level: 3, colour: 0 })).rejects.toMatchObject({
    code: "VERIFY_FAILED",
    property: "level",
    message: expect.stringContaining("level: 0 on the host, 3 declared"),
  });
  expect(kernel.requests).toHaveLength(2);
});

test("nothing is written where nothing differs", async () => {
  const { kernel, run } = lamp({ level: 3, colour: 4 });
  await run({ level: 3, colour: 4 });
  expect(kernel.requests).toEqual([]);
});

test("what was there and ends between two looks is made anew", async () => {
  const { kernel, write, run, kind, state } = lamp({ level: 0, colour: 0 });
  kernel.answer = (messages) => {
    messages.forEach(write);
    return messages.map(() => ({ errno: 0 }));
  };
  let looks = 0;
  let made = 0;
  kind.sight = async () => {
    looks += 1;
    // There at first, then gone until it is made.
    return looks === 1 || made > 0 ? { object: { ...state } } : {};
  };
  kind.create = async () => {
    made += 1;
  };
  expect(await run({ level: 3, colour: 0 })).toEqual({ level: 3, colour: 0 });
  expect(made).toBe(1);
});

test("what vanishes again and again is another's doing: an error, and nothing is left of ours", async () => {
  const { run, kind } = lamp({ level: 0, colour: 0 });
  let looks = 0;
  kind.sight = async () => {
    looks += 1;
    return looks % 2 === 1 ? { object: { level: 0, colour: 0 } } : {};
  };
  await expect(run({ level: 3, colour: 0 })).rejects.toMatchObject({ code: "LINK_VANISHED" });
  expect(looks).toBe(6);
});

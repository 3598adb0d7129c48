/** Settings of a TAP as the port of a bridge, each changed by the program and by hand. */

import { beforeEach, describe, expect, test } from "vitest";
import { Program } from "../harness/program";
import { describeRows, type Row } from "./rows";
import { kind, lab, program, useTunLab } from "./tun-lab";

useTunLab();

beforeEach(async () => {
  for (const name of ["br0", "br1"]) await lab.ip("link", "add", name, "type", "bridge");
});

/** None as the kernel starts with it. */
const settings = {
  isolated: true,
  learning: false,
  flood: false,
  multicastFlood: false,
  hairpin: true,
  guard: true,
  rootBlock: true,
  fastLeave: true,
  cost: 5,
  priority: 7,
};

const plain = () => ({ owner: 1, namespace: lab.name, bridge: "br0" });
const base = () => ({ ...plain(), port: settings });

/** In the words of `ip`. */
async function port(): Promise<Record<string, unknown>> {
  return { ...(await lab.mustHave("dev0")).linkinfo?.info_slave_data };
}

const asShown = {
  isolated: true,
  learning: false,
  flood: false,
  mcast_flood: false,
  hairpin: true,
  guard: true,
  root_block: true,
  fastleave: true,
  cost: 5,
  priority: 7,
};
const fresh = {
  isolated: false,
  learning: true,
  flood: true,
  mcast_flood: true,
  hairpin: false,
  guard: false,
  root_block: false,
  fastleave: false,
  priority: 32,
};

const byHand = (...words: string[]) => lab.ip("link", "set", "dev0", "type", "bridge_slave", ...words);

function row(name: keyof typeof settings, word: keyof typeof asShown, changed: boolean | number): Row {
  const text = (value: unknown) => (typeof value === "number" ? String(value) : value ? "on" : "off");
  return {
    name,
    change: { port: { ...settings, [name]: changed } },
    byHand: () => byHand(word, text(changed)),
    drift: new RegExp(`port\\.${name}: ${text(changed)} on the host, ${text(settings[name])}`),
    read: async () => (await port())[word],
    original: settings[name],
    changed,
  };
}

describeRows(base, [
  row("isolated", "isolated", false),
  row("learning", "learning", true),
  row("flood", "flood", true),
  row("multicastFlood", "mcast_flood", true),
  row("hairpin", "hairpin", false),
  row("guard", "guard", false),
  row("rootBlock", "root_block", false),
  row("fastLeave", "fastleave", false),
  row("cost", "cost", 65535),
  row("priority", "priority", 63),
]);

test("all of them at once, as ip sees them, and a refresh finds nothing", async () => {
  const { outputs, notices } = await program.declare(kind, "dev0", base());
  expect(await port()).toMatchObject(asShown);
  expect(outputs.port).toEqual(settings);
  expect(notices).toEqual([]);
  expect((await program.newRun().refresh("dev0"))?.notices).toEqual([]);
  expect((await program.declare(kind, "dev0", base())).operation).toBe("same");
});

describe("what resets them", () => {
  test("taken off and put back by hand: repaired, and said of each", async () => {
    await program.declare(kind, "dev0", base());
    await lab.ip("link", "set", "dev0", "nomaster");
    await lab.ip("link", "set", "dev0", "master", "br0");
    expect(await port()).toMatchObject(fresh);
    const { notices } = await program.newRun().declare(kind, "dev0", base());
    expect(notices.join()).toMatch(/port\.isolated: off on the host, on .*changed outside this program/);
    expect(notices).toHaveLength(10);
    expect(await port()).toMatchObject(asShown);
  });

  test("taken off by hand: back on the bridge with its settings", async () => {
    await program.declare(kind, "dev0", base());
    await lab.ip("link", "set", "dev0", "nomaster");
    const { notices } = await program.newRun().declare(kind, "dev0", base());
    expect(notices.join()).toMatch(/bridge: no bridge on the host, br0/);
    expect(notices.join()).toMatch(/port\.cost: no port of a bridge on the host, 5/);
    expect(await port()).toMatchObject(asShown);
    expect((await program.declare(kind, "dev0", base())).operation).toBe("same");
  });

  test("taken off, refreshed, and up again", async () => {
    await program.declare(kind, "dev0", base());
    await lab.ip("link", "set", "dev0", "nomaster");
    expect((await program.refresh("dev0"))?.outputs.port).toEqual({});
    await program.declare(kind, "dev0", base());
    expect(await port()).toMatchObject(asShown);
  });

  test("another bridge has them too, in the same run", async () => {
    await program.declare(kind, "dev0", base());
    expect((await program.declare(kind, "dev0", { ...base(), bridge: "br1" })).operation).toBe("update");
    expect((await lab.mustHave("dev0")).master).toBe("br1");
    expect(await port()).toMatchObject(asShown);
    expect((await program.declare(kind, "dev0", { ...base(), bridge: "br1" })).operation).toBe("same");
  });

  test("a bridge that was made anew", async () => {
    await program.declare(kind, "dev0", base());
    await lab.ip("link", "del", "br0");
    await lab.ip("link", "add", "br0", "type", "bridge");
    await program.newRun().declare(kind, "dev0", base());
    expect(await port()).toMatchObject(asShown);
  });

  test("the whole interface, deleted", async () => {
    await program.declare(kind, "dev0", base());
    await lab.ip("link", "del", "dev0");
    await program.newRun().declare(kind, "dev0", base());
    expect(await port()).toMatchObject(asShown);
  });
});

describe("what is not declared", () => {
  test("is not managed", async () => {
    const some = { ...plain(), port: { isolated: true } };
    await program.declare(kind, "dev0", some);
    await byHand("learning", "off", "cost", "77", "hairpin", "on");
    const before = await lab.snapshot();
    expect((await program.newRun().declare(kind, "dev0", some)).operation).toBe("same");
    expect(await lab.snapshot()).toBe(before);
  });

  test("any more goes back to what a port starts with, but for the cost, and that is said", async () => {
    await program.declare(kind, "dev0", base());
    const { isolated, cost, ...rest } = settings;
    const { notices } = await program.declare(kind, "dev0", { ...plain(), port: rest });
    expect(notices).toEqual(["port.cost is no longer declared; it stays as it is, 5"]);
    expect(await port()).toMatchObject({ ...asShown, isolated: false });
    expect((await program.declare(kind, "dev0", { ...plain(), port: rest })).operation).toBe("same");
  });

  test("any more at all goes back, too", async () => {
    await program.declare(kind, "dev0", { ...plain(), port: { isolated: true, learning: false } });
    const { operation, outputs } = await program.declare(kind, "dev0", plain());
    expect(operation).toBe("update");
    expect(outputs.port).toBeUndefined();
    expect(await port()).toMatchObject({ isolated: false, learning: true });
    expect((await program.declare(kind, "dev0", plain())).operation).toBe("same");
  });

  test("any more, and changed by others meanwhile, is theirs", async () => {
    await program.declare(kind, "dev0", { ...plain(), port: { priority: 5 } });
    await byHand("priority", "9");
    await program.declare(kind, "dev0", plain());
    expect(await port()).toMatchObject({ priority: 9 });
    expect((await program.declare(kind, "dev0", plain())).operation).toBe("same");
  });

  test("together with the bridge: it leaves, and nothing is said of settings that are gone", async () => {
    await program.declare(kind, "dev0", base());
    const { notices } = await program.declare(kind, "dev0", { ...plain(), bridge: undefined });
    expect(notices.filter((notice) => notice.includes("stays as it is"))).toEqual([]);
    expect((await lab.mustHave("dev0")).master).toBeUndefined();
  });
});

test("drift of one setting is told also where the program changes another", async () => {
  await program.declare(kind, "dev0", base());
  await byHand("hairpin", "off");
  const { notices } = await program.declare(kind, "dev0", { ...plain(), port: { ...settings, cost: 9 } });
  expect(notices).toEqual([
    "port.hairpin: off on the host, on declared: changed outside this program, will be set back",
  ]);
  expect(await port()).toMatchObject({ ...asShown, cost: 9 });
});

test("while the bridge is not known, nothing is said of its port", async () => {
  await program.declare(kind, "dev0", base());
  await lab.ip("link", "del", "br0");
  const { bridge, ...rest } = base();
  expect((await program.newRun().plan(kind, "dev0", rest, ["bridge"])).notices).toEqual([]);
});

test("no message tells a secret setting", async () => {
  const secretive = new Program(undefined, "dev", "test", ["port"]);
  await secretive.declare(kind, "dev0", { ...plain(), port: { cost: 4711 } });
  await byHand("cost", "4712");
  const { notices } = await secretive.declare(kind, "dev0", { ...plain(), port: { cost: 4711 } });
  expect(notices.join()).toContain("port.cost: not the declared (secret) value");
  expect(notices.join()).not.toMatch(/471[12]/);
});

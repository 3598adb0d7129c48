/** Whose a pair is: leases of both ends, strangers, what an interrupted run left, what was moved away. */

import { spawn } from "node:child_process";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { interimName, memberLease } from "../../provider/host/leases";
import { Lab } from "../harness/lab";
import { Program } from "../harness/program";
import { run, until } from "../harness/shell";
import { lab, program, said, useTunLab } from "./tun-lab";

useTunLab();

const kind = "VethPair";

let other: Lab;
beforeAll(async () => {
  other = await Lab.open();
});
afterAll(() => other.close());
beforeEach(() => other.empty());

const pair = (more: Record<string, unknown> = {}, b: Record<string, unknown> = {}) => ({
  ends: [
    { name: "va", namespace: lab.name, address: "192.0.2.1/24" },
    { name: "vb", namespace: other.name, ...b },
  ],
  ...more,
});

/** Of the ends, as ip shows them. */
async function leases(): Promise<(string[] | undefined)[]> {
  return [(await lab.mustHave("va")).altnames, (await other.mustHave("vb")).altnames];
}

async function mustBeWhole(declared = pair()): Promise<void> {
  const lease = program.state.get("cable")?.outputs.__lease as string;
  expect(await leases()).toEqual([[lease], [memberLease(lease, "b")]]);
  expect((await program.newRun().declare(kind, "cable", declared)).operation).toBe("same");
}

describe("a lease that was taken off", () => {
  test.each([
    ["the first end", [0]],
    ["the second end", [1]],
    ["both ends", [0, 1]],
  ])("%s is restored", async (_, ends) => {
    await program.declare(kind, "cable", pair());
    const before = await leases();
    for (const end of ends) {
      const [where, name] = end === 0 ? [lab, "va"] : [other, "vb"];
      await (where as Lab).ip(
        "link",
        "property",
        "del",
        "dev",
        name as string,
        "altname",
        before[end]?.[0] as string,
      );
    }
    const plan = await program.newRun().plan(kind, "cable", pair());
    expect(plan).toMatchObject({ changes: true, replaces: [] });
    expect(said(plan)).toMatch(/its lease \S+ was taken off; it will be restored/);
    expect((await program.declare(kind, "cable", pair())).operation).toBe("update");
    await mustBeWhole();
  });

  test("of an end that was renamed and moved as well: it is known by the other end", async () => {
    await program.declare(kind, "cable", pair());
    const [, [lease] = []] = await leases();
    const { address } = await other.mustHave("vb");
    await other.ip("link", "property", "del", "dev", "vb", "altname", lease as string);
    await other.ip("link", "set", "vb", "name", "stray0");
    await other.ip("link", "set", "stray0", "netns", lab.name);
    expect((await program.newRun().declare(kind, "cable", pair())).operation).toBe("update");
    expect((await other.mustHave("vb")).address).toBe(address);
    expect(await lab.links()).toHaveLength(1);
    await mustBeWhole();
  });
});

test("an end in a namespace without a name makes the pair anew, which is said", async () => {
  await program.declare(kind, "cable", pair());
  const hidden = spawn("unshare", ["--net", "sleep", "600"], { stdio: "ignore" });
  try {
    const own = await run("readlink", "/proc/self/ns/net");
    await until("it has a namespace of its own", async () => {
      return (await run("readlink", `/proc/${hidden.pid}/ns/net`).catch(() => own)) !== own;
    });
    await other.ip("link", "set", "vb", "netns", String(hidden.pid));
    const plan = await program.newRun().plan(kind, "cable", pair());
    expect(plan).toMatchObject({ changes: true, replaces: ["ends"] });
    expect(said(plan)).toMatch(/ends\[1\]: in a namespace that has no name on the host, there declared/);
    const refreshed = await program.refresh("cable");
    expect(refreshed?.notices.join()).toMatch(/ends\[1\]: in a namespace that has no name/);
    expect((await program.newRun().declare(kind, "cable", pair())).operation).toBe("replace");
    await mustBeWhole();
  } finally {
    hidden.kill("SIGKILL");
  }
});

describe("a pair of somebody else", () => {
  const strange = async (a = "va", b = "vb") => {
    await lab.ip("link", "add", a, "type", "veth", "peer", "name", b);
    await lab.ip("link", "set", b, "netns", other.name);
  };

  test.each([
    ["both names", "va", "vb", 0, "va"],
    ["the first name", "va", "else0", 0, "va"],
    ["the second name", "else0", "vb", 1, "vb"],
  ])("with %s is refused with its description, at once and in a plan", async (_, a, b, end, name) => {
    await strange(a, b);
    const before = [await lab.snapshot(), await other.snapshot()];
    const { problems } = await program.check(kind, "cable", pair());
    expect(problems.map(({ message }) => message).join()).toMatch(
      new RegExp(
        `ends\\[${end}\\]\\.name "${name}" is taken by veth "${a}" .* and veth "${b}" .*\\[FOREIGN_LINK\\]`,
      ),
    );
    await expect(program.declare(kind, "cable", pair())).rejects.toThrow(/FOREIGN_LINK/);
    expect([await lab.snapshot(), await other.snapshot()]).toEqual(before);
  });

  test.each([
    ["va", "vb"],
    ["va", "else0"],
    ["else0", "vb"],
  ])("%s and %s are taken over where that is asked for", async (a, b) => {
    await strange(a, b);
    const { ifindex } = await lab.mustHave(a);
    await program.declare(kind, "cable", pair({ adopt: true }));
    expect((await lab.mustHave("va")).ifindex).toBe(ifindex);
    await mustBeWhole(pair({ adopt: true }));
    await program.remove("cable");
    expect([await lab.links(), await other.links()]).toEqual([[], []]);
  });

  test("of which the other end is in the wrong namespace, too", async () => {
    await lab.ip("link", "add", "va", "type", "veth", "peer", "name", "vb");
    await program.declare(kind, "cable", pair({ adopt: true }));
    await mustBeWhole(pair({ adopt: true }));
  });

  test("that is no pair is not taken over", async () => {
    await other.ip("link", "add", "vb", "type", "bridge");
    await expect(program.declare(kind, "cable", pair({ adopt: true }))).rejects.toThrow(/FOREIGN_LINK/);
    expect(await other.links()).toHaveLength(1);
    expect(await lab.links()).toEqual([]);
  });

  test("two different pairs that have the two names stay as they are", async () => {
    await strange("va", "x1");
    await strange("x2", "vb");
    const before = [await lab.snapshot(), await other.snapshot()];
    await expect(program.declare(kind, "cable", pair({ adopt: true }))).rejects.toThrow(/FOREIGN_LINK/);
    expect([await lab.snapshot(), await other.snapshot()]).toEqual(before);
  });

  test("of another clone of the program is foreign", async () => {
    await new Program().declare(kind, "cable", pair());
    await expect(program.declare(kind, "cable", pair())).rejects.toThrow(/FOREIGN_LINK/);
  });
});

describe("what an interrupted run left", () => {
  test.each(["made", "first lease", "leases", "first name", "whole"])("%s is taken up", async (step) => {
    await program.declare(kind, "cable", pair());
    const lease = program.state.get("cable")?.outputs.__lease as string;
    await program.remove("cable");
    const [a, b] = [lease, memberLease(lease, "b")] as const;
    await lab.ip("link", "add", interimName(a), "type", "veth", "peer", "name", interimName(b));
    await lab.ip("link", "set", interimName(b), "netns", other.name);
    const { ifindex } = await lab.mustHave(interimName(a));
    const steps: [string, () => Promise<unknown>][] = [
      ["made", async () => undefined],
      ["first lease", () => lab.ip("link", "property", "add", "dev", interimName(a), "altname", a)],
      ["leases", () => other.ip("link", "property", "add", "dev", interimName(b), "altname", b)],
      ["first name", () => lab.ip("link", "set", interimName(a), "name", "va")],
      ["whole", () => other.ip("link", "set", interimName(b), "name", "vb")],
    ];
    for (const [name, work] of steps) {
      await work();
      if (name === step) break;
    }
    expect((await program.newRun().declare(kind, "cable", pair())).operation).toBe("create");
    expect((await lab.mustHave("va")).ifindex).toBe(ifindex);
    await mustBeWhole();
  });
});

describe("links of others on top of an end", () => {
  const stack = () => other.ip("link", "add", "mv0", "link", "vb", "type", "macvlan");

  test("stop the delete, and are named; force deletes them too", async () => {
    await program.declare(kind, "cable", pair());
    await stack();
    await expect(program.remove("cable")).rejects.toMatchObject({
      code: "LINK_BUSY",
      message: expect.stringMatching(
        /veth "va" .* is not deleted: it is used by links on top .*macvlan "mv0"/,
      ),
    });
    expect(await other.links()).toHaveLength(2);
    await program.declare(kind, "cable", pair({ onBusy: "force" }));
    await program.remove("cable");
    expect(await other.links()).toEqual([]);
  });

  test("are no drift, and change nothing", async () => {
    await program.declare(kind, "cable", pair());
    await stack();
    expect((await program.newRun().declare(kind, "cable", pair())).operation).toBe("same");
    expect((await program.declare(kind, "cable", pair({}, { mtu: 1400 }))).operation).toBe("update");
    expect(await other.links()).toHaveLength(2);
  });
});

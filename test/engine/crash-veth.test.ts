import { afterAll, beforeAll, expect, test } from "vitest";
import { Crash, leftovers, type Point } from "../harness/crash";
import { Lab } from "../harness/lab";
import { run } from "../harness/shell";
import { type Declared, messages, Workspace } from "../harness/workspace";

// Pairs of which each end is in a namespace of its own: the provider works on all of them at once, each call on a
// thread of its own, and one of each pair is held at another step. Then one kill hits all steps.
type Step = [end: "a" | "b", phase: Point["phase"], steps: string];

/** What the provider does for one new pair, in this order. The message that makes it is sent where the second end is. */
const creating: Step[] = [
  ["b", "before", "newlink"],
  ["b", "after", "newlink"],
  ["a", "before", "newlinkprop"],
  ["a", "after", "newlinkprop"],
  ["b", "before", "newlinkprop"],
  ["b", "after", "newlinkprop"],
  ["a", "before", "newlinkprop>newlink"],
  ["a", "after", "newlinkprop>newlink"],
  ["b", "before", "newlinkprop>newlink"],
  ["b", "after", "newlinkprop>newlink"],
  ["a", "before", "newlinkprop>newlink>mtu"],
  ["a", "after", "newlinkprop>newlink>up"],
  ["b", "before", "newlinkprop>newlink>mtu"],
  ["b", "after", "newlinkprop>newlink>up"],
];
/** From here on there is a pair, and from there on its ends carry their leases. */
const made = 1;
const leased = { a: 3, b: 5 };

const deleting: Step[] = [
  ["a", "before", "dellink"],
  ["a", "after", "dellink"],
  ["a", "after", "dellink>getlink"],
];

let crash: Crash;
let workspace: Workspace;
const labs: { a: Lab; b: Lab }[] = [];

beforeAll(async () => {
  crash = await Crash.open();
  for (const _ of creating) labs.push({ a: await Lab.open(), b: await Lab.open() });
  workspace = new Workspace();
  workspace.declare(...program());
});
afterAll(async () => {
  workspace.close();
  crash.close();
  for (const lab of labs.flatMap(({ a, b }) => [a, b])) await lab.close();
});

const program = (): Declared[] =>
  labs.map(({ a, b }, position) => ({
    kind: "VethPair",
    name: `cable${position}`,
    args: {
      ends: [
        { name: "va", namespace: a.name, mtu: 1400, address: "192.0.2.1/24" },
        { name: "vb", namespace: b.name, mtu: 1400, addresses: ["2001:db8::2/64"] },
      ],
    },
  }));

async function interrupt(command: "up" | "down", steps: Step[]) {
  const points = steps.map(([end, phase, names], position): Point => {
    const lab = (labs[position] as (typeof labs)[number])[end];
    return { namespace: lab.name, phase, action: "hold", steps: names };
  });
  return crash.kill(workspace, command, points);
}

async function mustBeRight(): Promise<void> {
  for (const { a, b } of labs) {
    for (const lab of [a, b]) {
      const links = await lab.links();
      expect(links).toHaveLength(1);
      expect(links[0]).toMatchObject({
        ifname: lab === a ? "va" : "vb",
        mtu: 1400,
        flags: expect.arrayContaining(["UP", "LOWER_UP"]),
        altnames: [expect.stringMatching(/^tuntap-0-[0-9a-f]{32}$/)],
      });
    }
    expect(await a.addresses("va")).toEqual(["192.0.2.1/24"]);
    expect(await b.addresses("vb")).toEqual(["2001:db8::2/64"]);
  }
}

test("kill -9 of the provider at each step of making a pair: one up ends right", async () => {
  const { code, report } = await interrupt("up", creating);
  expect(code).toBe(1);
  expect(messages(report)).not.toBe("");
  for (const [position, { a, b }] of labs.entries()) {
    const step = creating[position]?.join(" ");
    for (const end of ["a", "b"] as const) {
      const links = await (end === "a" ? a : b).links();
      expect(links, step).toHaveLength(position < made ? 0 : 1);
      // Without a lease it has the name that the lease gives, and so it is known as well.
      if (position >= leased[end]) expect(links[0]?.altnames, step).toHaveLength(1);
      else if (links[0]) expect(links[0].ifname, step).toMatch(/^tt-[0-9a-f]{12}$/);
    }
  }
  const again = await workspace.run("up");
  expect(again.code, again.stderr).toBe(0);
  await mustBeRight();
  expect(leftovers(workspace)).toMatchObject({ locks: [], pending: [] });
  await workspace.succeed("up", "--expect-no-changes");
});

test("kill -9 of the provider at each step of deleting one: one up makes it anew, and down leaves nothing", async () => {
  expect((await interrupt("down", deleting)).code).toBe(1);
  for (const [position, expected] of [1, 0, 0].entries()) {
    const { a, b } = labs[position] as (typeof labs)[number];
    expect([(await a.links()).length, (await b.links()).length]).toEqual([expected, expected]);
  }
  const again = await workspace.run("up");
  expect(again.code, again.stderr).toBe(0);
  await mustBeRight();
  await workspace.succeed("down");
  for (const { a, b } of labs) expect([await a.links(), await b.links()]).toEqual([[], []]);
  expect(leftovers(workspace)).toMatchObject({ locks: [], pending: [], resources: 0 });
  expect(await run("ip", "-j", "link")).not.toContain("tuntap-0-");
});

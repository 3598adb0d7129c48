import { existsSync, statSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Crash, Driver, ended, leftovers, loseEngine, type Point } from "../harness/crash";
import { Lab } from "../harness/lab";
import { type Declared, Workspace } from "../harness/workspace";

// Namespaces are made and removed under one lock of the host, so each step is a crash of its own.
type Step = [Point["phase"], string, "nothing" | "an empty file" | "the namespace"];

const creating: Step[] = [
  ["before", "new-file", "nothing"],
  ["after", "new-file", "an empty file"],
  ["after", "unshare", "an empty file"],
  ["after", "newlinkprop", "an empty file"],
  ["after", "bind", "the namespace"],
  ["after", "bind>up", "the namespace"],
];
const deleting: Step[] = [
  ["before", "umount", "the namespace"],
  ["after", "umount", "an empty file"],
  ["after", "unlink", "nothing"],
];

let crash: Crash;
let workspace: Workspace;
const labs: Lab[] = [];

beforeAll(async () => {
  crash = await Crash.open();
  for (const _ of creating) labs.push(await Lab.open(false));
  workspace = new Workspace();
  workspace.declare(...program());
});
afterAll(async () => {
  workspace.close();
  crash.close();
  for (const lab of labs) await lab.close();
});

const program = (): Declared[] =>
  labs.map(({ name }, position) => ({ kind: "Namespace", name: `space${position}`, args: { name } }));

function whatIs(name: string): Step[2] {
  const file = `/run/netns/${name}`;
  if (!existsSync(file)) return "nothing";
  return statSync(file).dev === statSync("/proc/self/ns/net").dev ? "the namespace" : "an empty file";
}

async function crashAt(steps: Step[], command: "up" | "destroy"): Promise<void> {
  const driver = await Driver.open(workspace, crash);
  try {
    for (const [position, [phase, names, expected]] of steps.entries()) {
      const { name } = labs[position] as Lab;
      crash.arm({ namespace: name, phase, action: "kill", steps: names });
      const failure = await driver.run(command, "Namespace", `space${position}`);
      expect(crash.fired, `${phase} ${names}: ${failure}`).toEqual([name]);
      expect(failure).not.toBe("");
      await ended(crash.provider);
      expect(whatIs(name), `${phase} ${names}`).toBe(expected);
    }
  } finally {
    await driver.close();
  }
}

async function mustBeRight(): Promise<void> {
  for (const lab of labs) {
    expect(whatIs(lab.name)).toBe("the namespace");
    const [loopback] = JSON.parse(await lab.ip("-j", "link", "show", "lo"));
    expect(loopback.flags).toContain("UP");
    expect(loopback.altnames).toEqual([expect.stringMatching(/^tuntap-0-[0-9a-f]{32}$/)]);
  }
}

test("kill -9 of the provider at each step of making a namespace: one up ends right", async () => {
  await crashAt(creating, "up");
  await workspace.succeed("up");
  await mustBeRight();
  expect(leftovers(workspace)).toMatchObject({ locks: [], pending: [] });
  await workspace.succeed("up", "--expect-no-changes");
});

test("kill -9 of the provider at each step of removing one, then of the engine while all is made anew", async () => {
  await crashAt(deleting, "destroy");

  const lab = await Lab.open(false);
  labs.push(lab);
  workspace.declare(...program());
  crash.arm({ namespace: lab.name, phase: "after", action: "hold", steps: "newlinkprop" });
  workspace.environment = crash.environment;
  const { finished } = workspace.start("up");
  workspace.environment = {};
  expect((await loseEngine(await crash.held(lab.name))).milliseconds).toBeLessThan(2000);
  expect((await finished).code).toBe(1);
  expect(whatIs(lab.name)).toBe("an empty file");

  const { code, stderr } = await workspace.run("up");
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/removed the lock of process \d+, which is dead/);
  expect(stderr).toContain("cleared creates that a crash left pending");
  await mustBeRight();

  await workspace.succeed("down");
  for (const { name } of labs) expect(whatIs(name)).toBe("nothing");
  expect(leftovers(workspace)).toEqual({ locks: [], pending: [], resources: 0 });
});

import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Lab } from "../harness/lab";
import { type Declared, messages, Workspace } from "../harness/workspace";

let lab: Lab;
let workspace: Workspace;
let second: Workspace;

beforeEach(async () => {
  lab = await Lab.open();
  workspace = new Workspace();
  second = new Workspace();
});
afterEach(async () => {
  workspace.close();
  second.close();
  await lab.close();
});

const dev = (args: Record<string, unknown> = {}): Declared => ({
  kind: "TunInterface",
  name: "dev0",
  args: { owner: "daemon", mtu: 1400, namespace: lab.name, ...args },
});

test("a link that tunctl made is refused before anything is changed, and stays as it is", async () => {
  await lab.exec("tunctl", "-t", "dev0", "-u", "bin");
  const before = await lab.snapshot();
  workspace.declare({ kind: "TunInterface", name: "other0", args: { owner: 1, namespace: lab.name } }, dev());
  const { code, report } = await workspace.run("up");
  expect(code).toBe(1);
  expect(messages(report)).toMatch(
    /name "dev0" is taken by tap "dev0" \(ifindex \d+, owner uid 2, MAC \S+, no lease\)/,
  );
  expect(messages(report)).toMatch(/adopt: true/);
  expect(await lab.snapshot()).toBe(before);
});

test("tunctl -d is drift and repaired; tunctl -t of the same name then is a stranger", async () => {
  workspace.declare(dev());
  await workspace.succeed("up");
  await lab.exec("tunctl", "-d", "dev0");
  const repaired = await workspace.succeed("up");
  expect(messages(repaired)).toMatch(/dev0 in namespace \S+ no longer exists/);
  expect((await lab.mustHave("dev0")).mtu).toBe(1400);

  await lab.exec("tunctl", "-d", "dev0");
  await lab.exec("tunctl", "-t", "dev0");
  const before = await lab.snapshot();
  const { code, report } = await workspace.run("up");
  expect(code).toBe(1);
  expect(messages(report)).toMatch(/is taken by tap "dev0"/);
  expect(await lab.snapshot()).toBe(before);
  // Down deletes by the lease, so the stranger survives it.
  await workspace.succeed("down");
  expect(await lab.link("dev0")).toBeDefined();
});

test("two stacks of one program: each with its own devices", async () => {
  workspace.declare(dev({ name: "one0" }));
  await workspace.succeed("up", "--stack", "one");
  workspace.declare(dev({ name: "two0" }));
  await workspace.succeed("up", "--stack", "two");
  expect((await lab.links()).map((link) => link.ifname).sort()).toEqual(["one0", "two0"]);
  const { code } = await workspace.run("up", "--stack", "three");
  expect(code).toBe(1);
  await workspace.succeed("down", "--stack", "one");
  expect((await lab.links()).map((link) => link.ifname)).toEqual(["two0"]);
});

test("two clones of one program on one host never take each other's links", async () => {
  workspace.declare(dev());
  second.declare(dev());
  await workspace.succeed("up");
  const before = await lab.snapshot();
  const { code, report } = await second.run("up");
  expect(code).toBe(1);
  expect(messages(report)).toMatch(/is taken by tap "dev0" .*lease tuntap-0-[0-9a-f]{32}/);
  await second.run("down");
  expect(await lab.snapshot()).toBe(before);
  await workspace.succeed("up", "--expect-no-changes");
});

test("state that was lost: the same instance takes its links up again", async () => {
  workspace.declare(dev());
  await workspace.succeed("up");
  const { ifindex } = await lab.mustHave("dev0");
  rmSync(join(workspace.folder, ".tuntap", "state"), { recursive: true });
  expect((await workspace.succeed("up")).changes).toMatchObject({ create: 1 });
  expect((await lab.mustHave("dev0")).ifindex).toBe(ifindex);
  // A copy of the folder is the same instance: it is the same program, not another clone.
  cpSync(join(workspace.folder, ".tuntap"), join(second.folder, ".tuntap"), { recursive: true });
  second.declare(dev());
  await second.succeed("up", "--expect-no-changes");
  await workspace.succeed("down");
  expect(await lab.links()).toEqual([]);
});

test("adopt takes a link over, says so in the plan, and down removes it", async () => {
  await lab.exec("tunctl", "-t", "dev0", "-u", "bin");
  const { ifindex } = await lab.mustHave("dev0");
  workspace.declare(dev({ adopt: true }));
  const taken = await workspace.succeed("up");
  expect(messages(taken)).toMatch(/takes over tap "dev0" .*`down` will delete it/);
  expect(await lab.mustHave("dev0")).toMatchObject({ ifindex, mtu: 1400 });
  await workspace.succeed("down");
  expect(await lab.links()).toEqual([]);
});

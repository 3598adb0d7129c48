import { afterAll, beforeAll, expect, test } from "vitest";
import { Crash, leftovers, type Point } from "../harness/crash";
import { Lab } from "../harness/lab";
import { type Declared, Workspace } from "../harness/workspace";

// As in crash-veth.test.ts: one kill hits every step, each of another interface in a namespace of its own.
type Step = [phase: Point["phase"], steps: string];

/** The note of where it was, then the bridge, then the settings as its port. */
const creating: Step[] = [
  ["before", "newlinkprop"],
  ["after", "newlinkprop"],
  ["before", "newlinkprop>newlink"],
  ["after", "newlinkprop>newlink"],
  ["before", "newlinkprop>newlink>getlink>newlink"],
  ["after", "newlinkprop>newlink>getlink>newlink"],
];
/** From here on it is on the new bridge. */
const joined = 3;

let crash: Crash;
let workspace: Workspace;
const labs: Lab[] = [];

beforeAll(async () => {
  crash = await Crash.open();
  for (const _ of creating) labs.push(await Lab.open());
  for (const lab of labs) {
    await lab.ip("tuntap", "add", "nic0", "mode", "tap");
    for (const name of ["old0", "new0"]) await lab.ip("link", "add", name, "type", "bridge");
    await lab.ip("link", "set", "nic0", "master", "old0");
  }
  workspace = new Workspace();
  workspace.declare(
    ...labs.map(
      ({ name: namespace }, position): Declared => ({
        kind: "BridgePort",
        name: `port${position}`,
        args: { interface: "nic0", bridge: "new0", adopt: true, port: { isolated: true }, namespace },
      }),
    ),
  );
});
afterAll(async () => {
  workspace.close();
  crash.close();
  for (const lab of labs) await lab.close();
});

const shown = async (lab: Lab) => {
  const { master, altnames = [], linkinfo } = await lab.mustHave("nic0");
  return [master, altnames.length, linkinfo?.info_slave_data?.isolated];
};

test("kill -9 of the provider at each step: one up ends right, and the way back is not forgotten", async () => {
  const points = creating.map(([phase, steps], position): Point => {
    return { namespace: (labs[position] as Lab).name, phase, action: "hold", steps };
  });
  expect((await crash.kill(workspace, "up", points)).code).toBe(1);
  for (const [position, lab] of labs.entries()) {
    const [master, marks] = await shown(lab);
    const step = creating[position]?.join(" ");
    expect(master, step).toBe(position < joined ? "old0" : "new0");
    expect(marks, step).toBe(position < 1 ? 0 : 1);
  }

  const again = await workspace.run("up");
  expect(again.code, again.stderr).toBe(0);
  for (const lab of labs) expect(await shown(lab)).toEqual(["new0", 1, true]);
  await workspace.succeed("up", "--expect-no-changes");
  await workspace.succeed("down");
  for (const lab of labs) expect(await shown(lab)).toEqual(["old0", 0, false]);
  expect(leftovers(workspace)).toMatchObject({ locks: [], pending: [], resources: 0 });
});

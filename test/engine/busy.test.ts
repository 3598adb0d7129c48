import { afterEach, beforeEach, expect, test } from "vitest";
import { Lab } from "../harness/lab";
import { type Declared, messages, Workspace } from "../harness/workspace";

let lab: Lab;
let workspace: Workspace;

beforeEach(async () => {
  lab = await Lab.open(false);
  workspace = new Workspace();
});
afterEach(async () => {
  workspace.close();
  await lab.close();
});

const program = (args: Record<string, unknown> = {}): Declared[] => [
  { kind: "Namespace", name: "lab", args: { name: lab.name } },
  { kind: "TunInterface", name: "vm0", args: { owner: "daemon", namespace: { $ref: "lab.name" }, ...args } },
];
const held = /held by pid \d+ \(socat [^)]*\) of root \(uid 0\)/;

test("a tap that socat holds: kept by down, changed live, not replaced; after socat it goes", async () => {
  workspace.declare(...program());
  await workspace.succeed("up");
  const holder = await lab.hold("vm0");

  const down = await workspace.run("down");
  expect(down.code).toBe(1);
  expect(messages(down.report)).toMatch(held);
  expect(messages(down.report)).toMatch(/LINK_BUSY/);
  expect((await lab.mustHave("vm0")).flags).toContain("LOWER_UP");

  workspace.declare(...program({ mtu: 1300, address: "192.0.2.1/24" }));
  await workspace.succeed("up");
  expect(await lab.mustHave("vm0")).toMatchObject({ mtu: 1300, flags: expect.arrayContaining(["LOWER_UP"]) });

  workspace.declare(...program({ mtu: 1300, mode: "tun" }));
  const planned = await workspace.succeed("preview");
  expect(planned.changes).toMatchObject({ replace: 1 });
  expect(messages(planned)).toMatch(
    /replacing it means deleting tap "vm0".*held by pid \d+.*this will be refused/,
  );
  const replaced = await workspace.run("up");
  expect(replaced.code).toBe(1);
  expect(messages(replaced.report)).toMatch(held);
  expect((await lab.mustHave("vm0")).linkinfo?.info_data?.type).toBe("tap");

  await lab.release(holder);
  await workspace.succeed("up");
  expect((await lab.mustHave("vm0")).linkinfo?.info_data?.type).toBe("tun");
});

test('onBusy: "force" pulls it from under its holder', async () => {
  workspace.declare(...program({ onBusy: "force" }));
  await workspace.succeed("up");
  await lab.hold("vm0");
  workspace.declare(...program({ onBusy: "force", mode: "tun" }));
  const forced = await workspace.succeed("up");
  expect(messages(forced)).toMatch(/held by pid \d+.*it will be deleted all the same/);
  expect((await lab.mustHave("vm0")).linkinfo?.info_data?.type).toBe("tun");
  await workspace.succeed("down");
});

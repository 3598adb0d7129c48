/** A pool of interfaces, by the built command with the real engine. */

import { expect, test } from "vitest";
import { lab, useLabAndWorkspace, workspace } from "../harness/setup";
import { type Declared, messages } from "../harness/workspace";

useLabAndWorkspace();

const pool = (args: Record<string, unknown> = {}): Declared[] => [
  { kind: "Bridge", name: "br0", args: { namespace: lab.name } },
  {
    kind: "TunPool",
    name: "fc",
    args: {
      count: 20,
      namespace: lab.name,
      owner: "nobody",
      bridge: { $ref: "br0.name" },
      addressPlan: { subnet: "10.0.0.0/24" },
      consumer: "firecracker",
      ...args,
    },
  },
];

test("a pool on a bridge: made, left alone, grown, shrunk, repaired, and gone without a trace", async () => {
  const empty = await lab.snapshot();
  workspace.declare(...pool());
  expect((await workspace.succeed("preview")).changes).toMatchObject({ create: 2 });
  expect(await lab.snapshot()).toBe(empty);
  expect((await workspace.succeed("up")).changes).toMatchObject({ create: 2 });
  const ports = async () => (await lab.links()).filter(({ master }) => master === "br0");
  expect(await ports()).toHaveLength(20);
  await workspace.succeed("up", "--expect-no-changes");
  await workspace.succeed("refresh", "--expect-no-changes");

  const { ifindex } = await lab.mustHave("fc7");
  workspace.declare(...pool({ count: 30, mtu: 1400 }));
  expect((await workspace.succeed("up")).changes).toMatchObject({ update: 1, same: 1 });
  expect(await ports()).toHaveLength(30);
  expect(await lab.mustHave("fc7")).toMatchObject({ ifindex, mtu: 1400 });
  workspace.declare(...pool({ count: 10, mtu: 1400 }));
  await workspace.succeed("up");
  expect(await ports()).toHaveLength(10);

  await lab.ip("link", "set", "fc3", "mtu", "9000");
  await lab.ip("link", "del", "fc4");
  const drifted = await workspace.run("preview", "--expect-no-changes");
  expect(drifted.code).toBe(3);
  expect(messages(drifted.report)).toMatch(/fc3: mtu: 9000 on the host, 1400 (declared|recorded)/);
  expect(messages(drifted.report)).toMatch(/fc4 .*no longer exists/);
  expect((await workspace.succeed("up")).changes).toMatchObject({ update: 1 });
  expect(await ports()).toHaveLength(10);
  await workspace.succeed("up", "--expect-no-changes");

  await workspace.succeed("down");
  expect(await lab.snapshot()).toBe(empty);
});

test("status shows each member, and what nobody knows", async () => {
  workspace.declare(...pool({ count: 3 }));
  await workspace.succeed("up");
  const holder = await lab.hold("fc1");
  await lab.ip("link", "set", "fc2", "mtu", "9000");
  const { status } = await workspace.status();
  const members = status.resources.filter(({ kind }) => kind === "TunPool");
  expect(members.map(({ logicalName, name }) => [logicalName, name])).toEqual([
    ["fc[0]", "fc0"],
    ["fc[1]", "fc1"],
    ["fc[2]", "fc2"],
  ]);
  expect(members[1]).toMatchObject({ condition: "present", carrier: true, leased: true, drift: false });
  expect(members[1]?.holders).toHaveLength(1);
  expect(status.orphans).toEqual([]);
  await lab.release(holder);
  await workspace.succeed("down");
});

test("a pool that comes to nothing says why, on the resource, and leaves nothing", async () => {
  await lab.ip("tuntap", "add", "fc15", "mode", "tap");
  workspace.declare(...pool());
  const refused = await workspace.run("up");
  expect(refused.code).toBe(1);
  expect(messages(refused.report)).toMatch(
    /name "fc15" is taken by tap "fc15"|namePattern "fc%d" is taken by tap "fc15"/,
  );
  expect((await lab.links()).map(({ ifname }) => ifname)).not.toContain("fc0");
  await lab.ip("link", "del", "fc15");
  await workspace.succeed("up");
  await workspace.succeed("down");
});

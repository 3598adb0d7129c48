/** A bridge and its ports, by the built command with the real engine. */

import { join } from "node:path";
import { expect, test } from "vitest";
import { lab, useLabAndWorkspace, workspace } from "../harness/setup";
import { attempt } from "../harness/shell";
import { type Declared, messages } from "../harness/workspace";

useLabAndWorkspace();

const program = (bridge: Record<string, unknown> = {}, tap: Record<string, unknown> = {}): Declared[] => [
  {
    kind: "Bridge",
    name: "br0",
    args: { namespace: lab.name, address: "192.0.2.1/24", mtu: 1400, ageingTime: 60, ...bridge },
  },
  ...["vm0", "vm1"].map(
    (name): Declared => ({
      kind: "TunInterface",
      name,
      args: { namespace: lab.name, owner: "nobody", bridge: { $ref: "br0.name" }, ...tap },
    }),
  ),
];

test("a bridge with two ports: made, left alone, changed live, repaired, and gone without a trace", async () => {
  const empty = await lab.snapshot();
  workspace.declare(...program());
  expect((await workspace.succeed("up")).changes).toMatchObject({ create: 3 });
  const { ifindex } = await lab.mustHave("br0");
  for (const name of ["vm0", "vm1"]) expect((await lab.mustHave(name)).master).toBe("br0");
  expect(await lab.bridge("br0")).toMatchObject({ ageing_time: 6000 });
  await workspace.succeed("up", "--expect-no-changes");
  await workspace.succeed("refresh", "--expect-no-changes");

  workspace.declare(...program({ address: "192.0.2.9/24", mtu: 1300, stp: true, forwardDelay: 4 }));
  expect((await workspace.succeed("up")).changes).toMatchObject({ update: 1, replace: 0, delete: 0 });
  expect(await lab.mustHave("br0")).toMatchObject({ ifindex, mtu: 1300 });
  expect(await lab.bridge("br0")).toMatchObject({ stp_state: 1, forward_delay: 400 });
  expect(await lab.addresses("br0")).toEqual(["192.0.2.9/24"]);

  await lab.ip("link", "set", "br0", "type", "bridge", "ageing_time", "100");
  await lab.ip("link", "set", "vm1", "nomaster");
  const drifted = await workspace.run("preview", "--expect-no-changes");
  expect(drifted.code).toBe(3);
  expect(messages(drifted.report)).toMatch(/ageingTime: 1 s on the host, 60 s/);
  expect(messages(drifted.report)).toMatch(/bridge: no bridge on the host, br0/);
  expect((await workspace.succeed("up")).changes).toMatchObject({ update: 2 });
  expect(await lab.bridge("br0")).toMatchObject({ ageing_time: 6000 });
  expect((await lab.mustHave("vm1")).master).toBe("br0");

  await lab.ip("link", "del", "br0");
  expect(messages(await workspace.succeed("up"))).toMatch(/br0 in namespace \S+ no longer exists/);
  for (const name of ["vm0", "vm1"]) expect((await lab.mustHave(name)).master).toBe("br0");
  await workspace.succeed("up", "--expect-no-changes");

  await workspace.succeed("down");
  expect(await lab.snapshot()).toBe(empty);
});

test("settings of a port, one of them an output and one a secret, are written again after every attach", async () => {
  const port = { isolated: true, hairpin: { $ref: "br0.stp" }, cost: { $secret: 4711 } };
  workspace.declare(...program({ stp: true, forwardDelay: 2 }, { port }));
  const preview = await workspace.succeed("preview");
  expect(preview.changes).toMatchObject({ create: 3 });
  await workspace.succeed("up");
  const settings = async () => (await lab.mustHave("vm0")).linkinfo?.info_slave_data;
  expect(await settings()).toMatchObject({ isolated: true, hairpin: true, cost: 4711 });
  await workspace.succeed("up", "--expect-no-changes");
  await workspace.succeed("refresh", "--expect-no-changes");
  expect((await attempt("grep", "-r", "4711", join(workspace.folder, ".tuntap"))).code).toBe(1);

  await lab.ip("link", "set", "vm0", "nomaster");
  await lab.ip("link", "set", "vm0", "master", "br0");
  expect(await settings()).toMatchObject({ isolated: false, hairpin: false });
  const repaired = await workspace.succeed("up");
  expect(messages(repaired)).toMatch(/port\.isolated: not the (recorded|declared) \(secret\) value/);
  expect(repaired.changes).toMatchObject({ update: 1 });
  expect(await settings()).toMatchObject({ isolated: true, hairpin: true, cost: 4711 });

  workspace.declare(...program({}, { port: { isolated: true, kost: 5 } }));
  const wrong = await workspace.run("up");
  expect(wrong.code).toBe(1);
  expect(messages(wrong.report)).toMatch(/port\.kost is no property of port; did you mean `port\.cost`\?/);
});

test("a port of others stops the delete, and is named; the run may overrule that, and the port stays", async () => {
  workspace.declare(...program());
  await workspace.succeed("up");
  await lab.ip("tuntap", "add", "x0", "mode", "tap");
  await lab.ip("link", "set", "x0", "master", "br0");

  const { status } = await workspace.status();
  expect(status.resources.map(({ logicalName, drift }) => [logicalName, drift])).toContainEqual([
    "br0",
    false,
  ]);
  const { code, report } = await workspace.run("down");
  expect(code).toBe(1);
  expect(messages(report)).toMatch(/used by ports that are not of this stack: tap "x0" .*BRIDGE_IN_USE/);
  expect((await lab.mustHave("x0")).master).toBe("br0");

  await workspace.succeed("down", "--on-busy", "force");
  expect((await lab.links()).map(({ ifname }) => ifname)).toEqual(["x0"]);
});

test("renamed by an alias of its resource, with its ports, and back without: the same bridge, and all of it goes", async () => {
  await lab.ip("link", "add", "nic0", "type", "veth", "peer", "name", "peer0");
  for (const name of ["nic0", "peer0"]) await lab.ip("link", "set", name, "up");
  const before = await lab.snapshot();
  const named = (name: string, options?: Record<string, unknown>): Declared[] => [
    { kind: "Bridge", name, args: { namespace: lab.name }, options },
    {
      kind: "TunInterface",
      name: "vm0",
      args: { namespace: lab.name, owner: "nobody", bridge: { $ref: `${name}.name` } },
    },
    {
      kind: "BridgePort",
      name: "uplink",
      args: { namespace: lab.name, interface: "nic0", bridge: { $ref: `${name}.name` } },
    },
  ];
  workspace.declare(...named("br0"));
  expect(messages(await workspace.succeed("up"))).toBe("");
  const { ifindex } = await lab.mustHave("br0");
  workspace.declare(...named("lan0", { aliases: [{ name: "br0" }] }));
  const renamed = await workspace.succeed("up");
  expect(renamed.changes).toMatchObject({ create: 0, replace: 0, delete: 0 });
  expect(messages(renamed)).toBe("");
  expect((await lab.mustHave("lan0")).ifindex).toBe(ifindex);
  await workspace.succeed("up", "--expect-no-changes");
  await workspace.succeed("refresh", "--expect-no-changes");

  workspace.declare(...named("br0"));
  const reverted = await workspace.succeed("up");
  expect(messages(reverted)).toMatch(/^info: lan0 stays, as Bridge "br0" of this program has it now$/m);
  expect(await lab.mustHave("br0")).toMatchObject({ ifindex });
  expect((await lab.mustHave("nic0")).master).toBe("br0");
  await workspace.succeed("up", "--expect-no-changes");
  await workspace.succeed("down");
  expect(await lab.snapshot()).toBe(before);
});

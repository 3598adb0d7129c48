/** Pairs of links, and interfaces of others on a bridge, by the built command with the real engine. */

import { afterEach, beforeEach, expect, test } from "vitest";
import { Lab } from "../harness/lab";
import { lab, useLabAndWorkspace, workspace } from "../harness/setup";
import { type Declared, messages } from "../harness/workspace";

useLabAndWorkspace();

let room: Lab;
beforeEach(async () => {
  room = await Lab.open(false);
});
afterEach(() => room.close());

type Args = Record<string, unknown>;

const program = (a: Args = {}, b: Args = {}, more: Args = {}): Declared[] => [
  { kind: "Namespace", name: "room", args: { name: room.name } },
  { kind: "Bridge", name: "br0", args: { namespace: lab.name, address: "192.0.2.1/24" } },
  {
    kind: "VethPair",
    name: "cable",
    args: {
      ends: [
        { namespace: lab.name, bridge: { $ref: "br0.name" }, port: { isolated: true }, ...a },
        { name: "eth0", namespace: { $ref: "room.name" }, address: "192.0.2.2/24", mtu: 1400, ...b },
      ],
      ...more,
    },
  },
];

test("a pair from a bridge into a namespace: made, left alone, changed live, repaired, and gone", async () => {
  const empty = await lab.snapshot();
  workspace.declare(...program());
  expect((await workspace.succeed("preview")).changes).toMatchObject({ create: 3 });
  expect((await workspace.succeed("up")).changes).toMatchObject({ create: 3 });
  const { ifindex } = await room.mustHave("eth0");
  expect((await lab.mustHave("cable-a")).master).toBe("br0");
  expect((await lab.mustHave("cable-a")).linkinfo?.info_slave_data).toMatchObject({ isolated: true });
  await room.exec("ping", "-c", "1", "-W", "2", "192.0.2.1");
  await workspace.succeed("up", "--expect-no-changes");
  await workspace.succeed("refresh", "--expect-no-changes");
  await workspace.succeed("up", "--expect-no-changes");

  workspace.declare(...program({ name: "plug0" }, { mtu: 1300, addresses: ["2001:db8::2/64"] }));
  expect((await workspace.succeed("up")).changes).toMatchObject({ update: 1, replace: 0, delete: 0 });
  expect(await room.mustHave("eth0")).toMatchObject({ ifindex, mtu: 1300 });
  expect(await room.addresses("eth0")).toEqual(["192.0.2.2/24", "2001:db8::2/64"]);
  expect((await lab.mustHave("plug0")).master).toBe("br0");

  await room.ip("link", "set", "eth0", "mtu", "1500", "name", "stray0");
  await lab.ip("link", "set", "plug0", "nomaster");
  const drifted = await workspace.run("preview", "--expect-no-changes");
  expect(drifted.code).toBe(3);
  expect(messages(drifted.report)).toMatch(/ends\[1\]\.mtu: 1500 on the host, 1300/);
  expect(messages(drifted.report)).toMatch(/ends\[1\]\.name: stray0 on the host, eth0/);
  expect(messages(drifted.report)).toMatch(/ends\[0\]\.bridge: no bridge on the host, br0/);
  expect((await workspace.succeed("up")).changes).toMatchObject({ update: 1 });
  expect(await room.mustHave("eth0")).toMatchObject({ ifindex, mtu: 1300 });
  expect((await lab.mustHave("plug0")).master).toBe("br0");

  await lab.ip("link", "del", "plug0");
  expect(messages(await workspace.succeed("up"))).toMatch(
    /no longer exists \(it was deleted outside this program\)/,
  );
  await room.exec("ping", "-c", "1", "-W", "2", "192.0.2.1");
  await workspace.succeed("up", "--expect-no-changes");

  await workspace.succeed("down");
  expect(await lab.snapshot()).toBe(empty);
});

test("a pair: an output and a secret in an end, a typing error, and what status says", async () => {
  workspace.declare(...program({}, { macAddress: { $secret: "52:54:00:47:11:00" } }));
  await workspace.succeed("up");
  expect((await room.mustHave("eth0")).address).toBe("52:54:00:47:11:00");
  await workspace.succeed("up", "--expect-no-changes");
  await room.ip("link", "set", "eth0", "address", "52:54:00:47:11:01");
  const repaired = await workspace.run("up");
  expect(repaired.code, repaired.stderr).toBe(0);
  expect(JSON.stringify(repaired.report)).not.toMatch(/52:54:00:47:11:0[01]/);
  expect((await room.mustHave("eth0")).address).toBe("52:54:00:47:11:00");
  const { status } = await workspace.status();
  expect(status.orphans).toEqual([]);
  expect(
    status.resources.map(({ logicalName, drift, leased }) => [logicalName, drift, leased]),
  ).toContainEqual(["cable", false, true]);

  workspace.declare(...program({}, { adress: "192.0.2.3/24" }));
  const wrong = await workspace.run("up");
  expect(wrong.code).toBe(1);
  expect(messages(wrong.report)).toMatch(
    /ends\[1\]\.adress is no property of ends\[1\]; did you mean `ends\[1\]\.address`\?/,
  );
});

test("an interface of others on a bridge: put there, kept there, put back; never into a lockout", async () => {
  await lab.ip("link", "add", "nic0", "type", "veth", "peer", "name", "peer0");
  await lab.ip("link", "set", "nic0", "up");
  const declare = (more: Args = {}) =>
    workspace.declare(
      { kind: "Bridge", name: "br0", args: { namespace: lab.name } },
      {
        kind: "BridgePort",
        name: "uplink",
        args: { interface: "nic0", namespace: lab.name, bridge: { $ref: "br0.name" }, ...more },
      },
    );
  const empty = await lab.snapshot();
  declare({ port: { cost: 5 } });
  expect((await workspace.succeed("up")).changes).toMatchObject({ create: 2 });
  const shown = async () => [
    (await lab.mustHave("nic0")).master,
    (await lab.mustHave("nic0")).linkinfo?.info_slave_data?.cost,
  ];
  expect(await shown()).toEqual(["br0", 5]);
  await workspace.succeed("up", "--expect-no-changes");
  await workspace.succeed("refresh", "--expect-no-changes");
  await lab.ip("link", "set", "nic0", "nomaster");
  const drifted = await workspace.run("preview", "--expect-no-changes");
  expect(messages(drifted.report)).toMatch(/bridge: no bridge on the host, br0/);
  declare({ port: { cost: 9 } });
  expect((await workspace.succeed("up")).changes).toMatchObject({ update: 1, replace: 0 });
  expect(await shown()).toEqual(["br0", 9]);
  const { status } = await workspace.status();
  expect(status.orphans).toEqual([]);
  await workspace.succeed("down");
  expect(await lab.snapshot()).toBe(empty);

  await lab.ip("addr", "add", "192.0.2.9/24", "dev", "nic0");
  await lab.ip("link", "set", "peer0", "up");
  await lab.ip("route", "add", "default", "via", "192.0.2.1");
  const before = await lab.snapshot();
  declare();
  const refused = await workspace.run("up");
  expect(refused.code).toBe(1);
  expect(messages(refused.report)).toMatch(/default via 192\.0\.2\.1 dev nic0.*LOCKOUT/s);
  expect(await lab.snapshot()).toBe(before);
  await lab.ip("route", "del", "default");
  workspace.environment = { SSH_CONNECTION: "198.51.100.7 50000 192.0.2.9 22" };
  const cut = await workspace.run("preview");
  expect(cut.code).toBe(1);
  expect(messages(cut.report)).toMatch(/the ssh connection of this run comes in at 192\.0\.2\.9\/24 on nic0/);
  workspace.environment = {};
  await workspace.succeed("up");
  expect((await lab.mustHave("nic0")).master).toBe("br0");
  await workspace.succeed("down");
});

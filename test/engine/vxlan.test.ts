/** Two ends of a VXLAN tunnel, each a port of a bridge, by the built command with the real engine. */

import { beforeEach, expect, test } from "vitest";
import { lab, useLabAndWorkspace, workspace } from "../harness/setup";
import { type Declared, messages } from "../harness/workspace";

useLabAndWorkspace();

beforeEach(async () => {
  await lab.ip("link", "add", "under0", "type", "veth", "peer", "name", "under1");
  await lab.ip("addr", "add", "192.0.2.1/24", "dev", "under0");
  await lab.ip("link", "set", "under0", "up");
});

const program = (more: Record<string, unknown> = {}): Declared[] => [
  { kind: "Bridge", name: "br0", args: { namespace: lab.name, mtu: 1450 } },
  {
    kind: "Vxlan",
    name: "vx0",
    args: {
      namespace: lab.name,
      vni: 42,
      local: "192.0.2.1",
      remote: "192.0.2.9",
      device: "under0",
      peers: [{ address: "192.0.2.10" }, { address: { $secret: "192.0.2.11" } }],
      bridge: { $ref: "br0.name" },
      port: { isolated: true },
      ...more,
    },
  },
];

const remotes = async () => {
  const shown = JSON.parse(await lab.exec("bridge", "-j", "fdb", "show", "dev", "vx0")) as { dst?: string }[];
  return shown.flatMap(({ dst }) => dst ?? []).sort();
};

test("made, left alone, changed live, repaired, made anew for another VNI, and gone without a trace", async () => {
  const empty = await lab.snapshot();
  workspace.declare(...program());
  expect((await workspace.succeed("preview")).changes).toMatchObject({ create: 2 });
  expect((await workspace.succeed("up")).changes).toMatchObject({ create: 2 });
  const { ifindex, master } = await lab.mustHave("vx0");
  expect(master).toBe("br0");
  expect(await remotes()).toEqual(["192.0.2.10", "192.0.2.11", "192.0.2.9"]);
  await workspace.succeed("up", "--expect-no-changes");
  await workspace.succeed("refresh", "--expect-no-changes");

  workspace.declare(...program({ remote: "192.0.2.8", peers: [{ address: "192.0.2.12" }], ttl: 7 }));
  expect((await workspace.succeed("up")).changes).toMatchObject({ update: 1, replace: 0, delete: 0 });
  expect((await lab.mustHave("vx0")).ifindex).toBe(ifindex);
  expect(await remotes()).toEqual(["192.0.2.12", "192.0.2.8"]);

  const flood = "00:00:00:00:00:00";
  await lab.exec("bridge", "fdb", "del", flood, "dev", "vx0", "dst", "192.0.2.12");
  await lab.ip("link", "set", "vx0", "type", "vxlan", "ttl", "9");
  const drifted = await workspace.run("preview", "--expect-no-changes");
  expect(drifted.code).toBe(3);
  expect(messages(drifted.report)).toMatch(/ttl: 9 on the host, 7/);
  expect(messages(drifted.report)).toMatch(/peers: no(t the declared| peer on the host)/);
  expect((await workspace.succeed("up")).changes).toMatchObject({ update: 1 });
  expect(await remotes()).toEqual(["192.0.2.12", "192.0.2.8"]);

  workspace.declare(...program({ vni: 43 }));
  expect((await workspace.succeed("up")).changes).toMatchObject({ replace: 1 });
  expect((await lab.mustHave("vx0")).linkinfo?.info_data).toMatchObject({ id: 43 });
  await workspace.succeed("up", "--expect-no-changes");

  await workspace.succeed("down");
  expect(await lab.snapshot()).toBe(empty);
});

/** Interfaces of others that are ports of something else already: back there they are what they were. */

import { beforeEach, describe, expect, test } from "vitest";
import { Host } from "../../provider/host/host";
import { type PortSettings, portWrites } from "../../provider/host/ports";
import { openKernel } from "../../provider/kernel/open";
import { kind, master, port, ports, settings, useNicLab } from "./nic-lab";
import { lab, program } from "./tun-lab";

useNicLab();

describe("what is a port of something else already", () => {
  beforeEach(async () => {
    await lab.ip("link", "set", "nic0", "master", "br1");
    await lab.ip("tuntap", "add", "tap1", "mode", "tap");
    await lab.ip("link", "set", "tap1", "master", "br1");
  });

  test("is refused, with what it is a port of, and what to do", async () => {
    const { problems } = await program.check(kind, "uplink", port());
    expect(problems.map(({ message }) => message).join()).toMatch(
      /interface "nic0" is taken by veth "nic0" .*a port of br1.*`ip link set NAME nomaster`.*`adopt: true`.*\[PORT_TAKEN\]/,
    );
    await expect(program.declare(kind, "uplink", port())).rejects.toThrow(/PORT_TAKEN/);
    expect(await master()).toBe("br1");
  });

  test("is taken off where that is asked for, which is said, and put back", async () => {
    const before = await ports();
    const { notices } = await program.declare(kind, "uplink", port({ adopt: true }));
    expect(notices.join()).toMatch(
      /interface "nic0" is taken off br1, .*; it is put back there when this resource goes/,
    );
    expect(await master()).toBe("br0");
    expect((await program.newRun().declare(kind, "uplink", port({ adopt: true }))).operation).toBe("same");
    await program.newRun().remove("uplink");
    expect(await ports()).toEqual(before);
  });

  test("has its settings there again", async () => {
    await lab.ip(..."link set nic0 master br1".split(" "));
    const set =
      "bridge link set dev nic0 isolated on learning off flood off mcast_flood off hairpin on guard on cost 42 priority 9";
    await lab.exec(...(set.split(" ") as [string, ...string[]]));
    const before = await settings();
    expect(before).toMatchObject({ isolated: true, cost: 42 });
    await program.declare(kind, "uplink", port({ adopt: true, port: { learning: true } }));
    expect(await settings()).toMatchObject({ isolated: false, hairpin: false, guard: false });
    await program.newRun().declare(kind, "uplink", port({ adopt: true, port: { learning: true, cost: 9 } }));
    await program.newRun().refresh("uplink");
    await program.newRun().remove("uplink");
    expect(await master()).toBe("br1");
    // Not what the bridge makes of it: state, timers, ids.
    const words =
      "isolated learning flood mcast_flood hairpin guard root_block fastleave cost priority".split(" ");
    const now = await settings();
    for (const word of words) expect(now?.[word], word).toBe(before?.[word]);
  });

  test("has each setting there again that the kernel has", async () => {
    const host = new Host(openKernel());
    const { ifindex } = await lab.mustHave("nic0");
    const others = await lab.mustHave("tap1");
    const asMade = await host.ports.settings(lab.name, ifindex);
    const numbers = { cost: 77, priority: 9, groupFwdMask: 8, multicastRouter: 2 };
    const set: PortSettings = Object.fromEntries(
      Object.entries(asMade ?? {}).map(([name, value]) => [
        name,
        numbers[name as keyof typeof numbers] ?? (value > 1 ? value + 1 : 1 - value),
      ]),
    );
    // A port that bypasses by MAC must learn; and there is no nexthop.
    set.learning = 1;
    set.backupPort = others.ifindex;
    delete set.backupNexthopId;
    const replies = await host.batch.send(lab.name, portWrites(ifindex, {}, set));
    expect(replies.filter(({ errno }) => errno !== 0)).toEqual([]);
    const before = { kernel: await host.ports.settings(lab.name, ifindex), shown: await settings() };
    expect(before.kernel).toEqual({ ...asMade, ...set });
    expect(before.shown).toMatchObject({
      locked: true,
      bcast_flood: false,
      neigh_suppress: true,
      mcast_to_unicast: true,
      vlan_tunnel: true,
      multicast_router: 2,
      backup_port: "tap1",
    });
    await program.declare(kind, "uplink", port({ adopt: true }));
    expect(await settings()).toMatchObject({ locked: false, bcast_flood: true, neigh_suppress: false });
    await program.newRun().refresh("uplink");
    await program.newRun().remove("uplink");
    expect(await master()).toBe("br1");
    expect(await host.ports.settings(lab.name, ifindex)).toEqual(before.kernel);
    expect(await settings()).toMatchObject({
      locked: true,
      bcast_flood: false,
      neigh_suppress: true,
      backup_port: "tap1",
    });
  });

  test("has no backup there that is elsewhere by now", async () => {
    await lab.ip("link", "set", "nic0", "type", "bridge_slave", "backup_port", "tap1", "locked", "on");
    await program.declare(kind, "uplink", port({ adopt: true }));
    await lab.ip("link", "set", "tap1", "nomaster");
    await program.newRun().remove("uplink");
    expect(await settings()).toMatchObject({ locked: true });
    expect(await settings()).not.toHaveProperty("backup_port");
  });

  test("is put in no bridge, where the former one is gone", async () => {
    await program.declare(kind, "uplink", port({ adopt: true }));
    await lab.ip("link", "del", "br1");
    await program.newRun().remove("uplink");
    expect(await master()).toBeUndefined();
  });

  test("of that very bridge stays there, also when the resource goes", async () => {
    await program.declare(kind, "uplink", port({ bridge: "br1" }));
    await program.newRun().remove("uplink");
    expect(await master()).toBe("br1");
  });
});

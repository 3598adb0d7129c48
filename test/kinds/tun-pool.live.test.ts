/** Many interfaces as one resource: what touches which of them, and whose they are. */
import { describe, expect, test } from "vitest";
import { Program } from "../harness/program";
import { run } from "../harness/shell";
import { indexes, kind, membersOf, names, pool } from "./pool-lab";
import { lab, program, said, useTunLab } from "./tun-lab";

useTunLab();

async function addressesOf(name: string): Promise<string[]> {
  const [link] = JSON.parse(await lab.ip("-j", "-4", "addr", "show", "dev", name)) as {
    addr_info: { local: string; prefixlen: number }[];
  }[];
  return (link?.addr_info ?? []).map(({ local, prefixlen }) => `${local}/${prefixlen}`);
}

test("a pool is made as it is declared, and is then as it should be", async () => {
  const { outputs } = await program.declare(kind, "fc", pool());
  const links = await lab.links();
  expect(links.map(({ ifname }) => ifname).sort()).toEqual(names(4));
  for (const link of links) {
    expect(link).toMatchObject({
      mtu: 1400,
      flags: expect.arrayContaining(["UP"]),
      linkinfo: { info_data: { type: "tap", user: "nobody", persist: true } },
    });
  }
  expect(await addressesOf("fc3")).toEqual(["172.16.0.13/30"]);
  expect(membersOf(outputs)[3]).toMatchObject({
    name: "fc3",
    address: "172.16.0.13/30",
    peerAddress: "172.16.0.14/30",
    macAddress: links.find(({ ifname }) => ifname === "fc3")?.address,
  });
  expect((await program.declare(kind, "fc", pool())).operation).toBe("same");
  await program.remove("fc");
  expect(await lab.links()).toEqual([]);
});

test("ports to which nobody is attached do not forward, however many there are, from the first moment", async ({
  skip,
}) => {
  if (!(await notesCarrierWhenAsked()))
    return skip("this kernel notes no carrier when it is asked for a link");
  await lab.ip("link", "add", "br0", "type", "bridge");
  await lab.ip("link", "set", "br0", "up");
  await program.declare(kind, "fc", pool({ count: 200, bridge: "br0", addressPlan: undefined }));
  const ports = (await lab.links()).filter(({ master }) => master === "br0");
  expect(ports).toHaveLength(200);
  const states = new Set(
    ports.map(({ linkinfo }) => (linkinfo?.info_slave_data as { state?: string })?.state),
  );
  expect([...states]).toEqual(["disabled"]);
  expect(new Set(ports.map(({ operstate }) => operstate))).toEqual(new Set(["DOWN"]));
});

describe("only the members concerned are touched", () => {
  test("when it grows and shrinks", async () => {
    await program.declare(kind, "fc", pool());
    const before = await indexes();
    const grown = await program.declare(kind, "fc", pool({ count: 6 }));
    expect(membersOf(grown.outputs)).toHaveLength(6);
    expect(await indexes()).toMatchObject(before);
    expect(Object.keys(await indexes()).sort()).toEqual(names(6));
    const shrunk = await program.declare(kind, "fc", pool({ count: 3 }));
    expect(membersOf(shrunk.outputs)).toHaveLength(3);
    const { fc3, ...rest } = before;
    expect(await indexes()).toEqual(rest);
    expect((await program.declare(kind, "fc", pool({ count: 3 }))).operation).toBe("same");
  });

  test("when others changed some: each is named, and repaired", async () => {
    await program.declare(kind, "fc", pool());
    const before = await indexes();
    await lab.ip("link", "set", "fc1", "mtu", "9000");
    await lab.ip("addr", "del", "172.16.0.9/30", "dev", "fc2");
    await lab.ip("link", "del", "fc3");
    const plan = await program.newRun().plan(kind, "fc", pool());
    expect(plan).toMatchObject({ changes: true, replaces: [] });
    expect(said(plan)).toMatch(/^fc1: mtu: 9000 on the host, 1400 declared: changed outside this program/m);
    expect(said(plan)).toMatch(/^fc2: addresses: no address on the host, 172\.16\.0\.9\/30 declared/m);
    expect(said(plan)).toMatch(
      /^fc3 in namespace .*no longer exists \(it was deleted outside this program\)/m,
    );
    expect(plan.notices).toHaveLength(3);
    const { operation } = await program.declare(kind, "fc", pool());
    expect(operation).toBe("update");
    const { fc3, ...untouched } = before;
    expect(await indexes()).toMatchObject(untouched);
    expect(await lab.mustHave("fc1")).toMatchObject({ mtu: 1400 });
    expect(await addressesOf("fc2")).toEqual(["172.16.0.9/30"]);
    expect(await addressesOf("fc3")).toEqual(["172.16.0.13/30"]);
    expect((await program.newRun().declare(kind, "fc", pool())).operation).toBe("same");
  });

  test("what many have alike is said once", async () => {
    await program.declare(
      kind,
      "fc",
      pool({ count: 40, addressPlan: { subnet: "172.16.0.0/24", each: "/30" } }),
    );
    for (const name of names(40)) await lab.ip("link", "set", name, "mtu", "9000");
    const plan = await program.newRun().plan(kind, "fc", pool({ count: 40 }));
    expect(said(plan)).toMatch(/^fc0, fc1, fc2, fc3, fc4 and 35 more: mtu: 9000 on the host, 1400 declared/);
    expect(plan.notices).toHaveLength(1);
  });

  test("when something of all of them changes, they stay the same links", async () => {
    await program.declare(kind, "fc", pool());
    const before = await indexes();
    const changed = pool({
      mtu: 1300,
      up: false,
      owner: "daemon",
      addressPlan: { subnet: "10.9.0.0/24", each: "/31" },
    });
    const { operation, outputs } = await program.declare(kind, "fc", changed);
    expect(operation).toBe("update");
    expect(await indexes()).toEqual(before);
    expect(await lab.mustHave("fc2")).toMatchObject({
      mtu: 1300,
      linkinfo: { info_data: { user: "daemon" } },
    });
    expect(await addressesOf("fc2")).toEqual(["10.9.0.4/31"]);
    expect(membersOf(outputs)[2]).toMatchObject({ address: "10.9.0.4/31", peerAddress: "10.9.0.5/31" });
    const without = pool({ mtu: 1300, addressPlan: undefined });
    await program.declare(kind, "fc", without);
    expect(await addressesOf("fc2")).toEqual([]);
    expect((await program.declare(kind, "fc", without)).operation).toBe("same");
  });

  test("another pattern renames them", async () => {
    await program.declare(kind, "fc", pool());
    const before = await indexes();
    const moved = pool({ namePattern: "vm%d" });
    await program.declare(kind, "fc", moved);
    const renamed = Object.entries(before).map(([name, index]) => [name.replace("fc", "vm"), index]);
    expect(await indexes()).toEqual(Object.fromEntries(renamed));
    expect((await program.declare(kind, "fc", moved)).operation).toBe("same");
  });

  test("another mode makes all anew, as one replacement", async () => {
    await program.declare(kind, "fc", pool());
    const plan = await program.plan(kind, "fc", pool({ mode: "tun" }));
    expect(plan.replaces).toContain("mode");
    expect((await program.declare(kind, "fc", pool({ mode: "tun" }))).operation).toBe("replace");
    expect(await lab.mustHave("fc1")).toMatchObject({ linkinfo: { info_data: { type: "tun" } } });
  });

  test("an owner that is taken away makes them anew in the update", async () => {
    await program.declare(kind, "fc", pool());
    await program.declare(kind, "fc", pool({ owner: -1 }));
    expect((await lab.mustHave("fc1")).linkinfo?.info_data?.user).toBeUndefined();
    expect((await program.declare(kind, "fc", pool({ owner: -1 }))).operation).toBe("same");
  });
});

describe("on bridges", () => {
  const bridges = async (...all: string[]) => {
    for (const name of all) await lab.ip("link", "add", name, "type", "bridge");
  };

  test("of one, its ports have no addresses, and their guests have", async () => {
    await bridges("br0");
    const inputs = pool({ bridge: "br0", addressPlan: { subnet: "10.1.0.0/24" }, port: { isolated: true } });
    const { outputs } = await program.declare(kind, "fc", inputs);
    expect(membersOf(outputs).map(({ peerAddress }) => peerAddress)).toEqual([
      "10.1.0.2/24",
      "10.1.0.3/24",
      "10.1.0.4/24",
      "10.1.0.5/24",
    ]);
    expect(await addressesOf("fc0")).toEqual([]);
    expect(await lab.mustHave("fc3")).toMatchObject({
      master: "br0",
      linkinfo: { info_slave_data: { isolated: true } },
    });
    expect((await program.newRun().declare(kind, "fc", inputs)).operation).toBe("same");
    await lab.ip("link", "set", "fc1", "nomaster");
    await program.declare(kind, "fc", inputs);
    expect(await lab.mustHave("fc1")).toMatchObject({ master: "br0" });
  });

  test("of several, each in turn", async () => {
    await bridges("br0", "br1", "br2");
    const inputs = pool({ count: 5, bridges: ["br0", "br1", "br2"], addressPlan: undefined });
    const { outputs } = await program.declare(kind, "fc", inputs);
    expect(membersOf(outputs).map(({ bridge }) => bridge)).toEqual(["br0", "br1", "br2", "br0", "br1"]);
    const masters = (await lab.links())
      .filter(({ master }) => master)
      .map(({ ifname, master }) => [ifname, master]);
    expect(Object.fromEntries(masters)).toEqual({
      fc0: "br0",
      fc1: "br1",
      fc2: "br2",
      fc3: "br0",
      fc4: "br1",
    });
    expect((await program.declare(kind, "fc", inputs)).operation).toBe("same");
    await program.declare(kind, "fc", pool({ count: 5, addressPlan: undefined }));
    expect((await lab.links()).some(({ master }) => master)).toBe(false);
  });

  test("one that does not exist is warned of in the plan, and refused before anything is made", async () => {
    const inputs = pool({ bridge: "nobr0", addressPlan: undefined });
    expect((await program.check(kind, "fc", inputs)).notices).toMatchObject([
      { message: expect.stringContaining('bridge "nobr0" does not exist') },
    ]);
    await expect(program.declare(kind, "fc", inputs)).rejects.toMatchObject({ code: "BRIDGE_MISSING" });
    expect(await lab.links()).toEqual([]);
  });
});

describe("whose they are", () => {
  test("each member carries a lease of the pool, which others cannot take", async () => {
    await program.declare(kind, "fc", pool());
    const leases = (await lab.links()).map(({ altnames }) =>
      altnames?.find((name) => name.startsWith("tuntap-")),
    );
    expect(new Set(leases).size).toBe(4);
    expect(new Set(leases.map((lease) => lease?.slice(0, -4))).size).toBe(1);
  });

  test("a foreign link under one of the names: refused before anything is made, taken over if asked", async () => {
    await lab.ip("tuntap", "add", "fc2", "mode", "tap");
    await expect(program.declare(kind, "fc", pool())).rejects.toMatchObject({
      problems: [
        expect.stringMatching(/namePattern .*fc2.*is taken by tap "fc2"|name "fc2" is taken by tap "fc2"/),
      ],
    });
    expect((await lab.links()).map(({ ifname }) => ifname)).toEqual(["fc2"]);
    const { notices } = await program.declare(kind, "fc", pool({ adopt: true }));
    expect(notices.join()).toMatch(/takes over tap "fc2"/);
    expect((await program.declare(kind, "fc", pool({ adopt: true }))).operation).toBe("same");
    await program.remove("fc");
    expect(await lab.links()).toEqual([]);
  });

  test("one that appears while a pool grows stops it, and the rest stays whole", async () => {
    await program.declare(kind, "fc", pool());
    await lab.ip("tuntap", "add", "fc5", "mode", "tap");
    const plan = await program.newRun().plan(kind, "fc", pool({ count: 8 }));
    expect(said(plan)).toMatch(/^fc5: its name is taken by tap "fc5" .*: this will be refused$/m);
    await expect(program.declare(kind, "fc", pool({ count: 8 }))).rejects.toMatchObject({
      code: "FOREIGN_LINK",
    });
    await lab.ip("link", "del", "fc5");
    await program.newRun().declare(kind, "fc", pool({ count: 8 }));
    expect(Object.keys(await indexes()).sort()).toEqual(names(8));
  });

  test("one that was taken over is given back as it was where another one fails", async () => {
    await lab.exec("tunctl", "-t", "fc0", "-u", "bin");
    await lab.ip("addr", "add", "198.51.100.1/24", "dev", "fc0");
    const { inputs, problems } = await program.check(kind, "fc", pool({ adopt: true }));
    expect(problems).toEqual([]);
    // What came between the plan and the run.
    await lab.ip("link", "add", "fc1", "type", "bridge");
    const before = await lab.snapshot();
    await expect(program.create(kind, "fc", inputs)).rejects.toMatchObject({ code: "FOREIGN_LINK" });
    expect(await lab.snapshot()).toBe(before);
  });

  test("a pool that cannot grow stays as it was, so that a program without an instance can go on", async () => {
    const nameless = Object.assign(new Program(), { instance: undefined });
    await nameless.declare(kind, "fc", pool());
    await lab.ip("tuntap", "add", "fc5", "mode", "tap");
    const before = await lab.snapshot();
    await expect(nameless.newRun().declare(kind, "fc", pool({ count: 8 }))).rejects.toMatchObject({
      code: "FOREIGN_LINK",
    });
    expect(await lab.snapshot()).toBe(before);
    await lab.ip("link", "del", "fc5");
    await nameless.newRun().declare(kind, "fc", pool({ count: 8 }));
    expect(Object.keys(await indexes()).sort()).toEqual(names(8));
  });

  test("what an interrupted run left stays when the next one fails", async () => {
    await program.declare(kind, "fc", pool());
    program.state.delete("fc");
    await lab.ip("link", "del", "fc2");
    await lab.ip("tuntap", "add", "fc2", "mode", "tap");
    const { inputs } = await program.check(kind, "fc", pool({ namePattern: "gc%d" }));
    const before = await lab.snapshot();
    await expect(program.create(kind, "fc", { ...inputs, namePattern: "fc%d" })).rejects.toMatchObject({
      code: "FOREIGN_LINK",
    });
    expect(await lab.snapshot()).toBe(before);
    await lab.ip("link", "del", "fc2");
    await program.newRun().declare(kind, "fc", pool());
    expect(Object.keys(await indexes()).sort()).toEqual(names(4));
  });

  test("names collide with those of other resources of the program", async () => {
    await program.declare("TunInterface", "fc1", { namespace: lab.name });
    await expect(program.declare(kind, "fc", pool())).rejects.toMatchObject({
      problems: [
        expect.stringMatching(/name "fc1" is claimed by TunInterface "fc1" of this program already/),
      ],
    });
  });

  test("members that an interrupted run made beyond what is recorded go with the pool", async () => {
    await program.declare(kind, "fc", pool());
    const recorded = program.state.get("fc");
    await program.declare(kind, "fc", pool({ count: 9 }));
    program.state.set("fc", recorded!);
    const plan = await program.newRun().plan(kind, "fc", pool());
    expect(plan.changes).toBe(true);
    await program.remove("fc");
    expect(await lab.links()).toEqual([]);
  });

  test("a lost lease is put back", async () => {
    await program.declare(kind, "fc", pool());
    const lease = (await lab.mustHave("fc2")).altnames?.find((name) => name.startsWith("tuntap-")) as string;
    await lab.ip("link", "property", "del", "dev", "fc2", "altname", lease);
    const plan = await program.newRun().plan(kind, "fc", pool());
    expect(said(plan)).toMatch(/^fc2: its lease .* was taken off; it will be restored$/m);
    await program.declare(kind, "fc", pool());
    expect((await lab.mustHave("fc2")).altnames).toContain(lease);
  });

  test("two stacks of one program do not touch each other's", async () => {
    const other = new Program("other");
    await program.declare(kind, "fc", pool());
    await expect(other.declare(kind, "fc", pool())).rejects.toMatchObject({ code: "FOREIGN_LINK" });
    await other.declare(kind, "fc", pool({ namePattern: "xx%d", addressPlan: undefined }));
    await other.remove("fc");
    expect(Object.keys(await indexes()).sort()).toEqual(names(4));
  });
});

test("a failure half-way leaves nothing", async () => {
  // The address of the last one cannot be: the mtu is below what IPv6 needs, which only the kernel finds.
  await lab.exec("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1");
  try {
    await expect(program.declare(kind, "fc", pool({ addresses: ["2001:db8::1/64"] }))).rejects.toMatchObject({
      message: expect.stringMatching(/TunPool fc\[0\].*fc1, fc2, fc3 failed too/),
    });
    expect(await lab.links()).toEqual([]);
  } finally {
    await lab.exec("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=0");
  }
});

test("a refresh of an untouched pool changes nothing; of a changed one it shows what is there", async () => {
  const { outputs } = await program.declare(kind, "fc", pool());
  expect((await program.newRun().refresh("fc"))?.outputs).toEqual(outputs);
  await lab.ip("link", "set", "fc2", "mtu", "9000");
  await lab.ip("link", "del", "fc1");
  const seen = await program.newRun().refresh("fc");
  expect(seen?.outputs).toMatchObject({ count: 3, mtu: 9000 });
  expect(membersOf(seen!.outputs).map(({ name }) => name)).toEqual(["fc0", "fc2", "fc3"]);
  expect(seen?.notices.join("\n")).toMatch(/fc1 in namespace .*no longer exists/);
  await program.declare(kind, "fc", pool());
  expect((await program.newRun().declare(kind, "fc", pool())).operation).toBe("same");
  expect(Object.keys(await indexes()).sort()).toEqual(names(4));
  for (const name of names(4)) await lab.ip("link", "del", name);
  expect(await program.newRun().refresh("fc")).toBeUndefined();
});

test("each in a namespace of its own", async () => {
  const vms = ["0", "1", "2"].map((number) => `${lab.name}-${number}`);
  const inputs = { count: 3, namePattern: "tap%d", namespacePattern: `${lab.name}-%d`, owner: 0 };
  for (const name of vms) await program.declare("Namespace", name, { name });
  const { outputs } = await program.declare(kind, "fc", inputs);
  expect(membersOf(outputs).map(({ namespace }) => namespace)).toEqual(vms);
  const there = JSON.parse(await run("ip", "-n", vms[2]!, "-j", "link", "show", "tap2"));
  expect(there).toMatchObject([{ ifname: "tap2" }]);
  expect((await program.newRun().declare(kind, "fc", inputs)).operation).toBe("same");

  // One that lost only its lease is known by its name, index and namespace, there as in a common one.
  const lease = there[0].altnames[0] as string;
  await run("ip", "-n", vms[2]!, "link", "property", "del", "dev", "tap2", "altname", lease);
  expect((await program.newRun().declare(kind, "fc", inputs)).operation).toBe("update");
  const [again] = JSON.parse(await run("ip", "-n", vms[2]!, "-j", "link", "show", "tap2"));
  expect(again).toMatchObject({ ifindex: there[0].ifindex, altnames: [lease] });
  await program.remove("fc");
  for (const name of vms) await program.remove(name);
});

test("what an interrupted growth made in a namespace of its own goes with the next run, and with the pool", async () => {
  const vms = ["0", "1"].map((number) => `${lab.name}-${number}`);
  const inputs = { count: 1, namePattern: "tap%d", namespacePattern: `${lab.name}-%d`, owner: 0 };
  for (const name of vms) await program.declare("Namespace", name, { name });
  const beyond = async () => JSON.parse(await run("ip", "-n", vms[1]!, "-j", "link", "show", "type", "tun"));
  const isInterrupted = async () => {
    const recorded = program.state.get("fc")!;
    await program.newRun().declare(kind, "fc", { ...inputs, count: 2 });
    program.state.set("fc", recorded);
    expect(await beyond()).toHaveLength(1);
  };
  await program.declare(kind, "fc", inputs);
  await isInterrupted();
  expect((await program.newRun().declare(kind, "fc", inputs)).operation).toBe("update");
  expect(await beyond()).toEqual([]);
  expect((await program.newRun().declare(kind, "fc", inputs)).operation).toBe("same");
  await isInterrupted();
  await program.newRun().remove("fc");
  expect(await beyond()).toEqual([]);
  const fails = program.newRun().declare(kind, "fc", { ...inputs, count: 3 });
  await expect(fails).rejects.toMatchObject({ code: "NAMESPACE_MISSING" });
  expect(await beyond()).toEqual([]);
  for (const name of vms) await program.remove(name);
});

test("what a plan does not give is left out of the outputs, as the engine takes no undefined value", async () => {
  const { outputs } = await program.declare(kind, "fc", pool({ addressPlan: { subnet: "10.1.0.0/24" } }));
  expect(Object.keys(membersOf(outputs)[0]!).sort()).toEqual(["address", "macAddress", "name"]);
});

test("what the consumer of each is told", async () => {
  const inputs = pool({
    consumer: "firecracker",
    macPlan: { base: "02:fc:00:00:00:00", guestBase: "06:00:ac:10:00:00" },
  });
  const { outputs } = await program.declare(kind, "fc", inputs);
  expect(membersOf(outputs)[3]).toMatchObject({
    macAddress: "02:fc:00:00:00:03",
    guestMacAddress: "06:00:ac:10:00:03",
    firecracker: { iface_id: "fc3", host_dev_name: "fc3", guest_mac: "06:00:ac:10:00:03" },
  });
  expect(await lab.mustHave("fc3")).toMatchObject({ address: "02:fc:00:00:00:03" });
  expect((await program.newRun().declare(kind, "fc", inputs)).operation).toBe("same");
});

test("what is secret of the plans is told nowhere", async () => {
  const secretive = new Program("instance", "dev", "test", ["addressPlan", "macPlan"]);
  const inputs = pool({ macPlan: { base: "02:fc:00:00:77:00" } });
  const { outputs } = await secretive.declare(kind, "fc", inputs);
  const { addressPlan, macPlan, ...others } = outputs;
  expect(JSON.stringify(others)).not.toMatch(/172\.16\.0|02:fc/);
  await lab.ip("addr", "del", "172.16.0.9/30", "dev", "fc2");
  const plan = await secretive.newRun().plan(kind, "fc", inputs);
  expect(said(plan)).toMatch(/fc2: addresses: not the declared \(secret\) value/);
  expect(said(plan)).not.toMatch(/172\.16/);
});

test("of a pool of many, all share their system calls", async () => {
  const calls = { request: 0, dump: 0, tun: 0 };
  const counted = new Program("instance", "dev", "test", [], calls);
  const many = pool({ count: 500, addressPlan: { subnet: "10.0.0.0/16", each: "/30" } });
  await counted.declare(kind, "fc", many);
  expect(calls.tun).toBeLessThan(10);
  expect(calls.request).toBeLessThan(20);
  expect(calls.dump).toBeLessThan(20);
  await counted.remove("fc");
  expect(await lab.links()).toEqual([]);
});

/**
 * Of its own accord the kernel takes note of a carrier that went, of a hundred interfaces in a second. Whether it also does
 * when it is asked for one of them, as `ip` asks whenever it is given a name: tried, in a namespace that ends with the
 * command.
 */
async function notesCarrierWhenAsked(): Promise<boolean> {
  const make = "seq 300 | sed 's/.*/tuntap add dev tap& mode tap\\nlink set tap& up/' | ip -batch -";
  const shown = await run("unshare", "--net", "sh", "-c", `${make} && ip -j link show`);
  const taps = (JSON.parse(shown) as { ifname: string; operstate: string }[]).filter(({ ifname }) =>
    ifname.startsWith("tap"),
  );
  return taps.length === 300 && taps.every(({ operstate }) => operstate === "DOWN");
}

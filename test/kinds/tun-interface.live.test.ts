import { describe, expect, test } from "vitest";
import { type CheckFailed, Program } from "../harness/program";
import { run } from "../harness/shell";
import { describeRows } from "./rows";
import { base, kind, lab, program, useTunLab } from "./tun-lab";

useTunLab();

describe("create", () => {
  test.each(["tun", "tap"] as const)("a %s with everything declared, as ip sees it", async (mode) => {
    const { outputs } = await program.declare(kind, "dev0", { ...base(), mode });
    const link = await lab.mustHave("dev0");
    expect(link.linkinfo?.info_data).toMatchObject({
      type: mode,
      pi: false,
      persist: true,
      user: "nobody",
      group: "daemon",
    });
    expect(link.mtu).toBe(1400);
    expect(link.flags).toContain("UP");
    expect(link.altnames).toEqual([outputs.__lease]);
    expect(await lab.addresses("dev0")).toEqual(["192.0.2.1/24", "192.0.2.7/24", "2001:db8::1/64"]);
    expect(outputs).toMatchObject({
      name: "dev0",
      mode,
      mtu: 1400,
      up: true,
      ifindex: link.ifindex,
      address: "192.0.2.1",
    });
    expect(outputs.macAddress).toBe(mode === "tap" ? link.address : undefined);
    expect(outputs.broadcast).toBe(mode === "tap" ? "192.0.2.255" : undefined);
  });

  test("IPv6 addresses are usable at once on an idle interface", async () => {
    await program.declare(kind, "dev0", base());
    const shown = await lab.ip("-6", "addr", "show", "dev", "dev0", "tentative");
    expect(shown).not.toContain("2001:db8::1");
  });

  test("owner 0 is root, not none", async () => {
    await program.declare(kind, "dev0", { owner: 0, namespace: lab.name });
    expect((await lab.mustHave("dev0")).linkinfo?.info_data?.user).toBe("root");
  });

  test("a long logical name is shortened with a hash and stays as an alternative name", async () => {
    const { outputs } = await program.declare(kind, "the-web-servers-tap", { owner: 0, namespace: lab.name });
    expect(outputs.name).toMatch(/^the-web-[0-9a-f]{6,7}$/);
    expect((await lab.mustHave(outputs.name as string)).altnames).toContain("the-web-servers-tap");
  });

  test("an owner that is not set is warned of", async () => {
    const { notices } = await program.declare(kind, "dev0", { namespace: lab.name });
    expect(notices.join()).toMatch(/any user .* may attach to the interface and delete it/);
  });

  test("a refusal leaves nothing behind", async () => {
    await lab.exec("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1");
    try {
      await expect(program.declare(kind, "dev0", base())).rejects.toMatchObject({
        code: "PERMISSION_DENIED",
        property: "addresses",
      });
      expect(await lab.links()).toEqual([]);
    } finally {
      await lab.exec("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=0");
    }
  });
});

describe("the same program again", () => {
  test("changes nothing", async () => {
    await program.declare(kind, "dev0", base());
    const before = await lab.snapshot();
    expect((await program.newRun().declare(kind, "dev0", base())).operation).toBe("same");
    expect(await lab.snapshot()).toBe(before);
  });

  test.each([
    ["netmask as a prefix length", { netmask: 24 }],
    ["address with its length", { address: "192.0.2.1/24", netmask: undefined }],
    ["addresses in another order and notation", { addresses: ["192.0.2.7/24", "2001:0DB8:0::01/64"] }],
    ["owner as a number", { owner: 65534 }],
  ])("nor does %s", async (_what, other) => {
    await program.declare(kind, "dev0", base());
    expect((await program.declare(kind, "dev0", { ...base(), ...other })).operation).toBe("same");
  });

  test("and what others added is left alone", async () => {
    await program.declare(kind, "dev0", base());
    await lab.ip("addr", "add", "198.51.100.9/24", "dev", "dev0");
    await lab.ip("link", "set", "dev0", "txqueuelen", "77");
    expect((await program.declare(kind, "dev0", base())).operation).toBe("same");
    expect(await lab.addresses("dev0")).toContain("198.51.100.9/24");
  });
});

describeRows(base, [
  {
    name: "mtu",
    change: { mtu: 1300 },
    byHand: () => lab.ip("link", "set", "dev0", "mtu", "9000"),
    drift: /mtu: 9000 on the host, 1400/,
    read: async () => (await lab.mustHave("dev0")).mtu,
    original: 1400,
    changed: 1300,
  },
  {
    name: "up",
    change: { up: false },
    byHand: () => lab.ip("link", "set", "dev0", "down"),
    drift: /up: down on the host, up/,
    read: async () => (await lab.mustHave("dev0")).flags.includes("UP"),
    original: true,
    changed: false,
  },
  {
    name: "owner",
    change: { owner: "daemon" },
    byHand: () => lab.exec("tunctl", "-t", "dev0", "-u", "bin"),
    drift: /owner: uid 2 on the host, nobody \(uid 65534\)/,
    read: async () => (await lab.mustHave("dev0")).linkinfo?.info_data?.user,
    original: "nobody",
    changed: "daemon",
  },
  {
    name: "group",
    change: { group: 0 },
    byHand: () => lab.exec("tunctl", "-t", "dev0", "-g", "bin"),
    drift: /group: gid 2 on the host, daemon \(gid 1\)/,
    read: async () => (await lab.mustHave("dev0")).linkinfo?.info_data?.group,
    original: "daemon",
    changed: "root",
  },
  {
    name: "address",
    change: { address: "192.0.2.99" },
    byHand: () => lab.ip("addr", "del", "192.0.2.1/24", "dev", "dev0"),
    drift: /addresses: .*on the host, 192.0.2.1\/24/,
    read: async () => (await lab.addresses("dev0")).join(" "),
    original: "192.0.2.1/24 192.0.2.7/24 2001:db8::1/64",
    changed: "192.0.2.7/24 192.0.2.99/24 2001:db8::1/64",
  },
  {
    name: "netmask",
    change: { netmask: 28 },
    byHand: async () => {
      await lab.ip("addr", "flush", "dev", "dev0", "to", "192.0.2.1");
      await lab.ip("addr", "add", "192.0.2.1/30", "dev", "dev0");
      await lab.ip("addr", "replace", "192.0.2.7/24", "dev", "dev0");
    },
    drift: /addresses: .*on the host, 192.0.2.1\/24/,
    read: async () => (await lab.addresses("dev0")).filter((address) => address !== "192.0.2.1/30").join(" "),
    original: "192.0.2.1/24 192.0.2.7/24 2001:db8::1/64",
    changed: "192.0.2.1/28 192.0.2.7/24 2001:db8::1/64",
  },
  {
    name: "addresses",
    change: { addresses: ["2001:db8::2/64"] },
    byHand: () => lab.ip("addr", "del", "2001:db8::1/64", "dev", "dev0"),
    drift: /addresses: .*on the host.*2001:db8::1\/64 (declared|recorded)/,
    read: async () => (await lab.addresses("dev0")).join(" "),
    original: "192.0.2.1/24 192.0.2.7/24 2001:db8::1/64",
    changed: "192.0.2.1/24 2001:db8::2/64",
  },
  {
    name: "name",
    change: { name: "other0" },
    byHand: () => lab.ip("link", "set", "dev0", "name", "stray0"),
    drift: /name: stray0 on the host, dev0/,
    read: async () => (await lab.links()).map((link) => link.ifname).join(" "),
    original: "dev0",
    changed: "other0",
  },
]);

test("drift of an address that is written with its length is said too", async () => {
  const { netmask, ...rest } = base();
  const inputs = { ...rest, address: "192.0.2.1/24" };
  await program.declare(kind, "dev0", inputs);
  await lab.ip("addr", "del", "192.0.2.1/24", "dev", "dev0");
  await lab.ip("addr", "replace", "192.0.2.7/24", "dev", "dev0");
  const plan = await program.newRun().plan(kind, "dev0", inputs);
  expect(plan.notices.map((notice) => notice.message).join()).toMatch(/changed outside this program/);
});

describe("replace", () => {
  test.each([
    ["mode", { mode: "tun" }],
    ["owner back to none", { owner: -1 }],
    ["group back to none", { group: -1 }],
  ])("%s", async (_what, change) => {
    const first = await program.declare(kind, "dev0", base());
    const second = await program.declare(kind, "dev0", { ...base(), ...change });
    expect(second.operation).toBe("replace");
    expect(second.outputs.ifindex).not.toBe(first.outputs.ifindex);
    expect((await lab.links()).map((link) => link.ifname)).toEqual(["dev0"]);
  });
});

describe("what is no longer declared", () => {
  test("a scalar stays as it is, and that is said", async () => {
    await program.declare(kind, "dev0", base());
    const { mtu, owner, ...rest } = base();
    const step = await program.declare(kind, "dev0", rest);
    expect(step.notices.join()).toMatch(/mtu is no longer declared; it stays as it is, 1400/);
    expect((await lab.mustHave("dev0")).mtu).toBe(mtu);
    expect((await lab.mustHave("dev0")).linkinfo?.info_data?.user).toBe(owner);
    await lab.ip("link", "set", "dev0", "mtu", "1340");
    expect((await program.declare(kind, "dev0", rest)).operation).toBe("same");
  });

  test("addresses go, but only those that were declared", async () => {
    await program.declare(kind, "dev0", base());
    await lab.ip("addr", "add", "198.51.100.9/24", "dev", "dev0");
    await lab.ip("addr", "add", "192.0.2.200/24", "dev", "dev0");
    const { address, netmask, addresses, ...rest } = base();
    expect((await program.declare(kind, "dev0", rest)).operation).toBe("update");
    // The second stood in the subnet of a declared one, with which the kernel would have taken it.
    expect(await lab.addresses("dev0")).toEqual(["192.0.2.200/24", "198.51.100.9/24"]);
    expect((await program.declare(kind, "dev0", rest)).operation).toBe("same");
  });
});

describe("names", () => {
  test("two interfaces swap names, one after the other", async () => {
    await program.declare(kind, "a", { name: "dev0", owner: 1, namespace: lab.name });
    await program.declare(kind, "b", { name: "dev1", owner: 2, namespace: lab.name });
    program.newRun();
    await program.declare(kind, "a", { name: "dev1", owner: 1, namespace: lab.name });
    await program.declare(kind, "b", { name: "dev0", owner: 2, namespace: lab.name });
    expect((await lab.mustHave("dev1")).linkinfo?.info_data?.user).toBe("daemon");
    expect((await lab.mustHave("dev0")).linkinfo?.info_data?.user).toBe("bin");
  });

  test("and at the same time", async () => {
    await program.declare(kind, "a", { name: "dev0", owner: 1, namespace: lab.name });
    await program.declare(kind, "b", { name: "dev1", owner: 2, namespace: lab.name });
    program.newRun();
    await Promise.all([
      program.declare(kind, "a", { name: "dev1", owner: 1, namespace: lab.name }),
      program.declare(kind, "b", { name: "dev0", owner: 2, namespace: lab.name }),
    ]);
    expect((await lab.links()).map((link) => link.ifname).sort()).toEqual(["dev0", "dev1"]);
    expect((await lab.mustHave("dev1")).linkinfo?.info_data?.user).toBe("daemon");
  });

  test("two resources that claim one name: the second is refused, naming the first", async () => {
    await program.declare(kind, "a", { name: "dev0", owner: 1, namespace: lab.name });
    await expect(program.declare(kind, "b", { name: "dev0", owner: 1, namespace: lab.name })).rejects.toThrow(
      /name "dev0" is claimed by TunInterface "a"/,
    );
  });
});

describe("errors from the kernel", () => {
  test("a namespace that does not exist", async () => {
    await expect(program.declare(kind, "dev0", { owner: 0, namespace: "tt-missing" })).rejects.toMatchObject({
      code: "NAMESPACE_MISSING",
      property: "namespace",
      message: expect.stringContaining("pass that resource's `.name`"),
    });
  });

  test("several problems of one resource come at once", async () => {
    const problems = await program
      .declare(kind, "dev0", { owner: "nosuchuser", mtu: 67, adress: "192.0.2.1", namespace: "../x" })
      .catch((error) => (error as CheckFailed).problems);
    expect(problems).toEqual([
      expect.stringMatching(/adress is no property .* did you mean `address`/),
      expect.stringMatching(/mtu 67 is below the limit; give a number from 68/),
      expect.stringMatching(/namespace "..\/x" is no plain name/),
      expect.stringMatching(/owner "nosuchuser": no such user/),
    ]);
  });
});

test("a new one is looked at before it is made and after all is written, not between", async () => {
  const calls = { dump: 0, tun: 0, request: 0 };
  const counted = new Program("instance", "dev", "test", [], calls);
  const inputs = { owner: 65534, address: "192.0.2.1/24", mtu: 9000, namespace: lab.name };
  // Once more in the check; each look is two dumps.
  await counted.declare("TunInterface", "once", inputs);
  expect(calls).toMatchObject({ dump: 6, tun: 1, request: 1 });
  await counted.remove("once");
});

test("many at once share their system calls, and leave nothing", async () => {
  const calls = { request: 0, dump: 0, tun: 0 };
  const counted = new Program("instance", "dev", "test", [], calls);
  const names = Array.from({ length: 300 }, (_, index) => `dev${index}`);
  const inputs = { owner: 1, address: "192.0.2.1/24", namespace: lab.name };
  await Promise.all(names.map((name) => counted.declare(kind, name, inputs)));
  expect(await lab.links()).toHaveLength(300);
  expect(calls.tun).toBeLessThan(10);
  await Promise.all(names.map((name) => counted.remove(name)));
  expect(await lab.links()).toEqual([]);
  expect(calls.request).toBeLessThan(30);
  expect(calls.dump).toBeLessThan(60);
});

test("nothing of a secret input stands in a message or in another output", async () => {
  const secretive = new Program("instance", "dev", "test", ["address"]);
  const inputs = { address: "192.0.2.77/24", owner: 0, namespace: lab.name };
  const { outputs } = await secretive.declare(kind, "dev0", inputs);
  const { address, ...others } = outputs;
  expect(address).toBe("192.0.2.77/24");
  expect(JSON.stringify(others)).not.toMatch(/192\.0\.2/);
  await lab.ip("addr", "del", "192.0.2.77/24", "dev", "dev0");
  const plan = await secretive.newRun().plan(kind, "dev0", inputs);
  expect(plan.notices.map((notice) => notice.message).join()).toMatch(
    /addresses: not the declared \(secret\) value/,
  );
  expect(JSON.stringify(plan.notices)).not.toMatch(/192\.0\.2/);
  await secretive.removeAll();
});

test("a secret that leaves the program stands in no message either", async () => {
  const secret = { owner: 65534, namespace: lab.name, mtu: 1357 };
  const secretive = new Program("instance", "dev", "test", ["mtu"]);
  await secretive.declare(kind, "dev0", secret);
  // What is not declared cannot be marked by the program, so only the record tells that it was secret.
  const plain = new Program("instance");
  plain.state.set("dev0", secretive.state.get("dev0")!);
  const { mtu, ...rest } = secret;
  const { notices } = await plain.plan(kind, "dev0", rest);
  expect(notices.map(({ message }) => message).join()).toMatch(
    /mtu is no longer declared; it stays as it is/,
  );
  expect(JSON.stringify(notices)).not.toContain(String(mtu));
  await secretive.removeAll();
});

test("what cannot be known yet causes no look-up, no error and no replace", async () => {
  await program.declare(kind, "dev0", base());
  const { namespace, ...elsewhere } = base();
  expect(await program.plan(kind, "dev0", elsewhere, ["namespace"])).toEqual({
    changes: true,
    replaces: [],
    notices: [],
  });
  const { mtu, ...rest } = base();
  expect(await program.plan(kind, "dev0", rest, ["mtu"])).toEqual({
    changes: true,
    replaces: [],
    notices: [],
  });
  expect(mtu).toBe(1400);
});

test("the lab's own witness would see a change", async () => {
  await run("ip", "-n", lab.name, "link", "add", "name", "br9", "type", "bridge");
  expect(await lab.link("br9")).toBeDefined();
});

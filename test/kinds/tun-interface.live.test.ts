import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Lab } from "../harness/lab";
import { type CheckFailed, Program } from "../harness/program";
import { run } from "../harness/shell";

let lab: Lab;
let program: Program;
const kind = "TunInterface";

beforeAll(async () => {
  lab = await Lab.open();
});
afterAll(() => lab.close());
beforeEach(async () => {
  for (const { ifname } of await lab.links()) await lab.ip("link", "del", ifname);
  program = new Program();
});

const base = () => ({
  owner: "nobody",
  group: "daemon",
  address: "192.0.2.1",
  netmask: "255.255.255.0",
  addresses: ["2001:db8::1/64", "192.0.2.7/24"],
  mtu: 1400,
  namespace: lab.name,
});

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

/** Every managed property: how it is changed by the program, how by hand, and what ip then shows. */
const rows: {
  name: string;
  change: Record<string, unknown>;
  byHand: () => Promise<unknown>;
  drift: RegExp;
  read: () => Promise<unknown>;
  original: unknown;
  changed: unknown;
}[] = [
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
];

describe.each(rows)("$name", ({ change, byHand, drift, read, original, changed }) => {
  test("is changed live, on the same device", async () => {
    await program.declare(kind, "dev0", base());
    const before = (await lab.links())[0];
    expect((await program.declare(kind, "dev0", { ...base(), ...change })).operation).toBe("update");
    expect(await read()).toEqual(changed);
    expect((await lab.links())[0]?.ifindex).toBe(before?.ifindex);
    expect((await program.declare(kind, "dev0", { ...base(), ...change })).operation).toBe("same");
  });

  test("drift is seen with both values, and repaired", async () => {
    await program.declare(kind, "dev0", base());
    await byHand();
    const plan = await program.newRun().plan(kind, "dev0", base());
    expect(plan.changes).toBe(true);
    expect(plan.notices.map((notice) => notice.message).join()).toMatch(drift);
    expect((await program.declare(kind, "dev0", base())).operation).toBe("update");
    expect(await read()).toEqual(original);
    expect((await program.declare(kind, "dev0", base())).operation).toBe("same");
  });

  test("a refresh shows the kernel's value, and the next run sets it back", async () => {
    await program.declare(kind, "dev0", base());
    await byHand();
    const refreshed = await program.refresh("dev0");
    expect(refreshed?.notices.join()).toMatch(drift);
    expect((await program.declare(kind, "dev0", base())).operation).toBe("update");
    expect(await read()).toEqual(original);
  });
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

  test("to another namespace", async () => {
    const other = await Lab.open();
    try {
      await program.declare(kind, "dev0", base());
      expect((await program.declare(kind, "dev0", { ...base(), namespace: other.name })).operation).toBe(
        "replace",
      );
      expect(await lab.links()).toEqual([]);
      expect((await other.mustHave("dev0")).mtu).toBe(1400);
      await program.removeAll();
    } finally {
      await other.close();
    }
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

describe("an interface that a process holds", () => {
  test("is not deleted, and the process is named", async () => {
    await program.declare(kind, "dev0", base());
    const holder = await lab.hold("dev0");
    await expect(program.remove("dev0")).rejects.toMatchObject({
      code: "LINK_BUSY",
      message: expect.stringMatching(/held by pid \d+ \(socat .*\) of root \(uid 0\)/),
    });
    await lab.mustHave("dev0");
    await lab.release(holder);
    await program.remove("dev0");
    expect(await lab.links()).toEqual([]);
  });

  test("is deleted by force", async () => {
    await program.declare(kind, "dev0", { ...base(), onBusy: "force" });
    const holder = await lab.hold("dev0");
    await program.remove("dev0");
    expect(await lab.links()).toEqual([]);
    await lab.release(holder);
  });

  test("keeps its carrier and its holder while mtu, addresses, state and name change", async () => {
    await program.declare(kind, "dev0", base());
    const holder = await lab.hold("dev0");
    await program.declare(kind, "dev0", { ...base(), mtu: 1300, address: "192.0.2.3", name: "moved0" });
    expect(await lab.mustHave("moved0")).toMatchObject({
      mtu: 1300,
      flags: expect.arrayContaining(["LOWER_UP"]),
    });
    await lab.release(holder);
  });

  test.each(["owner", "group"])(
    "cannot change its %s: planned as blocked, refused with the process",
    async (input) => {
      await program.declare(kind, "dev0", base());
      const holder = await lab.hold("dev0");
      const changed = { ...base(), [input]: 12 };
      const plan = await program.plan(kind, "dev0", changed);
      expect(plan.replaces).toEqual([]);
      expect(plan.notices.map((notice) => notice.message).join()).toMatch(
        /cannot be changed while .* held by pid \d+ .*refused/,
      );
      await expect(program.declare(kind, "dev0", changed)).rejects.toMatchObject({
        code: "LINK_BUSY",
        property: input,
      });
      await lab.release(holder);
      expect((await program.declare(kind, "dev0", changed)).operation).toBe("update");
    },
  );

  test("is made anew under its holder by force", async () => {
    const first = await program.declare(kind, "dev0", base());
    const holder = await lab.hold("dev0");
    const second = await program.declare(kind, "dev0", { ...base(), owner: 12, onBusy: "force" });
    expect(second.operation).toBe("update");
    expect(second.outputs.ifindex).not.toBe(first.outputs.ifindex);
    expect(await lab.addresses("dev0")).toHaveLength(3);
    await lab.release(holder);
  });

  test("a replace of it is warned of in the plan", async () => {
    await program.declare(kind, "dev0", base());
    const holder = await lab.hold("dev0");
    const plan = await program.plan(kind, "dev0", { ...base(), mode: "tun" });
    expect(plan.replaces).toEqual(["mode"]);
    expect(plan.notices.map((notice) => notice.message).join()).toMatch(
      /held by pid \d+ .*: this will be refused/,
    );
    await lab.release(holder);
  });

  test("a control input alone is an update that writes nothing", async () => {
    await program.declare(kind, "dev0", base());
    const before = await lab.snapshot();
    expect((await program.declare(kind, "dev0", { ...base(), onBusy: "force" })).operation).toBe("update");
    expect(await lab.snapshot()).toBe(before);
  });
});

test("a holder that takes the persist flag away: seen as drift, blocked until it ends, then made anew", async () => {
  await program.declare(kind, "dev0", base());
  const script = [
    "import fcntl, os, struct, sys, time",
    "fd = os.open('/dev/net/tun', os.O_RDWR)",
    "fcntl.ioctl(fd, 0x400454ca, struct.pack('16sH22s', b'dev0', 0x1002, b''))",
    "fcntl.ioctl(fd, 0x400454cb, 0)",
    "print('ready', flush=True)",
    "time.sleep(600)",
  ].join("\n");
  const holder = await lab.start("ready", "python3", "-c", script);
  const plan = await program.newRun().plan(kind, "dev0", base());
  expect(plan.notices.map((notice) => notice.message).join()).toMatch(
    /persistence: not persistent .* on the host, runtime declared/,
  );
  await expect(program.declare(kind, "dev0", base())).rejects.toMatchObject({
    code: "LINK_BUSY",
    property: "persistence",
  });
  await lab.release(holder);
  expect(await lab.link("dev0")).toBeUndefined();
  expect((await program.declare(kind, "dev0", base())).operation).toBe("update");
  expect((await lab.mustHave("dev0")).linkinfo?.info_data?.persist).toBe(true);
});

describe("leases", () => {
  test("a foreign link is refused before anything is changed, and described", async () => {
    await lab.exec("tunctl", "-t", "dev0", "-u", "bin");
    const before = await lab.snapshot();
    await expect(program.declare(kind, "dev0", base())).rejects.toThrow(
      /name "dev0" is taken by tap "dev0" \(ifindex \d+, owner uid 2, .*no lease\).*adopt: true.*\[FOREIGN_LINK\]/,
    );
    expect(await lab.snapshot()).toBe(before);
  });

  test("adopt takes it over, says so, and removes it in the end", async () => {
    await lab.exec("tunctl", "-t", "dev0", "-u", "bin");
    const step = await program.declare(kind, "dev0", { ...base(), adopt: true });
    expect(step.notices.join()).toMatch(/takes over tap "dev0".*`down` will delete it/);
    expect((await lab.mustHave("dev0")).linkinfo?.info_data?.user).toBe("nobody");
    await program.remove("dev0");
    expect(await lab.links()).toEqual([]);
  });

  test("adopt refuses what it would have to make anew", async () => {
    await lab.ip("tuntap", "add", "dev", "dev0", "mode", "tun");
    await expect(program.declare(kind, "dev0", { ...base(), adopt: true })).rejects.toMatchObject({
      code: "FOREIGN_LINK",
    });
    await lab.ip("link", "add", "br0", "type", "bridge");
    await expect(program.declare(kind, "br0", { ...base(), adopt: true })).rejects.toMatchObject({
      code: "FOREIGN_LINK",
    });
    expect((await lab.mustHave("dev0")).altnames).toBeUndefined();
  });

  test("tunctl -d and tunctl -t of the same name: a stranger now", async () => {
    await program.declare(kind, "dev0", base());
    await lab.exec("tunctl", "-d", "dev0");
    await lab.exec("tunctl", "-t", "dev0");
    expect(await program.refresh("dev0")).toBeUndefined();
    await expect(program.declare(kind, "dev0", base())).rejects.toThrow(/taken by tap "dev0"/);
  });

  test("tunctl -d alone: vanished, and made anew", async () => {
    await program.declare(kind, "dev0", base());
    await lab.exec("tunctl", "-d", "dev0");
    const step = await program.declare(kind, "dev0", base());
    expect(step.operation).toBe("update");
    expect(step.notices.join()).toMatch(
      /dev0 in namespace .* no longer exists \(it was deleted outside this program\)/,
    );
    expect(await lab.addresses("dev0")).toHaveLength(3);
  });

  test("a lost lease is restored, on the same device", async () => {
    const { outputs } = await program.declare(kind, "dev0", base());
    await lab.ip("link", "property", "del", "dev", "dev0", "altname", outputs.__lease as string);
    const step = await program.newRun().declare(kind, "dev0", base());
    expect(step.operation).toBe("update");
    expect(step.notices.join()).toMatch(/its lease .* was taken off/);
    expect((await lab.mustHave("dev0")).altnames).toEqual([outputs.__lease]);
  });

  test("a lost lease does not stand in the way of a replace", async () => {
    const { outputs } = await program.declare(kind, "dev0", base());
    await lab.ip("link", "property", "del", "dev", "dev0", "altname", outputs.__lease as string);
    expect((await program.newRun().declare(kind, "dev0", { ...base(), mode: "tun" })).operation).toBe(
      "replace",
    );
    expect(await lab.links()).toHaveLength(1);
  });

  test("an orphan of an interrupted run is taken up with what differs", async () => {
    await program.declare(kind, "dev0", base());
    const orphaned = new Program(program.instance);
    const step = await orphaned.declare(kind, "dev0", { ...base(), mtu: 1300 });
    expect(step.operation).toBe("create");
    expect(await lab.links()).toHaveLength(1);
    expect((await lab.mustHave("dev0")).mtu).toBe(1300);
  });

  test("without an instance an orphan is described, and taken with adopt", async () => {
    await new Program(undefined).declare(kind, "dev0", base());
    const other = new Program(undefined);
    other.state.clear();
    await expect(new Program(undefined).declare(kind, "dev0", base())).rejects.toMatchObject({
      code: "FOREIGN_LINK",
    });
    expect((await new Program(undefined).declare(kind, "dev0", { ...base(), adopt: true })).operation).toBe(
      "create",
    );
  });

  test("another clone's link is refused", async () => {
    await program.declare(kind, "dev0", base());
    const clone = new Program();
    await expect(clone.declare(kind, "dev0", base())).rejects.toMatchObject({ code: "FOREIGN_LINK" });
    expect((await program.declare(kind, "dev0", base())).operation).toBe("same");
  });

  test("deleting looks at the lease: a renamed link is found, a namesake spared", async () => {
    await program.declare(kind, "dev0", base());
    await lab.ip("link", "set", "dev0", "name", "moved0");
    await lab.exec("tunctl", "-t", "dev0");
    await program.remove("dev0");
    expect((await lab.links()).map((link) => link.ifname)).toEqual(["dev0"]);
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

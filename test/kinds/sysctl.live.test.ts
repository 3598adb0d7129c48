import { existsSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Notice } from "../../provider/request";
import { Lab } from "../harness/lab";
import { Program } from "../harness/program";
import { run } from "../harness/shell";

const kind = "Sysctl";
const forward = "net.ipv4.ip_forward";
let lab: Lab;
let program: Program;

beforeEach(async () => {
  lab = await Lab.open();
  program = new Program();
});
afterEach(() => lab.close());

/** What sysctl(8) reads inside. */
const read = async (name: string) => (await lab.exec("sysctl", "-n", name)).trim();
const write = (name: string, value: string) => lab.exec("sysctl", "-w", `${name}=${value}`);
const inLab = (name: string, value: unknown) => ({ name, value, namespace: lab.name });

test("is set, kept, changed, and put back when it goes", async () => {
  const host = readFileSync("/proc/sys/net/ipv4/ip_default_ttl", "utf8");
  await write("net.ipv4.ip_default_ttl", "99");
  const made = await program.declare(kind, "ttl", inLab("net.ipv4.ip_default_ttl", 70));
  expect(made.operation).toBe("create");
  expect(made.outputs).toMatchObject({ name: "net.ipv4.ip_default_ttl", value: 70, namespace: lab.name });
  expect(program.state.get("ttl")?.id).toBe(`${lab.name}/net.ipv4.ip_default_ttl`);
  expect(await read("net.ipv4.ip_default_ttl")).toBe("70");
  expect((await program.newRun().declare(kind, "ttl", inLab("net.ipv4.ip_default_ttl", 70))).operation).toBe(
    "same",
  );
  const changed = await program.declare(kind, "ttl", inLab("net.ipv4.ip_default_ttl", "80"));
  expect(changed).toMatchObject({ operation: "update", outputs: { value: "80" } });
  expect(await read("net.ipv4.ip_default_ttl")).toBe("80");
  await program.newRun().remove("ttl");
  expect(await read("net.ipv4.ip_default_ttl")).toBe("99");
  expect(readFileSync("/proc/sys/net/ipv4/ip_default_ttl", "utf8")).toBe(host);
});

test("after a restart of the host, what is there then is what is put back", async () => {
  const inputs = inLab("net.ipv4.ip_default_ttl", 70);
  await program.declare(kind, "ttl", inputs);
  await write("net.ipv4.ip_default_ttl", "99");
  program.restartHost();
  const { notices } = await program.plan(kind, "ttl", inputs);
  expect(notices.map(({ message }) => message)).toEqual([
    `what was done with net.ipv4.ip_default_ttl in namespace ${lab.name} ended when the host was restarted; it will be made anew`,
  ]);
  expect((await program.declare(kind, "ttl", inputs)).operation).toBe("update");
  expect((await program.newRun().declare(kind, "ttl", inputs)).operation).toBe("same");
  expect(await read("net.ipv4.ip_default_ttl")).toBe("70");
  await program.remove("ttl");
  expect(await read("net.ipv4.ip_default_ttl")).toBe("99");
});

test("what was set before a restart of the host only is not put back", async () => {
  await program.declare(kind, "ttl", inLab("net.ipv4.ip_default_ttl", 70));
  await write("net.ipv4.ip_default_ttl", "99");
  await program.restartHost().remove("ttl");
  expect(await read("net.ipv4.ip_default_ttl")).toBe("99");
});

test("what another hand makes of a value that was the declared one anyway is set right, and not put back", async () => {
  await program.declare(kind, "ttl", inLab("net.ipv4.ip_default_ttl", 64));
  await program.declare(kind, "forward", inLab(forward, 0));
  await write("net.ipv4.ip_default_ttl", "99");
  await write(forward, "1");
  program.newRun();
  expect((await program.declare(kind, "ttl", inLab("net.ipv4.ip_default_ttl", 64))).operation).toBe("update");
  expect((await program.declare(kind, "forward", inLab(forward, 0))).operation).toBe("update");
  await program.newRun().removeAll();
  expect([await read("net.ipv4.ip_default_ttl"), await read(forward)]).toEqual(["64", "0"]);
});

test("what was recorded before it was noted whether it was written is put back", async () => {
  await program.declare(kind, "ttl", inLab("net.ipv4.ip_default_ttl", 70));
  delete program.state.get("ttl")?.outputs.__written;
  await program.newRun().remove("ttl");
  expect(await read("net.ipv4.ip_default_ttl")).toBe("64");
});

test("drift is said with both values and set back; a refresh shows it; what was first found stays", async () => {
  await program.declare(kind, "forward", inLab(forward, 1));
  await write(forward, "0");
  const plan = await program.newRun().plan(kind, "forward", inLab(forward, 1));
  expect(plan.notices.map(({ message }) => message).join()).toMatch(
    /value: "0" on the host, .*1.* declared: changed outside this program, will be set back/,
  );
  expect(await read(forward)).toBe("0");
  const refreshed = await program.refresh("forward");
  expect(refreshed?.outputs).toMatchObject({ value: "0" });
  expect((await program.declare(kind, "forward", inLab(forward, 1))).operation).toBe("update");
  expect(await read(forward)).toBe("1");
  await write(forward, "0");
  await program.remove("forward");
  expect(await read(forward)).toBe("0");
});

test.each([
  ["net.ipv4.ip_local_port_range", "20000  30000", "20000\t30000", "32768\t60999"],
  ["net.ipv4.ip_local_reserved_ports", "8080,9000-9010", "8080,9000-9010", ""],
  ["net.ipv4.ping_group_range", "0\t5", "0\t5", "1\t0"],
  ["net.ipv4.conf.lo.rp_filter", "2", "2", "0"],
  ["net.ipv6.conf.all.disable_ipv6", 1, "1", "0"],
  ["net.ipv4.ip_forward", "01", "1", "0"],
  ["net.ipv4.tcp_fin_timeout", "0x100", "256", "60"],
  ["net.ipv4.ip_default_ttl", "0100", "64", "64"],
  ["net.ipv4.ip_local_port_range", "0x4e20 30000", "20000\t30000", "32768\t60999"],
])("%s: %j is no drift in another spelling", async (name, value, shown, found) => {
  await program.declare(kind, "one", inLab(name, value));
  expect(await read(name)).toBe(shown);
  const step = await program.newRun().declare(kind, "one", inLab(name, value));
  expect(step).toMatchObject({ operation: "same", outputs: { value } });
  await program.remove("one");
  expect(await read(name)).toBe(found);
});

test("that of an interface with dots in its name, which goes with the interface and comes back with it", async () => {
  await lab.ip("link", "add", "eth0.1", "type", "bridge");
  const inputs = inLab("net.ipv4.conf.eth0/1.forwarding", 1);
  await program.declare(kind, "one", inputs);
  expect(await read("net/ipv4/conf/eth0.1/forwarding")).toBe("1");
  await lab.ip("link", "del", "eth0.1");
  expect((await program.plan(kind, "one", inputs)).notices.map(({ message }) => message).join()).toMatch(
    /net\.ipv4\.conf\.eth0\/1\.forwarding in namespace \S+ no longer exists \(its interface or module is gone\)/,
  );
  await expect(program.declare(kind, "one", inputs)).rejects.toMatchObject({ code: "SYSCTL_MISSING" });
  await lab.ip("link", "add", "eth0.1", "type", "bridge");
  expect((await program.declare(kind, "one", inputs)).operation).toBe("update");
  expect(await read("net/ipv4/conf/eth0.1/forwarding")).toBe("1");
  await lab.ip("link", "del", "eth0.1");
  await program.remove("one");
});

test("one that another resource of the program declares now stays as that one has it", async () => {
  const told: string[] = [];
  const moving = new Program(
    undefined,
    "dev",
    "test",
    [],
    {},
    {
      tell: (_urn, notices) => told.push(...notices.map(({ message }) => message)),
    },
  );
  await moving.declare(kind, "one", inLab(forward, 1));
  moving.newRun();
  // As the engine does it: what is new is made before what is gone from the program is removed.
  await moving.declare(kind, "two", inLab(forward, 1));
  await moving.remove("one");
  expect(await read(forward)).toBe("1");
  expect(told.join()).toMatch(
    /net\.ipv4\.ip_forward is left as it is, as Sysctl "two" of this program declares it now/,
  );
});

test("another name or namespace: the old one is put back, the new one set", async () => {
  await program.declare(kind, "one", inLab(forward, 1));
  const other = await Lab.open();
  try {
    const moved = { ...inLab(forward, 1), namespace: other.name };
    expect((await program.declare(kind, "one", moved)).operation).toBe("replace");
    expect(await read(forward)).toBe("0");
    expect((await other.exec("sysctl", "-n", forward)).trim()).toBe("1");
    const renamed = inLab("net.ipv6.conf.all.forwarding", 1);
    expect((await program.declare(kind, "one", renamed)).operation).toBe("replace");
    expect((await other.exec("sysctl", "-n", forward)).trim()).toBe("0");
    await program.remove("one");
    expect(await read("net.ipv6.conf.all.forwarding")).toBe("0");
  } finally {
    await other.close();
  }
});

describe("two stacks that turn on forwarding", () => {
  const nat = {
    source: ["192.0.2.0/24"],
    get namespace() {
      return lab.name;
    },
  };

  test("the second is told that it is on; the first turns it off, the second on again; in the end all is as it was", async () => {
    const other = new Program();
    expect((await program.declare(kind, "one", inLab(forward, 1))).notices).toEqual([]);
    const { notices } = await other.declare(kind, "one", inLab(forward, "1"));
    expect(notices).toEqual([
      'net.ipv4.ip_forward is "1" already, by default or set by somebody else: nothing is written, and nothing is put back when this resource goes',
    ]);
    expect(await other.newRun().declare(kind, "one", inLab(forward, 1))).toMatchObject({
      operation: "same",
      notices: [],
    });
    await program.remove("one");
    expect(await read(forward)).toBe("0");
    expect((await other.newRun().declare(kind, "one", inLab(forward, 1))).operation).toBe("update");
    expect(await read(forward)).toBe("1");
    await other.newRun().remove("one");
    expect(await read(forward)).toBe("0");
  });

  test("the first turns it off and the second goes, too: nothing is written", async () => {
    const other = new Program();
    await program.declare(kind, "one", inLab(forward, 1));
    await other.declare(kind, "one", inLab(forward, 1));
    await program.remove("one");
    await other.refresh("one");
    await other.newRun().remove("one");
    expect(await read(forward)).toBe("0");
  });

  test("the second goes first: nothing is written", async () => {
    const other = new Program();
    await program.declare(kind, "one", inLab(forward, 1));
    await other.declare(kind, "one", inLab(forward, 1));
    await other.remove("one");
    expect(await read(forward)).toBe("1");
    await program.remove("one");
    expect(await read(forward)).toBe("0");
  });

  test("while the other has a Nat there, it is left on, and that is said", async () => {
    const told: string[] = [];
    const tell = (_urn: string, notices: readonly Notice[]) =>
      told.push(...notices.map(({ message }) => message));
    program = new Program(undefined, "dev", "test", [], {}, { tell });
    const other = new Program("elsewhere");
    await program.declare(kind, "one", inLab(forward, 1));
    await program.declare("Nat", "own", { ...nat, name: "own" });
    await other.declare(kind, "one", inLab(forward, 1));
    await other.declare("Nat", "guests", nat);
    await program.newRun().remove("one");
    expect(await read(forward)).toBe("1");
    expect(told).toEqual([
      `net.ipv4.ip_forward is left at 1 in namespace ${lab.name}, and not put back to the 0 that was found: other stacks need forwarding there (table inet guests). When they are gone, set it by hand`,
    ]);
    await program.declare(kind, "one", inLab("net.ipv4.ip_default_ttl", 70));
    await program.remove("one");
    expect(await read("net.ipv4.ip_default_ttl")).toBe("64");
    await other.removeAll();
    expect([await read(forward), told.length]).toEqual(["1", 1]);
  });

  test("a Nat of its own stack does not keep it on", async () => {
    await program.declare(kind, "one", inLab(forward, 1));
    await program.declare("Nat", "own", nat);
    await program.remove("one");
    expect(await read(forward)).toBe("0");
  });

  test("what is changed back to the value found is still put back", async () => {
    await program.declare(kind, "one", inLab(forward, 1));
    await program.declare(kind, "one", inLab(forward, 0));
    expect(await read(forward)).toBe("0");
    await write(forward, "1");
    await program.newRun().declare(kind, "one", inLab(forward, 0));
    await write(forward, "1");
    await program.newRun().remove("one");
    expect(await read(forward)).toBe("0");
  });
});

describe("what a switch for all interfaces writes along", () => {
  const v4 = "net.ipv4.conf";
  const v6 = "net.ipv6.conf";

  test.each([
    [forward, "0", 1, { [`${v4}.d0.forwarding`]: "1", [`${v4}.all.accept_redirects`]: "0" }],
    [`${v4}.all.forwarding`, "0", 1, { [`${v4}.eth0/1.forwarding`]: "1", [`${v4}.default.forwarding`]: "1" }],
    [forward, "1", 0, { [`${v4}.d0.forwarding`]: "0", [`${v4}.all.accept_redirects`]: "1" }],
    [`${v6}.all.forwarding`, "0", 1, { [`${v6}.d0.forwarding`]: "1" }],
    [`${v6}.all.forwarding`, "1", 0, { [`${v6}.eth0/1.forwarding`]: "0", [`${v6}.default.forwarding`]: "0" }],
    [
      `${v6}.all.disable_ipv6`,
      "0",
      1,
      { [`${v6}.d0.disable_ipv6`]: "1", [`${v6}.default.disable_ipv6`]: "1" },
    ],
    [`${v6}.all.disable_ipv6`, "1", 0, { [`${v6}.eth0/1.disable_ipv6`]: "0" }],
    [`${v6}.all.addr_gen_mode`, "0", 1, { [`${v6}.d0.addr_gen_mode`]: "3" }],
    [`${v6}.all.ignore_routes_with_linkdown`, "0", 1, { [`${v6}.d0.ignore_routes_with_linkdown`]: "1" }],
  ])("%s from %s to %s is put back with %j", async (name, before, value, along) => {
    await lab.ip("link", "add", "d0", "type", "bridge");
    await lab.ip("link", "add", "eth0.1", "type", "bridge");
    await write(name, before);
    for (const [setting, text] of Object.entries(along)) await write(setting, text);
    const all = () =>
      lab.exec("sysctl", "-a", "-r", "(forward|accept_redirects|disable_ipv6|addr_gen_mode|linkdown)");
    const found = await all();
    await program.declare(kind, "one", inLab(name, value));
    expect(await all()).not.toBe(found);
    expect((await program.newRun().declare(kind, "one", inLab(name, value))).operation).toBe("same");
    await program.refresh("one");
    await write(name, before);
    expect((await program.newRun().declare(kind, "one", inLab(name, value))).operation).toBe("update");
    await program.newRun().remove("one");
    expect(await all()).toBe(found);
  });

  test("what another resource has set, and put back, is not set again", async () => {
    await program.declare(kind, "lo", inLab(`${v4}.lo.forwarding`, 1));
    await program.declare(kind, "all", inLab(forward, 1));
    await program.remove("lo");
    await program.remove("all");
    expect([await read(forward), await read(`${v4}.lo.forwarding`)]).toEqual(["0", "0"]);
    await program.declare(kind, "lo", inLab(`${v4}.lo.forwarding`, 1));
    await program.declare(kind, "all", inLab(forward, 1));
    await program.remove("all");
    await program.remove("lo");
    expect([await read(forward), await read(`${v4}.lo.forwarding`)]).toEqual(["0", "0"]);
  });

  test("an interface that is gone needs nothing, and what was not written stays", async () => {
    await lab.ip("link", "add", "d0", "type", "bridge");
    await write(`${v4}.d0.forwarding`, "1");
    await program.declare(kind, "one", inLab(forward, 1));
    await lab.ip("link", "del", "d0");
    await program.remove("one");
    expect(await read(forward)).toBe("0");
    await lab.ip("link", "add", "d0", "type", "bridge");
    await program.declare(kind, "one", inLab(forward, 0));
    await write(`${v4}.d0.forwarding`, "1");
    await program.remove("one");
    expect(await read(`${v4}.d0.forwarding`)).toBe("1");
  });
});

test("two resources that claim one are refused, in different namespaces they are not", async () => {
  await program.declare(kind, "one", inLab(forward, 1));
  await expect(program.declare(kind, "two", inLab(forward, 0))).rejects.toThrow(
    /^name "net\.ipv4\.ip_forward" .*is claimed by Sysctl "one" of this program already; declare it once \[NAME_CLAIMED\]/,
  );
  const other = await Lab.open();
  try {
    await program.declare(kind, "two", { ...inLab(forward, 1), namespace: other.name });
    await program.remove("two");
  } finally {
    await other.close();
  }
});

test.each([
  ["net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"],
  ["net.netfilter.nf_conntrack_max", "net.nf_conntrack_max"],
])("two resources of one setting by its two names, %s and %s, are refused", async (name, other) => {
  await program.check(kind, "one", inLab(name, 1));
  const { problems } = await program.check(kind, "two", inLab(other, 1));
  expect(problems.map(({ message }) => message)).toEqual([
    `name "${other}" (${name}) is claimed by Sysctl "one" of this program already; declare it once [NAME_CLAIMED]`,
  ]);
});

test("a namespace that was deleted: said, and set again when it is there again", async () => {
  await program.declare(kind, "one", inLab(forward, 1));
  await run("ip", "netns", "del", lab.name);
  expect((await program.plan(kind, "one", inLab(forward, 1))).changes).toBe(true);
  await expect(program.declare(kind, "one", inLab(forward, 1))).rejects.toMatchObject({
    code: "NAMESPACE_MISSING",
  });
  await run("ip", "netns", "add", lab.name);
  expect((await program.declare(kind, "one", inLab(forward, 1))).operation).toBe("update");
  expect(await read(forward)).toBe("1");
  await run("ip", "netns", "del", lab.name);
  await program.remove("one");
});

describe("what the kernel refuses is explained, and nothing is left changed", () => {
  test.each<[string, unknown, object]>([
    ["net.ipv4.nosuch", 1, { code: "SYSCTL_MISSING", property: "name" }],
    ["net.ipv4.ip_forward.more", 1, { code: "SYSCTL_MISSING", property: "name" }],
    [
      "net.ipv4.ip_default_ttl",
      "many",
      {
        code: "SYSCTL_REFUSED",
        property: "value",
        message: expect.stringMatching(/net\.ipv4\.ip_default_ttl was not set to "many" .*EINVAL/),
      },
    ],
    ["net.ipv4.ip_default_ttl", 256, { code: "SYSCTL_REFUSED", property: "value" }],
    [
      "net.ipv4.ip_default_ttl",
      "70 80",
      {
        code: "VERIFY_FAILED",
        message: expect.stringMatching(/value: "70" on the host, "70 80" declared.*as the kernel shows it/),
      },
    ],
  ])("%s = %j", async (name, value, refusal) => {
    await expect(program.declare(kind, "one", inLab(name, value))).rejects.toMatchObject(refusal);
    expect(await read("net.ipv4.ip_default_ttl")).toBe("64");
    expect(program.state.size).toBe(0);
  });

  test.each([
    ["net.ipv4", "name", /cannot be read: it is a folder/],
    ["net.ipv4.route.flush", "name", /cannot be read: the kernel forbids that to root too/],
  ])("%s", async (name, property, message) => {
    await expect(program.declare(kind, "one", inLab(name, 1))).rejects.toMatchObject({
      code: "SYSCTL_REFUSED",
      property,
      message: expect.stringMatching(message),
    });
  });

  test("one that can only be read", async () => {
    await expect(
      program.declare(kind, "one", { name: "kernel.ostype", value: "Minix" }),
    ).rejects.toMatchObject({
      code: "SYSCTL_REFUSED",
      message: expect.stringMatching(
        /kernel\.ostype was not set to "Minix": the kernel forbids that to root too/,
      ),
    });
    expect((await program.declare(kind, "one", { name: "kernel.ostype", value: "Linux" })).operation).toBe(
      "create",
    );
    await program.remove("one");
  });
});

test("a check that cannot be done says whose it is, and tells no secret", async () => {
  const secretive = new Program("instance", "dev", "test", ["name"]);
  // Write only.
  await expect(secretive.check(kind, "flush", inLab("net.ipv4.route.flush", 1))).rejects.toMatchObject({
    code: "SYSCTL_REFUSED",
    message: expect.stringMatching(/^Sysctl flush, name: sysctl \[secret\] cannot be read/),
  });
});

test("one that is not there yet is warned of in the plan only", async () => {
  const { problems, notices } = await program.check(kind, "one", inLab("net.ipv4.conf.tap0.forwarding", 1));
  expect(problems).toEqual([]);
  expect(notices.map(({ message }) => message).join()).toMatch(
    /there is no sysctl net\.ipv4\.conf\.tap0\.forwarding in namespace \S+\. .*`\.name`/,
  );
});

test("one of an interface that the program makes is not missed, unless there is no such setting of any", async () => {
  await program.check("TunInterface", "tap", { name: "tap.0", owner: 1, namespace: lab.name });
  const missed = async (name: string) =>
    (await program.check(kind, "one", inLab(name, 1))).notices.map(({ message }) => message).join();
  expect(await missed("net.ipv4.conf.tap/0.forwarding")).toBe("");
  expect(await missed("net.ipv4.conf.tap/0.fowarding")).toMatch(
    /there is no sysctl net\.ipv4\.conf\.tap\/0\.fow/,
  );
  expect(await missed("net.ipv6.neigh.tap0.retrans_time")).toMatch(
    /there is no sysctl net\.ipv6\.neigh\.tap0/,
  );
});

test("what is not known yet is neither looked at nor refused", async () => {
  await program.declare(kind, "one", inLab(forward, 1));
  for (const unknown of ["name", "value", "namespace"]) {
    const { [unknown]: _, ...known } = inLab(forward, 1) as Record<string, unknown>;
    expect(await program.plan(kind, "one", known, [unknown])).toMatchObject({ changes: true, replaces: [] });
  }
});

test("a path out of /proc/sys is refused by the check", async () => {
  const { problems } = await program.check(kind, "one", inLab("net.//.//.version", 1));
  expect(problems.map(({ message }) => message).join()).toMatch(/has a part of slashes only/);
  expect(existsSync("/proc/version")).toBe(true);
});

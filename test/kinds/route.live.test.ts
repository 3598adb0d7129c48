import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Lab } from "../harness/lab";
import { Program } from "../harness/program";
import { run } from "../harness/shell";

const kind = "Route";
let lab: Lab;
let program: Program;

beforeEach(async () => {
  lab = await Lab.open();
  program = new Program();
  for (const [name, v4, v6] of [
    ["tap0", "192.0.2.1/24", "2001:db8::1/64"],
    ["tap1", "198.51.100.1/24", "2001:db8:1::1/64"],
  ] as const) {
    await lab.ip("tuntap", "add", "dev", name, "mode", "tap");
    await lab.ip("addr", "add", v4, "dev", name);
    await lab.ip("addr", "add", v6, "dev", name, "nodad");
    await lab.ip("link", "set", name, "up");
  }
});
afterEach(() => lab.close());

interface Shown {
  type?: string;
  dst: string;
  gateway?: string;
  dev?: string;
  prefsrc?: string;
  metric?: number;
  table?: string;
  scope?: string;
  protocol: string;
  flags: string[];
  metrics?: { mtu: number }[];
}

/** What ip shows of our protocol, or of another, in every table. */
async function shown(protocol = "116"): Promise<Shown[]> {
  const both = await Promise.all(
    ["-4", "-6"].map(async (family) =>
      JSON.parse(
        (await lab.ip("-N", "-j", "-d", family, "route", "show", "table", "all", "proto", protocol)) || "[]",
      ),
    ),
  );
  return both.flat();
}

/** The only one, without what says nothing. */
async function only(): Promise<Shown> {
  const [route, ...others] = await shown();
  expect(others).toEqual([]);
  return route as Shown;
}

const say = (notices: readonly { message: string }[]) => notices.map(({ message }) => message).join("\n");
const base4 = () => ({
  destination: "203.0.113.0/24",
  gateway: "192.0.2.9",
  interface: "tap0",
  namespace: lab.name,
});
const base6 = () => ({
  destination: "2001:db8:9::/48",
  gateway: "2001:db8::9",
  interface: "tap0",
  namespace: lab.name,
});

describe.each([
  ["IPv4", base4, { dst: "203.0.113.0/24", gateway: "192.0.2.9", dev: "tap0", scope: "0" }, { metric: 0 }],
  [
    "IPv6",
    base6,
    { dst: "2001:db8:9::/48", gateway: "2001:db8::9", dev: "tap0", scope: "0" },
    { metric: 1024 },
  ],
] as const)("%s", (_, base, expected, outputs) => {
  test("is made as ip shows it, is kept, and goes alone", async () => {
    await lab.ip("route", "add", "10.0.0.0/8", "via", "192.0.2.9", "proto", "static");
    const before = await shown("all");
    const made = await program.declare(kind, "one", base());
    expect(made).toMatchObject({
      operation: "create",
      outputs: { ...base(), ...outputs, type: "unicast", table: 254 },
    });
    expect(await only()).toMatchObject(expected);
    expect(program.state.get("one")?.id).toBe(`${lab.name}/${base().destination}`);
    expect((await program.newRun().declare(kind, "one", base())).operation).toBe("same");
    expect((await program.refresh("one"))?.notices).toEqual([]);
    expect((await program.declare(kind, "one", base())).operation).toBe("same");
    await program.newRun().remove("one");
    expect(await shown("all")).toEqual(before);
  });

  test("its interface went down: the plan says it, the next run puts it back", async () => {
    await program.declare(kind, "one", base());
    await lab.ip("link", "set", "tap0", "down");
    expect(await shown()).toEqual([]);
    const { notices, changes } = await program.newRun().plan(kind, "one", base());
    expect(changes).toBe(true);
    expect(say(notices)).toMatch(/ no longer exists \(its interface tap0 is down, which takes routes away\)/);
    await expect(program.declare(kind, "one", base())).rejects.toMatchObject({
      code: "ROUTE_REFUSED",
      property: "interface",
      message: expect.stringMatching(/over tap0 leads over an interface that is down .*`up: true`/),
    });
    await lab.ip("link", "set", "tap0", "up");
    await lab.ip("addr", "replace", "2001:db8::1/64", "dev", "tap0", "nodad");
    expect(say((await program.plan(kind, "one", base())).notices)).toMatch(/deleted outside this program/);
    expect((await program.declare(kind, "one", base())).operation).toBe("update");
    expect(await only()).toMatchObject(expected);
    await lab.ip("link", "del", "tap0");
    expect(say((await program.plan(kind, "one", base())).notices)).toMatch(/its interface tap0 is gone/);
    expect(await program.refresh("one")).toBeUndefined();
  });

  test("one of another protocol is refused with its description, or taken over with adopt", async () => {
    const { destination, gateway } = base();
    const family = base === base4 ? "-4" : "-6";
    await lab.ip(family, "route", "add", destination, "via", gateway, "proto", "static", "mtu", "1333");
    const before = await shown("all");
    await expect(program.declare(kind, "one", base())).rejects.toThrow(
      /^destination ".*" is taken by route \S+ via \S+ dev tap0 .*\(protocol 4, of the administrator\), which this resource did not make.*`metric`.*FOREIGN_ROUTE/,
    );
    expect(await shown("all")).toEqual(before);
    const step = await program.declare(kind, "one", { ...base(), adopt: true });
    expect(step.notices.join()).toMatch(/takes over route .*`down` will delete it/);
    // What is not declared stays.
    expect(await only()).toMatchObject({ ...expected, metrics: [{ mtu: 1333 }] });
    expect(await shown("static")).toEqual([]);
    await program.remove("one");
    expect(await shown()).toEqual([]);
  });
});

interface Row {
  name: string;
  base: () => Record<string, unknown>;
  change: Record<string, unknown>;
  /** Words for `ip route`, which change it by hand. */
  byHand: string;
  drift: RegExp;
  original: object;
  changed: object;
}

const hand4 = "203.0.113.0/24 via 192.0.2.9 dev tap0 proto 116";
const hand6 = "2001:db8:9::/48 via 2001:db8::9 dev tap0 proto 116";
const tuned = () => ({ ...base4(), mtu: 1300, source: "192.0.2.1" });
const direct = () => ({ ...base4(), gateway: undefined, scope: "link" });

const rows: Row[] = [
  {
    name: "gateway",
    base: base4,
    change: { gateway: "192.0.2.8" },
    byHand: "replace 203.0.113.0/24 via 192.0.2.7 dev tap0 proto 116",
    drift: /gateway: 192\.0\.2\.7 on the host, 192\.0\.2\.9 declared/,
    original: { gateway: "192.0.2.9" },
    changed: { gateway: "192.0.2.8" },
  },
  {
    name: "gateway (IPv6)",
    base: base6,
    change: { gateway: "2001:DB8::8" },
    byHand: "replace 2001:db8:9::/48 via 2001:db8::7 dev tap0 proto 116",
    drift: /gateway: 2001:db8::7 on the host, 2001:db8::9 declared/,
    original: { gateway: "2001:db8::9" },
    changed: { gateway: "2001:db8::8" },
  },
  {
    name: "no gateway any more",
    base: base4,
    change: { gateway: undefined },
    byHand: "replace 203.0.113.0/24 dev tap0 proto 116",
    drift: /gateway: none on the host, 192\.0\.2\.9 declared/,
    original: { gateway: "192.0.2.9", scope: "0" },
    changed: { dev: "tap0", scope: "253" },
  },
  {
    name: "interface",
    base: () => ({ ...base4(), gateway: undefined }),
    change: { interface: "tap1" },
    byHand: "replace 203.0.113.0/24 dev tap1 proto 116",
    drift: /interface: tap1 on the host, tap0 declared/,
    original: { dev: "tap0" },
    changed: { dev: "tap1" },
  },
  {
    name: "interface (IPv6)",
    base: () => ({ ...base6(), gateway: undefined }),
    change: { interface: "tap1" },
    byHand: "replace 2001:db8:9::/48 dev tap1 proto 116",
    drift: /interface: tap1 on the host, tap0 declared/,
    original: { dev: "tap0" },
    changed: { dev: "tap1" },
  },
  {
    name: "source",
    base: tuned,
    change: { source: "198.51.100.1" },
    byHand: `replace ${hand4} mtu 1300`,
    drift: /source: none on the host, 192\.0\.2\.1 declared/,
    original: { prefsrc: "192.0.2.1" },
    changed: { prefsrc: "198.51.100.1", metrics: [{ mtu: 1300 }] },
  },
  {
    name: "source (IPv6)",
    base: () => ({ ...base6(), source: "2001:db8::1" }),
    change: { source: "2001:db8:1::1" },
    byHand: `replace ${hand6}`,
    drift: /source: none on the host, 2001:db8::1 declared/,
    original: { prefsrc: "2001:db8::1" },
    changed: { prefsrc: "2001:db8:1::1" },
  },
  {
    name: "mtu",
    base: tuned,
    change: { mtu: 1280 },
    byHand: `replace ${hand4} src 192.0.2.1 mtu 1400`,
    drift: /mtu: 1400 on the host, 1300 declared/,
    original: { metrics: [{ mtu: 1300 }] },
    changed: { metrics: [{ mtu: 1280 }], prefsrc: "192.0.2.1" },
  },
  {
    name: "mtu (IPv6)",
    base: () => ({ ...base6(), mtu: 1300 }),
    change: { mtu: 1280 },
    byHand: `replace ${hand6} mtu 1400`,
    drift: /mtu: 1400 on the host, 1300 declared/,
    original: { metrics: [{ mtu: 1300 }] },
    changed: { metrics: [{ mtu: 1280 }] },
  },
  {
    name: "scope",
    base: direct,
    change: { scope: "global" },
    byHand: "replace 203.0.113.0/24 dev tap0 proto 116 scope site",
    drift: /scope: site on the host, link declared/,
    original: { scope: "253" },
    changed: { scope: "0" },
  },
  {
    name: "type",
    base: base4,
    change: { type: "blackhole", gateway: undefined, interface: undefined },
    byHand: "replace unreachable 203.0.113.0/24 proto 116",
    drift: /type: unreachable on the host, unicast declared/,
    original: { type: "1", gateway: "192.0.2.9" },
    changed: { type: "6" },
  },
  {
    name: "type (IPv6)",
    base: base6,
    change: { type: "prohibit", gateway: undefined, interface: undefined },
    byHand: "replace unreachable 2001:db8:9::/48 proto 116",
    drift: /type: unreachable on the host, unicast declared/,
    original: { type: "1", gateway: "2001:db8::9" },
    changed: { type: "8" },
  },
  {
    name: "onlink",
    base: () => ({ ...base4(), onlink: true }),
    change: { onlink: false },
    byHand: `replace ${hand4}`,
    drift: /onlink: off on the host, (on|true).* declared/,
    original: { flags: expect.arrayContaining(["onlink"]) },
    changed: { flags: expect.not.arrayContaining(["onlink"]) },
  },
  {
    name: "several next hops",
    base: base4,
    change: { gateway: "192.0.2.8" },
    byHand:
      "replace 203.0.113.0/24 proto 116 nexthop via 192.0.2.9 dev tap0 nexthop via 198.51.100.9 dev tap1",
    drift: /gateway: several next hops on the host, 192\.0\.2\.9 declared/,
    original: { gateway: "192.0.2.9" },
    changed: { gateway: "192.0.2.8" },
  },
  {
    name: "several next hops (IPv6)",
    base: base6,
    change: { gateway: "2001:db8::8" },
    byHand: "append 2001:db8:9::/48 via 2001:db8:1::9 dev tap1 proto 116",
    drift: /gateway: several next hops on the host, 2001:db8::9 declared/,
    original: { gateway: "2001:db8::9" },
    changed: { gateway: "2001:db8::8" },
  },
];

describe.each(rows)("$name", ({ base, change, byHand, drift, original, changed }) => {
  test("is changed live", async () => {
    await program.declare(kind, "one", base());
    expect(await only()).toMatchObject(original);
    expect((await program.declare(kind, "one", { ...base(), ...change })).operation).toBe("update");
    expect(await only()).toMatchObject(changed);
    expect((await program.newRun().declare(kind, "one", { ...base(), ...change })).operation).toBe("same");
  });

  test("drift is seen with both values, shown by a refresh, and repaired", async () => {
    await program.declare(kind, "one", base());
    const family = base().destination?.toString().includes(":") ? "-6" : "-4";
    await lab.ip(family, "route", ...byHand.split(" "));
    expect(say((await program.newRun().plan(kind, "one", base())).notices)).toMatch(drift);
    expect((await program.refresh("one"))?.notices.join()).toMatch(
      new RegExp(drift.source.replace("declared", "recorded")),
    );
    expect((await program.declare(kind, "one", base())).operation).toBe("update");
    expect(await only()).toMatchObject(original);
    expect((await program.declare(kind, "one", base())).operation).toBe("same");
  });
});

describe("what decides which route it is", () => {
  test.each<[string, () => Record<string, unknown>, Record<string, unknown>, object]>([
    ["destination", base4, { destination: "203.0.113.128/25" }, { dst: "203.0.113.128/25" }],
    ["metric", base4, { metric: 7 }, { dst: "203.0.113.0/24", metric: 7 }],
    ["table", base4, { table: 1000 }, { dst: "203.0.113.0/24", table: "1000" }],
    ["metric (IPv6)", base6, { metric: 7 }, { dst: "2001:db8:9::/48", metric: 7 }],
    ["table (IPv6)", base6, { table: 1000 }, { dst: "2001:db8:9::/48", table: "1000" }],
  ])(
    "%s: the new one is there before the old one goes, and back again",
    async (_, base, change, expected) => {
      await program.declare(kind, "one", base());
      const original = await only();
      const step = await program.newRun().declare(kind, "one", { ...base(), ...change });
      expect(step).toMatchObject({ operation: "update", outputs: change });
      expect(await only()).toMatchObject(expected);
      expect((await program.newRun().declare(kind, "one", { ...base(), ...change })).operation).toBe("same");
      expect((await program.declare(kind, "one", base())).operation).toBe("update");
      expect(await only()).toEqual(original);
      await program.remove("one");
      expect(await shown()).toEqual([]);
    },
  );

  test("a refused new one leaves the old one", async () => {
    await program.declare(kind, "one", base4());
    await lab.ip("route", "add", "203.0.113.0/24", "via", "192.0.2.7", "proto", "static", "metric", "7");
    const plan = await program.plan(kind, "one", { ...base4(), metric: 7 });
    expect(say(plan.notices)).toMatch(
      /is taken by route 203\.0\.113\.0\/24 via 192\.0\.2\.7 dev tap0 metric 7 .*will be refused/,
    );
    await expect(program.declare(kind, "one", { ...base4(), metric: 7 })).rejects.toMatchObject({
      code: "FOREIGN_ROUTE",
      property: "destination",
    });
    expect(await only()).toMatchObject({ gateway: "192.0.2.9" });
    expect(await shown("static")).toMatchObject([{ gateway: "192.0.2.7" }]);
  });

  test.each(["low", "high"])("two that change places end where they should, %s first", async (first) => {
    const inputs = { low: { ...base4(), metric: 5 }, high: { ...base4(), metric: 6, mtu: 1300 } };
    await program.declare(kind, "low", inputs.low);
    await program.declare(kind, "high", inputs.high);
    program.newRun();
    const changed = { low: { ...inputs.low, metric: 6 }, high: { ...inputs.high, metric: 5 } };
    const order = first === "low" ? (["low", "high"] as const) : (["high", "low"] as const);
    for (const name of order)
      expect((await program.declare(kind, name, changed[name])).operation).toBe("update");
    const [five, six, ...others] = await shown();
    expect(others).toEqual([]);
    expect(five).toMatchObject({ metric: 5, metrics: [{ mtu: 1300 }] });
    expect(six).toMatchObject({ metric: 6, gateway: "192.0.2.9" });
    program.newRun();
    for (const name of order)
      expect((await program.declare(kind, name, changed[name])).operation).toBe("same");
    await program.removeAll();
    expect(await shown()).toEqual([]);
  });

  test("two resources that claim one are refused, in another spelling too", async () => {
    await program.declare(kind, "one", {
      destination: "default",
      gateway: "2001:db8::9",
      namespace: lab.name,
    });
    await expect(
      program.declare(kind, "two", {
        destination: "::/0",
        gateway: "2001:db8::8",
        metric: 1024,
        namespace: lab.name,
      }),
    ).rejects.toThrow(
      /^destination "::\/0" \(::\/0\) is claimed by Route "one" of this program already; declare it once/,
    );
  });

  test("one that was given another logical name stays when the old resource goes", async () => {
    await program.declare(kind, "old", base4());
    const next = program.newRun();
    const [kept] = [next.state.get("old")!];
    next.state.delete("old");
    expect((await next.declare(kind, "new", base4())).operation).toBe("create");
    next.state.set("old", kept);
    await next.remove("old");
    expect(await only()).toMatchObject({ gateway: "192.0.2.9" });
    await next.remove("new");
  });
});

describe("default routes", () => {
  test.each<[string, Record<string, unknown>, object]>([
    [
      "by a gateway",
      { destination: "default", gateway: "192.0.2.9" },
      { dst: "default", gateway: "192.0.2.9" },
    ],
    [
      "in digits",
      { destination: "0.0.0.0/0", interface: "tap0" },
      { dst: "default", dev: "tap0", scope: "253" },
    ],
    [
      "of IPv6",
      { destination: "default", gateway: "2001:db8::9" },
      { dst: "default", gateway: "2001:db8::9" },
    ],
    ["of IPv6 by an interface", { destination: "::/0", interface: "tap0" }, { dst: "default", dev: "tap0" }],
    [
      "of IPv6 by a link-local gateway",
      { destination: "default", gateway: "fe80::9", interface: "tap0" },
      { dst: "default", gateway: "fe80::9", dev: "tap0" },
    ],
  ])("%s", async (_, inputs, expected) => {
    const declared = { ...inputs, namespace: lab.name };
    const made = await program.declare(kind, "one", declared);
    expect(made.outputs).toMatchObject(inputs);
    expect(await only()).toMatchObject(expected);
    expect((await program.newRun().declare(kind, "one", declared)).operation).toBe("same");
    expect((await program.refresh("one"))?.outputs).toMatchObject(inputs);
    await program.remove("one");
    expect(await shown()).toEqual([]);
  });
});

test("somebody else's of the same key beside ours: ours is changed and removed, the other stays", async () => {
  await program.declare(kind, "one", base4());
  await lab.ip("route", "prepend", "203.0.113.0/24", "via", "192.0.2.7", "proto", "static");
  const foreign = await shown("static");
  expect((await program.declare(kind, "one", base4())).operation).toBe("same");
  expect((await program.declare(kind, "one", { ...base4(), gateway: "192.0.2.8" })).operation).toBe("update");
  expect(await only()).toMatchObject({ gateway: "192.0.2.8" });
  expect(await shown("static")).toEqual(foreign);
  await program.remove("one");
  expect(await shown()).toEqual([]);
  expect(await shown("static")).toEqual(foreign);
});

test("ours was replaced by somebody: said, refused, and not deleted", async () => {
  await program.declare(kind, "one", base4());
  await lab.ip("route", "replace", "203.0.113.0/24", "via", "192.0.2.7", "proto", "static");
  const plan = await program.newRun().plan(kind, "one", base4());
  expect(say(plan.notices)).toMatch(
    /no longer exists, and its name is taken by route 203\.0\.113\.0\/24 via 192\.0\.2\.7/,
  );
  await expect(program.declare(kind, "one", base4())).rejects.toMatchObject({ code: "FOREIGN_ROUTE" });
  await program.remove("one");
  expect(await shown("static")).toHaveLength(1);
});

describe("one that this package made, and of which there is no record", () => {
  const warning = (destination: string) =>
    new RegExp(
      `^route ${destination} via 192\\.0\\.2\\.9 dev tap0 \\(protocol 116, of pulumi-tuntap\\) is there already, and this resource has no record of it: if another program declares it, they share it`,
    );

  test("is shared by two programs, which the plan of the second says", async () => {
    const second = new Program();
    expect((await program.declare(kind, "one", base4())).notices).toEqual([]);
    const other = { ...base4(), gateway: "192.0.2.8" };
    const { problems, notices } = await second.check(kind, "one", other);
    expect(problems).toEqual([]);
    expect(notices.map(({ message }) => message)).toEqual([
      expect.stringMatching(warning("203\\.0\\.113\\.0/24")),
    ]);
    await second.declare(kind, "one", other);
    expect(await only()).toMatchObject({ gateway: "192.0.2.8" });
    expect((await second.newRun().declare(kind, "one", other)).notices).toEqual([]);
    expect(say((await program.newRun().plan(kind, "one", base4())).notices)).toMatch(
      /gateway: 192\.0\.2\.8 on the host, 192\.0\.2\.9 declared: changed outside this program/,
    );
  });

  test("is said, too, where a route is to become that one", async () => {
    const second = new Program();
    await program.declare(kind, "one", base4());
    await second.declare(kind, "one", { ...base4(), destination: "203.0.112.0/24" });
    const plan = await second.newRun().plan(kind, "one", base4());
    expect(plan.notices.map(({ message }) => message)).toEqual([
      expect.stringMatching(warning("203\\.0\\.113\\.0/24")),
    ]);
  });
});

test("another namespace: it goes here and comes there", async () => {
  const other = await Lab.open();
  try {
    await other.ip("tuntap", "add", "dev", "tap0", "mode", "tap");
    await other.ip("addr", "add", "192.0.2.1/24", "dev", "tap0");
    await other.ip("link", "set", "tap0", "up");
    await program.declare(kind, "one", base4());
    expect((await program.declare(kind, "one", { ...base4(), namespace: other.name })).operation).toBe(
      "replace",
    );
    expect(await shown()).toEqual([]);
    expect(await other.ip("route", "show", "proto", "116")).toContain("203.0.113.0/24");
    await run("ip", "netns", "del", other.name);
    await program.remove("one");
  } finally {
    await other.close();
  }
});

test("an orphan of an interrupted run is taken up, but not by a program that cannot know it", async () => {
  await program.declare(kind, "one", base4());
  expect((await new Program(program.instance).declare(kind, "one", base4())).operation).toBe("create");
  const nameless = Object.assign(new Program(), { instance: undefined });
  await expect(nameless.declare(kind, "one", base4())).rejects.toMatchObject({
    code: "FOREIGN_ROUTE",
    message: expect.stringMatching(/an interrupted run, or another clone of this program, left route 203/),
  });
  expect((await nameless.declare(kind, "one", { ...base4(), adopt: true })).operation).toBe("create");
});

test("what is not known yet is neither looked at nor refused", async () => {
  const inputs: Record<string, unknown> = { ...base4(), destination: "default", metric: 5 };
  await program.declare(kind, "one", inputs);
  for (const unknown of [...Object.keys(inputs), "table", "source"]) {
    const { [unknown]: _, ...known } = inputs;
    expect(await program.plan(kind, "one", known, [unknown])).toMatchObject({
      changes: true,
      replaces: [],
      notices: [],
    });
  }
});

test("an interface that is not there yet is warned of in the plan only", async () => {
  const { problems, notices } = await program.check(kind, "one", { ...base4(), interface: "tap9" });
  expect(problems).toEqual([]);
  expect(say(notices)).toMatch(
    /interface "tap9" does not exist in namespace .*pass that resource's `\.name`/,
  );
});

describe("what the kernel refuses is explained", () => {
  test.each<[string, Record<string, unknown>, string, RegExp]>([
    [
      "a gateway out of reach",
      { gateway: "172.16.0.1", interface: undefined },
      "gateway",
      /gateway 172\.16\.0\.1 .*not reached directly.*ENETUNREACH.*"Nexthop has invalid gateway.*onlink: true/,
    ],
    [
      "an IPv6 gateway out of reach",
      { destination: "2001:db8:9::/48", gateway: "2001:db8:ffff::1", interface: undefined },
      "gateway",
      /gateway 2001:db8:ffff::1 .*not reached directly.*EHOSTUNREACH/,
    ],
    [
      "a source of nobody",
      { source: "192.0.2.77" },
      "source",
      /source 192\.0\.2\.77 .*EINVAL.*must be an address of this host/,
    ],
    [
      "an interface that is missing",
      { interface: "tap9" },
      "interface",
      /there is no interface tap9 in namespace/,
    ],
    [
      "oneself as IPv6 gateway",
      { destination: "2001:db8:9::/48", gateway: "2001:db8::1" },
      "gateway",
      /refused the route to 2001:db8:9::\/48 by gateway 2001:db8::1.*local address.*not this host's/,
    ],
  ])("%s", async (_, change, property, message) => {
    await expect(program.declare(kind, "one", { ...base4(), ...change })).rejects.toMatchObject({
      code: "ROUTE_REFUSED",
      property,
      message: expect.stringMatching(message),
    });
    expect(await shown()).toEqual([]);
  });

  test("a namespace that is missing", async () => {
    await expect(program.declare(kind, "one", { ...base4(), namespace: "tt-missing" })).rejects.toMatchObject(
      {
        code: "NAMESPACE_MISSING",
      },
    );
  });
});

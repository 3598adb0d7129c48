import { beforeEach, describe, expect, test } from "vitest";
import { Host } from "../../provider/host/host";
import { openKernel } from "../../provider/kernel/open";
import { kinds } from "../../provider/kinds";
import type { Kind } from "../../provider/kinds/kind";
import { Lab } from "../harness/lab";
import { Program } from "../harness/program";
import { run } from "../harness/shell";
import { leasesOf, rules, shownTable, useNatLab } from "./nat-lab";
import { describeRows, type Row } from "./rows";
import { lab, program, said } from "./tun-lab";

useNatLab();

/** Else every check waits a moment for a Sysctl that turns it on. */
beforeEach(() =>
  lab.exec("sh", "-c", "cd /proc/sys/net && echo 1 >ipv4/ip_forward && echo 1 >ipv6/conf/all/forwarding"),
);

const kind = "Nat";
const base = () => ({
  source: ["192.0.2.0/24", "2001:db8::/64"],
  forwards: [
    { protocol: "tcp", port: 8080, to: "192.0.2.10", toPort: 80 },
    { protocol: "udp", port: "5000-5010", to: "2001:db8::10" },
  ],
  namespace: lab.name,
});
const nft = (...words: string[]) => lab.exec("nft", ...words);
/** Deletes the rule that reads so. */
async function deleteRule(chain: string, text: string): Promise<void> {
  const listing = await nft("-a", "list", "chain", "inet", "dev0", chain);
  const line = listing.split("\n").find((candidate) => candidate.trim().startsWith(text));
  const handle = /# handle (\d+)$/.exec(line ?? "")?.[1];
  if (handle === undefined) throw new Error(`no rule ${text}`);
  await nft("delete", "rule", "inet", "dev0", chain, "handle", handle);
}

test("one table: made, kept, and deleted as one; others are never touched", async () => {
  await nft("add", "table", "inet", "others");
  const made = await program.declare(kind, "dev0", base());
  expect(made.operation).toBe("create");
  expect(made.outputs).toMatchObject({ ...base(), name: "dev0", allowForwarding: false });
  expect(program.state.get("dev0")?.id).toBe(`${lab.name}/dev0`);
  expect(await shownTable("dev0")).toEqual([
    "table inet dev0 {",
    expect.stringMatching(/^chain tuntap-0-[0-9a-f]{32} \{$/),
    "chain postrouting {",
    "type nat hook postrouting priority srcnat; policy accept;",
    "ip daddr 192.0.2.0/24 return",
    "ip6 daddr 2001:db8::/64 return",
    "ip saddr 192.0.2.0/24 masquerade",
    "ip6 saddr 2001:db8::/64 masquerade",
    "chain prerouting {",
    "type nat hook prerouting priority dstnat; policy accept;",
    "fib daddr type local tcp dport 8080 dnat ip to 192.0.2.10:80",
    "fib daddr type local udp dport 5000-5010 dnat ip6 to 2001:db8::10",
  ]);
  const before = await nft("-a", "list", "ruleset");
  expect((await program.newRun().declare(kind, "dev0", base())).operation).toBe("same");
  expect(await nft("-a", "list", "ruleset")).toBe(before);
  await program.remove("dev0");
  expect(await nft("list", "tables")).toBe("table inet others\n");
});

const rows: Row[] = [
  {
    name: "source",
    change: { source: ["198.51.100.0/24"] },
    byHand: () => deleteRule("postrouting", "ip6 saddr"),
    drift: /source: 192\.0\.2\.0\/24 on the host, 192\.0\.2\.0\/24, 2001:db8::\/64 (declared|recorded)/,
    read: async () => (await rules("dev0")).filter((line) => line.includes("masquerade")),
    original: ["ip saddr 192.0.2.0/24 masquerade", "ip6 saddr 2001:db8::/64 masquerade"],
    changed: ["ip saddr 198.51.100.0/24 masquerade"],
  },
  {
    name: "snatTo",
    change: { source: ["192.0.2.0/24"], snatTo: "198.51.100.7" },
    byHand: async () => {
      await deleteRule("postrouting", "ip saddr");
      await nft(..."add rule inet dev0 postrouting ip saddr 192.0.2.0/24 snat ip to 198.51.100.9".split(" "));
    },
    drift: /snatTo: 198\.51\.100\.9 on the host, masquerade (declared|recorded)/,
    read: async () => (await rules("dev0")).filter((line) => line.startsWith("ip saddr")),
    original: ["ip saddr 192.0.2.0/24 masquerade"],
    changed: ["ip saddr 192.0.2.0/24 snat ip to 198.51.100.7"],
  },
  {
    name: "outInterface",
    change: { outInterface: "up0" },
    byHand: async () => {
      await deleteRule("postrouting", "ip saddr");
      await nft(
        ..."insert rule inet dev0 postrouting oifname up0 ip saddr 192.0.2.0/24 masquerade".split(" "),
      );
    },
    drift: /outInterface: up0 on the host, any (declared|recorded)/,
    read: async () => (await rules("dev0")).filter((line) => /(masquerade|8080)/.test(line)),
    original: [
      "ip saddr 192.0.2.0/24 masquerade",
      "ip6 saddr 2001:db8::/64 masquerade",
      "fib daddr type local tcp dport 8080 dnat ip to 192.0.2.10:80",
    ],
    changed: [
      'oifname "up0" ip saddr 192.0.2.0/24 masquerade',
      'oifname "up0" ip6 saddr 2001:db8::/64 masquerade',
      'iifname "up0" fib daddr type local tcp dport 8080 dnat ip to 192.0.2.10:80',
    ],
  },
  {
    name: "forwards",
    change: { forwards: [{ protocol: "tcp", port: 22, to: "2001:db8::22", toPort: 2222 }] },
    byHand: async () => {
      await deleteRule("prerouting", "fib daddr type local tcp");
      await nft(
        ..."add rule inet dev0 prerouting fib daddr type local tcp dport 8080 dnat ip to 192.0.2.66:80".split(
          " ",
        ),
      );
    },
    drift: /forwards: .*tcp 8080 to 192\.0\.2\.66:80.* on the host, tcp 8080 to 192\.0\.2\.10:80, udp/,
    read: async () => (await rules("dev0")).filter((line) => line.includes("tcp")),
    original: ["fib daddr type local tcp dport 8080 dnat ip to 192.0.2.10:80"],
    changed: ["fib daddr type local tcp dport 22 dnat ip6 to [2001:db8::22]:2222"],
  },
  {
    name: "allowForwarding",
    change: { allowForwarding: true },
    byHand: async () => {
      const chain = "{ type filter hook forward priority 0; policy accept; }";
      await nft("add", "chain", "inet", "dev0", "forward", chain);
      await nft(..."add rule inet dev0 forward ip saddr 192.0.2.0/24 accept".split(" "));
    },
    drift: /allowForwarding: on on the host, off (declared|recorded)/,
    read: async () => (await rules("dev0")).filter((line) => / accept$/.test(line)),
    original: [],
    changed: [
      "ip saddr 192.0.2.0/24 accept",
      "ip daddr 192.0.2.0/24 ct state established,related accept",
      "ip6 saddr 2001:db8::/64 accept",
      "ip6 daddr 2001:db8::/64 ct state established,related accept",
      "ct status dnat ip daddr 192.0.2.10 tcp dport 80 accept",
      "ip saddr 192.0.2.10 tcp sport 80 ct state established,related accept",
      "ct status dnat ip6 daddr 2001:db8::10 udp dport 5000-5010 accept",
      "ip6 saddr 2001:db8::10 udp sport 5000-5010 ct state established,related accept",
    ],
  },
];
describeRows(base, rows, kind, "none");

describe("what others did in the table is drift, said and set back", () => {
  const original = () => shownTable("dev0");
  const add = (text: string) => nft(...text.split(" "));
  test.each<[string, () => Promise<unknown>, RegExp]>([
    [
      "a rule more",
      () => add("insert rule inet dev0 postrouting ip saddr 10.0.0.1 drop"),
      /rules: \+ postrouting: ip saddr 10\.0\.0\.1 drop on the host, as they follow from that declared/,
    ],
    [
      "a rule twice",
      () => add("add rule inet dev0 postrouting ip daddr 192.0.2.0/24 return"),
      /rules: \+ postrouting: ip daddr 192\.0\.2\.0\/24 return on the host/,
    ],
    [
      "a rule less",
      () => deleteRule("postrouting", "ip daddr 192.0.2.0/24 return"),
      /rules: - postrouting: ip daddr 192\.0\.2\.0\/24 return on the host/,
    ],
    [
      "another order",
      async () => {
        await deleteRule("postrouting", "ip saddr");
        await add("insert rule inet dev0 postrouting ip saddr 192.0.2.0/24 masquerade");
      },
      /rules: rules in another order on the host/,
    ],
    [
      "a rule that counts now",
      async () => {
        await deleteRule("prerouting", "fib daddr type local tcp");
        await add(
          "insert rule inet dev0 prerouting fib daddr type local tcp dport 8080 counter dnat ip to 192.0.2.10:80",
        );
      },
      /rules: \+ prerouting: fib daddr type local tcp dport 8080 counter dnat ip to 192\.0\.2\.10:80; - prer/,
    ],
    [
      "a negation",
      async () => {
        await deleteRule("postrouting", "ip6 daddr");
        await add("insert rule inet dev0 postrouting ip6 daddr != 2001:db8::/64 return");
      },
      /rules: \+ postrouting: ip6 daddr != 2001:db8::\/64 return; - postrouting: ip6 daddr 2001:db8::\/64/,
    ],
    [
      "a policy",
      () => nft("add", "chain", "inet", "dev0", "postrouting", "{ policy drop; }"),
      /rules: \+ chain postrouting \(type nat, hook postrouting, priority 100, policy drop\); - chain/,
    ],
    [
      "a chain that drops all",
      () =>
        nft(
          "add",
          "chain",
          "inet",
          "dev0",
          "forward",
          "{ type filter hook forward priority 0; policy drop; }",
        ),
      /rules: \+ chain forward \(type filter, hook forward, priority 0, policy drop\) on the host/,
    ],
    ["a chain", () => add("add chain inet dev0 more"), /rules: \+ chain more on the host/],
    [
      "a set",
      () => nft("add", "set", "inet", "dev0", "many", "{ type ipv4_addr; }"),
      /rules: \+ set many on the host/,
    ],
    [
      "all rules",
      () => add("flush table inet dev0"),
      /source: none on the host.*\n.*forwards: none on the host/,
    ],
    ["a chain's end", () => add("delete chain inet dev0 prerouting"), /forwards: none on the host/],
  ])("%s", async (_, byHand, drift) => {
    await program.declare(kind, "dev0", base());
    const before = await original();
    if (_ === "a chain's end") await add("flush chain inet dev0 prerouting");
    await byHand();
    const plan = await program.newRun().plan(kind, "dev0", base());
    expect(plan.changes).toBe(true);
    expect(said(plan)).toMatch(drift);
    expect((await program.declare(kind, "dev0", base())).operation).toBe("update");
    expect(await original()).toEqual(before);
    expect((await program.declare(kind, "dev0", base())).operation).toBe("same");
  });

  test("the table switched off", async () => {
    await program.declare(kind, "dev0", base());
    const before = await original();
    await nft("add", "table", "inet", "dev0", "{ flags dormant; }");
    const plan = await program
      .newRun()
      .plan(kind, "dev0", base())
      .catch((error) => error);
    // nft 1.0.6 ends over it, or prints what is no JSON, or another flag.
    const told = plan instanceof Error ? plan.message : said(plan);
    expect(told).toMatch(/rules: \+ flags dormant on the host|`flags dormant`.*nft add table FAMILY NAME/);
    if (plan instanceof Error) return;
    await program.declare(kind, "dev0", base());
    expect(await original()).toEqual(before);
  });

  test("but not a comment, nor other words for the same", async () => {
    await program.declare(kind, "dev0", base());
    await deleteRule("postrouting", "ip6 saddr");
    await nft(
      "add",
      "rule",
      "inet",
      "dev0",
      "postrouting",
      "ip6 saddr 2001:0db8::/64 masquerade",
      'comment "x"',
    );
    expect((await program.newRun().declare(kind, "dev0", base())).operation).toBe("same");
  });
});

test("other words of the program for the same are no change", async () => {
  await program.declare(kind, "dev0", base());
  const { source, forwards, namespace } = base();
  const inOtherWords = {
    namespace,
    source: [...source].reverse().map((network) => network.replace("db8::", "DB8:0::")),
    forwards: [...forwards].reverse().map((forward) => ({ ...forward, port: String(forward.port) })),
  };
  const before = await nft("-a", "list", "ruleset");
  const step = await program.declare(kind, "dev0", inOtherWords);
  expect(step.operation).toBe("same");
  expect(await nft("-a", "list", "ruleset")).toBe(before);
});

test("IPv6 addresses that nft shows with an IPv4 address in them are those that were declared", async () => {
  const inputs = {
    source: ["::ffff:192.0.2.0/120", "::192.0.2.1/128"],
    snatTo: "::192.0.2.9",
    forwards: [{ protocol: "tcp", port: 80, to: "::1.2.3.4", toPort: 8080 }],
    allowForwarding: true,
    namespace: lab.name,
  };
  const { outputs } = await program.declare(kind, "dev0", inputs);
  expect(outputs).toMatchObject({ source: inputs.source, snatTo: inputs.snatTo, forwards: inputs.forwards });
  const shown = (await rules("dev0")).join("\n");
  expect(shown).toMatch(
    /ip6 saddr ::ffff:(192\.0\.2\.0|c000:200)\/120 snat ip6 to ::(192\.0\.2\.9|c000:209)$/m,
  );
  expect(shown).toMatch(/dnat ip6 to \[::(1\.2\.3\.4|102:304)\]:8080$/m);
  expect((await program.newRun().declare(kind, "dev0", inputs)).operation).toBe("same");
  const forwards = [{ ...inputs.forwards[0], to: "::ffff:1.2.3.4" }];
  expect((await program.declare(kind, "dev0", { ...inputs, forwards })).operation).toBe("update");
});

test("an interface of a name that means something elsewhere is that one", async () => {
  const inputs = { ...base(), outInterface: "ü*x'{$;#.5" };
  await program.declare(kind, "dev0", inputs);
  expect((await rules("dev0"))[0]).toBe('oifname "ü*x\'{$;#.5" ip saddr 192.0.2.0/24 masquerade');
  expect(await program.newRun().declare(kind, "dev0", inputs)).toMatchObject({
    operation: "same",
    outputs: { outInterface: inputs.outInterface },
  });
});

test("what is no longer declared goes", async () => {
  await program.declare(kind, "dev0", { ...base(), allowForwarding: true, outInterface: "up0" });
  const { forwards: _, ...less } = base();
  // Nothing of it stays, so nothing is said of it.
  expect(await program.declare(kind, "dev0", less)).toMatchObject({ operation: "update", notices: [] });
  expect(await rules("dev0")).toEqual([
    "ip daddr 192.0.2.0/24 return",
    "ip6 daddr 2001:db8::/64 return",
    "ip saddr 192.0.2.0/24 masquerade",
    "ip6 saddr 2001:db8::/64 masquerade",
  ]);
  const { source: __, ...only } = base();
  expect((await program.declare(kind, "dev0", only)).notices).toEqual([]);
  expect(await rules("dev0")).toHaveLength(2);
  expect(program.state.get("dev0")?.outputs).not.toHaveProperty("source");
});

describe("whose it is", () => {
  test("a rename makes it anew under the other name in one transaction, and a swap of names works", async () => {
    await program.declare(kind, "one", { ...base(), name: "dev0" });
    const [lease] = await leasesOf("dev0");
    expect((await program.declare(kind, "one", { ...base(), name: "dev1" })).operation).toBe("update");
    expect(await leasesOf("dev1")).toEqual([lease]);
    expect(await nft("list", "tables")).toBe("table inet dev1\n");
    await program.declare(kind, "two", { source: ["10.0.0.0/8"], namespace: lab.name, name: "dev2" });
    program.newRun();
    await program.declare(kind, "one", { ...base(), name: "dev2" });
    await program.declare(kind, "two", { source: ["10.0.0.0/8"], namespace: lab.name, name: "dev1" });
    expect(await leasesOf("dev2")).toEqual([lease]);
    expect(await rules("dev1")).toContain("ip saddr 10.0.0.0/8 masquerade");
    for (const name of ["one", "two"]) await program.remove(name);
    expect(await nft("list", "tables")).toBe("");
  });

  test("a foreign table is refused with its description, and taken over where that is asked for", async () => {
    await nft("add", "table", "inet", "dev0");
    await nft("add", "chain", "inet", "dev0", "mine");
    await expect(program.declare(kind, "dev0", base())).rejects.toThrow(
      /^name "dev0" is taken by table inet dev0 \(has 1 other lines; no lease\), which .*adopt: true.*\[FOREIGN_TABLE\]/,
    );
    expect(await shownTable("dev0")).toEqual(["table inet dev0 {", "chain mine {"]);
    const { notices } = await program.check(kind, "dev0", { ...base(), adopt: true });
    expect(notices.map(({ message }) => message).join()).toMatch(
      /takes over table inet dev0 .*will delete it/,
    );
    expect((await program.declare(kind, "dev0", { ...base(), adopt: true })).operation).toBe("create");
    expect(await leasesOf("dev0")).toHaveLength(1);
    expect(await shownTable("dev0")).not.toContain("chain mine {");
    await program.remove("dev0");
    expect(await nft("list", "tables")).toBe("");
  });

  test("a table of the same name in another family is another table", async () => {
    await nft("add", "table", "ip", "dev0");
    await program.declare(kind, "dev0", base());
    await program.remove("dev0");
    expect(await nft("list", "tables")).toBe("table ip dev0\n");
  });

  test("a lost lease is restored, and a table that somebody made instead is not taken for it", async () => {
    await program.declare(kind, "dev0", base());
    const [lease] = await leasesOf("dev0");
    await nft("delete", "chain", "inet", "dev0", lease as string);
    expect(said(await program.newRun().plan(kind, "dev0", base()))).toMatch(
      new RegExp(`its lease ${lease} was taken off; it will be restored`),
    );
    expect((await program.declare(kind, "dev0", base())).operation).toBe("update");
    expect(await leasesOf("dev0")).toEqual([lease]);
    await nft("delete", "table", "inet", "dev0");
    await nft("add", "table", "inet", "dev0");
    const plan = await program.newRun().plan(kind, "dev0", base());
    expect(said(plan)).toMatch(/it no longer exists, and its name is taken by table inet dev0 \(no lease\)/);
    await expect(program.declare(kind, "dev0", base())).rejects.toMatchObject({ code: "FOREIGN_TABLE" });
    await program.remove("dev0");
    expect(await nft("list", "tables")).toBe("table inet dev0\n");
  });

  test("a deleted table is made anew", async () => {
    await program.declare(kind, "dev0", base());
    await nft("flush", "ruleset");
    expect(said(await program.newRun().plan(kind, "dev0", base()))).toMatch(
      /dev0 in namespace \S+ no longer exists \(it was deleted outside this program\); it will be made anew/,
    );
    expect((await program.declare(kind, "dev0", base())).operation).toBe("update");
    expect(await rules("dev0")).toHaveLength(6);
  });

  test("an orphan of an interrupted run is taken up; that of another clone is refused", async () => {
    await program.declare(kind, "dev0", base());
    program.state.clear();
    const { namespace } = base();
    const step = await program.newRun().declare(kind, "dev0", { namespace, source: ["10.0.0.0/8"] });
    expect(step.operation).toBe("create");
    expect(await rules("dev0")).toEqual(["ip daddr 10.0.0.0/8 return", "ip saddr 10.0.0.0/8 masquerade"]);
    await expect(new Program("another").declare(kind, "dev0", base())).rejects.toMatchObject({
      code: "FOREIGN_TABLE",
      message: expect.stringMatching(/taken by table inet dev0 \(translates 10\.0\.0\.0\/8; lease tuntap-0-/),
    });
  });

  test("two resources of one name are refused", async () => {
    await program.declare(kind, "one", { ...base(), name: "dev0" });
    await expect(program.declare(kind, "two", { ...base(), name: "dev0" })).rejects.toThrow(
      /^name "dev0" is claimed by Nat "one" of this program already; give one of them another name/,
    );
  });
});

describe("two Nat that forward one port", () => {
  const forwards = (port: unknown, more: object = {}) => [
    { protocol: "tcp", port, to: "192.0.2.10", ...more },
  ];
  const one = (inputs: object = {}) => ({ forwards: forwards("8000-8010"), namespace: lab.name, ...inputs });

  test.each([
    [{}, { forwards: forwards(8005) }, "8005 (tcp, IPv4)"],
    [
      { outInterface: "eth0" },
      { outInterface: "eth0", forwards: forwards("8010-8020") },
      "8010-8020 (tcp, IPv4) by eth0",
    ],
    [{ outInterface: "eth0" }, { forwards: forwards("7990-8000") }, "7990-8000 (tcp, IPv4)"],
    [{}, { outInterface: "eth0" }, "8000-8010 (tcp, IPv4) by eth0"],
  ])("%j and %j are refused", async (first, second, name) => {
    await program.check(kind, "one", one(first));
    const { problems } = await program.check(kind, "two", one(second));
    expect(problems).toEqual([
      {
        property: "forwards",
        code: "NAME_CLAIMED",
        message: `forwards[0].port "${name}" is claimed by Nat "one" of this program already; forward each port once [NAME_CLAIMED]`,
      },
    ]);
  });

  test.each([
    [{ outInterface: "eth0" }, { outInterface: "eth1" }],
    [{}, { forwards: forwards(8011) }],
    [{}, { forwards: forwards(8000, { protocol: "udp" }) }],
    [{}, { forwards: forwards(8000, { to: "2001:db8::10" }) }],
  ])("%j and %j are not", async (first, second) => {
    await program.check(kind, "one", one(first));
    expect((await program.check(kind, "two", one(second))).problems).toEqual([]);
  });

  test("nor one that is not known yet by which interface", async () => {
    await program.declare(kind, "two", one({ outInterface: "eth1" }));
    program.newRun();
    await program.check(kind, "one", one({ outInterface: "eth0" }));
    expect((await program.plan(kind, "two", one(), ["outInterface"])).changes).toBe(true);
  });
});

test("another namespace: deleted here, made there", async () => {
  await program.declare(kind, "dev0", base());
  const other = await Lab.open();
  try {
    const moved = { ...base(), namespace: other.name };
    expect((await program.declare(kind, "dev0", moved)).operation).toBe("replace");
    expect(await nft("list", "tables")).toBe("");
    expect(await rules("dev0", other)).toHaveLength(6);
    await run("ip", "netns", "del", other.name);
    await expect(program.newRun().declare(kind, "dev0", moved)).rejects.toMatchObject({
      code: "NAMESPACE_MISSING",
    });
    await program.remove("dev0");
  } finally {
    await other.close();
  }
});

test("the longest name, and an automatic one instead of a word of nft's language", async () => {
  const longest = "n".repeat(255);
  await program.declare(kind, "one", { ...base(), name: longest });
  expect(await shownTable(longest)).toHaveLength(12);
  const { outputs } = await program.declare(kind, "mark", { source: ["10.0.0.0/8"], namespace: lab.name });
  expect(outputs.name).toMatch(/^mark-[0-9a-f]{6}$/);
  // As it is read at the start of a host.
  const file = await nft("list", "ruleset");
  await lab.exec("sh", "-c", `nft flush ruleset && printf '%s' "$0" | nft -f -`, file);
  expect((await program.newRun().declare(kind, "one", { ...base(), name: longest })).operation).toBe("same");
});

test("values of secret inputs are in no message", async () => {
  const secretive = new Program("x", "dev", "test", ["source", "forwards"]);
  await secretive.declare(kind, "dev0", base());
  await nft("flush", "table", "inet", "dev0");
  await nft("add", "rule", "inet", "dev0", "postrouting", "ip saddr 192.0.2.0/24 drop");
  const text = said(await secretive.newRun().plan(kind, "dev0", base()));
  expect(text).toMatch(/source: not the declared \(secret\) value/);
  expect(text).not.toMatch(/192\.0\.2|2001:db8|8080/);
  await secretive.remove("dev0");
});

test("what nft refuses is said in its words, and nothing is left", async () => {
  await lab.exec("sh", "-c", "nft add table inet dev0 && nft add chain inet dev0 x");
  // Another one took the name between the look and the write.
  const nat = kinds.Nat as Kind;
  const host = new Host(openKernel());
  const target = { lease: `tuntap-0-${"0".repeat(32)}`, namespace: lab.name, name: "dev0" };
  const desired = await nat.desire(base(), host);
  await expect(nat.create(target, desired, host)).rejects.toMatchObject({
    code: "NFT_REFUSED",
    message: expect.stringMatching(/tables of nftables were not written; it says: .*File exists/),
  });
  expect(await shownTable("dev0")).toEqual(["table inet dev0 {", "chain x {"]);
});

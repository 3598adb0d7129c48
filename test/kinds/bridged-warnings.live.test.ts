/** A bridge whose ports do not reach one another, as br_netfilter shows their packets to a forward chain that drops. */

import { beforeEach, describe, expect, test } from "vitest";
import { Lab } from "../harness/lab";
import { hasLegacyTables, makeLegacyTable } from "../harness/legacy-tables";
import { Program } from "../harness/program";
import { attempt } from "../harness/shell";
import { useNatLab } from "./nat-lab";
import { lab, program, said } from "./tun-lab";

useNatLab();

const nft = (text: string) => lab.exec("nft", text);
const sysctl = (name: string, value: number) =>
  lab.exec("sysctl", "-q", "-w", `net.bridge.bridge-nf-call-${name}=${value}`);
const inputs = (more: Record<string, unknown> = {}) => ({
  address: "192.0.2.1/24",
  namespace: lab.name,
  ...more,
});
const warnings = async (more: Record<string, unknown> = {}, of = program.newRun()) =>
  said(await of.check("Bridge", "br0", inputs(more)));
const chain = (table: string, policy = "drop", name = "FORWARD") =>
  nft(
    `add table ${table}; add chain ${table} ${name} { type filter hook forward priority 0; policy ${policy}; }`,
  );

beforeEach(async () => {
  await sysctl("iptables", 1);
  await sysctl("ip6tables", 0);
});

test("is told of, and what it tells to do helps", async () => {
  const machines = await Promise.all([Lab.open(), Lab.open()]);
  try {
    await program.declare("Bridge", "br0", inputs());
    for (const [at, machine] of machines.entries()) {
      await lab.ip("link", "add", `vm${at}`, "type", "veth", "peer", "name", "eth0", "netns", machine.name);
      await lab.ip("link", "set", `vm${at}`, "master", "br0", "up");
      await machine.ip("addr", "add", `192.0.2.1${at}/24`, "dev", "eth0");
      await machine.ip("link", "set", "eth0", "up");
    }
    const [machine] = machines as [Lab, Lab];
    const ping = async () =>
      (await attempt("ip", "netns", "exec", machine.name, "ping", "-c1", "-W1", "192.0.2.11")).code === 0;
    expect(await ping()).toBe(true);
    expect(await warnings()).toBe("");

    await chain("inet fw");
    expect(await ping()).toBe(false);
    const text = await warnings();
    expect(text).toMatch(
      /^chain FORWARD of table inet fw \(hook forward, priority 0\) has policy drop, and as net\.bridge\.bridge-nf-call-iptables is 1, IPv4 packets that this bridge passes from port to port go through it, too: they are lost unless .*\. Let it accept them: `nft insert rule inet fw FORWARD iifname br0 oifname br0 accept`; or, where nothing .* declare a Sysctl that sets net\.bridge\.bridge-nf-call-iptables to 0$/,
    );
    const [, command = ""] = /`nft (.*?)`/.exec(text) ?? [];
    await nft(command);
    expect(await ping()).toBe(true);
    expect(await warnings()).toBe("");

    await nft("flush chain inet fw FORWARD");
    expect(await ping()).toBe(false);
    await sysctl("iptables", 0);
    expect(await ping()).toBe(true);
    expect(await warnings()).toBe("");
  } finally {
    // At once, not some time after their namespaces are gone.
    for (const at of machines.keys()) await attempt("ip", "-n", lab.name, "link", "del", `vm${at}`);
    for (const machine of machines) await machine.close();
  }
});

test("once for each bridge and chain in a run, and of IPv6 where that goes through it", async () => {
  await chain("inet fw", "drop", "passing");
  await chain("ip6 filter");
  const run = new Program();
  expect((await warnings({}, run)).split("\n")).toEqual([
    expect.stringMatching(/^chain passing of table inet fw .* IPv4 packets that/),
  ]);
  expect(await warnings({}, run)).toBe("");
  expect(said(await run.check("Bridge", "br1", inputs({ address: undefined })))).toMatch(
    /iifname br1 oifname br1 accept/,
  );
  await sysctl("ip6tables", 1);
  expect((await warnings()).split("\n")).toEqual([
    expect.stringMatching(
      /^chain passing .* net\.bridge\.bridge-nf-call-iptables and net\.bridge\.bridge-nf-call-ip6tables are 1, IPv4 and IPv6 packets that/,
    ),
    expect.stringMatching(/^chain FORWARD of table ip6 filter .* IPv6 packets that/),
  ]);
});

test("Docker's chain for the user is where the rule belongs", async () => {
  await chain("ip filter");
  await nft("add chain ip filter DOCKER-USER");
  await nft("add rule ip filter FORWARD jump DOCKER-USER");
  expect(await warnings()).toMatch(
    /`iptables -I DOCKER-USER -i br0 -o br0 -j ACCEPT` \(DOCKER-USER is the chain/,
  );
});

test.each([
  ['iifname "br0" oifname "br0" accept', false],
  ['oifname "br0" counter accept', false],
  ['iifname "br*" accept', false],
  ["ip saddr 192.0.0.0/16 accept", false],
  ["ip daddr 192.0.2.0/24 log accept", false],
  ['iifname "br1" oifname "br1" accept', true],
  ['iifname "br0" oifname "eth0" accept', true],
  ['iifname "br0" tcp dport 80 accept', true],
  ["ip saddr 192.0.2.0/25 accept", true],
  ["ct state established,related accept", true],
  ['iifname "br0" drop', true],
  ['oifname "out0" ip saddr 192.0.2.0/24 accept', true],
])("a rule %j in a chain that drops the rest: warned of %s", async (rule, isWarned) => {
  await chain("ip filter");
  await nft(`add rule ip filter FORWARD ${rule}`);
  expect((await warnings()) !== "").toBe(isWarned);
});

test.each([
  [
    "accepts the rest, and has a rule that drops",
    'iifname "br0" drop',
    /has the rule `iifname br0 drop`, .*: they are lost unless/,
  ],
  [
    "accepts the rest, and leads to one that drops",
    "jump rest",
    /leads to the rule `drop` of chain rest, and/,
  ],
  ["has a rule that is not understood", "mark 7 drop", /: they may be lost, as not all of its rules are/],
])("a chain that %s", async (_, rule, expected) => {
  await chain("ip filter", "accept");
  await nft("add chain ip filter rest; add rule ip filter rest drop");
  await nft(`add rule ip filter FORWARD ${rule}`);
  expect(await warnings()).toMatch(expected);
});

test.skipIf(!hasLegacyTables)(
  "tables of iptables-legacy are not seen, which is said (needs ip_tables)",
  async () => {
    const legacy = await Lab.open();
    const told = () => warnings({ namespace: legacy.name });
    const set = (value: number) =>
      legacy.exec("sysctl", "-q", "-w", `net.bridge.bridge-nf-call-iptables=${value}`);
    try {
      await set(1);
      await legacy.exec("sysctl", "-q", "-w", "net.bridge.bridge-nf-call-ip6tables=0");
      expect(await told()).toBe("");
      await makeLegacyTable(legacy, 6);
      expect(await told()).toBe("");
      await makeLegacyTable(legacy, 4);
      expect(await told()).toMatch(
        /^iptables-legacy has a table filter, too, .*: as net\.bridge\.bridge-nf-call-iptables is 1, IPv4 packets .*: `iptables-legacy -I FORWARD -i br0 -o br0 -j ACCEPT`$/,
      );
      await set(0);
      expect(await told()).toBe("");
    } finally {
      await legacy.close();
    }
  },
);

test("nothing where nothing drops, and in a namespace that is not there yet", async () => {
  await chain("ip filter", "accept");
  await chain("bridge filter");
  await nft("add chain ip filter INPUT { type filter hook input priority 0; policy drop; }");
  expect(await warnings()).toBe("");
  const run = new Program();
  await run.check("Namespace", "later", { name: "tt-later" });
  expect(await warnings({ namespace: "tt-later" }, run)).toBe("");
});

describe("a Sysctl of the program", () => {
  const declared = (value: number) => ({
    name: "net.bridge.bridge-nf-call-iptables",
    value,
    namespace: lab.name,
  });

  test("that turns it off, or on, is what counts", async () => {
    await chain("ip filter");
    const off = new Program();
    await off.check("Sysctl", "nf", declared(0));
    expect(await warnings({}, off)).toBe("");
    await sysctl("iptables", 0);
    const on = new Program();
    await on.check("Sysctl", "nf", declared(1));
    expect(await warnings({}, on)).toMatch(/ is 1, IPv4 packets/);
  });

  test("that turns it on after the bridge was checked is told on the bridge", async () => {
    await chain("ip filter");
    await sysctl("iptables", 0);
    const elsewhere: string[] = [];
    const tell = (urn: string, notices: readonly { message: string }[]) =>
      void elsewhere.push(`${urn.split("::").pop()}: ${notices[0]?.message}`);
    const run = new Program(undefined, "dev", "test", [], {}, { tell });
    expect(await warnings({}, run)).toBe("");
    await run.check("Sysctl", "nf", declared(1));
    expect(elsewhere).toEqual([expect.stringMatching(/^br0: chain FORWARD .* is 1, IPv4 packets/)]);
  });
});

test("many bridges share one look, and where nothing goes through chains nft is not run", async () => {
  const calls: Record<string, number> = {};
  const counted = new Program(undefined, "dev", "test", [], calls);
  const check = (at: number) => counted.check("Bridge", `br${at}`, inputs({ address: undefined }));
  const bridges = Array.from({ length: 50 }, (_, at) => at);
  await chain("ip filter");
  const found = await Promise.all(bridges.map(check));
  expect(found.filter((each) => said(each) !== "")).toHaveLength(50);
  // The tables, and what is in the only one.
  expect(calls.nft).toBe(2);
  await sysctl("iptables", 0);
  calls.nft = 0;
  counted.newRun();
  await Promise.all(bridges.map(check));
  expect(calls.nft).toBe(0);
});

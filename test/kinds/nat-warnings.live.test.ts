/** What the plan says of what would drop the traffic all the same. */

import { beforeEach, expect, test } from "vitest";
import { Lab } from "../harness/lab";
import { hasLegacyTables, makeLegacyTable } from "../harness/legacy-tables";
import { Program } from "../harness/program";
import { useNatLab } from "./nat-lab";
import { lab, program, said } from "./tun-lab";

useNatLab();

const kind = "Nat";
const nft = (...words: string[]) => lab.exec("nft", ...words);
const add = (text: string) => nft(...text.split(" "));
const base = () => ({ source: ["192.0.2.0/24"], namespace: lab.name });
const warnings = async (inputs: Record<string, unknown> = base()) =>
  said(await program.check(kind, "lan", inputs));
const sysctl = (name: string, value: number) => lab.exec("sysctl", "-q", "-w", `${name}=${value}`);

beforeEach(async () => {
  await sysctl("net.ipv4.ip_forward", 1);
  await sysctl("net.ipv6.conf.all.forwarding", 1);
  await sysctl("net.bridge.bridge-nf-call-iptables", 0);
});

const chain = (family: string, table: string, name: string, policy: string, priority = 0) =>
  nft("add", "table", family, table).then(() =>
    nft(
      "add",
      "chain",
      family,
      table,
      name,
      `{ type filter hook forward priority ${priority}; policy ${policy}; }`,
    ),
  );

test("nothing where nothing drops", async () => {
  expect(await warnings()).toBe("");
  await chain("ip", "filter", "FORWARD", "accept");
  await chain("inet", "fw", "input", "accept");
  await nft("add", "chain", "inet", "fw", "in", "{ type filter hook input priority 0; policy drop; }");
  await chain("ip6", "filter", "FORWARD", "drop");
  await chain("bridge", "filter", "FORWARD", "drop");
  expect(await warnings()).toBe("");
});

test("each chain that drops, with its table, its priority, and a rule for it", async () => {
  await chain("inet", "fw", "passing", "drop", -7);
  await chain("ip6", "filter", "FORWARD", "drop");
  const text = await warnings({ ...base(), source: ["192.0.2.0/24", "2001:db8::/64"] });
  const lines = text.split("\n");
  expect(lines).toHaveLength(3);
  expect(lines[0]).toMatch(
    /^chain passing of table inet fw \(hook forward, priority -7\) has policy drop, .* 192\.0\.2\.0\/24 are lost unless one of its own rules accepts them: what another table accepts, as that of this resource, does not count there\. Let it accept them: `nft insert rule inet fw passing ip saddr 192\.0\.2\.0\/24 accept`, `nft insert rule inet fw passing ct state established,related accept`$/,
  );
  expect(lines[1]).toMatch(
    /^chain passing of table inet fw .* 2001:db8::\/64 are lost .*`nft insert rule inet fw passing ip6 saddr/,
  );
  expect(lines[2]).toMatch(/^chain FORWARD of table ip6 filter \(hook forward, priority 0\) has policy drop/);
});

test("Docker's own chain for the user is where the rule belongs, and bridges are spoken of", async () => {
  await chain("ip", "filter", "FORWARD", "drop");
  await add("add chain ip filter DOCKER-USER");
  // A chain that nothing leads to is no place for it.
  expect(await warnings()).toMatch(/`iptables -I FORWARD -s 192\.0\.2\.0\/24 -j ACCEPT`/);
  await add("add rule ip filter FORWARD jump DOCKER-USER");
  expect(await warnings()).toMatch(
    /: `iptables -I DOCKER-USER -s 192\.0\.2\.0\/24 -j ACCEPT`, `iptables -I DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT` \(DOCKER-USER is the chain/,
  );
  expect(await warnings()).not.toMatch(/bridge-nf/);
  await sysctl("net.bridge.bridge-nf-call-iptables", 1);
  expect(await warnings()).toMatch(
    /\. As net\.bridge\.bridge-nf-call-iptables is 1, what a bridge passes between its ports is lost, too$/,
  );
  await add("add rule ip filter DOCKER-USER ip saddr 192.0.2.0/24 accept");
  expect(await warnings()).toMatch(/the answers to packets from 192\.0\.2\.0\/24 are lost/);
  expect(await warnings()).not.toMatch(/bridge-nf/);
});

const answers = "ct state established,related accept";

test.each<[string[], string | RegExp]>([
  [["ip saddr 192.0.2.0/24 accept", answers], ""],
  [["ip saddr 192.0.0.0/16 counter accept", "ip daddr 192.0.2.0/24 accept"], ""],
  [["ip saddr { 10.0.0.0/8, 192.0.0.0/16 } accept", "ct state vmap { established : accept }"], ""],
  [["ip daddr != 192.0.2.0/24 ip saddr 192.0.2.0/24 accept", answers], ""],
  [["accept"], ""],
  [["ct state invalid drop", "accept"], ""],
  [["tcp dport 25 drop", "accept"], ""],
  [["ip saddr 192.0.2.128/25 drop", "accept"], ""],
  [["ip saddr 192.0.2.0/24 accept"], /policy drop, so the answers to packets from 192\.0\.2\.0\/24 are lost/],
  [["ct state new ip saddr 192.0.2.0/24 accept"], /policy drop, .* are lost/],
  [["drop", "ip saddr 192.0.2.0/24 accept", answers], /ends with a rule that says drop, .* are lost/],
  [["ip saddr 192.0.2.0/24 drop", "accept"], /has the rule `ip saddr 192\.0\.2\.0\/24 drop`, .* are lost/],
  [[answers, "ip saddr 192.0.2.0/25 accept"], /policy drop, .* are lost/],
  [[answers, "ip saddr 198.51.100.0/24 accept"], /policy drop, .* are lost/],
  [[answers, "ip daddr 192.0.2.0/24 accept"], /policy drop, .* are lost/],
  [[answers, "ip saddr != 192.0.2.0/24 accept"], /policy drop, .* are lost/],
  [[answers, "ip saddr 192.0.2.0/24 tcp dport 80 accept"], /policy drop, .* are lost/],
  [[answers, "ip saddr 192.0.2.0/24 drop"], /has the rule `ip saddr 192\.0\.2\.0\/24 drop`, .* are lost/],
  [[answers], /policy drop, so forwarded packets from or to 192\.0\.2\.0\/24 are lost/],
  [[answers, "iifname docker0 accept"], /policy drop, and not all of its rules are .* may be lost/],
  [[answers, "oifname other0 ip saddr 192.0.2.0/24 accept"], /policy drop, .* may be lost/],
  [[answers, "mark 7 accept"], /policy drop, .* may be lost/],
  [[answers, "mark 7 jump rest", "accept"], /leads to the rule `drop` of chain rest, .* may be lost/],
  [[answers, "mark 7 return", "accept"], /policy drop, .* may be lost/],
])("rules %j in a chain that drops the rest", async (lines, expected) => {
  await chain("ip", "filter", "FORWARD", "drop");
  await add("add chain ip filter rest");
  await add("add rule ip filter rest drop");
  for (const line of lines) await nft(`add rule ip filter FORWARD ${line}`);
  const text = await warnings();
  if (expected === "") expect(text).toBe("");
  else expect(text).toMatch(expected);
});

test.each<[string[], string | RegExp]>([
  [["ip saddr 192.0.0.0/16 drop"], /has the rule `ip saddr 192\.0\.0\.0\/16 drop`, .* are lost/],
  [["ip daddr 192.0.2.0/24 reject"], /has the rule .*, so the answers to packets from .* are lost/],
  [["jump rest"], /leads to the rule `drop` of chain rest, .* are lost/],
  [["goto rest", "accept"], /leads to the rule `drop` of chain rest, .* are lost/],
  [["ip saddr vmap { 192.0.2.0/24 : goto rest }"], /leads to the rule `drop` of chain rest, .* are lost/],
  [["ip saddr 192.0.2.0/24 accept", answers, "jump rest"], ""],
  [["return", "jump rest"], ""],
  [["jump back", "jump rest"], /leads to the rule `drop` of chain rest, .* are lost/],
  [["goto back", "jump rest"], ""],
  [["ip saddr 192.0.2.128/25 drop"], ""],
  [["ip saddr 192.0.2.0/24 tcp dport 25 jump rest"], ""],
  [["limit rate over 10/second drop"], ""],
  [["oifname docker0 drop"], ""],
  [["mark 7 drop"], /has the rule .*, and not all of its rules are understood here, .* may be lost/],
])("rules %j in a chain that accepts the rest", async (lines, expected) => {
  await chain("inet", "fw", "passing", "accept");
  for (const text of ["add chain inet fw rest", "add rule inet fw rest drop"]) await add(text);
  for (const text of ["add chain inet fw back", "add rule inet fw back return"]) await add(text);
  for (const line of lines) await nft(`add rule inet fw passing ${line}`);
  const text = await warnings();
  if (expected === "") expect(text).toBe("");
  else expect(text).toMatch(expected);
});

test("a chain that nothing leads to accepts nothing", async () => {
  await chain("ip", "filter", "FORWARD", "drop");
  await add("add chain ip filter unused");
  for (const rule of ["ip saddr 192.0.2.0/24 accept", answers, "accept"])
    await add(`add rule ip filter unused ${rule}`);
  expect(await warnings()).toMatch(/policy drop, .* are lost/);
});

test("rules for the interface that the network is behind are rules for the network", async () => {
  await chain("ip", "filter", "FORWARD", "drop");
  await add("add rule ip filter FORWARD iifname br0 accept");
  await add("add rule ip filter FORWARD oifname br0 accept");
  expect(await warnings()).toMatch(/may be lost/);
  await lab.ip("link", "add", "br0", "type", "bridge");
  await lab.ip("addr", "add", "192.0.2.1/24", "dev", "br0");
  expect(await warnings()).toBe("");
  await lab.ip("link", "add", "br1", "type", "bridge");
  await lab.ip("addr", "add", "192.0.2.129/25", "dev", "br1");
  expect(await warnings()).toMatch(/are lost/);
});

test("a rule for the interface to the outside is one for what leaves by it", async () => {
  await chain("ip", "filter", "FORWARD", "drop");
  await add(`add rule ip filter FORWARD ${answers}`);
  await add("add rule ip filter FORWARD oifname lo ip saddr 192.0.2.0/24 accept");
  expect(await warnings({ ...base(), outInterface: "lo" })).toBe("");
  expect(await warnings()).toMatch(/policy drop/);
});

test.each([
  ["ip daddr 192.0.2.10 accept", "ip saddr 192.0.2.10 accept", false],
  ["ip daddr 192.0.2.0/24 ct status dnat accept", answers, false],
  ["ct status dnat ip daddr 192.0.2.10 accept", answers, false],
  ["ct status dnat accept", "", false],
  ["ip daddr 192.0.2.10 accept", "", true],
  ["ip saddr 192.0.2.10 accept", answers, true],
  ["ct status dnat ip daddr 192.0.2.11 accept", answers, true],
])(
  "for a forward, rules %j and %j in a chain that drops the rest: warned of %s",
  async (one, other, isWarned) => {
    await chain("ip", "filter", "FORWARD", "drop");
    for (const rule of [one, other].filter(Boolean)) await add(`add rule ip filter FORWARD ${rule}`);
    const forwards = [{ protocol: "tcp", port: 80, to: "192.0.2.10" }];
    expect((await warnings({ namespace: lab.name, forwards })) !== "").toBe(isWarned);
  },
);

test.each([
  ["reject", "counter reject with icmpx type admin-prohibited", /ends with a rule that says reject/],
  ["drop", "drop", /ends with a rule that says drop/],
])("a chain that ends with %s drops as one of that policy", async (_, rule, expected) => {
  await chain("inet", "firewalld", "filter_FORWARD", "accept");
  await add("add rule inet firewalld filter_FORWARD ip saddr 10.0.0.0/8 accept");
  await add(`add rule inet firewalld filter_FORWARD ${rule}`);
  expect(await warnings()).toMatch(expected);
});

test.each([
  [["counter", "accept"], false],
  [["log", "counter accept"], false],
  [["log prefix out counter accept"], false],
  [["counter", "drop", "accept"], true],
  [["counter"], true],
])("without a condition %j, the first that decides counts: warned of %s", async (lines, isWarned) => {
  await chain("ip", "filter", "FORWARD", "drop");
  for (const line of lines) await add(`add rule ip filter FORWARD ${line}`);
  expect((await warnings()) !== "").toBe(isWarned);
});

test("a rule that logs and drops all is one that drops", async () => {
  await chain("ip", "filter", "FORWARD", "accept");
  await add("add rule ip filter FORWARD log prefix out counter drop");
  expect(await warnings()).toMatch(/ends with a rule that says drop/);
});

test("a table of ours that accepts silences nothing, and is not warned of", async () => {
  await program.declare(kind, "lan", { ...base(), allowForwarding: true });
  expect(await warnings()).not.toMatch(/chain/);
});

test.each([
  ["net.ipv4.ip_forward", { source: ["192.0.2.0/24"] }, { source: ["2001:db8::/64"] }],
  ["net.ipv6.conf.all.forwarding", { source: ["2001:db8::/64"] }, { source: ["192.0.2.0/24"] }],
  [
    "net.ipv4.ip_forward",
    { source: undefined, forwards: [{ protocol: "tcp", port: 80, to: "192.0.2.10" }] },
    { source: undefined, forwards: [{ protocol: "tcp", port: 80, to: "2001:db8::10" }] },
  ],
])("%s that is off, unless the program sets it", async (name, concerned, others) => {
  await sysctl(name, 0);
  expect(await warnings({ ...base(), ...others })).toBe("");
  const text = await warnings({ ...base(), ...concerned });
  expect(text).toContain(`it needs forwarding, and ${name} is 0 in namespace ${lab.name}`);
  const other = new Program();
  await other.check("Sysctl", "forward", { name, value: 1, namespace: lab.name });
  expect(said(await other.check(kind, "lan", { ...base(), ...concerned }))).toBe("");
});

test("an interface that is not there, unless the program makes it", async () => {
  const inputs = { ...base(), outInterface: "tap0" };
  expect(await warnings(inputs)).toMatch(
    /^there is no interface "tap0", so nothing is translated or forwarded until/,
  );
  await program.check("TunInterface", "tap0", { namespace: lab.name });
  expect(await warnings(inputs)).toBe("");
});

test("in a namespace that is not there yet nothing is looked for", async () => {
  await program.check("Namespace", "later", { name: "tt-later" });
  await program.check("Sysctl", "forward", { name: "net.ipv4.ip_forward", value: 1, namespace: "tt-later" });
  expect(await warnings({ ...base(), namespace: "tt-later", outInterface: "tap0" })).toBe("");
});

test.skipIf(!hasLegacyTables)(
  "tables of iptables-legacy are not seen, which is said (needs ip_tables)",
  async () => {
    const legacy = await Lab.open();
    try {
      await legacy.exec("sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
      const forwards = [{ protocol: "tcp", port: 80, to: "192.0.2.10" }];
      const inputs = { source: ["192.0.2.0/24", "2001:db8::/64"], forwards, namespace: legacy.name };
      expect(await warnings(inputs)).toBe("");
      await makeLegacyTable(legacy, 4);
      expect(await warnings(inputs)).toBe(
        "iptables-legacy has a table filter, too, whose rules nftables does not show and this plan does not see: forwarded packets from or to 192.0.2.0/24, 192.0.2.10 are lost where its chain FORWARD drops them. If it does (`iptables-legacy -S FORWARD`), let it accept them: `iptables-legacy -I FORWARD -s 192.0.2.0/24 -j ACCEPT`, `iptables-legacy -I FORWARD -d 192.0.2.10 -m conntrack --ctstate DNAT -j ACCEPT`, `iptables-legacy -I FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`",
      );
      expect(await warnings({ ...inputs, source: ["2001:db8::/64"], forwards: undefined })).toBe("");
      await makeLegacyTable(legacy, 6);
      expect((await warnings(inputs)).split("\n")).toEqual([
        expect.stringMatching(/^iptables-legacy has a table filter/),
        expect.stringMatching(
          /^ip6tables-legacy has a table filter, .* from or to 2001:db8::\/64 are lost where/,
        ),
      ]);
    } finally {
      await legacy.close();
    }
  },
);

/** What the plan says of what would drop the traffic all the same. */

import { beforeEach, expect, test } from "vitest";
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
  expect(await warnings()).toMatch(
    /`nft insert rule ip filter DOCKER-USER ip saddr .*\(DOCKER-USER is the chain/,
  );
  expect(await warnings()).not.toMatch(/bridge-nf/);
  await sysctl("net.bridge.bridge-nf-call-iptables", 1);
  expect(await warnings()).toMatch(
    /\. As net\.bridge\.bridge-nf-call-iptables is 1, what a bridge passes between its ports is lost, too$/,
  );
});

test.each([
  ["ip saddr 192.0.2.0/24 accept", false],
  ["ip saddr 192.0.0.0/16 counter accept", false],
  ["accept", false],
  ["ip saddr 192.0.2.0/25 accept", true],
  ["ip saddr 198.51.100.0/24 accept", true],
  ["ip daddr 192.0.2.0/24 accept", true],
  ["ip saddr != 192.0.2.0/24 accept", true],
  ["ip saddr 192.0.2.0/24 tcp dport 80 accept", true],
  ["iifname docker0 accept", true],
  ["oifname other0 ip saddr 192.0.2.0/24 accept", true],
  ["ip saddr 192.0.2.0/24 drop", true],
  ["ct state established,related accept", true],
])("a rule %j in a chain that drops the rest: warned of %s", async (rule, isWarned) => {
  await chain("ip", "filter", "FORWARD", "drop");
  await add(`add rule ip filter FORWARD ${rule}`);
  expect((await warnings()) !== "").toBe(isWarned);
});

test("a rule for the interface to the outside is one for what leaves by it", async () => {
  await chain("ip", "filter", "FORWARD", "drop");
  await add("add rule ip filter FORWARD oifname lo ip saddr 192.0.2.0/24 accept");
  expect(await warnings({ ...base(), outInterface: "lo" })).toBe("");
  expect(await warnings()).toMatch(/policy drop/);
});

test.each([
  ["ip daddr 192.0.2.10 accept", false],
  ["ip daddr 192.0.2.0/24 ct status dnat accept", false],
  ["ct status dnat ip daddr 192.0.2.10 accept", false],
  ["ip saddr 192.0.2.10 accept", true],
  ["ct status dnat ip daddr 192.0.2.11 accept", true],
])("for a forward, a rule %j in a chain that drops the rest: warned of %s", async (rule, isWarned) => {
  await chain("ip", "filter", "FORWARD", "drop");
  await add(`add rule ip filter FORWARD ${rule}`);
  const forwards = [{ protocol: "tcp", port: 80, to: "192.0.2.10" }];
  expect((await warnings({ namespace: lab.name, forwards })) !== "").toBe(isWarned);
});

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

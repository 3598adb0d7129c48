/** Nat proven by what passes: real clients and servers (socat) on both sides of a router. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Outside } from "../harness/outside";
import { Program } from "../harness/program";
import { said } from "./tun-lab";

const kind = "Nat";
let net: Outside;
let program: Program;

beforeAll(async () => {
  net = await Outside.open();
  await net.serve(net.server, "tcp", 80);
  await net.serve(net.server, "udp", 53);
  await net.serve(net.guest, "tcp", 8000);
  await net.serve(net.guest, "tcp", 8001);
  await net.serve(net.guest, "udp", 5000);
}, 30_000);
afterAll(() => net.close());
beforeEach(() => {
  program = new Program();
});
afterEach(async () => {
  await program.newRun().removeAll();
  await net.router.exec("nft", "flush", "ruleset");
  await net.router.exec("sysctl", "-q", "-w", "net.ipv4.ip_forward=1");
});

const source = ["192.0.2.0/24", "2001:db8:1::/64"];
const nat = (inputs: Record<string, unknown>) => ({ namespace: net.router.name, ...inputs });
const guestAsks = (protocol: "tcp" | "udp", address: string, port: number) =>
  net.ask(net.guest, protocol, address, port);
const serverAsks = (protocol: "tcp" | "udp", port: number, address = "198.51.100.1") =>
  net.ask(net.server, protocol, address, port);

describe.each([{}, { outInterface: "out0", allowForwarding: true }])("what guests send, with %j", (more) => {
  test("comes from the router's address, over TCP and UDP, IPv4 and IPv6; without it no answer finds back", async () => {
    expect(await guestAsks("tcp", "198.51.100.2", 80)).toBeUndefined();
    await program.declare(kind, "lan", nat({ source, ...more }));
    expect(await guestAsks("tcp", "198.51.100.2", 80)).toBe("198.51.100.1");
    expect(await guestAsks("udp", "198.51.100.2", 53)).toBe("198.51.100.1");
    expect(await guestAsks("tcp", "2001:db8:2::2", 80)).toBe("2001:db8:2::1");
    await program.remove("lan");
    expect(await guestAsks("tcp", "198.51.100.2", 80)).toBeUndefined();
  });
});

test("snatTo is the address that the server sees", async () => {
  await net.router.ip("addr", "add", "198.51.100.7/24", "dev", "out0");
  await program.declare(kind, "lan", nat({ source: ["192.0.2.0/24"], snatTo: "198.51.100.7" }));
  expect(await guestAsks("tcp", "198.51.100.2", 80)).toBe("198.51.100.7");
});

test("by another interface than outInterface nothing is translated or forwarded", async () => {
  const forwards = [{ protocol: "tcp", port: 8080, to: "192.0.2.10", toPort: 8000 }];
  await program.declare(kind, "lan", nat({ source, forwards, outInterface: "other0" }));
  expect(await guestAsks("tcp", "198.51.100.2", 80)).toBeUndefined();
  expect(await serverAsks("tcp", 8080)).toBeUndefined();
});

describe.each([{}, { outInterface: "out0" }])("ports, with %j", (more) => {
  test("lead to the guest, with another number, a range with its own, UDP, and IPv6", async () => {
    const forwards = [
      { protocol: "tcp", port: 8080, to: "192.0.2.10", toPort: 8000 },
      { protocol: "tcp", port: "8000-8010", to: "192.0.2.10" },
      { protocol: "udp", port: 5000, to: "192.0.2.10" },
      { protocol: "tcp", port: 8080, to: "2001:db8:1::10", toPort: 8000 },
    ];
    expect(await serverAsks("tcp", 8080)).toBeUndefined();
    await program.declare(kind, "lan", nat({ source, forwards, allowForwarding: true, ...more }));
    expect(await serverAsks("tcp", 8080)).toBe("198.51.100.2");
    expect(await serverAsks("tcp", 8001)).toBe("198.51.100.2");
    expect(await serverAsks("udp", 5000)).toBe("198.51.100.2");
    expect(await serverAsks("tcp", 8080, "2001:db8:2::1")).toBe("2001:db8:2::2");
    expect(await serverAsks("tcp", 8011)).toBeUndefined();
  });
});

test("what only passes is not forwarded, though it has that port", async () => {
  const forwards = [{ protocol: "tcp", port: 80, to: "192.0.2.10", toPort: 8000 }];
  await program.declare(kind, "lan", nat({ source, forwards }));
  expect(await guestAsks("tcp", "198.51.100.2", 80)).toBe("198.51.100.1");
});

test("an open connection outlives a change of the table", async () => {
  await program.declare(kind, "lan", nat({ source }));
  await net.serve(net.server, "tcp", 81);
  const child = net.guest.exec("sh", "-c", "(sleep 3; echo late) | socat -t3 - TCP:198.51.100.2:81");
  await new Promise((resolve) => setTimeout(resolve, 800));
  await program.declare(kind, "lan", nat({ source, outInterface: "out0" }));
  expect(await child).toMatch(/198\.51\.100\.1|c633:6401/i);
});

const nft = (text: string) => net.router.exec("nft", text);
const passing = () =>
  nat({
    source: ["192.0.2.0/24"],
    forwards: [{ protocol: "tcp", port: 8080, to: "192.0.2.10", toPort: 8000 }],
    allowForwarding: true,
  });

test.each([
  ["has policy drop", "drop", "tcp dport 1 accept"],
  ["leads to the rule `drop` of chain rest", "accept", "jump rest"],
  ["has the rule `ip saddr 192.0.0.0/16 drop`", "accept", "ip saddr 192.0.0.0/16 drop"],
])(
  "a chain of others that %s drops it whatever is accepted here: the plan names it, and its remedy works",
  async (how, policy, rule) => {
    const inputs = passing();
    await nft("add table inet fw; add chain inet fw rest; add rule inet fw rest drop");
    await nft(`add chain inet fw passing { type filter hook forward priority 0; policy ${policy}; }`);
    await nft(`add rule inet fw passing ${rule}`);
    const { notices } = await program.declare(kind, "lan", inputs);
    const text = notices.join("\n");
    expect(await guestAsks("tcp", "198.51.100.2", 80)).toBeUndefined();
    expect(text).toContain(
      `chain passing of table inet fw (hook forward, priority 0) ${how}, so forwarded packets`,
    );
    const commands = [...text.matchAll(/`nft ([^`]*)`/g)].map(([, command = ""]) => command);
    for (const command of commands) await net.router.exec("sh", "-c", `nft ${command}`);
    expect(await guestAsks("tcp", "198.51.100.2", 80)).toBe("198.51.100.1");
    expect(await serverAsks("tcp", 8080)).toBe("198.51.100.2");
    expect(said(await program.newRun().check(kind, "lan", inputs))).not.toMatch(/lost/);
  },
);

test("with half of what it needs, answers are lost: the plan says so, and names the other half alone", async () => {
  await nft("add table inet fw");
  await nft("add chain inet fw passing { type filter hook forward priority 0; policy drop; }");
  await nft("add rule inet fw passing ip saddr 192.0.2.0/24 accept");
  const inputs = nat({ source: ["192.0.2.0/24"] });
  const { notices } = await program.declare(kind, "lan", inputs);
  expect(await guestAsks("tcp", "198.51.100.2", 80)).toBeUndefined();
  const [, command, ...more] = notices.join("\n").split("`");
  expect(command).toBe("nft insert rule inet fw passing ct state established,related accept");
  expect(more).toHaveLength(1);
  await net.router.exec("sh", "-c", `${command}`);
  expect(await guestAsks("tcp", "198.51.100.2", 80)).toBe("198.51.100.1");
  expect(said(await program.newRun().check(kind, "lan", inputs))).not.toMatch(/lost/);
});

test("where Docker's chain drops it, the remedy is in the words of iptables, which wrote that table", async () => {
  await nft("add table ip filter; add chain ip filter DOCKER-USER");
  await nft("add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }");
  await nft("add rule ip filter FORWARD counter jump DOCKER-USER");
  const { notices } = await program.declare(kind, "lan", passing());
  expect(await guestAsks("tcp", "198.51.100.2", 80)).toBeUndefined();
  const text = notices.join("\n");
  expect(text).toMatch(
    /chain FORWARD of table ip filter \(hook forward, priority 0\) has policy drop, so forwarded packets from or to 192\.0\.2\.0\/24, 192\.0\.2\.10 are lost/,
  );
  const commands = [...text.matchAll(/`([^`]*)`/g)].map(([, command = ""]) => command);
  expect(commands).toEqual([
    "iptables -I DOCKER-USER -s 192.0.2.0/24 -j ACCEPT",
    "iptables -I DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "iptables -I DOCKER-USER -d 192.0.2.10 -m conntrack --ctstate DNAT -j ACCEPT",
  ]);
});

test("forwarding that is off is said, and its remedy works", async () => {
  const forward = "net.ipv4.ip_forward";
  await net.router.exec("sysctl", "-q", "-w", `${forward}=0`);
  const inputs = nat({ source: ["192.0.2.0/24"] });
  const { notices } = await program.declare(kind, "lan", inputs);
  expect(notices.join("\n")).toMatch(
    /^it needs forwarding, and net\.ipv4\.ip_forward is 0 in namespace \S+: .* Declare a Sysctl that sets it to 1/,
  );
  expect(await guestAsks("tcp", "198.51.100.2", 80)).toBeUndefined();
  program.newRun();
  await program.declare("Sysctl", "forward", { name: forward, value: 1, namespace: net.router.name });
  expect(await guestAsks("tcp", "198.51.100.2", 80)).toBe("198.51.100.1");
});

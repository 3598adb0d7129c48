/**
 * Remakes test/fixtures/netlink: what `ip` sends for common requests, and what the kernel answers to dumps beside what
 * `ip -j -d` made of the same answers. Needs root, iproute2 and strace; works only inside namespaces that it makes.
 *
 *     npx tsx test/netlink/capture.ts [forwarding]
 *
 * Without a word, all files are made anew; with it, those of forwarding entries and VLANs. The latter needs a kernel with
 * VLAN filtering, and was made in a guest.
 */

import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";

const folder = join(__dirname, "../fixtures/netlink");
const inside = `tt-${randomBytes(4).toString("hex")}`;
const other = `tt-${randomBytes(4).toString("hex")}`;

function ip(command: string): void {
  execFileSync("ip", words(command));
}

/** Blanks separate, quotes keep together; OTHER stands for the second namespace. */
function words(command: string): string[] {
  const found = command.match(/"[^"]*"|\S+/g) ?? [];
  return ["-n", inside, ...found.map((word) => word.replaceAll('"', "").replace("OTHER", other))];
}

interface Traced {
  sent: Buffer[];
  received: Buffer[];
  output: string;
}

/**
 * Runs `ip` (or `bridge`) under strace, which dumps the bytes of every send and receive as ` | 00000  20 00 …`.
 * @param mayFail where it is what is sent that counts, and this kernel may not know it.
 */
function trace(command: string, program = "ip", mayFail = false): Traced {
  const options = [
    "-e",
    "trace=sendmsg,sendto,recvmsg",
    "-e",
    "verbose=none",
    "-e",
    "write=all",
    "-e",
    "read=all",
  ];
  const { status, stdout, stderr } = spawnSync("strace", [...options, program, ...words(command)], {
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  if (status !== 0 && !mayFail)
    throw new Error(`${program} ${command}: ${stderr.split("\n").slice(-3).join(" ")}`);
  const sent: Buffer[] = [];
  const received: Buffer[] = [];
  for (const call of stderr.split(/^(?=(?:send|recv)\w+\()/m)) {
    const hex = [...call.matchAll(/^ \| [0-9a-f]+ {2}(.{48})/gm)].map((line) => line[1]!.replace(/ /g, ""));
    const bytes = Buffer.from(hex.join(""), "hex");
    if (bytes.length > 0) (call.startsWith("send") ? sent : received).push(bytes);
  }
  return { sent, received, output: stdout };
}

/** `ip` first sends an empty RTM_NEWLINK with sequence 0 to learn what the kernel can; that is no part of a request. */
function isProbe(message: Buffer): boolean {
  return message.length === 32 && message.readUInt32LE(8) === 0;
}

const requests = [
  "link add name br0 type bridge stp_state 0 forward_delay 1500",
  "link set dev tap0 mtu 1400",
  "link set dev tap0 txqueuelen 77",
  "link set dev tap0 address 02:00:00:00:00:01",
  'link set dev tap0 alias "a link"',
  'link set dev tap0 alias ""',
  "link set dev tap0 name tap1",
  "link set dev tap1 name tap0",
  "link set dev tap0 master br0",
  "link set dev tap0 nomaster",
  "link set dev tap0 promisc on",
  "link set dev tap0 promisc off",
  "link set dev tap0 group 7",
  "link set dev tap0 up",
  "link property add dev tap0 altname first altname second",
  "link property del dev tap0 altname first",
  "addr add 192.0.2.1/24 brd + dev tap0",
  "addr add 192.0.2.10 peer 192.0.2.11/32 dev tap0",
  "addr add 198.51.100.1/24 dev tap0 label tap0:x metric 300 noprefixroute",
  "addr add 2001:db8::1/64 dev tap0 nodad",
  "addr add 2001:db8::2/64 dev tap0 valid_lft 600 preferred_lft 300",
  "addr del 192.0.2.1/24 dev tap0",
  "route add 203.0.113.0/24 via 192.0.2.11 dev tap0 proto 116 metric 7",
  "route replace 203.0.113.0/24 via 192.0.2.11 dev tap0 proto 116 metric 7 mtu 1300 src 192.0.2.10",
  "route add default dev tap0 proto 116 table 1000",
  "route add 10.9.0.0/16 via 172.16.0.1 dev tap0 onlink proto 116",
  "route add blackhole 10.8.0.0/16 proto 116",
  "route del 203.0.113.0/24 proto 116 metric 7",
  "-6 route add 2001:db8:1::/48 via 2001:db8::9 proto 116 metric 5 mtu 1300",
  "-6 route add default via fe80::9 dev tap0 proto 116",
  "-6 route add unreachable 2001:db8:2::/48 proto 116",
  "-6 route del 2001:db8:1::/48 proto 116 metric 5",
  "route show",
  "link set dev tap0 down",
  "link show",
  "link show type tun",
  "addr show",
  "link set dev tap2 netns OTHER",
  "link del dev tap0",
  "link del group 9",
  "link add name veth0 type veth peer name veth1",
  "link add name veth2 mtu 1400 type veth peer name veth3 address 02:00:00:00:00:03 netns OTHER",
];

function captureRequests(): void {
  ip("tuntap add dev tap0 mode tap user 54321");
  ip("tuntap add dev tap2 mode tap");
  ip("tuntap add dev tap3 mode tap");
  ip("link set dev tap3 group 9");
  const captured = requests.map((command) => ({
    command: `ip ${command}`,
    messages: trace(command)
      .sent.filter((message) => !isProbe(message))
      .map((message) => message.toString("hex")),
  }));
  save("requests.json", captured);
}

const links = [
  "link set dev lo up",
  "link add name br0 type bridge",
  "link set dev br0 up address 02:00:00:00:00:b0 mtu 1450",
  "tuntap add dev tap0 mode tap user 54321 group 54322 multi_queue",
  "link set dev tap0 up address 02:00:00:00:00:01 mtu 1400 master br0 txqueuelen 77",
  'link set dev tap0 alias "port of a lab: über all"',
  `link property add dev tap0 altname second-name altname ${"long".repeat(31)}xyz altname täp`,
  "tuntap add dev tap1 mode tap vnet_hdr",
  "tuntap add dev tun0 mode tun pi user 54321",
  "link set dev tun0 up promisc on group 7",
  "link add name veth0 type veth peer name veth1",
  "link set dev veth0 up",
  "link set dev veth1 up",
  "link add name veth2 type veth peer name veth3",
  "link set dev veth3 netns OTHER",
  "link add name vxlan0 type vxlan id 42 remote 192.0.2.99 dstport 4789 dev veth0",
  "link add name macvlan0 link veth0 type macvlan mode bridge",
  "addr add 192.0.2.1/24 brd + dev br0",
  "addr add 2001:db8::1/64 dev br0 nodad",
  "addr add 10.0.0.1 peer 10.0.0.2/32 dev tun0",
  "addr add 2001:db8:1::1 peer 2001:db8:1::2 dev tun0 nodad",
  "addr add 198.51.100.1/24 dev veth0 label veth0:x noprefixroute valid_lft 6000 preferred_lft 3000",
];

function captureReplies(): void {
  for (const command of links) ip(command);
  const { received, output } = trace("-N -j -d addr show");
  save("replies.json", {
    received: received.filter((bytes) => bytes.readUInt16LE(4) !== 2).map((bytes) => bytes.toString("hex")),
    shown: JSON.parse(output),
  });
}

const routed = [
  "link set dev lo up",
  "tuntap add dev tap0 mode tap",
  "addr add 192.0.2.1/24 dev tap0",
  "addr add 2001:db8::1/64 dev tap0 nodad",
  "link set dev tap0 up",
  "route add 198.51.100.0/24 via 192.0.2.9 proto 116 mtu 1300 advmss 1200 src 192.0.2.1",
  "route add 203.0.113.0/24 dev tap0 proto 116 table 1000 metric 5",
  "route add default via 172.16.0.1 dev tap0 onlink proto 116",
  "route add prohibit 10.8.0.0/16 proto 116",
  "route add 10.7.0.0/16 nexthop via 192.0.2.7 nexthop via 192.0.2.8",
  "-6 route add 2001:db8:1::/48 via 2001:db8::9 proto 116 metric 5 mtu 1300",
  "-6 route add default via fe80::9 dev tap0 proto 116",
  "-6 route add blackhole 2001:db8:2::/48 proto 116",
];

function captureRoutes(): void {
  for (const command of routed) ip(command);
  const traces = ["-4", "-6"].map((family) => trace(`-N -j -d ${family} route show table all`));
  save("routes.json", {
    received: traces.flatMap(({ received }) => received.map((bytes) => bytes.toString("hex"))),
    shown: traces.flatMap(({ output }) => JSON.parse(output)),
  });
}

/** Each begins with the program. */
const forwarding = [
  "ip link add vx0 type vxlan id 42 local 192.0.2.1 remote 192.0.2.9 dev under0 dstport 4789 ttl 5 nolearning ageing 100",
  "ip link add vx1 type vxlan id 43 local 2001:db8::1 group ff05::1 dev under0 dstport 8472 srcport 1000 2000",
  "ip link set vx0 type vxlan remote 192.0.2.8",
  "bridge fdb append 00:00:00:00:00:00 dev vx0 dst 192.0.2.10",
  "bridge fdb append 00:00:00:00:00:00 dev vx0 dst 192.0.2.11 port 8472 vni 7 via under0",
  "bridge fdb replace 52:54:00:00:00:01 dev vx0 dst 192.0.2.10",
  "bridge fdb append 00:00:00:00:00:00 dev vx1 dst 2001:db8::10",
  "bridge fdb append 00:00:00:00:00:00 dev vx0 dst 192.0.2.12",
  "bridge fdb del 00:00:00:00:00:00 dev vx0 dst 192.0.2.12",
  "bridge fdb add 52:54:00:00:00:02 dev vx0 dst 192.0.2.10 dynamic",
  "bridge fdb show",
  "bridge vlan add dev vx0 vid 10",
  "bridge vlan add dev vx0 vid 20 pvid untagged",
  "bridge vlan add dev vx0 vid 30-40",
  "bridge vlan add dev vx0 vid 50-60 untagged",
  "bridge vlan del dev vx0 vid 10",
  "bridge vlan del dev vx0 vid 30-40",
  "bridge -c vlan show",
];

function captureForwarding(): void {
  ip("link add under0 type veth peer name under1");
  ip("link set under0 up");
  ip("link add br0 type bridge");
  const attach = forwarding.findIndex((command) => command.includes("vlan add"));
  const captured = forwarding.map((command, position) => {
    if (position === attach) ip("link set vx0 master br0");
    const [program = "", ...rest] = command.split(" ");
    const { sent } = trace(rest.join(" "), program, command.includes(" vlan "));
    return {
      command,
      messages: sent.filter((message) => !isProbe(message)).map((message) => message.toString("hex")),
    };
  });
  const entries = trace("-j -d fdb show", "bridge");
  const links = trace("-N -j -d link show type vxlan");
  const hex = ({ received }: Traced) => received.map((bytes) => bytes.toString("hex"));
  save("forwarding.json", {
    requests: captured,
    received: [...hex(entries), ...hex(links)],
    entries: JSON.parse(entries.output),
    links: JSON.parse(links.output),
  });
}

/** A kernel without VLAN filtering shows none of this; then the file stays as it is. */
function captureVlans(): void {
  const { status } = spawnSync("ip", words("link add br0 type bridge vlan_filtering 1"));
  if (status !== 0) return;
  ip("link add vx0 type veth peer name vx1");
  for (const name of ["vx0", "vx1"]) ip(`link set ${name} master br0`);
  for (const vlan of ["vid 10", "vid 20 pvid untagged", "vid 30-40", "vid 50-60 untagged"])
    execFileSync("bridge", words(`vlan add dev vx0 ${vlan}`));
  execFileSync("bridge", words("vlan del dev vx1 vid 1"));
  const { received, output } = trace("-j -compressvlans vlan show", "bridge");
  save("vlans.json", { received: received.map((bytes) => bytes.toString("hex")), shown: JSON.parse(output) });
}

function save(name: string, content: unknown): void {
  const origin = {
    kernel: release().replace(/-.*/, ""),
    tool: execFileSync("ip", ["-V"], { encoding: "utf8" }).trim(),
  };
  writeFileSync(join(folder, name), `${JSON.stringify({ ...origin, captured: content }, undefined, 1)}\n`);
}

function inNamespaces(work: () => void): void {
  const made: string[] = [];
  try {
    for (const name of [inside, other]) {
      execFileSync("ip", ["netns", "add", name]);
      made.push(name);
    }
    work();
  } finally {
    for (const name of made) execFileSync("ip", ["netns", "del", name]);
  }
}

mkdirSync(folder, { recursive: true });
if (process.argv[2] === undefined) {
  inNamespaces(captureRequests);
  inNamespaces(captureReplies);
  inNamespaces(captureRoutes);
}
inNamespaces(captureForwarding);
inNamespaces(captureVlans);

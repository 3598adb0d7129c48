/** The commands that run dnsmasq for a bridge, run by a shell as `command.local.Command` does, with a real DHCP client. */

import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { DnsmasqHost } from "../../sdk/components/dnsmasq";
import {
  commands,
  db,
  folder,
  isAlive,
  lab,
  lookup,
  makeBridge,
  serve,
  sh,
  useBridge,
  web,
} from "../harness/dnsmasq";
import { Lab } from "../harness/lab";
import { attempt, run, until } from "../harness/shell";

useBridge();
let client: Lab;

beforeAll(async () => {
  client = await Lab.open();
});

beforeEach(async () => {
  await attempt("ip", "-n", client.name, "link", "del", "eth0");
  await lab.ip("link", "add", "port0", "type", "veth", "peer", "name", "eth0", "netns", client.name);
  await lab.ip("link", "set", "port0", "master", "br0", "up");
});

afterAll(async () => {
  await client.close();
});

/** What a real DHCP client is given, as the environment of its script. */
async function lease(host: DnsmasqHost): Promise<Record<string, string>> {
  // On a busy machine the first requests may go before the port of the bridge forwards anything.
  const { given, output } = await ask(host, 30);
  if (given) return given;
  throw new Error(`${host.name} gets no address:\n${output}\n${await lab.exec("ss", "-Hlntup")}`);
}

/** @param seconds how long the client asks, once a second. */
async function ask(
  host: DnsmasqHost,
  seconds: number,
): Promise<{ given?: Record<string, string>; output: string }> {
  await client.ip("link", "set", "eth0", "address", host.macAddress, "up");
  const script = join(folder, "..", "script");
  writeFileSync(script, '#!/bin/sh\n[ "$1" = bound ] || exit 0\nenv\n', { mode: 0o755 });
  const udhcpc = `busybox udhcpc -i eth0 -f -q -n -t ${seconds} -T 1 -O mtu -s ${script}`;
  const { code, output } = await attempt("ip", "netns", "exec", client.name, ...udhcpc.split(" "));
  if (code !== 0) return { output };
  const given = Object.fromEntries(
    [...output.matchAll(/^(\w+)=(.*)$/gm)].map(([, key, value]) => [key, value]),
  );
  return { given, output };
}

const knows = (name: string) => until(`${name} is known`, async () => (await lookup(name)).length > 0);

test("VMs get their own address, gateway, resolver and mtu; others get none; names are answered", async () => {
  await serve({ mtu: 1400 });
  expect(await lease(web)).toMatchObject({
    ip: "10.20.0.7",
    subnet: "255.255.255.0",
    router: "10.20.0.1",
    dns: "10.20.0.1",
    domain: "lab.internal",
    hostname: "web",
    lease: "3600",
    mtu: "1400",
  });
  expect((await ask(db, 5)).given).toBeUndefined();
  expect(await lookup("web")).toEqual(["10.20.0.7"]);
  expect(await lookup("web.lab.internal")).toEqual(["10.20.0.7"]);
  expect(await lookup("db.lab.internal")).toEqual([]);
});

test.each(["100", "5m", "infinite", "ignore"])(
  "a VM called %s is taken for no lease time and no word",
  async (name) => {
    const host = { ...web, name };
    await serve({ hosts: [host] });
    expect(await lease(host)).toMatchObject({ ip: host.address, hostname: name, lease: "3600" });
    expect(await lookup(name)).toEqual([host.address]);
    expect(await lookup(`${name}.lab.internal`)).toEqual([host.address]);
  },
);

test("it listens on its bridge alone, in its namespace", async () => {
  await serve();
  const listening = (await lab.exec("ss", "-Hlntu")).trim().split("\n");
  expect(listening.map((line) => line.split(/\s+/)[4]).sort()).toEqual([
    "0.0.0.0%br0:67",
    "10.20.0.1:53",
    "10.20.0.1:53",
    // Of the bridge too: link-local.
    ...(listening.some((line) => line.includes("[fe80")) ? [expect.any(String), expect.any(String)] : []),
  ]);
});

/** What a machine that restarts asks for: the address that it had, of whoever knows it (RFC 2131, INIT-REBOOT). */
async function askAgain({ address, macAddress }: DnsmasqHost): Promise<void> {
  const mac = macAddress.split(":").map((byte) => Number.parseInt(byte, 16));
  const request = Buffer.alloc(300);
  request.set([1, 1, 6, 0, 0x12, 0x34]);
  request.set(mac, 28);
  const asked = [50, 4, ...address.split(".").map(Number)];
  request.set([0x63, 0x82, 0x53, 0x63, 53, 1, 3, ...asked, 61, 7, 1, ...mac, 255], 236);
  const to = "UDP4-DATAGRAM:255.255.255.255:67,broadcast,sourceport=68,bindtodevice=eth0";
  const socat = spawn("ip", ["netns", "exec", client.name, "socat", "-u", "-", to]);
  socat.stdin.end(request);
  await new Promise((resolve) => socat.once("close", resolve));
}

test("who is not declared gets no answer, lest it lose the address that another server of the network gives it", async () => {
  await serve();
  await client.ip("addr", "add", "10.20.0.200/24", "dev", "eth0");
  await client.ip("link", "set", "eth0", "up");
  const log = () => readFileSync(join(folder, "log"), "utf8");
  await until("the known one has its address", async () => {
    await askAgain(db);
    await askAgain(web);
    return /DHCPACK\(br0\) 10\.20\.0\.7 /.test(log());
  });
  expect(log()).not.toMatch(/DHCPNAK/);
});

test("other names are asked for where it is said", async () => {
  const options = "--no-resolv --no-hosts --listen-address=10.20.0.1 --bind-interfaces --port=5353";
  const other = `dnsmasq --keep-in-foreground --conf-file=/dev/null --log-facility=- --pid-file= ${options}`;
  const upstream = spawn(
    "ip",
    ["netns", "exec", lab.name, ...other.split(" "), "--address=/example.test/192.0.2.77"],
    { stdio: "ignore", detached: true },
  );
  lab.keep(upstream);
  await serve({ upstream: ["10.20.0.1#5353"] });
  await knows("www.example.test");
  expect(await lookup("www.example.test")).toEqual(["192.0.2.77"]);
  await lab.release(upstream);
});

test("a VM that is added is known without a restart", async () => {
  const pid = await serve();
  expect(await serve({ hosts: [web, db], generation: "second" })).toBe(pid);
  await knows("db.lab.internal");
  expect(await lease(db)).toMatchObject({ ip: "10.20.0.8" });
  expect(await lease(web)).toMatchObject({ ip: "10.20.0.7" });
  expect(readFileSync(join(folder, "generation"), "utf8")).toBe("second\n");
});

test("a VM that is taken out leaves name and address to others at once; leases of others stay", async () => {
  await serve({ hosts: [web, db] });
  for (const host of [web, db]) expect(await lease(host)).toMatchObject({ ip: host.address });
  const heir = { ...web, name: "mail", macAddress: "52:54:00:00:00:09" };
  await serve({ hosts: [heir, db] });
  expect(await lookup("web")).toEqual([]);
  expect(readFileSync(join(folder, "leases"), "utf8")).toMatch(
    /^\d+ 52:54:00:00:00:08 10\.20\.0\.8 db \S+\n$/,
  );
  expect(await lease(heir)).toMatchObject({ ip: "10.20.0.7", hostname: "mail" });
});

test("other settings, or a bridge that was made anew, take another process; and one at a time", async () => {
  const first = await serve();
  const second = await serve({ leaseSeconds: 7200 });
  expect(second).not.toBe(first);
  expect(isAlive(first)).toBe(false);
  expect(await lease(web)).toMatchObject({ lease: "7200" });
  await lab.ip("link", "del", "br0");
  await makeBridge();
  await lab.ip("link", "set", "port0", "master", "br0");
  expect(await serve({ leaseSeconds: 7200 })).not.toBe(second);
  expect(isAlive(second)).toBe(false);
  expect(await lease(web)).toMatchObject({ ip: "10.20.0.7" });
});

test("another address of the bridge takes another process, which answers there", async () => {
  const first = await serve();
  await lab.ip("addr", "del", "10.20.0.1/24", "dev", "br0");
  await lab.ip("addr", "add", "10.20.0.254/24", "dev", "br0");
  expect(await serve({ address: "10.20.0.254" })).not.toBe(first);
  expect(await lab.exec("ss", "-Hlntu")).toContain("10.20.0.254:53");
  expect(await lease(web)).toMatchObject({ router: "10.20.0.254", dns: "10.20.0.254" });
});

test("a run that was interrupted before it was recorded finds its process again, also without the pid's file", async () => {
  const pid = await serve();
  expect(await serve()).toBe(pid);
  rmSync(join(folder, "pid"));
  expect(await serve()).toBe(pid);
  // Interrupted between the start and the note of what runs: nobody knows with which settings it does.
  rmSync(join(folder, "running"));
  const next = await serve();
  expect(isAlive(pid)).toBe(false);
  rmSync(join(folder, "pid"));
  expect((await sh(commands().delete)).code).toBe(0);
  expect(isAlive(next)).toBe(false);
});

test("a server that died is started again; a pid that is another process's by now is left alone", async () => {
  const dead = await serve();
  process.kill(dead, "SIGKILL");
  await until("it is dead", () => !isAlive(dead));
  const bystander = spawn("sleep", ["600"], { stdio: "ignore" });
  writeFileSync(join(folder, "pid"), `${bystander.pid}\n`);
  const next = await serve();
  expect(next).not.toBe(bystander.pid);
  expect(await lease(web)).toMatchObject({ ip: "10.20.0.7" });
  writeFileSync(join(folder, "pid"), `${bystander.pid}\n`);
  await sh(commands().delete);
  expect(isAlive(next)).toBe(false);
  expect(isAlive(bystander.pid as number)).toBe(true);
  bystander.kill();
});

test("delete ends it and takes its files away, whatever is there already; files of others stay", async () => {
  const pid = await serve();
  writeFileSync(join(folder, "notes"), "mine");
  expect((await sh(commands().delete)).code).toBe(0);
  expect(isAlive(pid)).toBe(false);
  expect(spawnSync("ls", ["-A", folder], { encoding: "utf8" }).stdout).toBe("notes\n");
  rmSync(join(folder, "notes"));
  expect(await sh(commands().delete)).toEqual({ code: 0, output: "" });
  expect(existsSync(folder)).toBe(false);
  expect((await sh(commands().delete)).code).toBe(0);
});

test("without dnsmasq, and without the bridge, it is refused, and says why", async () => {
  const { create, stdin } = commands();
  const hidden = 'unshare --mount sh -c \'mount -t tmpfs none /usr/sbin; exec sh -c "$1"\' sh "$1"; exit;';
  const without = await sh(create, stdin, hidden);
  expect(without.code).toBe(1);
  expect(without.output).toMatch(
    /^dnsmasq is not installed; `dhcp` needs it \(.*apt-get install dnsmasq-base\)$/m,
  );

  const absent = commands({ bridge: "br9" });
  const nowhere = await sh(absent.create, absent.stdin);
  expect(nowhere.code).toBe(1);
  expect(nowhere.output).toMatch(/^bridge br9 in namespace tt-\w+ is not there: .*No such file/m);
});

test.each<[string, string, string]>([
  ["UDP port 53", "UDP4-RECVFROM:53,bind=10.20.0.1", "10.20.0.1:53"],
  ["TCP port 53", "TCP4-LISTEN:53,bind=10.20.0.1", "10.20.0.1:53"],
  ["UDP port 67", "UDP4-RECVFROM:67", "0.0.0.0:67"],
])("with %s taken it is refused, and says by whom; once it is free it serves", async (_, address, shown) => {
  const socat = ["socat", address, "OPEN:/dev/null"];
  const taker = spawn("ip", ["netns", "exec", lab.name, ...socat], { stdio: "ignore", detached: true });
  lab.keep(taker);
  await until("socat listens", async () => (await lab.exec("ss", "-Hlntu")).includes(shown));
  const { create, stdin } = commands();
  const taken = await sh(create, stdin);
  expect(taken.code).toBe(1);
  expect(taken.output).toMatch(
    /dnsmasq does not start on bridge br0 in namespace tt-\w+: .*Address already in use/s,
  );
  expect(taken.output).toMatch(
    new RegExp(`it needs port 53 .* of 10\\.20\\.0\\.1, and UDP port 67,.*\n.*${shown}.*socat`, "s"),
  );
  await lab.release(taker);
  await serve();
});

test("in another folder it meets its predecessor, unless the predecessor's own delete came first", async () => {
  const first = await serve();
  expect(await lease(web)).toMatchObject({ ip: "10.20.0.7" });
  const before = commands();
  const other = join(folder, "..", "other");
  const after = commands({ folder: other, generation: "second" });
  const met = await sh(after.create, after.stdin);
  expect(met.code).toBe(1);
  expect(met.output).toMatch(/Address already in use.*dnsmasq/s);
  expect(isAlive(first)).toBe(true);

  // As a replacement does, also after that failure.
  expect((await sh(before.delete)).code).toBe(0);
  expect(isAlive(first)).toBe(false);
  expect(existsSync(folder)).toBe(false);
  const second = await serve({ folder: other, generation: "second" });
  expect(await lease(web)).toMatchObject({ ip: "10.20.0.7" });
  expect((await sh(after.delete)).code).toBe(0);
  expect(isAlive(second)).toBe(false);
  expect(existsSync(other)).toBe(false);
});

test("a running server survives a configuration that dnsmasq refuses, and the one after it is taken", async () => {
  const pid = await serve();
  const files = () =>
    ["dnsmasq.conf", "dhcp-hosts", "hosts", "running", "generation", "pid"].map((name) =>
      readFileSync(join(folder, name), "utf8"),
    );
  const before = files();
  const { create, stdin } = commands({ network: "10.20.0.0.0", hosts: [db], generation: "second" });
  const { code, output } = await sh(create, stdin);
  expect(code).toBe(1);
  expect(output).toMatch(
    /^dnsmasq does not take its configuration: .*bad dhcp-range at line \d+ of .*\.new/s,
  );
  expect(isAlive(pid)).toBe(true);
  expect(files()).toEqual(before);
  expect(await lookup("web")).toEqual(["10.20.0.7"]);
  await serve({ hosts: [db], generation: "third" });
  expect(isAlive(pid)).toBe(false);
  expect(await lookup("db")).toEqual(["10.20.0.8"]);
});

test("a user who is not root is told that it needs root, and nothing is touched", async () => {
  const asNobody = 'setpriv --reuid=65534 --regid=65534 --clear-groups sh -c "$1"; exit;';
  for (const namespace of [lab.name, undefined]) {
    const { create, stdin } = commands({ namespace });
    const { code, output } = await sh(create, stdin, asNobody);
    expect(code).toBe(1);
    expect(output).toMatch(/^`dhcp` \(dnsmasq on bridge br0.*\) needs root; run it with sudo\n$/);
  }
  // There is nothing to take away.
  expect(await sh(commands().delete, "", asNobody)).toEqual({ code: 0, output: "" });
  const pid = await serve();
  const { code, output } = await sh(commands().delete, "", asNobody);
  expect(code).toBe(1);
  expect(output).toBe(`ending the dnsmasq of ${folder} needs root; run it with sudo\n`);
  expect(isAlive(pid)).toBe(true);
});

const uidOf = (pid: number) =>
  Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);

test("it runs as the account dnsmasq, so that a VM that runs as nobody cannot end it", async () => {
  const account = Number((await run("id", "-u", "dnsmasq")).trim());
  const pid = await serve();
  expect(uidOf(pid)).toBe(account);
  const kill = `setpriv --reuid=65534 --regid=65534 --clear-groups kill ${pid}`;
  expect((await attempt("sh", "-c", kill)).output).toMatch(/not permitted/i);
  // The files are its own also where an older server wrote them as nobody.
  expect(await lease(web)).toMatchObject({ ip: "10.20.0.7" });
  await until("the lease is written", () =>
    readFileSync(join(folder, "leases"), "utf8").includes("10.20.0.7"),
  );
});

test("where there is no such account it runs as dnsmasq's own default", async () => {
  const accounts = join(folder, "..", "passwd");
  const others = readFileSync("/etc/passwd", "utf8").replace(/^dnsmasq:.*\n/m, "");
  writeFileSync(accounts, others, { mode: 0o644 });
  const hidden = `unshare --mount sh -c 'mount --bind ${accounts} /etc/passwd; exec sh -c "$1"' sh "$1"; exit;`;
  const { create, stdin } = commands();
  const { code, output } = await sh(create, stdin, hidden);
  expect({ code, output }).toMatchObject({ code: 0 });
  expect(uidOf(Number(readFileSync(join(folder, "pid"), "utf8")))).toBe(65534);
  // With the account there it is another configuration, and what nobody wrote is taken over.
  expect(await lease(web)).toMatchObject({ ip: "10.20.0.7" });
  await serve();
  expect(await lease(web)).toMatchObject({ ip: "10.20.0.7" });
});

test("a folder that dnsmasq could not read later is refused", async () => {
  const closed = join(folder, "..");
  chmodSync(closed, 0o700);
  const { create, stdin } = commands();
  const { code, output } = await sh(create, stdin);
  expect(code).toBe(1);
  expect(output).toContain(`${closed} is closed to the user that dnsmasq runs as`);
  chmodSync(closed, 0o755);
});

test("what is in a name is no command", async () => {
  const namespace = `${lab.name}'$(touch pwned)'`;
  const { create, stdin } = commands({ namespace });
  const { code, output } = await sh(create, stdin);
  expect(code).toBe(1);
  expect(output).toContain(namespace);
  expect(existsSync("pwned")).toBe(false);
});

test("the limits themselves are taken", async () => {
  for (const leaseSeconds of [120, 4294967294]) {
    await serve({ leaseSeconds, domain: "a".repeat(63) });
    expect(await lease(web)).toMatchObject({ lease: `${leaseSeconds}` });
  }
});

test("a thousand VMs, more than a command's text could hold", async () => {
  const many = Array.from({ length: 1000 }, (_, index) => ({
    name: `vm-${"x".repeat(55)}${index}`,
    address: `10.20.${4 + (index >> 8)}.${index & 255}`,
    macAddress: `52:54:00:00:${(index >> 8).toString(16).padStart(2, "0")}:${(index & 255).toString(16).padStart(2, "0")}`,
  }));
  await serve({ hosts: many, netmask: "255.255.0.0" });
  expect(await lookup(many[999]?.name ?? "")).toEqual([many[999]?.address]);
  expect((await run("wc", "-l", join(folder, "dhcp-hosts"))).split(" ")[0]).toBe("1000");
});

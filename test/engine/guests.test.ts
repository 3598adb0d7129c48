/**
 * Real guests on a VmBridge: two Linux machines, emulated in software, run by nobody. The server's command cannot go
 * through the engine (its plugin is not to be had here), so the very text of it is run beside.
 */

import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type DnsmasqCommands, dnsmasqCommands } from "../../sdk/components/dnsmasq";
import { clientOwner } from "../harness/client";
import { cardOn, Guest, GuestImage } from "../harness/guest";
import { Lab } from "../harness/lab";
import { attempt, until } from "../harness/shell";
import { messages, Workspace } from "../harness/workspace";

/** Nothing here is measured; emulated machines beside other tests take what they take. */
const patience = 1_200_000;

let lab: Lab;
/** Behind the translation of addresses: it knows no way to the VMs. */
let outside: Lab;
let workspace: Workspace;
let image: GuestImage;
let folder: string;
let vms: Record<string, { tap: string; macAddress: string; address: string }>;
const guests: Guest[] = [];

function declare({
  names = ["web", "db"],
  ...more
}: {
  names?: string[];
  [input: string]: unknown;
} = {}): void {
  const inputs = {
    subnet: "10.20.0.0/24",
    namespace: lab.name,
    owner: clientOwner,
    outInterface: "up0",
    vms: Object.fromEntries(
      names.map((name) => [
        name,
        name === "web" ? { forwards: [{ protocol: "tcp", port: 8080, toPort: 80 }] } : {},
      ]),
    ),
    ...more,
  };
  workspace.write(`import * as tuntap from "pulumi-tuntap";
const lab = new tuntap.VmBridge<string>("lab", ${JSON.stringify(inputs)});
export const vms = lab.vms;
`);
}

/** The commands for the VMs that there are. */
function server(): DnsmasqCommands {
  return dnsmasqCommands({
    folder: join(folder, "dnsmasq"),
    bridge: "lab",
    namespace: lab.name,
    address: "10.20.0.1",
    network: "10.20.0.0",
    netmask: "255.255.255.0",
    domain: "lab.internal",
    leaseSeconds: 43200,
    mtu: undefined,
    upstream: [],
    generation: "test",
    hosts: Object.entries(vms).map(([name, { address, macAddress }]) => ({ name, address, macAddress })),
  });
}

/** Runs a command as the engine's plugin would. */
function run(command: string, stdin = ""): string {
  return execFileSync("sh", ["-c", command], { input: stdin, encoding: "utf8" });
}

function guest(index: number): Guest {
  return guests[index] as Guest;
}

beforeAll(async () => {
  lab = await Lab.open();
  outside = await Lab.open();
  await lab.ip("link", "add", "up0", "type", "veth", "peer", "name", "out0", "netns", outside.name);
  await lab.ip("addr", "add", "198.51.100.1/24", "dev", "up0");
  await lab.ip("link", "set", "up0", "up");
  await outside.ip("addr", "add", "198.51.100.2/24", "dev", "out0");
  await outside.ip("link", "set", "out0", "up");
  // Tells everybody who calls the address from which they call.
  await outside.start(
    "ready",
    ...["sh", "-c", "echo ready; exec socat TCP-LISTEN:7000,fork,reuseaddr SYSTEM:'echo $SOCAT_PEERADDR'"],
  );
  workspace = new Workspace();
  image = new GuestImage();
  folder = mkdtempSync(join(tmpdir(), "tt-guests-"));
  chmodSync(folder, 0o755);
  declare();
  vms = (await workspace.succeed("up")).outputs.vms as typeof vms;
  run(server().create, server().stdin);
});

afterAll(async () => {
  run(server().delete);
  workspace.close();
  image.close();
  await outside.close();
  await lab.close();
  rmSync(folder, { recursive: true });
});

test("two guests boot as nobody and get the addresses that the program says, by DHCP", {
  timeout: patience,
}, async () => {
  for (const name of ["web", "db"])
    guests.push(new Guest(lab, image, cardOn(vms[name]?.tap ?? "", vms[name]?.macAddress ?? "")));
  await Promise.all(guests.map((each) => each.ready()));
  for (const [index, name] of ["web", "db"].entries()) {
    expect(guest(index).credentials()).toEqual({ uids: ["65534"], capabilities: "0000000000000000" });
    await guest(index).askForAddress();
    const { address, macAddress } = vms[name] as (typeof vms)[string];
    const shown = await guest(index).run(
      "ip -o addr show dev eth0; ip link show dev eth0; ip route; hostname",
    );
    expect(shown).toContain(` ${address}/24 `);
    expect(shown).toContain(`link/ether ${macAddress} `);
    expect(shown).toContain("default via 10.20.0.1 dev eth0");
    expect(shown.trimEnd()).toMatch(new RegExp(`${name}$`));
  }
  await workspace.succeed("preview", "--expect-no-changes");
});

test("they reach one another by name", { timeout: patience }, async () => {
  expect(await guest(0).run("ping -c 3 db")).toContain(`PING db (${vms.db?.address})`);
  expect(await guest(1).run("ping -c 3 web.lab.internal")).toMatch(/ 0% packet loss/);
});

test("they reach a server outside under the host's address, and are reached by a port", {
  timeout: patience,
}, async () => {
  expect(await guest(0).run("nc 198.51.100.2 7000")).toBe("198.51.100.1\n");
  expect(
    (await attempt("ip", "netns", "exec", outside.name, "ping", "-c1", "-W1", "10.20.0.1")).code,
  ).not.toBe(0);
  await guest(0).run("nc -l -p 80 -e echo it is web >/dev/null 2>&1 &");
  const answer = async () =>
    (await attempt("ip", "netns", "exec", outside.name, "socat", "-T5", "-", "TCP:198.51.100.1:8080")).output;
  expect(await until("web answers", answer, 60_000)).toContain("it is web");
});

test("what a table like Docker's drops is warned of, by its name", { timeout: patience }, async () => {
  expect(messages(await workspace.succeed("preview"))).not.toMatch(/dockerlike/);
  await lab.exec("nft", "add table ip dockerlike");
  await lab.exec(
    "nft",
    "add chain ip dockerlike FORWARD { type filter hook forward priority 0; policy drop; }",
  );
  expect((await guest(0).attempt("timeout 5 nc 198.51.100.2 7000")).output).not.toContain("198.51.100.1");
  expect(messages(await workspace.succeed("preview"))).toMatch(/warning: .*dockerlike.*FORWARD/s);
  await lab.exec("nft", "delete table ip dockerlike");
  expect(await guest(0).run("nc 198.51.100.2 7000")).toBe("198.51.100.1\n");
});

test("down is refused while they run, with the process and its user", { timeout: patience }, async () => {
  const { code, report } = await workspace.run("down");
  expect(code).toBe(1);
  expect(messages(report)).toMatch(/lab-(web|db)\b.*pid \d+.*qemu-system-x86.*nobody.*LINK_BUSY/s);
  expect(await guest(0).run("ping -c 1 db")).toMatch(/ 0% packet loss/);
});

test("a changed bridge and a third VM lose no packet of a running ping", { timeout: patience }, async () => {
  await guest(0).run("ping -i 0.2 db >/tmp/ping 2>&1 & echo $! >/tmp/pid");
  declare({ mtu: 1400, bridge: { stp: true, forwardDelay: 2 }, names: ["web", "db", "mail"] });
  const { changes, outputs } = await workspace.succeed("up");
  expect(changes).toMatchObject({ create: 1, update: 3, replace: 0, delete: 0 });
  vms = outputs.vms as typeof vms;
  expect(run(server().create, server().stdin)).toMatch(/was told to read its machines again/);
  expect(await lab.bridge("lab")).toMatchObject({ stp_state: 1 });
  expect(await guest(0).run("nslookup -type=a mail.lab.internal")).toContain(vms.mail?.address);
  // It goes on after the change too, so that what comes late is missed.
  const counted = await guest(0).run("sleep 5; kill -INT $(cat /tmp/pid); sleep 1; cat /tmp/ping");
  const [, sent] = /(\d+) packets transmitted/.exec(counted) ?? [];
  const answers = [...counted.matchAll(/ seq=(\d+) /g)].map((match) => Number(match[1]));
  expect(answers.length).toBeGreaterThan(20);
  // None is missing among them; the last one sent may have been under way when ping was ended.
  expect(answers).toEqual(answers.map((_, index) => index));
  expect(Number(sent) - answers.length).toBeLessThanOrEqual(1);
});

test("isolated, they reach the bridge and not one another", { timeout: patience }, async () => {
  declare({
    mtu: 1400,
    bridge: { stp: true, forwardDelay: 2 },
    names: ["web", "db", "mail"],
    isolated: true,
  });
  await workspace.succeed("up");
  expect((await guest(0).attempt("ping -c 2 -W 2 db")).output).toMatch(/ 100% packet loss/);
  expect(await guest(0).run("ping -c 2 10.20.0.1")).toMatch(/ 0% packet loss/);
  expect(await guest(0).run("nc 198.51.100.2 7000")).toBe("198.51.100.1\n");
});

test("when they are off, down takes everything away", { timeout: patience }, async () => {
  for (const each of guests) expect(await each.powerOff()).toBe(0);
  run(server().delete);
  await workspace.succeed("down");
  expect((await lab.links()).map(({ ifname }) => ifname)).toEqual(["up0"]);
  expect(await lab.exec("nft", "list", "tables")).toBe("");
});

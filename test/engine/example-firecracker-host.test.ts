import { afterAll, beforeAll, expect, test } from "vitest";
import { attached } from "../harness/attach";
import { Example } from "../harness/example";
import { Lab } from "../harness/lab";
import { Outside } from "../harness/outside";
import { startStandIn } from "../harness/stand-in";
import { messages, type Report } from "../harness/workspace";

/** uid of nobody, which the example's VMs run as. */
const owner = 65534;

/** An element of the example's output `vms`. */
interface Vm {
  networkInterface: { iface_id: string; host_dev_name: string; guest_mac: string };
  guestAddress: string;
  gateway: string;
}

let net: Outside;
let guest: Lab;
let example: Example;
let before: string;
let machine: { end(): Promise<void> };

beforeAll(async () => {
  net = await Outside.open();
  guest = await Lab.open();
  await net.serve(net.server, "tcp", 80);
  await net.router.exec("sysctl", "-q", "-w", "net.ipv4.ip_forward=0");
  example = new Example("firecracker-host");
  before = await everything();
});

afterAll(async () => {
  example.close();
  await net.close();
  await guest.close();
});

async function everything(): Promise<string> {
  const forwarding = await net.router.exec("sysctl", "net.ipv4.ip_forward");
  return (await net.router.snapshot()) + forwarding + (await net.router.exec("nft", "list", "ruleset"));
}

function settings(count: number): string[] {
  const given = { namespace: net.router.name, outInterface: "out0", count };
  return Object.entries(given).flatMap(([key, value]) => ["--config", `${key}=${value}`]);
}

const vmsOf = ({ outputs }: Report) => outputs.vms as Vm[];
const taps = async () => (await net.router.links()).filter(({ ifname }) => /^fc\d+$/.test(ifname));

test("brought up: each VM has a TAP, a network and what Firecracker is told", async () => {
  expect((await example.succeed("preview", ...settings(64))).changes).toMatchObject({ create: 3 });
  expect(await everything()).toBe(before);
  const report = await example.succeed("up", ...settings(64));
  expect(report.changes).toMatchObject({ create: 3 });
  const found = await taps();
  expect(found).toHaveLength(64);
  for (const tap of found) {
    expect(tap.flags).toContain("UP");
    expect(tap.linkinfo?.info_data).toMatchObject({ type: "tap", user: "nobody", persist: true });
  }
  expect(await net.router.addresses("fc0")).toEqual(["172.16.0.1/30"]);
  expect(await net.router.addresses("fc63")).toEqual(["172.16.0.253/30"]);

  const vms = vmsOf(report);
  expect(vms).toHaveLength(64);
  for (const [number, { networkInterface }] of vms.entries()) {
    // The three members that Firecracker's NetworkInterface takes from it, and no other: unknown ones are refused.
    expect(JSON.parse(JSON.stringify(networkInterface))).toEqual({
      iface_id: `fc${number}`,
      host_dev_name: `fc${number}`,
      guest_mac: expect.stringMatching(/^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/),
    });
  }
  expect(new Set(vms.map(({ networkInterface }) => networkInterface.guest_mac)).size).toBe(64);
  expect(vms[63]).toMatchObject({ guestAddress: "172.16.0.254/30", gateway: "172.16.0.253" });
  await example.succeed("up", "--expect-no-changes", ...settings(64));
});

test("a guest as the owner, with Firecracker's flags, reaches a server behind NAT, and a stranger is refused", async () => {
  const report = await example.succeed("up", ...settings(64));
  const { networkInterface, guestAddress, gateway } = vmsOf(report)[7] as Vm;
  const tap = networkInterface.host_dev_name;
  const mac = networkInterface.guest_mac;
  await expect(attached(net.router, tap, { flags: ["vnetHeader"], uid: 1 })).rejects.toThrow(
    "Operation not permitted",
  );
  machine = await startStandIn(net.router, guest, { tap, uid: owner, mac, address: guestAddress, gateway });
  // The server has no way back to 172.16.0.0/22, and sees the host alone.
  expect(await net.ask(guest, "tcp", "198.51.100.2", 80)).toBe("198.51.100.1");
  const neighbours = JSON.parse(await net.router.ip("-j", "neigh", "show", "dev", tap));
  expect(neighbours).toContainEqual(
    expect.objectContaining({ dst: guestAddress.split("/")[0], lladdr: mac }),
  );
  await example.succeed("up", "--expect-no-changes", ...settings(64));
});

test("more VMs: those that run go on, and their interfaces stay the same", async () => {
  const { ifindex } = await net.router.mustHave("fc7");
  const report = await example.succeed("up", ...settings(80));
  expect(report.changes).toMatchObject({ update: 1, same: 2 });
  expect(await taps()).toHaveLength(80);
  expect(vmsOf(report)[79]).toMatchObject({ guestAddress: "172.16.1.62/30", gateway: "172.16.1.61" });
  expect((await net.router.mustHave("fc7")).ifindex).toBe(ifindex);
  expect(await net.ask(guest, "tcp", "198.51.100.2", 80)).toBe("198.51.100.1");
});

test("fewer VMs, one of which still runs: refused with its name and process, and all stay; then they go", async () => {
  const vm = await attached(net.router, "fc70", { flags: ["vnetHeader"], uid: owner });
  const { code, report } = await example.run("up", ...settings(64));
  expect(code).toBe(1);
  expect(messages(report)).toMatch(new RegExp(`fc70.*pid ${vm.pid}\\b`));
  expect(await taps()).toHaveLength(80);
  await vm.end();
  expect((await example.succeed("up", ...settings(64))).changes).toMatchObject({ update: 1 });
  expect(await taps()).toHaveLength(64);
  expect(await net.ask(guest, "tcp", "198.51.100.2", 80)).toBe("198.51.100.1");
});

test("taken down: refused while a VM runs, and afterwards the host is as it was", async () => {
  const refused = await example.run("down", ...settings(64));
  expect(refused.code).toBe(1);
  expect(messages(refused.report)).toContain("fc7");
  expect(await taps()).toHaveLength(64);
  await machine.end();
  await example.succeed("down", ...settings(64));
  expect(await everything()).toBe(before);
});

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Client, clientOwner } from "../harness/client";
import { Lab } from "../harness/lab";
import { until } from "../harness/shell";
import { Workspace } from "../harness/workspace";

const repository = resolve(__dirname, "../..");

let lab: Lab;
let workspace: Workspace;

beforeAll(async () => {
  lab = await Lab.open();
  await lab.ip("link", "add", "br0", "type", "bridge");
  await lab.ip("link", "set", "br0", "up");
  workspace = new Workspace();
  const tap = (name: string, args: Record<string, unknown> = {}) => ({
    kind: "TunInterface" as const,
    name,
    args: { owner: clientOwner, namespace: lab.name, bridge: "br0", ...args },
  });
  workspace.declare(
    tap("single0"),
    tap("hinted0", { vnetHeader: true }),
    tap("multi0", { multiQueue: true, vnetHeader: true }),
  );
  await workspace.succeed("up");
});

afterAll(async () => {
  workspace.close();
  await lab.close();
});

/** A machine with no disk: its firmware asks the network for something to boot, so frames come out of it. */
function qemu(name: string, mac: string, queues: number): Client {
  const backend = [`tap,id=net0,ifname=${name},script=no,downscript=no,vhost=off`];
  const device = [`virtio-net-pci,netdev=net0,mac=${mac}`];
  if (queues > 1) {
    backend.push(`queues=${queues}`);
    // Two vectors for each queue, and two for the device.
    device.push("mq=on", `vectors=${2 * queues + 2}`);
  }
  const machine = "qemu-system-x86_64 -accel tcg -m 64 -nodefaults -display none -qmp stdio".split(" ");
  return new Client(lab, [...machine, "-netdev", backend.join(","), "-device", device.join(",")]);
}

/** The port at which the bridge has heard a machine, as `bridge fdb` shows it. */
async function heardAt(mac: string): Promise<string | undefined> {
  const entries = JSON.parse(await lab.exec("bridge", "-j", "fdb", "show", "br", "br0"));
  return entries.find((entry: { mac: string; ifname: string }) => entry.mac === mac)?.ifname;
}

/** What the kernel's driver says of an interface. */
async function driver(name: string) {
  const data = (await lab.mustHave(name)).linkinfo?.info_data;
  if (!data) throw new Error(`${name} is no tap`);
  return data;
}

async function worksOn(machine: Client, name: string, mac: string): Promise<void> {
  await machine.attached(name);
  expect(machine.credentials()).toEqual({ uids: ["65534"], capabilities: "0000000000000000" });
  await machine.says('"QMP"');
  await until(`the bridge hears ${mac}`, async () => (await heardAt(mac)) === name, 60_000);
  expect(await driver(name)).toMatchObject({ vnet_hdr: true });
  await workspace.succeed("preview", "--expect-no-changes");
}

async function powerOff(machine: Client): Promise<void> {
  machine.type('{"execute": "qmp_capabilities"}');
  machine.type('{"execute": "quit"}');
  expect(await machine.ended()).toBe(0);
}

test("qemu on a tap with one queue: frames with vnet headers reach the bridge", async () => {
  const mac = "52:54:00:00:00:01";
  expect(await driver("single0")).toMatchObject({ vnet_hdr: false });
  const machine = qemu("single0", mac, 1);
  await worksOn(machine, "single0", mac);
  await powerOff(machine);
});

test("qemu on a tap with two queues: both are opened, frames reach the bridge", async () => {
  const mac = "52:54:00:00:00:02";
  const machine = qemu("multi0", mac, 2);
  await worksOn(machine, "multi0", mac);
  // The firmware uses one; the other waits for a system that wants it.
  const { numqueues, numdisabled } = await driver("multi0");
  expect(Number(numqueues) + Number(numdisabled)).toBe(2);
  await powerOff(machine);
  expect(await driver("multi0")).toMatchObject({ numqueues: 0, numdisabled: 0 });
});

test("qemu that is killed leaves its tap to the next one", async () => {
  const mac = "52:54:00:00:00:03";
  const killed = qemu("hinted0", mac, 1);
  await killed.attached("hinted0");
  await killed.stop("SIGKILL");
  const next = qemu("hinted0", mac, 1);
  await worksOn(next, "hinted0", mac);
  await powerOff(next);
});

test("queues that do not fit: qemu gets Invalid argument, and the documentation says why", async () => {
  for (const [name, queues] of [
    ["single0", 2],
    ["multi0", 1],
  ] as const) {
    const machine = qemu(name, "52:54:00:00:00:04", queues);
    expect(await machine.ended()).toBe(1);
    expect(machine.printed).toContain(`could not configure /dev/net/tun (${name}): Invalid argument`);
  }
  const { resources } = JSON.parse(readFileSync(resolve(repository, "schema.json"), "utf8"));
  const { description } = resources["tuntap:index:TunInterface"].inputProperties.multiQueue;
  expect(description).toMatch(/`queues=2`.*without `queues=`.*"Invalid argument"/);
  const page = readFileSync(resolve(repository, "docs/clients.md"), "utf8");
  expect(page).toMatch(/could not configure .*: Invalid argument.*`queues=2`.*`multiQueue: true`/);
});

test("qemu has left vnet headers set, and that is no drift", async () => {
  for (const name of ["single0", "hinted0", "multi0"]) {
    expect(await driver(name)).toMatchObject({ vnet_hdr: true, persist: true, user: clientOwner });
  }
  await workspace.succeed("refresh", "--expect-no-changes");
  await workspace.succeed("up", "--expect-no-changes");
});

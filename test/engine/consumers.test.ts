import { afterAll, beforeAll, expect, test } from "vitest";
import { Client, clientOwner } from "../harness/client";
import { Lab } from "../harness/lab";
import { until } from "../harness/shell";
import { messages, Workspace } from "../harness/workspace";

let lab: Lab;
let workspace: Workspace;

/** A program as its users write it: what it exports is what the outputs are. */
const program = (multi: string, firecracker: string) => `import * as tuntap from "pulumi-tuntap";

const common = { owner: "${clientOwner}", namespace: "${lab.name}", bridge: "br0" };
const single = new tuntap.TunInterface("single0", { ...common, consumer: "qemu", mtu: 1400 });
const multi = new tuntap.TunInterface("multi0", { ...common, consumer: "qemu", ${multi} });
const fc = new tuntap.TunInterface("fc-0", { ...common, consumer: "firecracker", ${firecracker} });
const virt = new tuntap.TunInterface("virt0", { ...common, consumer: "libvirt" });
const cloud = new tuntap.TunInterface("cloud0", { ...common, consumer: "cloud-hypervisor" });

export const qemu = { single0: single.qemuArguments, multi0: multi.qemuArguments };
export const macs = { single0: single.guestMacAddress, multi0: multi.guestMacAddress };
export const body = fc.firecracker.apply((each) => JSON.stringify(each));
export const device = fc.firecracker.apply((each) => each?.host_dev_name);
export const xml = virt.libvirtXml;
export const net = cloud.cloudHypervisor;
`;

interface Exports {
  qemu: Record<"single0" | "multi0", string[]>;
  macs: Record<"single0" | "multi0", string>;
  body: string;
  device: string;
  xml: string;
  net: { tap: string; mac: string; num_queues: number };
}

beforeAll(async () => {
  lab = await Lab.open();
  await lab.ip("link", "add", "br0", "type", "bridge");
  await lab.ip("link", "set", "br0", "up");
  workspace = new Workspace(
    "test",
    program("queues: 2, multiQueue: true", 'guestMacAddress: "52:54:00:00:00:07"'),
  );
});

afterAll(async () => {
  workspace.close();
  await lab.close();
});

const up = async () => (await workspace.succeed("up")).outputs as unknown as Exports;

test("outputs are those of each consumer, and no run after it finds a change", async () => {
  expect((await workspace.succeed("preview")).changes).toMatchObject({ create: 5 });
  const { body, device, xml, net, macs, qemu } = await up();
  expect(JSON.parse(body)).toEqual({
    iface_id: "fc_0",
    host_dev_name: "fc-0",
    guest_mac: "52:54:00:00:00:07",
  });
  expect(device).toBe("fc-0");
  expect(xml).toMatch(/^<interface type='ethernet'>\n.*\n {2}<target dev='virt0' managed='no'\/>/);
  expect(net).toEqual({ tap: "cloud0", mac: net.mac, num_queues: 2 });
  await workspace.succeed("up", "--expect-no-changes");
  await workspace.succeed("refresh", "--expect-no-changes");
  const again = await up();
  expect(again).toEqual({ body, device, xml, net, macs, qemu });
});

/** A machine with no disk: its firmware asks the network for something to boot, so frames come out of it. */
test.each([
  ["single0", 1],
  ["multi0", 2],
] as const)("qemu runs as the owner with exactly these arguments: %s", async (name, queues) => {
  const { qemu, macs } = await up();
  const machine = "qemu-system-x86_64 -accel tcg -m 64 -nodefaults -display none -qmp stdio".split(" ");
  const client = new Client(lab, [...machine, ...qemu[name]]);
  await client.attached(name);
  expect(client.credentials()).toEqual({ uids: ["65534"], capabilities: "0000000000000000" });
  await client.says('"QMP"');
  const { address, linkinfo } = await lab.mustHave(name);
  expect(macs[name]).not.toBe(address);
  const { numqueues = 1, numdisabled = 0 } = linkinfo?.info_data ?? {};
  expect(numqueues + numdisabled).toBe(queues);
  await until(
    `the bridge hears ${macs[name]}`,
    async () => {
      const heard = JSON.parse(await lab.exec("bridge", "-j", "fdb", "show", "br", "br0"));
      return heard.some(
        (entry: { mac: string; ifname: string }) => entry.mac === macs[name] && entry.ifname === name,
      );
    },
    60_000,
  );
  await workspace.succeed("up", "--expect-no-changes");
  client.type('{"execute": "qmp_capabilities"}');
  client.type('{"execute": "quit"}');
  expect(await client.ended()).toBe(0);
  const port = async () => (await lab.mustHave(name)).linkinfo?.info_slave_data?.state;
  await until("the bridge has seen it go", async () => (await port()) === "disabled");
});

test.each([
  ["queues: 2", "queues: 1", 'queues 2: `consumer` "qemu" opens each of them with IFF_MULTI_QUEUE'],
  [
    "queues: 2, multiQueue: true",
    "multiQueue: true",
    'multiQueue true: `consumer` "firecracker" opens one queue',
  ],
])(
  "what a consumer does not open fails in the plan, and nothing is changed: %s, %s",
  async (multi, fc, expected) => {
    const before = await lab.snapshot();
    workspace.write(program(multi, fc));
    for (const command of ["preview", "up"] as const) {
      const { code, report } = await workspace.run(command);
      expect(code).toBe(1);
      expect(messages(report)).toContain(expected);
    }
    expect(await lab.snapshot()).toBe(before);
  },
);

test("down removes them", async () => {
  workspace.write(program("queues: 2, multiQueue: true", "queues: 1"));
  await workspace.succeed("down");
  expect((await lab.links()).map(({ ifname }) => ifname)).toEqual(["br0"]);
});

import { describe, expect, test } from "vitest";
import { type Attached, attached } from "../harness/attach";
import { Program } from "../harness/program";
import { kind, lab, program, useTunLab } from "./tun-lab";

useTunLab();

const base = (inputs: Record<string, unknown> = {}) => ({
  owner: "nobody",
  namespace: lab.name,
  ...inputs,
});
const nobody = 65534;

/** What each consumer gives to TUNSETIFF beside IFF_TAP and IFF_NO_PI. */
const opens = {
  qemu: ["vnetHeader", "oneQueue"],
  libvirt: ["vnetHeader"],
  firecracker: ["vnetHeader"],
  "cloud-hypervisor": ["vnetHeader"],
} as const;
type Consumer = keyof typeof opens;
const consumers = Object.keys(opens) as Consumer[];

/** Opens its queues as that consumer does, as the unprivileged owner; Cloud Hypervisor reads tun_flags before. */
async function open(consumer: Consumer, queues: number): Promise<string> {
  if (consumer === "cloud-hypervisor") {
    const flags = Number(await lab.exec("cat", "/sys/class/net/vm0/tun_flags"));
    if (((flags & 0x100) !== 0) !== queues > 1) return "refused by tun_flags";
  }
  const all: Attached[] = [];
  try {
    for (let queue = 0; queue < queues; queue++) {
      const flags = [...opens[consumer], ...(queues > 1 ? (["multiQueue"] as const) : [])];
      all.push(await attached(lab, "vm0", { uid: nobody, flags }));
    }
    return `${all.length} attached`;
  } catch (error) {
    return (error as Error).message;
  } finally {
    for (const each of all) await each.end();
  }
}

describe.each(consumers)("%s", (consumer) => {
  const most = consumer === "firecracker" ? 1 : 3;

  test.each([1, 3])(
    "its %i queues are opened where the check lets them pass, and nowhere else",
    async (queues) => {
      for (const multiQueue of [false, true]) {
        const checked = await program.check(kind, "vm0", base({ consumer, queues, multiQueue }));
        const passes = checked.problems.length === 0;
        expect(passes).toBe(queues <= most && queues > 1 === multiQueue);
        await program.declare(kind, "vm0", base({ multiQueue }));
        if (queues <= most) {
          const result = await open(consumer, queues);
          if (passes) expect(result).toBe(`${queues} attached`);
          else expect(result).toMatch(/^refused(: Invalid argument| by tun_flags)/);
        }
        await program.remove("vm0");
      }
    },
  );
});

test("the kernel has so many queues of an interface, that of its keeper among them", async () => {
  const count = [
    "import fcntl, os, struct",
    "fds = []",
    "try:",
    "  while len(fds) < 300:",
    "    fds.append(os.open('/dev/net/tun', os.O_RDWR))",
    "    fcntl.ioctl(fds[-1], 0x400454ca, struct.pack('16sH22s', b'vm0', 0x5102, b''))",
    "except OSError:",
    "  print(len(fds) - 1)",
  ].join("\n");
  const opened = async () => Number(await lab.exec("python3", "-c", count));
  await program.declare(kind, "vm0", base({ multiQueue: true }));
  expect(await opened()).toBe(256);
  await program.declare(kind, "vm0", base({ multiQueue: true, persistence: "process" }));
  expect(await opened()).toBe(255);
});

test("is checked before anything is changed", async () => {
  const before = await lab.snapshot();
  await expect(
    program.declare(kind, "vm0", base({ consumer: "firecracker", multiQueue: true })),
  ).rejects.toThrow(/^multiQueue true: `consumer` "firecracker" opens one queue/);
  expect(await lab.snapshot()).toBe(before);
});

describe("outputs", () => {
  test("are of the interface as it is, and no reason for a change: not in a plan, not in a refresh", async () => {
    const inputs = base({ consumer: "qemu", queues: 2, multiQueue: true, mtu: 1400 });
    const { outputs } = await program.declare(kind, "vm0", inputs);
    const mac = String(outputs.guestMacAddress);
    expect(outputs.qemuArguments).toEqual([
      "-netdev",
      "tap,id=net-vm0,ifname=vm0,script=no,downscript=no,queues=2",
      "-device",
      `virtio-net-pci,netdev=net-vm0,mac=${mac},mq=on,vectors=6,host_mtu=1400`,
    ]);
    expect(mac).not.toBe((await lab.mustHave("vm0")).address);
    expect((await program.newRun().declare(kind, "vm0", inputs)).operation).toBe("same");
    const refreshed = await program.refresh("vm0");
    expect(refreshed).toEqual({ notices: [], outputs });
    expect((await program.newRun().declare(kind, "vm0", inputs)).operation).toBe("same");
  });

  test("follow a rename; the guest keeps its MAC address", async () => {
    const inputs = base({ consumer: "firecracker" });
    const { outputs } = await program.declare(kind, "vm0", inputs);
    const renamed = await program.declare(kind, "vm0", { ...inputs, name: "fc-1" });
    expect(renamed.outputs.firecracker).toEqual({
      iface_id: "fc_1",
      host_dev_name: "fc-1",
      guest_mac: outputs.guestMacAddress,
    });
  });

  test("another consumer, another guest's MAC address, or none: an update that writes nothing", async () => {
    const calls: Record<string, number> = {};
    const counted = new Program(undefined, "dev", "test", [], calls);
    await counted.declare(kind, "vm0", base({ consumer: "qemu" }));
    const before = await lab.snapshot();
    const sent = () => [calls.request, calls.tun, calls.move, calls.hold];
    const written = sent();
    expect(calls).toMatchObject({ request: expect.any(Number), tun: expect.any(Number) });
    const steps: [Record<string, unknown>, string[]][] = [
      [{ consumer: "libvirt" }, ["guestMacAddress", "libvirtXml"]],
      [{ consumer: "libvirt", guestMacAddress: "52:54:00:00:00:09" }, ["guestMacAddress", "libvirtXml"]],
      [{ consumer: "libvirt" }, ["guestMacAddress", "libvirtXml"]],
      [{ consumer: "cloud-hypervisor", queues: 1 }, ["cloudHypervisor", "guestMacAddress"]],
      [{}, []],
    ];
    for (const [inputs, expected] of steps) {
      const step = await counted.newRun().declare(kind, "vm0", base(inputs));
      expect(step.operation).toBe("update");
      const ofConsumers = [
        "cloudHypervisor",
        "firecracker",
        "guestMacAddress",
        "libvirtXml",
        "qemuArguments",
      ];
      expect(ofConsumers.filter((name) => step.outputs[name] !== undefined)).toEqual(expected);
      expect((await counted.declare(kind, "vm0", base(inputs))).operation).toBe("same");
    }
    expect(sent()).toEqual(written);
    expect(await lab.snapshot()).toBe(before);
    await counted.removeAll();
  });

  test("a secret MAC address of the guest is told by no other output", async () => {
    const secret = new Program(undefined, "dev", "test", ["guestMacAddress"]);
    const inputs = base({ consumer: "libvirt", guestMacAddress: "52:54:00:00:00:09" });
    const { outputs } = await secret.declare(kind, "vm0", inputs);
    expect(outputs.guestMacAddress).toBe("52:54:00:00:00:09");
    const { guestMacAddress, ...others } = outputs;
    expect(JSON.stringify(others)).not.toContain("52:54:00:00:00:09");
    expect((await secret.newRun().declare(kind, "vm0", inputs)).operation).toBe("same");
    await secret.removeAll();
  });

  test("an interface that is taken over has them too", async () => {
    await lab.ip("tuntap", "add", "vm0", "mode", "tap", "user", "nobody");
    const { outputs } = await program.declare(
      kind,
      "vm0",
      base({ consumer: "cloud-hypervisor", adopt: true }),
    );
    expect(outputs.cloudHypervisor).toEqual({ tap: "vm0", mac: outputs.guestMacAddress, num_queues: 2 });
  });
});

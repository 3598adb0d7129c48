/** The configuration of each consumer, as it takes it: by the schema that it publishes, where it has one. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Ajv from "ajv";
import { describe, expect, test } from "vitest";
import type { Link } from "../../provider/host/links";
import type { Inputs } from "../../provider/kinds/kind";
import { desiredConsumer, presentConsumer } from "../../provider/kinds/parts/consumer-outputs";
import { attempt } from "../harness/shell";

const lease = "tuntap-0-0123456789ab0123456789abcdef0123";

function outputs(inputs: Inputs, link: Partial<Link> = {}, of: string | undefined = lease) {
  const tun = { mode: "tap", ...link.tun };
  return presentConsumer(
    { name: "vm0", mtu: 1500, ...link, tun } as Link,
    desiredConsumer(inputs),
    inputs,
    of,
  );
}

describe("the guest's MAC address", () => {
  const derived = (of: string) => outputs({ consumer: "qemu" }, {}, of).guestMacAddress as string;

  test("is the same for one lease, and another for another; unicast and locally administered", () => {
    expect(derived(lease)).toBe(derived(lease));
    const macs = Array.from({ length: 1000 }, (_, number) => derived(`${lease}${number}`));
    expect(new Set(macs).size).toBe(1000);
    for (const mac of macs) expect(mac).toMatch(/^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/);
  });

  test("is what is declared: as it is written in the output of that name, canonical for the consumer", () => {
    const guestMacAddress = "52-54-00-AB-CD-EF";
    expect(outputs({ consumer: "firecracker", guestMacAddress })).toEqual({
      guestMacAddress,
      firecracker: { iface_id: "vm0", host_dev_name: "vm0", guest_mac: "52:54:00:ab:cd:ef" },
    });
  });
});

test("without a consumer, and on a TUN, there is none of it", () => {
  expect(outputs({})).toEqual({});
  expect(outputs({ queues: 2, guestMacAddress: "52:54:00:00:00:01" })).toEqual({});
  expect(outputs({ consumer: "qemu" }, { tun: { mode: "tun" } as Link["tun"] })).toEqual({});
});

describe("qemu", () => {
  const given = { consumer: "qemu", guestMacAddress: "52:54:00:00:00:01" };
  const text = (inputs: Inputs, link?: Partial<Link>) =>
    (outputs({ ...given, ...inputs }, link).qemuArguments as string[]).join(" ");

  test("one queue, several, and a declared mtu as it is on the host", () => {
    expect(text({})).toBe(
      "-netdev tap,id=net-vm0,ifname=vm0,script=no,downscript=no -device virtio-net-pci,netdev=net-vm0,mac=52:54:00:00:00:01",
    );
    expect(text({ queues: 4 })).toBe(
      "-netdev tap,id=net-vm0,ifname=vm0,script=no,downscript=no,queues=4 -device virtio-net-pci,netdev=net-vm0,mac=52:54:00:00:00:01,mq=on,vectors=10",
    );
    expect(text({ mtu: 1400 }, { mtu: 9000 })).toMatch(/mac=52:54:00:00:00:01,host_mtu=9000$/);
  });

  test("a name with a comma", () => {
    expect(text({}, { name: "0,vm-1" })).toContain("tap,id=net-0_vm_1,ifname=0,,vm-1,script=no");
  });
});

describe("libvirt, by its own schema", () => {
  const xml = (inputs: Inputs = {}, link?: Partial<Link>) =>
    outputs({ consumer: "libvirt", guestMacAddress: "52:54:00:00:00:01", ...inputs }, link)
      .libvirtXml as string;

  async function validated(element: string): Promise<{ code: number | null; output: string }> {
    const folder = mkdtempSync(join(tmpdir(), "tuntap-xml-"));
    const domain = `<domain type='qemu'><name>vm</name><memory>65536</memory><os><type>hvm</type></os><devices>${element}</devices></domain>`;
    writeFileSync(join(folder, "domain.xml"), domain);
    const result = await attempt("virt-xml-validate", join(folder, "domain.xml"), "domain");
    rmSync(folder, { recursive: true });
    return result;
  }

  test("an interface with one queue, with several, and with an mtu is valid", async () => {
    expect(xml()).toBe(
      [
        "<interface type='ethernet'>",
        "  <mac address='52:54:00:00:00:01'/>",
        "  <target dev='vm0' managed='no'/>",
        "  <model type='virtio'/>",
        "</interface>",
      ].join("\n"),
    );
    expect(xml({ queues: 2, mtu: 1400 }, { mtu: 1400 })).toMatch(
      /<driver queues='2'\/>\n {2}<mtu size='1400'\/>\n<\/interface>$/,
    );
    for (const element of [xml(), xml({ queues: 2 }), xml({ mtu: 1400 }), xml({ queues: 256, mtu: 9000 })])
      expect(await validated(element)).toMatchObject({ code: 0 });
  });

  test("the schema can refuse: another letter in the name, and another value", async () => {
    const name = "vm&<'\"";
    expect(xml({}, { name })).toContain("dev='vm&#38;&#60;&#39;&#34;' managed='no'");
    expect((await validated(xml({}, { name }))).code).not.toBe(0);
    expect((await validated(xml().replace("managed='no'", "managed='maybe'"))).code).not.toBe(0);
  });
});

// Their binaries are not to be had here: the names and types of the fields are those of their published API.
const strict = new Ajv({ allErrors: true });

test("firecracker: the fields of NetworkInterface in its API (no binary here)", () => {
  const text = { type: "string" };
  const valid = strict.compile({
    type: "object",
    required: ["host_dev_name", "iface_id"],
    properties: {
      guest_mac: { type: "string", pattern: "^[0-9a-f]{2}(:[0-9a-f]{2}){5}$" },
      host_dev_name: text,
      // Its API takes letters, digits and "_" in an id, up to 64 of them.
      iface_id: { type: "string", pattern: "^[A-Za-z0-9_]{1,64}$" },
      rx_rate_limiter: { type: "object" },
      tx_rate_limiter: { type: "object" },
    },
    additionalProperties: false,
  });
  for (const name of ["fc0", "fc-0.1", "Überbrücke"]) {
    const { firecracker } = outputs({ consumer: "firecracker", mtu: 1400 }, { name });
    expect(valid(firecracker) || valid.errors).toBe(true);
    expect(firecracker).toMatchObject({ host_dev_name: name });
  }
  expect(valid({ iface_id: "fc-0", host_dev_name: "fc-0" })).toBe(false);
});

test("cloud-hypervisor: the fields of NetConfig in its API (no binary here)", () => {
  const [text, number, flag] = [{ type: "string" }, { type: "integer" }, { type: "boolean" }];
  const valid = strict.compile({
    type: "object",
    properties: {
      ...{ tap: text, ip: text, mask: text, mac: text, host_mac: text, mtu: number, iommu: flag },
      ...{ num_queues: { type: "integer", minimum: 2, multipleOf: 2 }, queue_size: number },
      ...{ vhost_user: flag, vhost_socket: text, vhost_mode: text, id: text, pci_segment: number },
      ...{ offload_tso: flag, offload_ufo: flag, offload_csum: flag },
    },
    additionalProperties: false,
  });
  const config = (inputs: Inputs) => outputs({ consumer: "cloud-hypervisor", ...inputs }).cloudHypervisor;
  for (const queues of [1, 2, 256]) {
    expect(valid(config({ queues })) || valid.errors).toBe(true);
    expect(config({ queues })).toMatchObject({ tap: "vm0", num_queues: 2 * queues });
  }
  // What it would set on the interface by itself, without the right to.
  expect(Object.keys(config({ mtu: 1400 }) as object)).toEqual(["tap", "mac", "num_queues"]);
});

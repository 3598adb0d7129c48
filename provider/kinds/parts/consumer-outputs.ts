import type { Link } from "../../host/links";
import type { Inputs, OutputSchema } from "../kind";
import type { Consumer } from "./consumers";
import { canonicalMac, stableMac } from "./link-settings";

/** The inputs whose values stand in all of these. */
const from = ["name", "guestMacAddress", "queues", "mtu"] as const;

/** How the declared `consumer` is told of the interface; only that one's is there. */
export const consumerOutputs = {
  qemuArguments: {
    type: "array",
    items: { type: "string" },
    optional: true,
    from,
    description:
      'With `consumer: "qemu"`: the arguments `-netdev …` and `-device virtio-net-pci,…`, one element each, for QEMU in the interface\'s namespace. They ask for no `vhost`, which needs access to /dev/vhost-net.',
  },
  libvirtXml: {
    type: "string",
    optional: true,
    from,
    description:
      "With `consumer: \"libvirt\"`: the `<interface>` element of a domain: `type='ethernet'` with `managed='no'`, the only way in which libvirt takes an interface that exists.",
  },
  firecracker: {
    type: "object",
    optional: true,
    from,
    description: 'With `consumer: "firecracker"`: the body of `PUT /network-interfaces/{iface_id}`.',
    properties: {
      iface_id: {
        type: "string",
        required: true,
        description:
          "Name of the device within Firecracker: the interface's, with `_` for all that is no letter or digit.",
      },
      host_dev_name: { type: "string", required: true, description: "Name of the interface." },
      guest_mac: { type: "string", required: true, description: "MAC address of the guest." },
    },
  },
  cloudHypervisor: {
    type: "object",
    optional: true,
    from,
    description:
      'With `consumer: "cloud-hypervisor"`: an element of `net` in the body of `PUT /vm.create`, or the body of `PUT /vm.add-net`. It has no `mtu` and no `host_mac`: Cloud Hypervisor would set these itself, which needs CAP_NET_ADMIN.',
    properties: {
      tap: { type: "string", required: true, description: "Name of the interface." },
      mac: { type: "string", required: true, description: "MAC address of the guest." },
      num_queues: {
        type: "integer",
        required: true,
        description: "Virtqueues, two for each of `queues`.",
      },
    },
  },
} as const satisfies Record<string, OutputSchema>;

export interface DesiredConsumer {
  consumer: Consumer | undefined;
  queues: number;
  /** Canonical; undefined: one that the lease gives. */
  guestMacAddress: string | undefined;
  /** Only a declared one is told to a consumer: any other may change at any time. */
  mtu: number | undefined;
}

export function desiredConsumer(inputs: Inputs): DesiredConsumer {
  const given = inputs as Partial<DesiredConsumer>;
  return {
    consumer: given.consumer,
    queues: given.queues ?? 1,
    guestMacAddress: given.guestMacAddress === undefined ? undefined : canonicalMac(given.guestMacAddress),
    mtu: given.mtu,
  };
}

/** What all consumers are told. */
interface Guest {
  tap: string;
  mac: string;
  queues: number;
  mtu: number | undefined;
}

/**
 * The outputs of the consumer of one TAP, from what was observed of it.
 * @param lease of the TAP; the guest's MAC address comes from it where none is declared.
 */
export function presentConsumer(
  link: Link,
  { consumer, queues, guestMacAddress, mtu }: DesiredConsumer,
  declared: Inputs,
  lease: string | undefined,
): Record<string, unknown> {
  if (consumer === undefined || link.tun?.mode !== "tap") return {};
  const mac = guestMacAddress ?? (lease === undefined ? undefined : stableMac(`guest of ${lease}`));
  if (mac === undefined) return {};
  const guest = { tap: link.name, mac, queues, mtu: mtu === undefined ? undefined : link.mtu };
  return { guestMacAddress: declared.guestMacAddress ?? mac, ...writers[consumer](guest) };
}

const writers: Readonly<Record<Consumer, (guest: Guest) => Record<string, unknown>>> = {
  qemu: (guest) => ({ qemuArguments: qemuArguments(guest) }),
  libvirt: (guest) => ({ libvirtXml: libvirtXml(guest) }),
  firecracker: ({ tap, mac }) => ({
    firecracker: { iface_id: plainId(tap), host_dev_name: tap, guest_mac: mac },
  }),
  "cloud-hypervisor": ({ tap, mac, queues }) => ({
    cloudHypervisor: { tap, mac, num_queues: 2 * queues },
  }),
};

/** Letters, digits and `_`, as every consumer takes it for a name of its own. */
function plainId(name: string): string {
  return name.replace(/[^A-Za-z0-9]/g, "_");
}

function qemuArguments({ tap, mac, queues, mtu }: Guest): string[] {
  // Such an id begins with a letter.
  const id = `net-${plainId(tap)}`;
  // A comma within a value is written twice.
  const backend = ["tap", `id=${id}`, `ifname=${tap.replaceAll(",", ",,")}`, "script=no", "downscript=no"];
  const device = ["virtio-net-pci", `netdev=${id}`, `mac=${mac}`];
  if (queues > 1) {
    backend.push(`queues=${queues}`);
    // Two vectors for each queue, and two for the device.
    device.push("mq=on", `vectors=${2 * queues + 2}`);
  }
  if (mtu !== undefined) device.push(`host_mtu=${mtu}`);
  return ["-netdev", backend.join(","), "-device", device.join(",")];
}

function libvirtXml({ tap, mac, queues, mtu }: Guest): string {
  return [
    "<interface type='ethernet'>",
    `  <mac address='${mac}'/>`,
    `  <target dev='${escaped(tap)}' managed='no'/>`,
    "  <model type='virtio'/>",
    ...(queues > 1 ? [`  <driver queues='${queues}'/>`] : []),
    ...(mtu === undefined ? [] : [`  <mtu size='${mtu}'/>`]),
    "</interface>",
  ].join("\n");
}

function escaped(text: string): string {
  return text.replace(/[&<>'"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

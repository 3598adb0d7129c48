import type { InputSchema, Inputs, Problem } from "../kind";
import { canonicalMac } from "./link-settings";

/** What attaches to a TAP for a virtual machine. */
export type Consumer = "qemu" | "libvirt" | "firecracker" | "cloud-hypervisor";

/** MAX_TAP_QUEUES of drivers/net/tun.c */
const mostQueues = 256;

/** What is said of whom the interface is for. All of it is checked against the rest, and nothing of it is written. */
export const consumerInputs = {
  consumer: {
    type: "string",
    enum: ["qemu", "libvirt", "firecracker", "cloud-hypervisor"] satisfies Consumer[],
    change: "control",
    description:
      "The program that attaches for a virtual machine; on a TAP only. What it opens (TUNSETIFF) is compared with the interface before anything is changed, and its configuration for this interface is an output: `qemuArguments`, `libvirtXml`, `firecracker` or `cloudHypervisor`. Default: none is assumed.",
  },
  queues: {
    type: "integer",
    minimum: 1,
    maximum: mostQueues,
    change: "control",
    description: `Queues (pairs of receiving and sending) that \`consumer\` opens, 1 to ${mostQueues}; more than one needs \`multiQueue\`. Firecracker opens one. Default: 1.`,
  },
  guestMacAddress: {
    type: "string",
    format: "mac",
    change: "control",
    description:
      "MAC address of the guest's end, for the configuration of `consumer`: six bytes in hexadecimal, unicast, and not the interface's own. Default: with `consumer`, one that is always the same for this resource of this stack.",
  },
} as const satisfies Record<string, InputSchema>;

interface Contract {
  title: string;
  mostQueues: number;
  /** What happens where the queues do not fit. */
  refusal: string;
}

const invalidArgument = 'it would get "Invalid argument" (EINVAL)';

/** They all attach with IFF_TAP, IFF_NO_PI and IFF_VNET_HDR; they differ in IFF_MULTI_QUEUE. */
const contracts: Readonly<Record<Consumer, Contract>> = {
  // net/tap-linux.c
  qemu: { title: "QEMU", mostQueues, refusal: invalidArgument },
  // src/util/virnetdevtap.c
  libvirt: { title: "libvirt", mostQueues, refusal: invalidArgument },
  // src/vmm/src/devices/virtio/net/tap.rs
  firecracker: { title: "Firecracker", mostQueues: 1, refusal: invalidArgument },
  // net_util/src/open_tap.rs: it reads tun_flags first.
  "cloud-hypervisor": {
    title: "Cloud Hypervisor",
    mostQueues,
    refusal: "it would refuse the interface",
  },
};

/** What a consumer opens that the interface is not. */
export function consumerRules(inputs: Inputs): Problem[] {
  const consumer = inputs.consumer as Consumer | undefined;
  const problems = guestMacRules(inputs);
  if (consumer === undefined) return problems;
  if (inputs.mode === "tun") {
    problems.push({
      property: "consumer",
      message: `consumer "${consumer}" opens a TAP (IFF_TAP), and \`mode\` is "tun", which carries no Ethernet frames; use mode "tap", or take consumer out`,
    });
    return problems;
  }
  return [...problems, ...queueRules(consumer, inputs)];
}

function queueRules(consumer: Consumer, { queues = 1, multiQueue, persistence }: Inputs): Problem[] {
  const { title, mostQueues: most, refusal } = contracts[consumer];
  const several = Number(queues) > 1;
  if (Number(queues) > most) {
    return [
      {
        property: "queues",
        message: `queues ${queues} is more than \`consumer\` "${consumer}" opens: ${title} attaches once, never with IFF_MULTI_QUEUE; take queues out`,
      },
    ];
  }
  if (several === (multiQueue === true)) return keptRules(Number(queues), persistence);
  if (several) {
    return [
      {
        property: "queues",
        message: `queues ${queues}: \`consumer\` "${consumer}" opens each of them with IFF_MULTI_QUEUE, and the interface has a single queue (\`multiQueue\` is not true), so ${refusal}; set multiQueue to true, or take queues out`,
      },
    ];
  }
  const more = most > 1 ? ", or say how many it opens (`queues`, 2 or more)" : "";
  const kept = persistence === "process" ? ' and persistence "process"' : "";
  return [
    {
      property: "multiQueue",
      message: `multiQueue true: \`consumer\` "${consumer}" opens one queue, without IFF_MULTI_QUEUE, and the interface has several, so ${refusal}; take multiQueue${kept} out${more}`,
    },
  ];
}

function keptRules(queues: number, persistence: unknown): Problem[] {
  if (queues < mostQueues || persistence !== "process") return [];
  return [
    {
      property: "queues",
      message: `queues ${queues}: the kernel has ${mostQueues} of an interface at most, and with \`persistence\` "process" one of them is that process's; give at most ${mostQueues - 1}`,
    },
  ];
}

function guestMacRules({ guestMacAddress, macAddress }: Inputs): Problem[] {
  if (typeof guestMacAddress !== "string" || typeof macAddress !== "string") return [];
  if (canonicalMac(guestMacAddress) !== canonicalMac(macAddress)) return [];
  return [
    {
      property: "guestMacAddress",
      message: `guestMacAddress ${JSON.stringify(guestMacAddress)} is the interface's own \`macAddress\` too: host and guest would each take the other's frames for its own; choose another, or leave it out`,
    },
  ];
}

/** Names that libvirt takes for its own, and may ignore in a definition. */
const libvirtNames = /^(vnet|vif|macvtap|macvlan)/;
/** `deviceName` of its schema. */
const libvirtLetters = /^[A-Za-z0-9_.\\:/-]+$/;

/** What a consumer can open, but hardly as it is meant. */
export function consumerWarnings(inputs: Inputs): Problem[] {
  const consumer = inputs.consumer as Consumer | undefined;
  if (consumer === undefined) return idleInputs(inputs);
  const problems: Problem[] = [];
  const { title } = contracts[consumer];
  if (inputs.up === false) {
    const itself =
      consumer === "cloud-hypervisor"
        ? `${title} then sets it up itself, which fails without CAP_NET_ADMIN`
        : `${title} does not set it up, so no frame passes`;
    problems.push({ property: "up", message: `up is false: ${itself}; take \`up\` out` });
  }
  if (consumer === "libvirt" && typeof inputs.name === "string") problems.push(...nameWarnings(inputs.name));
  return problems;
}

function nameWarnings(name: string): Problem[] {
  const shown = `name ${JSON.stringify(name)}`;
  const reserved = libvirtNames.exec(name)?.[0];
  if (reserved !== undefined) {
    return [
      {
        property: "name",
        message: `${shown} begins with "${reserved}", as the names that libvirt gives itself; it may ignore it. Choose another \`name\``,
      },
    ];
  }
  if (libvirtLetters.test(name)) return [];
  return [
    {
      property: "name",
      message: `${shown} has characters that libvirt's schema has not (letters, digits, "_", ".", "-"), so \`virsh define --validate\` refuses it; choose another \`name\``,
    },
  ];
}

function idleInputs(inputs: Inputs): Problem[] {
  return ["queues", "guestMacAddress"]
    .filter((property) => inputs[property] !== undefined)
    .map((property) => ({
      property,
      message: `${property} ${JSON.stringify(inputs[property])} has no effect without \`consumer\`; say which program attaches, or take it out`,
    }));
}

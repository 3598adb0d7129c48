import { createHash } from "node:crypto";
import { constants } from "node:os";
import { type Link, setLink, setLinkFlag, setLinkUp } from "../../host/links";
import { IFF, type LinkAttributes } from "../../netlink/link";
import { unprintable } from "../../printable";
import type { InputSchema, Inputs, Problem, Property } from "../kind";
import type { ObservedLink } from "./link";
import { live } from "./verdicts";

/** IFALIASZ - 1 (linux/if.h). */
const aliasBytes = 255;

/**
 * Each queue is an array of 8 bytes for each packet, of 4 MiB at most (KMALLOC_MAX_SIZE). With a longer one an interface
 * can be made, but its queue cannot, and nobody can attach any more (ENOMEM).
 */
const longestQueue = (4 * 2 ** 20) / 8;

/** Settings that every kind of link has; a kind takes those that apply to it. */
export const linkSettingInputs = {
  macAddress: {
    type: "string",
    format: "mac",
    change: "live",
    description:
      "MAC address, six bytes in hexadecimal (`52:54:00:12:34:56`), unicast; on a TAP only. The owner of a TAP may set it too, without privilege. Default: not managed (the kernel makes one at random).",
  },
  mtu: {
    type: "integer",
    minimum: 68,
    maximum: 65535,
    change: "live",
    observed: true,
    description:
      "Largest packet in bytes: 68 to 65535 for a TUN, 68 to 65521 for a TAP. Default: not managed (the kernel starts with 1500).",
  },
  txQueueLength: {
    type: "integer",
    minimum: 0,
    maximum: longestQueue,
    because:
      "for a longer queue the kernel has no memory in one piece, and nobody could attach to the interface (ENOMEM)",
    change: "live",
    observed: true,
    description:
      "Packets that wait at most for the process behind the interface. The kernel allocates 8 bytes for each in one piece, of 4 MiB at most; some kernels, such as Debian's 6.1, take 32767 at most. Default: not managed (the kernel starts with 1000 for a TAP, 500 for a TUN).",
  },
  promiscuous: {
    type: "boolean",
    change: "live",
    observed: true,
    description:
      "Whether all frames are taken in, also those for other hosts (IFF_PROMISC). A bridge's ports take in everything by themselves, without this. Default: not managed.",
  },
  allMulticast: {
    type: "boolean",
    change: "live",
    observed: true,
    description: "Whether all multicast packets are taken in (IFF_ALLMULTI). Default: not managed.",
  },
  multicast: {
    type: "boolean",
    change: "live",
    observed: true,
    description: "Whether multicast packets are sent (IFF_MULTICAST). Default: not managed.",
  },
  arp: {
    type: "boolean",
    change: "live",
    observed: true,
    description:
      "Whether neighbours are looked up by ARP and neighbour discovery (no IFF_NOARP). Default: not managed (on for a TAP, off for a TUN).",
  },
  alias: {
    type: "string",
    format: "alias",
    change: "live",
    description:
      "Free text for people, at most 255 bytes (`ip link set … alias`); empty is none. Default: not managed.",
  },
  up: {
    type: "boolean",
    default: true,
    change: "live",
    description:
      "Administrative state (IFF_UP). Setting it down takes IPv6 addresses and routes off the interface.",
  },
} as const satisfies Record<string, InputSchema>;

interface Settings {
  macAddress: string;
  mtu: number;
  txQueueLength: number;
  promiscuous: boolean;
  allMulticast: boolean;
  multicast: boolean;
  arp: boolean;
  alias: string;
  up: boolean;
}

/** Canonical values; what is not declared is undefined. */
export type DesiredSettings = { [Name in keyof Settings]: Settings[Name] | undefined };

export function desiredSettings(inputs: Inputs): DesiredSettings {
  const given = inputs as Partial<DesiredSettings>;
  return {
    macAddress: given.macAddress === undefined ? undefined : canonicalMac(given.macAddress),
    mtu: given.mtu,
    txQueueLength: given.txQueueLength,
    promiscuous: given.promiscuous,
    allMulticast: given.allMulticast,
    multicast: given.multicast,
    arp: given.arp,
    alias: given.alias,
    up: given.up,
  };
}

/** Six bytes with colons, in lower case, as the kernel's tools show them; undefined where it is no MAC address. */
export function canonicalMac(text: string): string | undefined {
  const pattern = /^[0-9a-f]{2}(?:(:[0-9a-f]{2}){5}|(-[0-9a-f]{2}){5})$/i;
  return pattern.test(text) ? text.toLowerCase().replaceAll("-", ":") : undefined;
}

/** The same for the same text: locally administered and unicast. */
export function stableMac(text: string): string {
  const bytes = createHash("sha256").update(text).digest().subarray(0, 6);
  bytes[0] = ((bytes[0] as number) & 0xfc) | 0x02;
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

export const notAMac =
  "is no MAC address; give six bytes in hexadecimal with colons between them, such as 52:54:00:12:34:56";

/** Why a text is no MAC address that an interface can have; undefined if it is one. */
export function macProblem(text: string): string | undefined {
  const mac = canonicalMac(text);
  if (mac === undefined) return notAMac;
  if (mac === "00:00:00:00:00:00") return "is all zeros, which no interface can have; choose another";
  if ((Number.parseInt(mac.slice(0, 2), 16) & 1) !== 0) {
    return "is a multicast address (the lowest bit of its first byte is set); clear that bit, for example with 52 as first byte";
  }
  return undefined;
}

/** Why a text cannot be an interface's alias; undefined if it can. */
export function aliasProblem(text: string): string | undefined {
  const bytes = Buffer.byteLength(text);
  if (bytes > aliasBytes) return `has ${bytes} bytes; the kernel allows ${aliasBytes}. Shorten it`;
  if (unprintable.test(text)) return "contains a control character; take it out";
  return undefined;
}

/** Settings of an Ethernet interface on one that has no Ethernet. */
export function macRules({ macAddress, mode }: Inputs): Problem[] {
  if (macAddress === undefined || mode !== "tun") return [];
  return [
    {
      property: "macAddress",
      message: `macAddress ${JSON.stringify(macAddress)} is for a TAP only, and \`mode\` is "tun", which has none; take it out, or use mode "tap"`,
    },
  ];
}

type Row<T> = Property<DesiredSettings, ObservedLink, T>;

/** A row whose input is named like the property of the link, written as one attribute. */
function attribute<Name extends "macAddress" | "mtu" | "txQueueLength" | "alias">(
  name: Name,
  is: (link: Link) => Settings[Name],
  attributes: (value: Settings[Name]) => Partial<LinkAttributes>,
  more: Partial<Row<Settings[Name]>> = {},
): Row<Settings[Name]> {
  return {
    name,
    inputs: [name],
    verdict: live,
    want: (desired) => desired[name],
    is: ({ link }) => is(link),
    messages: ({ want, observed }) => [{ bytes: setLink(observed.ifindex, attributes(want)) }],
    ...more,
  };
}

function flag(
  name: "promiscuous" | "allMulticast" | "multicast" | "arp",
  bit: number,
  inverted = false,
): Row<boolean> {
  return {
    name,
    inputs: [name],
    verdict: live,
    want: (desired) => desired[name],
    is: ({ link }) => link[name],
    show: (on) => (on ? "on" : "off"),
    messages: ({ want, observed }) => [{ bytes: setLinkFlag(observed.ifindex, bit, want !== inverted) }],
  };
}

/** The rows of the settings above, but `up`, which is written after everything else. */
export const linkSettings = [
  attribute(
    "macAddress",
    (link) => link.macAddress ?? "",
    (macAddress) => ({ address: macAddress }),
  ),
  attribute(
    "mtu",
    (link) => link.mtu,
    (mtu) => ({ mtu }),
  ),
  attribute(
    "txQueueLength",
    (link) => link.txQueueLength,
    (txqlen) => ({ txqlen }),
    {
      explain: (errno) => {
        if (errno === constants.errno.ENOMEM)
          return "Choose a smaller one: the kernel allocates 8 bytes for each packet of the queue, in one piece.";
        if (errno === constants.errno.ERANGE)
          return "Choose a smaller one: some kernels, such as Debian's 6.1, take 32767 packets at most.";
        return undefined;
      },
    },
  ),
  flag("promiscuous", IFF.PROMISC),
  flag("allMulticast", IFF.ALLMULTI),
  flag("multicast", IFF.MULTICAST),
  flag("arp", IFF.NOARP, true),
  attribute(
    "alias",
    (link) => link.alias ?? "",
    (ifalias) => ({ ifalias }),
    { show: (alias) => (alias === "" ? "none" : JSON.stringify(alias)) },
  ),
] as Property<DesiredSettings, ObservedLink, never>[];

/** One of those rows, for a kind that has not all of them. */
export function linkSetting<Name extends keyof Settings>(
  name: Name,
  more: Partial<Row<Settings[Name]>> = {},
): Row<Settings[Name]> {
  const found = linkSettings.find((row) => row.name === name) as unknown as Row<Settings[Name]>;
  return { ...found, ...more };
}

/** The last row of a link. */
export const linkUp: Row<boolean> = {
  name: "up",
  inputs: ["up"],
  verdict: live,
  want: (desired) => desired.up,
  is: ({ link }) => link.up,
  show: (up) => (up ? "up" : "down"),
  // Down takes IPv6 addresses away, so it comes before they are written, and up comes after.
  first: (want) => !want,
  messages: ({ want, observed }) => [{ bytes: setLinkUp(observed.ifindex, want) }],
};

/** The settings as observed, in the program's words where they are equal. */
export function presentSettings(
  { link }: ObservedLink,
  desired: DesiredSettings,
  declared: Inputs,
): Record<string, unknown> {
  const sameMac = link.macAddress !== undefined && link.macAddress === desired.macAddress;
  return {
    macAddress: sameMac ? declared.macAddress : link.macAddress,
    mtu: link.mtu,
    txQueueLength: link.txQueueLength,
    promiscuous: link.promiscuous,
    allMulticast: link.allMulticast,
    multicast: link.multicast,
    arp: link.arp,
    alias: link.alias ?? (declared.alias === "" ? "" : undefined),
    up: link.up,
  };
}

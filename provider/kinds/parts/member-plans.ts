import { canonicalAddress } from "../../host/addresses";
import { rememberedOf } from "../../remember";
import type { InputSchema, Inputs, Problem } from "../kind";
import { mostPorts } from "./bridge-port";
import { linkNameBytes, linkNameProblem, namespaceNameProblem } from "./names";

/** The most members of one set: what the numbers in leases and the time of one run allow. */
const mostMembers = 4000;

/** How the members of a set differ from one another. */
export const planInputs = {
  count: {
    type: "integer",
    minimum: 1,
    maximum: mostMembers,
    required: true,
    change: "live",
    description: `How many there are: 1 to ${mostMembers}. More are made beside those that exist; of fewer, those of the highest numbers are deleted.`,
  },
  namePattern: {
    type: "string",
    change: "live",
    description:
      "Names of the interfaces, with `%d` where the number of each stands, from 0: `fc%d` gives fc0, fc1 and so on, 15 bytes each at most. Default: the logical name, shortened where it is too long, and `%d`.",
  },
  namespacePattern: {
    type: "string",
    change: "live",
    description:
      "Network namespaces, one for each interface, by their names in /run/netns with `%d` where the number stands: `vm%d`. They must exist, or be made by `Namespace` resources that this one depends on. Instead of `namespace`. Default: all are in `namespace`.",
  },
  addressPlan: {
    type: "object",
    properties: {
      subnet: {
        type: "string",
        format: "ipv4-subnet",
        required: true,
        description: "IPv4 subnet out of which all get their addresses: `172.16.0.0/20`.",
      },
      each: {
        type: "string",
        enum: ["address", "/30", "/31"],
        default: "address",
        description:
          "What each gets: one `address` of the subnet, with the subnet's prefix length, which is for ports of a bridge or interfaces in namespaces of their own; or a subnet of its own, of which the interface has the first address that a host can have and its peer (the guest) the other: `/30` (four addresses) or `/31` (two, RFC 3021).",
      },
      first: {
        type: "integer",
        minimum: 0,
        maximum: 2 ** 24,
        description:
          "Offset of the first address, or of the first subnet in units of its size. Default: 0 for subnets, 1 for addresses, and 2 for addresses of ports of a bridge, which mostly has the first itself.",
      },
    },
    change: "live",
    description:
      "IPv4 addresses of the interfaces and of their peers. On ports of a bridge, which have no addresses themselves, each `address` is the peer's. Default: none.",
  },
  macPlan: {
    type: "object",
    properties: {
      base: {
        type: "string",
        format: "mac",
        description:
          "MAC address of the first interface, on the host's end; each next one has the next. Default: not managed (the kernel makes each at random).",
      },
      guestBase: {
        type: "string",
        format: "mac",
        description:
          "MAC address of the first guest, for the configuration of `consumer`; each next one has the next. Default: with `consumer`, ones that are always the same for this resource of this stack.",
      },
    },
    change: "live",
    description: 'MAC addresses, on TAPs only: `{ base: "02:fc:00:00:00:00" }`.',
  },
  bridges: {
    type: "array",
    items: { type: "string", format: "link-name" },
    minItems: 1,
    uniqueItems: true,
    change: "live",
    description: `Bridges that the interfaces are ports of, in turn: the first interface of the first bridge, the second of the second, and again from the first. One bridge has ${mostPorts} ports at most. Default: none.`,
  },
} as const satisfies Record<string, InputSchema>;

interface AddressPlan {
  subnet: string;
  each: "address" | "/30" | "/31";
  first?: number;
}

/** A number in a subnet: base address and size. */
interface Subnet {
  base: number;
  length: number;
  size: number;
}

const bits = 32;

function toNumber(address: string): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

function toText(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}

function parseSubnet(text: string): Subnet | undefined {
  const [address = "", length = ""] = text.split("/");
  const canonical = address.includes(":") ? undefined : canonicalAddress(address);
  if (canonical === undefined || !/^\d{1,2}$/.test(length) || Number(length) > bits) return undefined;
  return { base: toNumber(canonical), length: Number(length), size: 2 ** (bits - Number(length)) };
}

/** Why a text is no IPv4 subnet; undefined if it is one. */
export function ipv4SubnetProblem(text: string): string | undefined {
  const subnet = parseSubnet(text);
  if (subnet === undefined) return "is no IPv4 subnet; write it as 172.16.0.0/20";
  const base = subnet.base - (subnet.base % subnet.size);
  if (base !== subnet.base)
    return `has bits beyond its prefix length; the subnet of that length is ${toText(base)}/${subnet.length}`;
  const first = Math.floor(subnet.base / 2 ** 24);
  if (first === 0 || first >= 224)
    return "is no subnet of single hosts; choose another, such as 172.16.0.0/20";
  return undefined;
}

/** Addresses of one member. */
export interface PlannedAddress {
  /** `address/length` of the interface; absent where only its peer has one. */
  address?: string;
  /** Of whoever is at the other end, with its prefix length. */
  peer?: string;
}

function firstOf({ each, first }: AddressPlan, bridged: boolean): number {
  if (first !== undefined) return first;
  if (each !== "address") return 0;
  return bridged ? 2 : 1;
}

/** How many addresses, from the beginning of the subnet, the plan needs for that many members. */
function reach(plan: AddressPlan, count: number, bridged: boolean): number {
  const unit = plan.each === "address" ? 1 : plan.each === "/30" ? 4 : 2;
  // The last address of a subnet is its broadcast address.
  return (firstOf(plan, bridged) + count) * unit + (plan.each === "address" ? 1 : 0);
}

/** By the plans, which are asked for every member. */
const subnetOf = rememberedOf((plan: AddressPlan) => parseSubnet(plan.subnet) as Subnet);

export function plannedAddress(plan: AddressPlan, number: number, bridged: boolean): PlannedAddress {
  const { base, length } = subnetOf(plan);
  const at = firstOf(plan, bridged) + number;
  if (plan.each === "address") {
    const text = `${toText(base + at)}/${length}`;
    return bridged ? { peer: text } : { address: text };
  }
  const [unit, own] = plan.each === "/30" ? [4, 1] : [2, 0];
  const of = (offset: number) => `${toText(base + at * unit + offset)}${plan.each}`;
  return { address: of(own), peer: of(own + 1) };
}

export interface MacPlan {
  base?: string;
  guestBase?: string;
}

const macBits = 48;
/** Addresses with the same first three bytes. */
const macRoom = 2n ** 24n;

export function plannedMac(base: string, number: number): string {
  const digits = (macNumber(base) + BigInt(number)).toString(16).padStart(macBits / 4, "0");
  return (digits.match(/../g) as string[]).join(":");
}

function macNumber(text: string): bigint {
  return BigInt(`0x${text.replaceAll(/[:-]/g, "")}`);
}

export function numbered(pattern: string, number: number): string {
  return pattern.replace("%d", () => String(number));
}

/** Whether the pattern gives that name to some number. */
export function isNumbered(pattern: string, name: string): boolean {
  const [before = "", after = ""] = pattern.split("%d");
  const number = name.slice(before.length, name.length - after.length);
  return /^\d+$/.test(number) && name === numbered(pattern, Number(number));
}

/** The bridge of one member; undefined where it is in none. */
export function bridgeOf({ bridge, bridges }: Inputs, number: number): string | undefined {
  const list = bridges as readonly string[] | undefined;
  return list ? list[number % list.length] : (bridge as string | undefined);
}

/** What is wrong with the plans, together and for that many members. */
export function planRules(inputs: Inputs): Problem[] {
  const { count } = inputs;
  if (typeof count !== "number") return [];
  return [
    ...patternRules(inputs, count),
    ...addressPlanRules(inputs, count),
    ...macPlanRules(inputs, count),
    ...portRules(inputs, count),
  ];
}

function patternRules({ namePattern, namespacePattern, namespace }: Inputs, count: number): Problem[] {
  const problems: Problem[] = [];
  const check = (property: string, pattern: unknown, problem: (name: string) => string | undefined) => {
    if (typeof pattern !== "string") return;
    const say = (message: string) =>
      problems.push({ property, message: `${property} ${JSON.stringify(pattern)} ${message}` });
    if (pattern.split("%d").length !== 2) {
      say('must have "%d" once, where the number of each interface stands; write it as in "fc%d"');
      return;
    }
    const last = numbered(pattern, count - 1);
    const reason = problem(last);
    if (reason !== undefined) say(`gives ${JSON.stringify(last)}, which ${reason}`);
  };
  check("namePattern", namePattern, linkNameProblem);
  check("namespacePattern", namespacePattern, namespaceNameProblem);
  if (namespacePattern !== undefined && namespace !== undefined) {
    problems.push({
      property: "namespacePattern",
      message: `namespacePattern ${JSON.stringify(namespacePattern)} is given beside \`namespace\`; one of them says where the interfaces are: take the other out`,
    });
  }
  return problems;
}

function addressPlanRules({ addressPlan, bridge, bridges, mode }: Inputs, count: number): Problem[] {
  const plan = addressPlan as AddressPlan | undefined;
  const subnet = plan && parseSubnet(plan.subnet);
  if (!plan || !subnet) return [];
  const problems: Problem[] = [];
  const say = (message: string) => problems.push({ property: "addressPlan", message });
  const bridged = bridge !== undefined || bridges !== undefined;
  if (bridged && plan.each !== "address") {
    say(
      `addressPlan.each ${JSON.stringify(plan.each)} gives each interface a subnet of its own, but with ${bridge === undefined ? "`bridges`" : "`bridge`"} they are one network; use "address", or take the bridge out`,
    );
  }
  const needed = reach(plan, count, bridged);
  if (needed > subnet.size) {
    const length = bits - Math.ceil(Math.log2(needed));
    say(
      `addressPlan.subnet ${plan.subnet} has ${subnet.size} addresses, and ${count} interfaces with each ${JSON.stringify(plan.each)} from ${firstOf(plan, bridged)} on need ${needed}; ${length < 1 ? "lower `count` or first" : `give a /${length} or larger, or lower \`count\``}`,
    );
  }
  if (mode === "tun" && plan.each === "address" && bridged) say("addressPlan on a bridge is for TAPs only");
  return problems;
}

function macPlanRules({ macPlan, mode }: Inputs, count: number): Problem[] {
  if (macPlan === undefined) return [];
  const { base, guestBase } = macPlan as MacPlan;
  const say = (message: string): Problem => ({ property: "macPlan", message });
  if (mode === "tun") {
    return [
      say(
        'macPlan is for TAPs only, and `mode` is "tun", which has no MAC address; take it out, or use mode "tap"',
      ),
    ];
  }
  const problems: Problem[] = [];
  for (const [name, first] of Object.entries({ base, guestBase })) {
    // Beyond the lower three bytes it would be another manufacturer's, and in the end a multicast address.
    const room = first === undefined ? count : Number(macRoom - (macNumber(first) % macRoom));
    if (room >= count) continue;
    problems.push(
      say(
        `macPlan.${name} ${first} has room for ${room} addresses before its first three bytes change, and \`count\` is ${count}; lower its last three bytes`,
      ),
    );
  }
  if (base !== undefined && guestBase !== undefined) {
    const apart = macNumber(base) - macNumber(guestBase);
    if (apart < BigInt(count) && -apart < BigInt(count)) {
      problems.push(
        say(
          `macPlan.base ${base} and macPlan.guestBase ${guestBase} are less than ${count} apart, so that some interface would have the address of some guest; move one of them`,
        ),
      );
    }
  }
  return problems;
}

function portRules({ bridge, bridges }: Inputs, count: number): Problem[] {
  const list = bridges as readonly string[] | undefined;
  if (bridge !== undefined && list !== undefined) {
    return [
      {
        property: "bridges",
        message: `bridges ${JSON.stringify(list)} is given beside \`bridge\`; take one of them out`,
      },
    ];
  }
  const many = list?.length ?? (bridge === undefined ? undefined : 1);
  if (many === undefined || Math.ceil(count / many) <= mostPorts) return [];
  const property = list ? "bridges" : "bridge";
  return [
    {
      property,
      message: `${property} ${JSON.stringify(list ?? bridge)} would have ${Math.ceil(count / many)} ports each, and a Linux bridge has ${mostPorts} at most; spread the ${count} interfaces over ${Math.ceil(count / mostPorts)} bridges or more by \`bridges\``,
    },
  ];
}

/** The pattern of names of a set of which none is declared. */
export function defaultPattern(name: (bytes: number) => string): string {
  return `${name(linkNameBytes - String(mostMembers - 1).length)}%d`;
}

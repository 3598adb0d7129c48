import { canonicalAddress, canonicalCidr } from "../../host/addresses";
import type { Claim, Inputs, Problem } from "../kind";
import type { Forward } from "./nat-rules";

/** NFT_TABLE_MAXNAMELEN - 1 (linux/netfilter/nf_tables.h). */
export const tableNameBytes = 255;

/** Words of nft's own language (1.0.6), tried one by one: it reads no table of such a name from a file. */
const reserved = new Set(
  `
accept add ah all arp auto-merge bridge cgroup chain comment comp constant continue counter cpu 
create ct day dccp define delete describe device devices dnat drop dst dup dynamic ecn element 
elements esp ether exists expires export exthdr fib flags flow flowtable flush frag fwd gc-interval 
get goto handle hbh hook hour ibriport ibrname icmp icmpv6 igmp iif iifgroup iifname iiftype import 
include index inet insert interval ip ip6 ipsec jhash jump limit list log map mark masquerade meta 
meter mh missing monitor netdev nftrace notrack numgen obriport obrname offload oif oifgroup 
oifname oiftype or osf pkttype policy position priority queue quota random redefine redirect reject 
rename replace reset return rt rt0 rt2 rtclassid rule ruleset sctp secmark set size skgid skuid 
snat socket srh symhash synproxy table tcp th time timeout tproxy type typeof udp udplite undefine 
update vlan vmap xt`
    .trim()
    .split(/\s+/),
);

/** Why a text is no name of a table; undefined if it is one that nft's own language can say. */
export function tableNameProblem(name: string): string | undefined {
  const bytes = Buffer.byteLength(name);
  if (bytes === 0) return "is empty; give a name as `nft list tables` shows it";
  if (bytes > tableNameBytes) return `has ${bytes} bytes; nftables allows ${tableNameBytes}. Shorten it`;
  if (!/^[A-Za-z][A-Za-z0-9_.-]*$/.test(name))
    return 'has another form than nft reads; begin with a letter and go on with letters, digits, "_", "." and "-"';
  if (reserved.has(name))
    return `is a word of nft's language, which then could not read the table from a file; choose another, such as ${name}-nat`;
  return undefined;
}

/** Why a text is neither a port nor a range of ports; undefined if it is one. */
export function portsProblem(text: string): string | undefined {
  const [first, last, ...more] = text.split("-");
  const numbers = [first, last ?? first].map((part) =>
    /^[1-9]\d{0,4}$/.test(part ?? "") ? Number(part) : 0,
  );
  const [low = 0, high = 0] = numbers;
  if (more.length > 0 || low < 1 || high < 1 || low > 65535 || high > 65535)
    return 'is no port from 1 to 65535; write 8000, or "8000-8010" for a range';
  if (last !== undefined && low >= high)
    return `is no range, as its end is not above its beginning; write "${high === low ? low : `${high}-${low}`}"`;
  return undefined;
}

/** As declared. */
export interface DeclaredForward {
  protocol: "tcp" | "udp";
  port: number | string;
  to: string;
  toPort?: number;
}

export function natRules(inputs: Inputs): Problem[] {
  return [...outInterfaceRules(inputs), ...sourceRules(inputs), ...forwardRules(inputs)];
}

/** Names that the kernel allows and nft does not take, or not for one interface. */
function outInterfaceRules({ outInterface }: Inputs): Problem[] {
  if (typeof outInterface !== "string") return [];
  const reason = outInterface.endsWith("*")
    ? 'ends with "*", by which nft means every interface whose name begins so; give the name of one'
    : outInterface.startsWith("@")
      ? 'begins with "@", by which nft means a set; give the interface another name'
      : /["\\]/.test(outInterface)
        ? 'contains \'"\' or "\\", which nft does not read in a name; give the interface another name'
        : undefined;
  if (reason === undefined) return [];
  return [{ property: "outInterface", message: `outInterface ${JSON.stringify(outInterface)} ${reason}` }];
}

const familyName = (address: string) => (address.includes(":") ? "IPv6" : "IPv4");

function sourceRules({ source, snatTo, outInterface, forwards }: Inputs): Problem[] {
  const networks = (source ?? []) as string[];
  const problems: Problem[] = [];
  if (source === undefined && forwards === undefined) {
    const message =
      "source is not given, nor are `forwards`, so there is nothing to do; give the networks in `source` whose packets are translated, or `forwards`";
    problems.push({ property: "source", message });
  }
  const canonical = networks.map(canonicalCidr);
  for (const [index, network] of networks.entries()) {
    const first = canonical.indexOf(canonical[index]);
    if (first < index)
      problems.push({
        property: "source",
        message: `source[${index}] ${JSON.stringify(network)} is source[${first}] in other words; give each once`,
      });
  }
  // What the networks send one another is left alone, and that is all there is.
  const everything = networks.findIndex((network) => network.endsWith("/0"));
  if (everything >= 0 && outInterface === undefined) {
    const message = `source[${everything}] ${JSON.stringify(networks[everything])} is every network, so without \`outInterface\` nothing would be translated: packets go from one of them to one of them; give the interface to the outside, or the networks behind this host`;
    problems.push({ property: "source", message });
  }
  if (typeof snatTo !== "string") return problems;
  if (source === undefined) {
    const message = `snatTo ${JSON.stringify(snatTo)} is given without \`source\`, whose packets get it; add the networks, or take it out`;
    problems.push({ property: "snatTo", message });
  }
  const other = networks.find((network) => familyName(network) !== familyName(snatTo));
  if (other !== undefined) {
    const message = `snatTo ${JSON.stringify(snatTo)} is of ${familyName(snatTo)}, but \`source\` has ${JSON.stringify(other)} of ${familyName(other)}; give each family a Nat of its own, or leave snatTo out`;
    problems.push({ property: "snatTo", message });
  }
  return problems;
}

function forwardRules({ forwards }: Inputs): Problem[] {
  const list = (forwards ?? []) as DeclaredForward[];
  const problems: Problem[] = [];
  for (const [index, { protocol, port, to, toPort }] of list.entries()) {
    const field = `forwards[${index}]`;
    const [low, high] = portRange(port);
    if (toPort !== undefined && low !== high) {
      const message = `${field}.toPort ${toPort} is one port, but ${field}.port ${JSON.stringify(port)} is a range, which keeps its numbers; take toPort out, or forward each port by itself`;
      problems.push({ property: "forwards", message });
    }
    const before = list.slice(0, index).findIndex((earlier) => {
      const [from, until] = portRange(earlier.port);
      const sameFamily = familyName(earlier.to) === familyName(to);
      return earlier.protocol === protocol && sameFamily && from <= high && low <= until;
    });
    if (before >= 0) {
      const message = `${field}.port ${JSON.stringify(port)} (${protocol}, ${familyName(to)}) is forwarded by forwards[${before}] already; give each port once`;
      problems.push({ property: "forwards", message });
    }
  }
  return problems;
}

function portRange(port: number | string): [number, number] {
  const [first = 0, last = first] = String(port).split("-").map(Number);
  return [first, last];
}

/**
 * The ports that a Nat takes for itself: of two tables that forward one, only the first would ever see its packets.
 * @returns none while it is not known which they are.
 */
export function portClaims(inputs: Inputs, unknown: ReadonlySet<string>): Claim[] {
  if (unknown.has("forwards") || unknown.has("outInterface")) return [];
  const { namespace, outInterface, forwards } = inputs;
  return ((forwards ?? []) as DeclaredForward[]).map(({ protocol, port, to }, index) => {
    const by = outInterface === undefined ? "" : ` by ${outInterface}`;
    const name = `${port} (${protocol}, ${familyName(to)})${by}`;
    return {
      space: `forward:${namespace ?? ""}`,
      name,
      input: `forwards[${index}].port`,
      clashes: (other) => clash(portClaimOf(name), portClaimOf(other)),
      advice: "forward each port once",
    };
  });
}

interface PortClaim {
  ports: [number, number];
  /** Protocol and family. */
  of: string;
  /** undefined: any interface. */
  by: string | undefined;
}

function portClaimOf(name: string): PortClaim {
  const [, ports = "", of = "", by] = /^(\S+) \((.*?)\)(?: by (.*))?$/.exec(name) ?? [];
  return { ports: portRange(ports), of, by };
}

function clash(one: PortClaim, other: PortClaim): boolean {
  const sameInterface = one.by === undefined || other.by === undefined || one.by === other.by;
  return (
    sameInterface && one.of === other.of && one.ports[0] <= other.ports[1] && other.ports[0] <= one.ports[1]
  );
}

/** Canonical forms of valid inputs. */
export function canonicalNetworks(source: unknown): string[] {
  return ((source ?? []) as string[]).map((network) => canonicalCidr(network) as string).sort();
}

export function canonicalForwards(forwards: unknown): Forward[] {
  return ((forwards ?? []) as DeclaredForward[])
    .map(({ protocol, port, to, toPort }) => ({
      protocol,
      port: String(port),
      to: canonicalAddress(to) as string,
      // The same number is no change of it.
      toPort: toPort === Number(port) ? undefined : toPort,
    }))
    .sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1));
}

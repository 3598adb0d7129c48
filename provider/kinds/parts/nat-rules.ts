import { canonicalAddress } from "../../host/addresses";
import type { NftChain, NftCommand, NftContents, NftRule, Statement } from "../../host/nftables";
import { chainText, linesOf, ruleText } from "./nft-text";

/** A port forward. */
export interface Forward {
  protocol: "tcp" | "udp";
  /** Canonical: `8000`, or `8000-8010`. */
  port: string;
  /** Canonical address. */
  to: string;
  /** undefined: the same. */
  toPort: number | undefined;
}

/** What a table of ours does; networks are canonical. */
export interface Nat {
  source: readonly string[];
  /** undefined: masqueraded. */
  snatTo: string | undefined;
  outInterface: string | undefined;
  forwards: readonly Forward[];
  allowForwarding: boolean;
}

export const tableFamily = "inet";

/** Priorities of base chains: dstnat, srcnat and filter in nft's language. */
const chains = {
  prerouting: { name: "prerouting", type: "nat", hook: "prerouting", prio: -100, policy: "accept" },
  postrouting: { name: "postrouting", type: "nat", hook: "postrouting", prio: 100, policy: "accept" },
  forward: { name: "forward", type: "filter", hook: "forward", prio: 0, policy: "accept" },
} as const satisfies Record<string, NftChain>;

function familyOf(address: string): "ip" | "ip6" {
  return address.includes(":") ? "ip6" : "ip";
}

function match(left: Statement, right: unknown, op = "=="): Statement {
  return { match: { op, left, right } };
}

/** A network, or an address. */
function address(field: "saddr" | "daddr", text: string): Statement {
  const [addr = "", length] = text.split("/");
  const protocol = familyOf(addr);
  const isOne = length === undefined || Number(length) === (protocol === "ip" ? 32 : 128);
  return match({ payload: { protocol, field } }, isOne ? addr : { prefix: { addr, len: Number(length) } });
}

function port(protocol: string, field: "dport" | "sport", text: string): Statement {
  const [first, last] = text.split("-").map(Number);
  return match({ payload: { protocol, field } }, last === undefined ? first : { range: [first, last] });
}

function link(key: "iifname" | "oifname", name: string | undefined): Statement[] {
  return name === undefined ? [] : [match({ meta: { key } }, name)];
}

const accept: Statement = { accept: null };
const answers = match({ ct: { key: "state" } }, ["established", "related"], "in");
const forwarded = match({ ct: { key: "status" } }, "dnat", "in");
/** Addressed to this host: what only passes is left alone. */
const toThisHost = match({ fib: { result: "type", flags: ["daddr"] } }, "local");

/** The rules of a table, in their order. */
function rulesOf(nat: Nat): { chains: NftChain[]; rules: NftRule[] } {
  const { source, forwards, allowForwarding } = nat;
  const used = [
    ...(allowForwarding ? [chains.forward] : []),
    ...(source.length > 0 ? [chains.postrouting] : []),
    ...(forwards.length > 0 ? [chains.prerouting] : []),
  ];
  const rules = [
    ...translations(nat).map((expr) => ({ chain: chains.postrouting.name, expr })),
    ...forwards.map((forward) => ({
      chain: chains.prerouting.name,
      expr: forwardRule(forward, nat.outInterface),
    })),
    ...(allowForwarding ? acceptances(nat).map((expr) => ({ chain: chains.forward.name, expr })) : []),
  ];
  return { chains: used, rules };
}

function translations({ source, snatTo, outInterface }: Nat): Statement[][] {
  const translate: Statement =
    snatTo === undefined ? { masquerade: null } : { snat: { family: familyOf(snatTo), addr: snatTo } };
  // What the networks send one another goes as it is; over an interface to the outside it does not come.
  const between =
    outInterface === undefined ? source.map((network) => [address("daddr", network), { return: null }]) : [];
  return [
    ...between,
    ...source.map((network) => [...link("oifname", outInterface), address("saddr", network), translate]),
  ];
}

function forwardRule(
  { protocol, port: ports, to, toPort }: Forward,
  outInterface: string | undefined,
): Statement[] {
  const target = { family: familyOf(to), addr: to, ...(toPort !== undefined && { port: toPort }) };
  return [...link("iifname", outInterface), toThisHost, port(protocol, "dport", ports), { dnat: target }];
}

function acceptances({ source, outInterface, forwards }: Nat): Statement[][] {
  return [
    ...source.flatMap((network) => [
      [...link("oifname", outInterface), address("saddr", network), accept],
      [...link("iifname", outInterface), address("daddr", network), answers, accept],
    ]),
    ...forwards.flatMap(({ protocol, port: ports, to, toPort }) => [
      [forwarded, address("daddr", to), port(protocol, "dport", String(toPort ?? ports)), accept],
      [address("saddr", to), port(protocol, "sport", String(toPort ?? ports)), answers, accept],
    ]),
  ];
}

/** Commands that make the table. `create` refuses one that is there already. */
export function tableCommands(name: string, lease: string, nat: Nat): NftCommand[] {
  const place = { family: tableFamily, table: name };
  const made = rulesOf(nat);
  return [
    { create: { table: { family: tableFamily, name } } },
    { add: { chain: { ...place, name: lease } } },
    ...made.chains.map((chain) => ({ add: { chain: { ...place, ...chain } } })),
    ...made.rules.map((rule) => ({ add: { rule: { ...place, ...rule } } })),
  ];
}

export function deleteTable(name: string): NftCommand {
  return { delete: { table: { family: tableFamily, name } } };
}

/** What a table does, as far as its rules are such as are written here. */
export function natOf({ rules }: NftContents): Nat {
  const nat = {
    source: [] as string[],
    snatTo: undefined as string | undefined,
    outInterface: undefined as string | undefined,
    forwards: [] as Forward[],
    allowForwarding: rules.some(({ chain }) => chain === chains.forward.name),
  };
  for (const { chain, expr } of rules) {
    const seen = wordsOf(expr);
    const network = seen["ip saddr"] ?? seen["ip6 saddr"];
    if (chain === chains.postrouting.name && network !== undefined && (seen.masquerade || seen.snat)) {
      nat.source.push(asNetwork(network));
      nat.snatTo ??= seen.snat;
      nat.outInterface ??= seen.oifname;
    }
    const protocol = (["tcp", "udp"] as const).find((candidate) => seen[`${candidate} dport`]);
    if (chain === chains.prerouting.name && protocol && seen.dnat !== undefined) {
      nat.outInterface ??= seen.iifname;
      const toPort = seen["dnat port"];
      nat.forwards.push({
        protocol,
        port: seen[`${protocol} dport`] as string,
        to: seen.dnat,
        toPort: toPort === undefined ? undefined : Number(toPort),
      });
    }
  }
  return nat;
}

/** The statements of a rule by their names, as text. */
function wordsOf(expr: readonly Statement[]): Record<string, string | undefined> {
  const words: Record<string, string | undefined> = {};
  for (const statement of expr) {
    const { masquerade, snat, dnat } = statement as Record<string, { addr?: unknown; port?: unknown } | null>;
    if (masquerade !== undefined) words.masquerade = "on";
    if (typeof snat?.addr === "string") words.snat = canonicalAddress(snat.addr);
    if (typeof dnat?.addr === "string") {
      words.dnat = canonicalAddress(dnat.addr);
      if (dnat.port !== undefined) words["dnat port"] = String(dnat.port);
    }
    if ("match" in statement) {
      const text = ruleText({ chain: "", expr: [statement] }).slice(2);
      const gap = text.lastIndexOf(" ");
      words[text.slice(0, gap)] = text.slice(gap + 1);
    }
  }
  return words;
}

function asNetwork(text: string): string {
  return text.includes("/") ? text : `${text}/${text.includes(":") ? 128 : 32}`;
}

/** What is in a table, or not in it, that does not follow from what it does: `+` and `-` before each line. */
export function deviations(contents: NftContents, nat: Nat): string[] {
  const { chains: used, rules } = rulesOf(nat);
  const wanted = used.flatMap((chain) => [
    chainText(chain),
    ...rules.filter((rule) => rule.chain === chain.name).map(ruleText),
  ]);
  const found = linesOf({
    ...contents,
    chains: contents.chains.filter((chain) => !isIdle(chain, contents, used)),
  });
  const more = lacking(found, wanted).map((line) => `+ ${line}`);
  const less = lacking(wanted, found).map((line) => `- ${line}`);
  if (more.length + less.length > 0) return [...more, ...less];
  return found.every((line, index) => line === wanted[index]) ? [] : ["rules in another order"];
}

/** A chain of ours, without which it would be the same. */
function isIdle(chain: NftChain, { rules }: NftContents, used: readonly NftChain[]): boolean {
  const own = Object.values<NftChain>(chains).find(({ name }) => name === chain.name);
  return (
    own !== undefined &&
    !used.includes(own) &&
    chainText(own) === chainText(chain) &&
    rules.every((rule) => rule.chain !== chain.name)
  );
}

/** The lines of the first that the second lacks; one that is there twice must be so in both. */
function lacking(lines: readonly string[], others: readonly string[]): string[] {
  const left = [...others];
  return lines.filter((line) => {
    const index = left.indexOf(line);
    if (index >= 0) left.splice(index, 1);
    return index < 0;
  });
}

import ipaddr from "ipaddr.js";
import { canonicalAddress } from "../../host/addresses";
import type { Host } from "../../host/host";
import type { NftChain, NftContents, NftRule, Statement } from "../../host/nftables";
import type { NamespaceName } from "../../kernel/kernel";
import type { Inputs, Problem } from "../kind";
import { canonicalForwards, canonicalNetworks } from "./nat-checks";
import { statementText } from "./nft-text";

/** An IP version, in the words of those who have a say in whether its packets are forwarded. */
interface Version {
  name: "IPv4" | "IPv6";
  /** Of nft's statements. */
  protocol: "ip" | "ip6";
  /** Of the tables that see its packets. */
  families: readonly string[];
  bridged: string;
}

const versions: readonly Version[] = [
  {
    name: "IPv4",
    protocol: "ip",
    families: ["ip", "inet"],
    bridged: "net.bridge.bridge-nf-call-iptables",
  },
  {
    name: "IPv6",
    protocol: "ip6",
    families: ["ip6", "inet"],
    bridged: "net.bridge.bridge-nf-call-ip6tables",
  },
];

/** Whose packets are to be forwarded. */
interface End {
  /** A network that sends, or an address to which a port is forwarded. */
  text: string;
  field: "saddr" | "daddr";
  outInterface: unknown;
}

/** A forward chain that drops what none of its rules accepts. */
export interface DroppingChain {
  /** Its table, with all rules. */
  contents: NftContents;
  chain: NftChain;
  /** For people, to follow its name. */
  how: string;
}

/** Those that see packets of IPv4 or IPv6. Errors: as `Nftables.tables`. */
export async function droppingChains(namespace: NamespaceName, host: Host): Promise<DroppingChain[]> {
  const families = new Set(versions.flatMap((version) => version.families));
  const isForward = ({ hook, type }: NftChain) => hook === "forward" && type === "filter";
  const tables = (await host.nftables.tables(namespace)).filter(
    ({ family, chains }) => families.has(family) && chains.some(isForward),
  );
  const found = await Promise.all(
    tables.map(async (table) => {
      const contents = await host.nftables.contents(namespace, table);
      return (contents?.chains ?? []).filter(isForward).flatMap((chain): DroppingChain[] => {
        const rules = contents?.rules.filter((rule) => rule.chain === chain.name) ?? [];
        const how = howItDrops(chain, rules);
        return contents && how !== undefined ? [{ contents, chain, how }] : [];
      });
    }),
  );
  return found.flat();
}

/**
 * What will drop packets of the networks or for the forwards, whatever a table of ours accepts: the kernel forwards
 * only what the chains of all tables let pass.
 */
export async function forwardDrops(inputs: Inputs, host: Host): Promise<Problem[]> {
  const namespace = inputs.namespace as NamespaceName;
  const { outInterface } = inputs;
  const targets = new Set(canonicalForwards(inputs.forwards).map(({ to }) => to));
  const ends: End[] = [
    ...canonicalNetworks(inputs.source).map((text) => ({ text, field: "saddr" as const, outInterface })),
    ...[...targets].map((text) => ({ text, field: "daddr" as const, outInterface })),
  ];
  if (ends.length === 0) return [];
  const dropping = await droppingChains(namespace, host);
  const found = await Promise.all(
    versions.map(async (version) => {
      const own = ends.filter(({ text }) => text.includes(":") === (version.name === "IPv6"));
      const seen = dropping.filter(({ contents }) => version.families.includes(contents.family));
      if (own.length === 0 || seen.length === 0) return [];
      const bridged = (await host.sysctls.find(namespace, version.bridged)) === "1";
      return seen.flatMap((chain) => dropsOfChain(version, own, chain, bridged));
    }),
  );
  return found.flat();
}

function dropsOfChain(
  version: Version,
  ends: readonly End[],
  dropping: DroppingChain,
  bridged: boolean,
): Problem[] {
  const lost = ends.filter((end) => !dropping.contents.rules.some((rule) => accepts(rule, version, end)));
  if (lost.length === 0) return [];
  const sentences = [
    `${placeOf(dropping)} ${dropping.how}, so forwarded packets from or to ${lost.map(({ text }) => text).join(", ")} are lost unless one of its own rules accepts them: what another table accepts, as that of this resource, does not count there`,
    `Let it accept them: ${remedy(
      dropping,
      lost.flatMap((end) => remediesFor(version, end)),
    )}`,
    ...(bridged ? [`As ${version.bridged} is 1, what a bridge passes between its ports is lost, too`] : []),
  ];
  return [{ property: "source", message: sentences.join(". "), warning: true }];
}

function placeOf({ contents, chain }: DroppingChain): string {
  return `chain ${chain.name} of table ${contents.family} ${contents.name} (hook forward, priority ${chain.prio})`;
}

const dockersOwn = "DOCKER-USER";

/** The commands that put such rules where they belong. */
function remedy({ contents, chain }: DroppingChain, rules: readonly string[]): string {
  const forDocker = contents.chains.some(({ name }) => name === dockersOwn);
  const target = `${contents.family} ${contents.name} ${forDocker ? dockersOwn : chain.name}`;
  const commands = [...new Set(rules)].map((rule) => `\`nft insert rule ${target} ${rule}\``);
  return `${commands.join(", ")}${forDocker ? ` (${dockersOwn} is the chain that Docker leaves to you)` : ""}`;
}

/** A bridge whose frames pass through forward chains. */
export interface BridgedTraffic {
  name: string;
  /** Networks of its addresses, with their prefix lengths. */
  networks: readonly string[];
  /** The sysctls by which the chains see what it passes between its ports. */
  sysctls: readonly string[];
}

/** The sysctls by which forward chains see what bridges pass between their ports (net/bridge/br_netfilter_hooks.c). */
export const bridgedSysctls = versions.map(({ bridged }) => bridged);

/** What a chain drops of that; undefined where it accepts it, or does not see it. */
export function bridgedDrop(
  dropping: DroppingChain,
  { name, networks, sysctls }: BridgedTraffic,
): string | undefined {
  const { contents } = dropping;
  const lost = versions.filter(
    (version) =>
      sysctls.includes(version.bridged) &&
      version.families.includes(contents.family) &&
      !contents.rules.some((rule) => acceptsBridged(rule, version, name, networks)),
  );
  if (lost.length === 0) return undefined;
  const which = lost.map(({ bridged }) => bridged).join(" and ");
  const packets = lost.map((version) => version.name).join(" and ");
  const rule = `iifname ${name} oifname ${name} accept`;
  return [
    `${placeOf(dropping)} ${dropping.how}, and as ${which} ${lost.length === 1 ? "is" : "are"} 1, ${packets} packets that this bridge passes from port to port go through it, too: they are lost unless one of its own rules accepts them`,
    `Let it accept them: ${remedy(dropping, [rule])}; or, where nothing on the host relies on that (Docker and Kubernetes do), declare a Sysctl that sets ${which} to 0`,
  ].join(". ");
}

/** undefined where it lets pass what no rule decides. */
function howItDrops({ policy }: NftChain, rules: readonly NftRule[]): string | undefined {
  const words = rules.flatMap(({ expr }) => decisionOf(expr) ?? []);
  const [word = policy === "drop" ? "policy" : "accept"] = words;
  if (word === "accept") return undefined;
  return word === "policy" ? "has policy drop" : `ends with a rule that says ${word}`;
}

/** Of a rule that has no condition: what it says of every packet. It may count and log, which decides nothing. */
function decisionOf(expr: readonly Statement[]): string | undefined {
  const said = expr.filter((statement) => !isNote(statement)).map((statement) => Object.keys(statement)[0]);
  const [word] = said;
  return said.length === 1 && decisions.has(word) ? word : undefined;
}

const decisions: ReadonlySet<string | undefined> = new Set(["accept", "drop", "reject"]);

function isNote(statement: Statement): boolean {
  return "counter" in statement || "log" in statement;
}

/** Rules that let its packets pass, and the answers. */
function remediesFor({ protocol }: Version, { text, field }: End): string[] {
  const own = field === "saddr" ? `${protocol} saddr ${text}` : `${protocol} daddr ${text} ct status dnat`;
  return [`${own} accept`, "ct state established,related accept"];
}

/** Whether it accepts whatever comes from there, or goes there. */
function accepts({ expr }: NftRule, { protocol }: Version, { text, field, outInterface }: End): boolean {
  const outside = `${field === "saddr" ? "oifname" : "iifname"} ${outInterface}`;
  const words = wordsOf(expr).filter((word) => word !== outside);
  const [first = "", ...rest] = words.filter((word) => field === "saddr" || word !== "ct status dnat");
  const prefix = `${protocol} ${field} `;
  return rest.join() === "accept" && first.startsWith(prefix) && contains(first.slice(prefix.length), text);
}

/** Whether it accepts whatever a bridge passes between its ports, or the network that is on it. */
function acceptsBridged(rule: NftRule, version: Version, name: string, networks: readonly string[]): boolean {
  const [word, ...conditions] = wordsOf(rule.expr).reverse();
  if (word !== "accept" || conditions.length === 0) return false;
  // The bridge is the interface on both sides; `physdev` is iptables' own word for it.
  const isBridge = (condition: string) => {
    const [key, value = ""] = condition.split(" ");
    if (key === "xt") return condition.includes('"physdev"');
    const matches = value.endsWith("*") ? name.startsWith(value.slice(0, -1)) : name === value;
    return ["iifname", "oifname", "iif", "oif"].includes(key ?? "") && matches;
  };
  if (conditions.every(isBridge)) return true;
  const own = networks.filter((text) => text.includes(":") === (version.name === "IPv6"));
  return own.some((text) =>
    (["saddr", "daddr"] as const).some((field) =>
      accepts(rule, version, { text, field, outInterface: undefined }),
    ),
  );
}

function wordsOf(expr: readonly Statement[]): string[] {
  return expr.filter((statement) => !isNote(statement)).map(statementText);
}

function contains(network: string, end: string): boolean {
  const [inner = "", innerLength] = end.split("/");
  const [outerText = "", outerLength] = network.split("/");
  const outer = canonicalAddress(outerText);
  if (outer === undefined) return false;
  const bits = inner.includes(":") ? 128 : 32;
  const length = Number(outerLength ?? bits);
  return (
    length <= Number(innerLength ?? bits) &&
    ipaddr.parse(inner).match(ipaddr.parse(outer) as ipaddr.IPv4 & ipaddr.IPv6, length)
  );
}

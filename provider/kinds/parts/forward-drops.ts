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
  const found = await Promise.all(
    versions.map((version) => {
      const own = ends.filter(({ text }) => text.includes(":") === (version.name === "IPv6"));
      return own.length === 0 ? [] : dropsOf(version, own, namespace, host);
    }),
  );
  return found.flat();
}

async function dropsOf(
  version: Version,
  ends: readonly End[],
  namespace: NamespaceName,
  host: Host,
): Promise<Problem[]> {
  const [bridged, tables] = await Promise.all([
    host.sysctls.find(namespace, version.bridged),
    host.nftables.tables(namespace),
  ]);
  const chains = tables.flatMap((table) =>
    table.chains
      .filter(({ hook, type }) => hook === "forward" && type === "filter")
      .map((chain) => ({ table, chain })),
  );
  const seen = chains.filter(({ table }) => version.families.includes(table.family));
  const dropped = await Promise.all(
    seen.map(async ({ table, chain }) => {
      const contents = await host.nftables.contents(namespace, table);
      return contents === undefined ? [] : dropsOfChain(version, ends, contents, chain, bridged === "1");
    }),
  );
  return dropped.flat();
}

function dropsOfChain(
  version: Version,
  ends: readonly End[],
  { rules, chains, ...table }: NftContents,
  chain: NftChain,
  bridged: boolean,
): Problem[] {
  const how = howItDrops(
    chain,
    rules.filter((rule) => rule.chain === chain.name),
  );
  if (how === undefined) return [];
  const lost = ends.filter((end) => !rules.some((rule) => accepts(rule, version, end)));
  if (lost.length === 0) return [];
  const place = `chain ${chain.name} of table ${table.family} ${table.name}`;
  const forDocker = chains.some(({ name }) => name === dockersOwn);
  const target = `${table.family} ${table.name} ${forDocker ? dockersOwn : chain.name}`;
  const remedies = [...new Set(lost.flatMap((end) => remediesFor(version, end)))].map(
    (rule) => `\`nft insert rule ${target} ${rule}\``,
  );
  const sentences = [
    `${place} (hook forward, priority ${chain.prio}) ${how}, so forwarded packets from or to ${lost.map(({ text }) => text).join(", ")} are lost unless one of its own rules accepts them: what another table accepts, as that of this resource, does not count there`,
    `Let it accept them: ${remedies.join(", ")}${forDocker ? ` (${dockersOwn} is the chain that Docker leaves to you)` : ""}`,
    ...(bridged ? [`As ${version.bridged} is 1, what a bridge passes between its ports is lost, too`] : []),
  ];
  return [{ property: "source", message: sentences.join(". "), warning: true }];
}

const dockersOwn = "DOCKER-USER";

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
  const words = expr
    .filter((statement) => !isNote(statement))
    .map(statementText)
    .filter((word) => word !== outside);
  const [first = "", ...rest] = words.filter((word) => field === "saddr" || word !== "ct status dnat");
  const prefix = `${protocol} ${field} `;
  return rest.join() === "accept" && first.startsWith(prefix) && contains(first.slice(prefix.length), text);
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

import { networkOf, splitCidr } from "../../host/addresses";
import type { Host } from "../../host/host";
import type { NftChain, NftContents, NftRule, Statement } from "../../host/nftables";
import type { NamespaceName } from "../../kernel/kernel";
import type { Inputs, Problem } from "../kind";
import { type ChainVerdict, chainVerdict } from "./chain-verdict";
import { canonicalForwards, canonicalNetworks } from "./nat-checks";
import { statementText } from "./nft-text";
import type { Packet } from "./rule-match";

/** An IP version, in the words of those who have a say in whether its packets are forwarded. */
export interface Version {
  name: "IPv4" | "IPv6";
  /** Of nft's statements. */
  protocol: "ip" | "ip6";
  /** Of the tables that see its packets. */
  families: readonly string[];
  bridged: string;
  number: 4 | 6;
  iptables: "iptables" | "ip6tables";
}

const versions: readonly Version[] = [
  {
    name: "IPv4",
    protocol: "ip",
    families: ["ip", "inet"],
    bridged: "net.bridge.bridge-nf-call-iptables",
    number: 4,
    iptables: "iptables",
  },
  {
    name: "IPv6",
    protocol: "ip6",
    families: ["ip6", "inet"],
    bridged: "net.bridge.bridge-nf-call-ip6tables",
    number: 6,
    iptables: "ip6tables",
  },
];

/** Whose packets are to be forwarded. */
interface End {
  /** A network that sends, or an address to which a port is forwarded. */
  text: string;
  isForward: boolean;
}

/** A chain that has a say in what is forwarded. */
export interface ForwardChain {
  /** Its table, with all rules. */
  contents: NftContents;
  chain: NftChain;
}

/** Those that see packets of IPv4 or IPv6. Errors: as `Nftables.tables`. */
export async function forwardChains(namespace: NamespaceName, host: Host): Promise<ForwardChain[]> {
  const families = new Set(versions.flatMap((version) => version.families));
  const isForward = ({ hook, type }: NftChain) => hook === "forward" && type === "filter";
  const tables = (await host.nftables.tables(namespace)).filter(
    ({ family, chains }) => families.has(family) && chains.some(isForward),
  );
  const found = await Promise.all(
    tables.map(async (table) => {
      const contents = await host.nftables.contents(namespace, table);
      return (contents?.chains ?? [])
        .filter(isForward)
        .flatMap((chain): ForwardChain[] => (contents ? [{ contents, chain }] : []));
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
  const outInterface = inputs.outInterface as string | undefined;
  const targets = new Set(canonicalForwards(inputs.forwards).map(({ to }) => to));
  const ends: End[] = [
    ...canonicalNetworks(inputs.source).map((text) => ({ text, isForward: false })),
    ...[...targets].map((text) => ({ text, isForward: true })),
  ];
  if (ends.length === 0) return [];
  const [chains, unseen] = await Promise.all([
    forwardChains(namespace, host),
    legacyVersions(namespace, host),
  ]);
  const legacy = unseen.flatMap((version) => legacyProblem(version, ends) ?? []);
  if (chains.length === 0) return legacy;
  const subnets = await subnetsOf(namespace, host);
  const found = await Promise.all(
    versions.map(async (version) => {
      const own = ends
        .filter(({ text }) => isOf(version, text))
        .map((end) => ({ end, flows: flowsOf(version, end, outInterface, subnets) }));
      const lost = chains
        .filter(({ contents }) => version.families.includes(contents.family))
        .flatMap((chain) => lossOf(chain, own) ?? []);
      if (lost.length === 0) return [];
      const seesBridged = (await host.sysctls.find(namespace, version.bridged)) === "1";
      return lost.map((loss) => problemOf(version, loss, seesBridged));
    }),
  );
  return [...found.flat(), ...legacy];
}

/** The versions of whose packets iptables-legacy filters some. */
export async function legacyVersions(namespace: NamespaceName, host: Host): Promise<Version[]> {
  const tables = await Promise.all(
    versions.map(({ number }) => host.nftables.legacyTables(namespace, number)),
  );
  return versions.filter((_, index) => tables[index]?.includes("filter"));
}

function legacyProblem(version: Version, ends: readonly End[]): Problem | undefined {
  const own = ends.filter((end) => isOf(version, end.text));
  if (own.length === 0) return undefined;
  const rules = [...own.map((end) => passOf(version, end)), answersPass];
  const program = `${version.iptables}-legacy`;
  const commands = rules.map(({ iptables }) => `\`${program} -I FORWARD ${iptables} -j ACCEPT\``);
  const message = `${unseenText(version)} forwarded packets from or to ${own.map(({ text }) => text).join(", ")} are lost where its chain FORWARD drops them. If it does (\`${program} -S FORWARD\`), let it accept them: ${commands.join(", ")}`;
  // Nobody knows: the table may as well let everything pass.
  return { property: "source", message, warning: true, info: true };
}

const unseenText = ({ iptables }: Version) =>
  `${iptables}-legacy has a table filter, too, whose rules nftables does not show and this plan does not see:`;

/** What iptables-legacy may drop of a bridge's traffic. @param unseen as of `legacyVersions`. */
export function bridgedLegacy(
  unseen: readonly Version[],
  { name, sysctls }: BridgedTraffic,
): { about: string; message: string }[] {
  return unseen
    .filter(({ bridged }) => sysctls.includes(bridged))
    .map((version) => {
      const program = `${version.iptables}-legacy`;
      const message = `${unseenText(version)} as ${version.bridged} is 1, ${version.name} packets that this bridge passes from port to port are lost where its chain FORWARD drops them. If it does (\`${program} -S FORWARD\`), let it accept them: \`${program} -I FORWARD -i ${name} -o ${name} -j ACCEPT\``;
      return { about: program, message };
    });
}

function isOf({ name }: Version, text: string): boolean {
  return text.includes(":") === (name === "IPv6");
}

interface Subnet {
  link: string;
  cidr: string;
}

/** Of the addresses of a namespace. */
async function subnetsOf(namespace: NamespaceName, host: Host): Promise<Subnet[]> {
  const [links, addresses] = await Promise.all([
    host.links.table(namespace),
    host.addresses.table(namespace),
  ]);
  return links.all.flatMap(({ ifindex, name }) =>
    (addresses.get(ifindex) ?? []).map(({ cidr }) => ({ link: name, cidr })),
  );
}

/** Packets that must pass for an end, those that it needs first and the answers. */
interface Flows {
  asked: Packet[];
  answers: Packet[];
  /** What a bridge passes between its ports, where the end is behind one. */
  bridged: Packet[];
}

function flowsOf(
  version: Version,
  { text, isForward }: End,
  outInterface: string | undefined,
  subnets: readonly Subnet[],
): Flows {
  const behind = subnets.filter(({ link, cidr }) => link !== outInterface && overlap(cidr, text));
  const names = [...new Set(behind.map(({ link }) => link))];
  const shared = { protocol: version.protocol, isTranslated: isForward, isBridged: false };
  const out = (link: string | undefined) => ({
    ...shared,
    source: { within: text },
    destination: { beyond: text },
    inName: link,
    outName: outInterface,
    notOut: names,
  });
  const back = (link: string | undefined) => ({
    ...shared,
    source: { beyond: text },
    destination: { within: text },
    inName: outInterface,
    outName: link,
    notIn: names,
  });
  const [asking, answering] = isForward ? [back, out] : [out, back];
  const links = names.length === 0 ? [undefined] : names;
  return {
    asked: links.flatMap((link): Packet[] => [
      { ...asking(link), state: "new", direction: "original" },
      { ...asking(link), state: "established", direction: "original" },
    ]),
    answers: links.map((link): Packet => ({ ...answering(link), state: "established", direction: "reply" })),
    bridged: links.flatMap((link) => bridgedPackets(version, link, [text])),
  };
}

/** What a chain drops, or may drop. */
interface Loss {
  of: ForwardChain;
  lost: { end: End; asked: boolean; answers: boolean }[];
  /** One of those packets, and what becomes of it. */
  packet: Packet;
  verdict: ChainVerdict;
  /** What becomes of what a bridge passes. */
  bridged: ChainVerdict["fate"];
}

function lossOf(of: ForwardChain, own: readonly { end: End; flows: Flows }[]): Loss | undefined {
  const judged = own.flatMap(({ end, flows }) =>
    (["asked", "answers"] as const).flatMap((kind) =>
      flows[kind].map((packet) => ({
        end,
        kind,
        packet,
        verdict: chainVerdict(of.contents, of.chain, packet),
      })),
    ),
  );
  const bad = judged.filter(({ verdict }) => verdict.fate !== "accepts");
  const worst = worstOf(bad);
  if (worst === undefined) return undefined;
  const lost = [...new Set(bad.map(({ end }) => end))].map((end) => {
    const has = (kind: "asked" | "answers") => bad.some((each) => each.end === end && each.kind === kind);
    return { end, asked: has("asked"), answers: has("answers") };
  });
  const fates = own.flatMap(({ flows }) =>
    flows.bridged.map((packet) => chainVerdict(of.contents, of.chain, packet).fate),
  );
  const bridged = (["drops", "may"] as const).find((fate) => fates.includes(fate)) ?? "accepts";
  return { of, lost, packet: worst.packet, verdict: worst.verdict, bridged };
}

/** Of what is lost, or may be. */
function worstOf<T extends { verdict: ChainVerdict }>(bad: readonly T[]): T | undefined {
  return bad.find(({ verdict }) => verdict.fate === "drops") ?? bad[0];
}

function problemOf(
  version: Version,
  { of, lost, packet, verdict, bridged }: Loss,
  seesBridged: boolean,
): Problem {
  const list = lost.map(({ end }) => end.text).join(", ");
  const packets = lost.some(({ asked }) => asked)
    ? `forwarded packets from or to ${list}`
    : `the answers to packets ${lost.every(({ end }) => end.isForward) ? "to" : "from"} ${list}`;
  const rules = lost.flatMap(({ end, asked, answers }) => [
    ...(asked ? [passOf(version, end)] : []),
    ...(answers ? [answersPass] : []),
  ]);
  const sentences = [
    verdict.fate === "drops"
      ? `${placeOf(of)} ${howItDrops(of, verdict)}, so ${packets} are lost unless one of its own rules accepts them: what another table accepts, as that of this resource, does not count there`
      : `${placeOf(of)} ${howItDrops(of, verdict)}, and not all of its rules are understood here, so ${packets} may be lost: what another table accepts, as that of this resource, does not count there`,
    `Let it accept them: ${remedy(of, packet, rules)}`,
    ...(seesBridged && bridged !== "accepts"
      ? [
          `As ${version.bridged} is 1, what a bridge passes between its ports ${bridged === "drops" ? "is" : "may be"} lost, too`,
        ]
      : []),
  ];
  return { property: "source", message: sentences.join(". "), warning: true };
}

function placeOf({ contents, chain }: ForwardChain): string {
  return `chain ${chain.name} of table ${contents.family} ${contents.name} (hook forward, priority ${chain.prio})`;
}

function howItDrops({ chain }: ForwardChain, { by }: ChainVerdict): string {
  if (by === undefined) return "has policy drop";
  const words = by.rule.expr.filter((statement) => !isNote(statement)).map(wordOf);
  if (by.rule.chain !== chain.name)
    return `leads to the rule \`${words.join(" ")}\` of chain ${by.rule.chain}`;
  return words.length === 1 ? `ends with a rule that says ${by.word}` : `has the rule \`${words.join(" ")}\``;
}

function isNote(statement: Statement): boolean {
  return "counter" in statement || "log" in statement;
}

function wordOf(statement: Statement): string {
  const { name } = (statement.xt ?? {}) as { name?: string };
  if (name !== undefined) return name;
  return "reject" in statement ? "reject" : statementText(statement);
}

/** A rule that accepts, in the words of both programs. */
interface Remedy {
  nft: string;
  iptables: string;
}

/** Lets its packets pass. */
function passOf({ protocol }: Version, { text, isForward }: End): Remedy {
  return isForward
    ? {
        nft: `${protocol} daddr ${text} ct status dnat`,
        iptables: `-d ${text} -m conntrack --ctstate DNAT`,
      }
    : { nft: `${protocol} saddr ${text}`, iptables: `-s ${text}` };
}

const answersPass: Remedy = {
  nft: "ct state established,related",
  iptables: "-m conntrack --ctstate RELATED,ESTABLISHED",
};

const dockersOwn = "DOCKER-USER";

/** The commands that put such rules where they belong. @param packet one that is lost. */
function remedy({ contents, chain }: ForwardChain, packet: Packet, rules: readonly Remedy[]): string {
  const { family, name, rules: before } = contents;
  const accepting: NftRule = { chain: dockersOwn, expr: [{ accept: null }] };
  const helped = chainVerdict({ ...contents, rules: [accepting, ...before] }, chain, packet);
  const forDocker = helped.fate === "accepts";
  const target = forDocker ? dockersOwn : chain.name;
  // A rule on states that nft wrote is one that iptables cannot list, nor any other of that table then.
  const isOfIptables = family !== "inet" && name === "filter" && chain.name === "FORWARD";
  const program = family === "ip6" ? "ip6tables" : "iptables";
  const commands = rules.map((rule) =>
    isOfIptables
      ? `\`${program} -I ${target} ${rule.iptables} -j ACCEPT\``
      : `\`nft insert rule ${family} ${name} ${target} ${rule.nft} accept\``,
  );
  const note = forDocker ? ` (${dockersOwn} is the chain that Docker leaves to you)` : "";
  return `${[...new Set(commands)].join(", ")}${note}`;
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

/** What a chain drops of that, or may drop; undefined where it accepts it, or does not see it. */
export function bridgedDrop(
  of: ForwardChain,
  { name, networks, sysctls }: BridgedTraffic,
): string | undefined {
  const lost = versions
    .filter((version) => sysctls.includes(version.bridged) && version.families.includes(of.contents.family))
    .flatMap((version) => {
      const judged = bridgedPackets(version, name, networks).map((packet) => ({
        version,
        packet,
        verdict: chainVerdict(of.contents, of.chain, packet),
      }));
      return worstOf(judged.filter(({ verdict }) => verdict.fate !== "accepts")) ?? [];
    });
  const worst = worstOf(lost);
  if (worst === undefined) return undefined;
  const which = lost.map(({ version }) => version.bridged).join(" and ");
  const packets = lost.map(({ version }) => version.name).join(" and ");
  const rule = {
    nft: `iifname ${name} oifname ${name}`,
    iptables: `-i ${name} -o ${name}`,
  };
  const fate =
    worst.verdict.fate === "drops"
      ? "they are lost unless one of its own rules accepts them"
      : "they may be lost, as not all of its rules are understood here";
  return [
    `${placeOf(of)} ${howItDrops(of, worst.verdict)}, and as ${which} ${lost.length === 1 ? "is" : "are"} 1, ${packets} packets that this bridge passes from port to port go through it, too: ${fate}`,
    `Let it accept them: ${remedy(of, worst.packet, [rule])}; or, where nothing on the host relies on that (Docker and Kubernetes do), declare a Sysctl that sets ${which} to 0`,
  ].join(". ");
}

/** The bridge is the interface on both sides. */
function bridgedPackets(version: Version, name: string | undefined, networks: readonly string[]) {
  const own = networks.filter((text) => isOf(version, text));
  const places = own.length === 0 ? [undefined] : own.map((within) => ({ within }));
  const states = [
    { state: "new", direction: "original" },
    { state: "established", direction: "original" },
    { state: "established", direction: "reply" },
  ] as const;
  return places.flatMap((place) =>
    states.map(
      (state): Packet => ({
        ...state,
        protocol: version.protocol,
        source: place,
        destination: place,
        inName: name,
        outName: name,
        isTranslated: false,
        isBridged: true,
      }),
    ),
  );
}

/** Whether two networks, or addresses, have an address in common. */
function overlap(one: string, other: string): boolean {
  const [first, second] = [one, other].map((text) => splitCidr(text.includes("/") ? text : `${text}/128`));
  if (first === undefined || second === undefined || first.family !== second.family) return false;
  const length = Math.min(first.prefixLength, second.prefixLength, first.address.includes(":") ? 128 : 32);
  return networkOf(`${first.address}/${length}`) === networkOf(`${second.address}/${length}`);
}

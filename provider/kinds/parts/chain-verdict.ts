import type { NftChain, NftContents, NftObject, NftRule, Statement } from "../../host/nftables";
import { both, comparison, isStates, type Match, matchOf, type Packet, statesMatch } from "./rule-match";

/** What becomes of packets in a base chain: `may` where it hangs on a rule that is not understood. */
export interface ChainVerdict {
  fate: "accepts" | "drops" | "may";
  /** What drops them, or may: the first such rule, or undefined for the policy. */
  by?: { rule: NftRule; word: string } | undefined;
}

/** How it may end. Several hold where a rule is not understood. */
interface Ends {
  accept: boolean;
  drop: boolean;
  /** The chain goes on, or returns to the one that jumped. */
  onward: boolean;
  by?: ChainVerdict["by"];
}

/** Follows packets through the rules of a base chain, in their order, through jumps, gotos and returns. */
export function chainVerdict({ rules }: NftContents, chain: NftChain, packet: Packet): ChainVerdict {
  const chains = new Map<string, Ends>();
  const { accept, drop, onward, by } = walk(chain.name);
  const dropsRest = chain.policy === "drop";
  const isAccepted = accept || (onward && !dropsRest);
  const isDropped = drop || (onward && dropsRest);
  if (!isDropped) return { fate: "accepts" };
  return { fate: isAccepted ? "may" : "drops", by: onward && dropsRest ? undefined : by };

  function walk(name: string): Ends {
    const known = chains.get(name);
    if (known) return known;
    const ends: Ends = { accept: false, drop: false, onward: false };
    const goesOn = rules
      .filter((rule) => rule.chain === name)
      .every((rule) => stepsOf(rule.expr, packet).every((step) => take(ends, rule, step)));
    ends.onward ||= goesOn;
    chains.set(name, ends);
    return ends;
  }

  /** @returns whether what follows may still see such packets. */
  function take(ends: Ends, rule: NftRule, { match, word, target }: Step): boolean {
    if (match === "none") return true;
    const leads = target === undefined ? endsOf(word) : walk(target);
    ends.accept ||= leads.accept;
    // What is for a part only drops a part.
    if (leads.drop && match !== "some") {
      ends.by ??= leads.by ?? { rule, word };
      ends.drop = true;
    }
    const isLeft = word === "return" || word === "goto";
    ends.onward ||= isLeft && leads.onward;
    return match !== "all" || (leads.onward && !isLeft);
  }
}

/** What a rule, or one element of its verdict map, says to those it is for. */
interface Step {
  match: Match;
  word: string;
  /** Of a jump or goto. */
  target?: string;
}

function endsOf(word: string): Ends {
  // To a program, or by what is not known here: any of them.
  const anything = !certain.has(word);
  return {
    accept: anything || word === "accept",
    drop: anything || word === "drop" || word === "reject",
    onward: anything || word === "return" || word === "continue",
  };
}

const certain: ReadonlySet<string> = new Set(["accept", "drop", "reject", "return", "continue"]);

/** Targets of iptables after which the next rule comes. */
const notes: ReadonlySet<unknown> = new Set(
  "AUDIT CHECKSUM CLASSIFY CONNMARK CONNSECMARK CT DSCP HL IDLETIMER LED LOG MARK NFLOG NOTRACK RATEEST SECMARK SET TCPMSS TCPOPTSTRIP TOS TRACE TTL".split(
    " ",
  ),
);

function stepsOf(expr: readonly Statement[], packet: Packet): Step[] {
  let match: Match = "all";
  for (const statement of expr) {
    const own = isStates(statement) ? statesMatch(expr, packet) : matchOf(statement, packet);
    if (own !== undefined) {
      match = both(match, own);
      continue;
    }
    if ("vmap" in statement) return mapped(statement.vmap as VerdictMap, match, packet);
    const said = verdictOf(statement);
    if (said === undefined) continue;
    // Those that drop by states are for invalid packets.
    const isForInvalid = (said.word === "drop" || said.word === "reject") && expr.some(isStates);
    return [{ match: isForInvalid ? "none" : match, ...said }];
  }
  return [];
}

/** undefined for what only notes or changes something. */
function verdictOf(statement: Statement): Omit<Step, "match"> | undefined {
  const [[word, value] = ["", undefined]] = Object.entries(statement);
  if (word === "jump" || word === "goto") return { word, target: String((value as NftObject).target) };
  if (word === "xt") {
    const { name } = value as NftObject;
    if (notes.has(name)) return undefined;
    return { word: name === "REJECT" ? "reject" : String(name) };
  }
  return certain.has(word) || word === "queue" ? { word } : undefined;
}

interface VerdictMap {
  key: NftObject;
  /** Pairs of a value and a verdict; the name of a map says nothing of them. */
  data: { set: [unknown, Statement][] } | string;
}

function mapped({ key, data }: VerdictMap, match: Match, packet: Packet): Step[] {
  const anything: Step[] = [{ match: both(match, "unclear"), word: "vmap" }];
  if (typeof data !== "object" || !Array.isArray(data.set)) return anything;
  return data.set.flatMap(([value, verdict]): Step[] => {
    const said = verdictOf(verdict);
    if (said === undefined) return anything;
    return [{ match: both(match, comparison({ op: "==", left: key, right: value }, packet)), ...said }];
  });
}

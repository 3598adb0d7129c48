import { canonicalAddress } from "../../host/addresses";
import type { NftContents, NftObject, Statement } from "../../host/nftables";

/*
 * Rules and chains as text, in the manner of nft's own language. Two rules have one text where they mean the same,
 * whatever version of nft lists them: so texts are what is compared.
 */

/** Every chain, every rule in its order, and whatever else is in the table; without leases, handles and comments. */
export function linesOf({ chains, rules, things }: NftContents): string[] {
  const sorted = [...chains].sort((one, other) => one.name.localeCompare(other.name));
  return [
    ...things.map(({ type, name }) => `${type} ${name}`).sort(),
    ...sorted.flatMap((chain) => [
      chainText(chain),
      ...rules.filter((rule) => rule.chain === chain.name).map((rule) => ruleText(rule)),
    ]),
    // Of a lease's chain, which has none.
    ...rules.filter(({ chain }) => !chains.some(({ name }) => name === chain)).map((rule) => ruleText(rule)),
  ];
}

export function chainText({
  name,
  type,
  hook,
  prio,
  policy = "accept",
}: NftContents["chains"][number]): string {
  return hook === undefined
    ? `chain ${name}`
    : `chain ${name} (type ${type}, hook ${hook}, priority ${prio}, policy ${policy})`;
}

export function ruleText({ chain, expr }: NftContents["rules"][number]): string {
  return `${chain}: ${expr.map(statementText).join(" ")}`;
}

export function statementText(statement: Statement): string {
  const [[key, value] = ["", undefined]] = Object.entries(statement);
  if (key === "match") return matchText(value as Match);
  // Its numbers grow by themselves.
  if (key === "counter" && typeof value === "object") return key;
  if (isNothing(value)) return key;
  const details = value as NftObject;
  if ((key === "snat" || key === "dnat") && isPlainTranslation(details))
    return `${key} ${details.family} to ${addressAndPort(plain(details.addr as string), details.port as Operand)}`;
  if ((key === "jump" || key === "goto") && typeof details.target === "string")
    return `${key} ${details.target}`;
  return `${key} ${sortedJson(value)}`;
}

function isPlainTranslation({ family, addr, port, ...more }: NftObject): boolean {
  return (
    typeof family === "string" &&
    typeof addr === "string" &&
    (port === undefined || typeof port === "number") &&
    Object.keys(more).length === 0
  );
}

/** nft writes the end of some IPv6 addresses in the manner of IPv4. */
function plain(text: string): string {
  return canonicalAddress(text) ?? text;
}

function addressAndPort(address: string, port: Operand): string {
  if (port === undefined) return address;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

type Operand = string | number | undefined | readonly Operand[] | NftObject;

interface Match {
  op: string;
  left: NftObject;
  right: Operand;
}

function matchText({ op, left, right }: Match): string {
  // The usual one of a field is equality, that of flags membership.
  const usual = "ct" in left ? "in" : "==";
  return [leftText(left), ...(op === usual ? [] : [op]), rightText(right, "ct" in left)].join(" ");
}

function leftText(left: NftObject): string {
  const [[key, value] = ["", {}]] = Object.entries(left) as [string, NftObject][];
  const { protocol, field, key: name, result, flags, ...more } = value;
  if (Object.keys(more).length > 0) return sortedJson(left);
  if (key === "payload" && protocol && field) return `${protocol} ${field}`;
  if ((key === "meta" || key === "ct") && name) return key === "ct" ? `ct ${name}` : String(name);
  if (key === "fib" && result && flags) return `fib ${[flags].flat().join(" . ")} ${result}`;
  return sortedJson(left);
}

function rightText(right: Operand, isFlags: boolean): string {
  if (typeof right !== "object") return plain(String(right));
  if (Array.isArray(right) && isFlags) return [...right].sort().join(",");
  const { prefix, range, set, ...more } = right as Record<string, unknown>;
  if (Object.keys(more).length === 0) {
    if (isFlags && Array.isArray(set)) return [...set].sort().join(",");
    if (isPrefix(prefix)) return `${plain(prefix.addr)}/${prefix.len}`;
    if (Array.isArray(range)) return range.join("-");
  }
  return sortedJson(right);
}

function isPrefix(value: unknown): value is { addr: string; len: number } {
  return typeof value === "object" && value !== null && "addr" in value && "len" in value;
}

function isNothing(value: unknown): boolean {
  return value === null || (typeof value === "object" && Object.keys(value as object).length === 0);
}

function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([one], [other]) => (one < other ? -1 : 1)))
      : inner,
  );
}

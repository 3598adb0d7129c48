import type { Inputs, Problem } from "../kind";

/** Why a text is no dotted name of a sysctl; undefined if it is one. A slash stands for a dot inside a part. */
export function sysctlNameProblem(name: string): string | undefined {
  if (name === "") return "is empty; give a name such as net.ipv4.ip_forward";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\s\x00-\x1f]/.test(name)) return "contains a blank or control character; take it out";
  const separator = /[./]/.exec(name)?.[0];
  if (separator === undefined) return "has one part only; give a name such as net.ipv4.ip_forward";
  if (separator === "/") return `is a path; write it with dots, as ${JSON.stringify(swapped(name))}`;
  const parts = name.split(".").map((part) => part.replaceAll("/", "."));
  if (parts.includes("")) return "has an empty part; take the dot too many out";
  if (parts.includes(".") || parts.includes(".."))
    return "has a part of slashes only, which stand for a folder's dots; take it out";
  return undefined;
}

/** Why a text is no value of a sysctl; undefined if it is one. */
export function sysctlValueProblem(value: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return /[\x00-\x08\x0a-\x1f]/.test(value)
    ? "contains a line break or control character; take it out, and separate values with blanks"
    : undefined;
}

/**
 * Whether the kernel shows that value, in its own words: 256 for 0x100, 8 for 010.
 * @param want canonical, as is.
 */
export function isSameValue(want: string, is: string): boolean {
  if (want === is) return true;
  const [wanted, shown] = [want.split(" "), is.split(" ")];
  return (
    wanted.length === shown.length &&
    wanted.every((word, index) => {
      const number = numberOf(word);
      const other = shown[index] as string;
      return word === other || (number !== undefined && /^-?\d+$/.test(other) && number === BigInt(other));
    })
  );
}

/** A number as the kernel reads it: decimal, hexadecimal, or octal where it begins with a 0. */
export function numberOf(word: string): bigint | undefined {
  const [, minus, digits] = /^(-?)(0x[0-9a-f]+|0[0-7]*|[1-9]\d*)$/i.exec(word) ?? [];
  if (digits === undefined) return undefined;
  const number = BigInt(/^0[0-7]/.test(digits) ? `0o${digits.slice(1)}` : digits);
  return minus ? -number : number;
}

/** Settings that have another name, too. */
const sameSettings: Readonly<Record<string, string>> = {
  "net.ipv4.conf.all.forwarding": "net.ipv4.ip_forward",
  "net.nf_conntrack_max": "net.netfilter.nf_conntrack_max",
};

/** One name for one setting. */
export function settingOf(name: string): string {
  return sameSettings[name] ?? name;
}

/** Of a setting of an interface: which one, and the name of that setting of interfaces yet to come. */
export function linkSetting(name: string): { link: string; ofAny: string } | undefined {
  const [, folder, part = "", setting] = /^(net\.ipv[46]\.(?:conf|neigh))\.([^.]+)\.(.+)$/.exec(name) ?? [];
  if (folder === undefined) return undefined;
  return { link: part.replaceAll("/", "."), ofAny: `${folder}.default.${setting}` };
}

/** Only what is below net has a value for each network namespace; elsewhere there is one for the whole host. */
export function sysctlRules({ name, namespace }: Inputs): Problem[] {
  if (typeof name !== "string" || namespace === undefined || name.startsWith("net.")) return [];
  const message = `namespace ${JSON.stringify(namespace)} is given, but \`name\` ${JSON.stringify(name)} is one setting for the whole host, as only those of net. are of a namespace; take the namespace out`;
  return [{ property: "namespace", message }];
}

/** Dots for slashes and the other way round: from a path below /proc/sys to the dotted name. */
function swapped(path: string): string {
  return path.replace(/[./]/g, (separator) => (separator === "." ? "/" : "."));
}

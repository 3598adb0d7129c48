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

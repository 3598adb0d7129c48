import { numberOf } from "./sysctl-checks";

/** MODULE_NAME_LEN - 1 (linux/module.h). */
const moduleNameBytes = 55;

/** Why a text is no name of a module; undefined if it is one. */
export function moduleNameProblem(name: string): string | undefined {
  if (name === "") return "is empty; give a name such as br_netfilter";
  if (name.length > moduleNameBytes)
    return `has ${name.length} characters; the kernel allows ${moduleNameBytes}. Check the name`;
  return /^[A-Za-z0-9_][A-Za-z0-9_-]*$/.test(name)
    ? undefined
    : 'is no name of a module; give it without path and ".ko": letters, digits, "_" and "-"';
}

/** Why a text is no parameter with its value; undefined if it is one. */
export function moduleParameterProblem(text: string): string | undefined {
  if (!/^[A-Za-z0-9_.]+=/.test(text))
    return "is no parameter with its value; write NAME=VALUE, as modprobe takes it";
  return /^[^=]+=[!#-~]*$/.test(text)
    ? undefined
    : "has a blank, a quotation mark or a character beyond ASCII in its value, which the kernel would take apart; take it out";
}

/** A parameter and its value. */
export function splitParameter(text: string): [string, string] {
  const equals = text.indexOf("=");
  return [text.slice(0, equals), text.slice(equals + 1)];
}

/** Whether the kernel shows that value, in its own words: Y for 1, 16 for 0x10 (kstrtobool and kstrtox.c of its lib). */
export function isValueOf(want: string, shown: string): boolean {
  if (want === shown) return true;
  if (shown === "Y") return /^([yte1]|on)/i.test(want);
  if (shown === "N") return /^([nfd0]|of)/i.test(want);
  const number = numberOf(want);
  return number !== undefined && number === numberOf(shown);
}

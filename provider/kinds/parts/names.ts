import { createHash } from "node:crypto";
import type { InputSchema, Inputs } from "../kind";

/** IFNAMSIZ - 1 (linux/if.h). The kernel cuts longer names silently, so they are refused here. */
export const linkNameBytes = 15;
/** NAME_MAX: a namespace is a file in /run/netns. */
export const namespaceNameBytes = 255;

/**
 * Why a text is no interface name; undefined if it is one. The rules are those of dev_valid_name() in
 * net/core/dev.c, whose blanks include the byte 0xA0, and of the per-interface sysctl folders.
 */
export function linkNameProblem(name: string): string | undefined {
  const bytes = Buffer.from(name);
  if (bytes.length === 0) return "is empty; give 1 to 15 bytes";
  if (bytes.length > linkNameBytes) {
    return `has ${bytes.length} bytes; the kernel allows ${linkNameBytes}. Shorten it, or leave \`name\` out for an automatic one`;
  }
  if (name === "." || name === "..") return "is a folder's name; choose another";
  if (name === "all" || name === "default")
    return "is reserved by the kernel's network settings; choose another";
  for (const byte of bytes) {
    if (byte === 0x2f || byte === 0x3a) return 'contains "/" or ":", which the kernel refuses; take them out';
    if (byte === 0x20 || (byte >= 0x09 && byte <= 0x0d) || byte === 0xa0) {
      return "contains a blank (or a character with the byte 0xA0), which the kernel refuses; take it out";
    }
    if (byte === 0) return "contains a NUL byte; take it out";
    if (byte === 0x25) return 'contains "%", which the kernel would replace by a number; write the number';
  }
  return undefined;
}

/** Links of one namespace share their names, whatever their kind. */
export function linkSpace(namespace: string | undefined): string {
  return `link:${namespace ?? ""}`;
}

/** What a resource of the program has claimed that makes the link of that name, for `Problem.unless`. */
export function linkClaim(name: string, { namespace }: Inputs): { space: string; name: string } {
  return { space: linkSpace(namespace as string | undefined), name };
}

/** Namespaces have their names for themselves. */
export const namespaceSpace = "namespace";

/** Why a text is no namespace name; undefined if it is one. */
export function namespaceNameProblem(name: string): string | undefined {
  const bytes = Buffer.byteLength(name);
  if (bytes === 0) return "is empty; give a name as `ip netns` shows it";
  if (bytes > namespaceNameBytes) return `has ${bytes} bytes; a file name has at most ${namespaceNameBytes}`;
  if (name.includes("/") || name === "." || name === "..") {
    return "is no plain name; give the name of a file in /run/netns, without a path";
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\s\x00-\x1f]/.test(name)) return "contains a blank or control character; take it out";
  if (name.startsWith("-"))
    return 'begins with "-", which `ip netns` would take for an option; choose another';
  return undefined;
}

/**
 * The automatic name of a resource: its logical name where that fits, else as much of it as fits and a hash of
 * the whole. The same logical name always gives the same name.
 */
export function automaticName(
  logicalName: string,
  limit: number,
  problem: (name: string) => string | undefined,
): string {
  if (problem(logicalName) === undefined) return logicalName;
  const digest = createHash("sha256").update(logicalName).digest("hex").slice(0, 6);
  const readable = logicalName
    .replace(/[^A-Za-z0-9_.-]+/g, "-")
    .slice(0, Math.min(limit, 64) - digest.length - 1)
    .replace(/^-+|-+$/g, "");
  return readable === "" ? digest : `${readable}-${digest}`;
}

export const nameInput: InputSchema = {
  type: "string",
  format: "link-name",
  change: "live",
  observed: true,
  description:
    "Interface name, 1 to 15 bytes. Default: the logical name, shortened with a hash where it is too long.",
};

export const namespaceInput: InputSchema = {
  type: "string",
  format: "namespace-name",
  change: "live",
  description:
    "Network namespace the interface lives in, by its name in /run/netns. Default: the host's. When it changes the interface moves, and processes that hold it go on holding it. Pass the `.name` of a `Namespace` resource, so that it is made first.",
};

export const adoptInput: InputSchema = {
  type: "boolean",
  default: false,
  change: "control",
  description:
    "Take over an object of that name that this program did not make; from then on it is managed, and deleted, like one that it made.",
};

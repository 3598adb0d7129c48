/** What of a resource must not be told, and texts without it. */

import { canonicalAddress, canonicalCidr, networkOf } from "./host/addresses";
import type { Inputs } from "./kinds/kind";
import type { Identity, Notice, Outputs } from "./request";

/** Secrets of the program and of the record: an input that left the program is no longer marked by it. */
export function secretsOf(identity: Identity, recorded: Outputs | undefined): Identity {
  const recordedSecrets = recorded?.__tuntap?.secrets ?? [];
  if (recordedSecrets.length === 0) return identity;
  return { ...identity, secrets: [...new Set([...(identity.secrets ?? []), ...recordedSecrets])] };
}

/** Stands in texts for a value that is not told. */
export const masked = "[secret]";

/** Takes the values of secret inputs out of a text; what is masked in it already stays so. */
export function maskSecrets(text: string, identity: Identity, ...sources: Inputs[]): string {
  const values = (identity.secrets ?? []).flatMap((name) =>
    sources.flatMap((source) => leaves(source[name]).flatMap(spellings)),
  );
  // A digit or two would tear every other number in the text apart, and tells nothing.
  const telling = [...new Set(values.map(String))].filter((value) => value.length > 2);
  const longestFirst = telling.sort((a, b) => b.length - a.length);
  return longestFirst
    .reduce((parts, value) => parts.flatMap((part) => part.split(value)), text.split(masked))
    .join(masked);
}

/** The plain values in a value. */
export function leaves(value: unknown): unknown[] {
  if (value === undefined || value === null) return [];
  return typeof value === "object" ? Object.values(value).flatMap(leaves) : [value];
}

/** How a value may stand in a text. */
function spellings(value: unknown): unknown[] {
  if (typeof value === "boolean") return [];
  if (typeof value !== "string") return [value];
  const parts = [value, ...value.split("/")];
  const cidr = canonicalCidr(value);
  // Messages have addresses in the kernel's spelling, and say what the network of one is.
  return [...parts, cidr, cidr && networkOf(cidr), ...parts.map(canonicalAddress)].filter(
    (part) => part !== undefined,
  );
}

/** A notice without the values of secret inputs. */
export function mask(notice: Notice, identity: Identity, ...sources: Inputs[]): Notice {
  return { ...notice, message: maskSecrets(notice.message, identity, ...sources) };
}

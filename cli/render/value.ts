/** Values of the engine's events, as they are shown. */
const secretSignature = "1b47061264138c4ac30d75fd1eb44270";
const signatureKey = "4dabf18193072939515e22adb298388d";
const unknownValue = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Whether an object is a secret as the engine marks it. */
export function isSecret(value: object): boolean {
  return (value as Record<string, unknown>)[signatureKey] === secretSignature;
}

/** Secrets and unknown values in words, hidden properties left out; the rest as it is. */
export function plain(value: unknown): unknown {
  if (value === unknownValue) return "[known after up]";
  if (Array.isArray(value)) return value.map(plain);
  if (!value || typeof value !== "object") return value;
  if (isSecret(value)) return "[secret]";
  const entries = Object.entries(value).filter(([key]) => !key.startsWith("__"));
  return Object.fromEntries(entries.map(([key, inner]) => [key, plain(inner)]));
}

/** One value in a line of text. @param full else a script or a file is only its length: it would hide all around it. */
export function show(value: unknown, full = true): string {
  const clear = plain(value);
  if (clear === undefined) return "unset";
  if (clear === "[secret]" || clear === "[known after up]") return clear;
  const lines = typeof clear === "string" && !full ? clear.trimEnd().split("\n").length : 1;
  return lines > 1 ? `[${lines} lines, shown by --diff]` : JSON.stringify(clear);
}

/** `urn:pulumi:dev::p::pulumi-nodejs:dynamic/tuntap:TunInterface::tap0` is a TunInterface named tap0. */
export function nameOf(urn: string): { kind: string; name: string } {
  const [, , types = "", name = ""] = splitUrn(urn);
  const type = types.split("$").at(-1) ?? "";
  return { kind: type.split(":").at(-1) ?? type, name };
}

/** So many names are told; of more, how many there are. */
const named = 10;

/** `TunInterface tap0, Bridge br0`; what is beyond ten is only counted. */
export function listOf(urns: readonly string[]): string {
  const names = urns.slice(0, named).map((urn) => `${nameOf(urn).kind} ${nameOf(urn).name}`);
  return names.join(", ") + (urns.length > named ? ` and ${urns.length - named} more` : "");
}

export function typeOf(urn: string): string {
  return splitUrn(urn)[2]?.split("$").at(-1) ?? "";
}

/** A name may hold `::` itself. */
function splitUrn(urn: string): string[] {
  const [stack = "", project = "", type = "", ...name] = urn.split("::");
  return [stack, project, type, name.join("::")];
}

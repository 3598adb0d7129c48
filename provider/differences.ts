import type { Host } from "./host/host";
import type { Difference, Inputs, Kind, Property, Target, Verdict } from "./kinds/kind";
import { rememberedOf } from "./remember";

// biome-ignore lint/suspicious/noExplicitAny: kinds of all types pass here
export type AnyDifference = Difference<any, any, any>;
// biome-ignore lint/suspicious/noExplicitAny: kinds of all types pass here
export type AnyProperty = Property<any, any, any>;

/** The input that a path of `Property.inputs` leads into. */
export function inputOf(path: string): string {
  const dot = path.indexOf(".");
  return dot < 0 ? path : path.slice(0, dot);
}

/** The value at a path of `Property.inputs`; undefined where there is none. */
export function valueAt(inputs: Inputs, path: string): unknown {
  if (!path.includes(".")) return inputs[path];
  return path.split(".").reduce<unknown>((value, key) => (value as Inputs | undefined)?.[key], inputs);
}

/** Whether a path is that one, or leads into it. */
export function within(path: string, outer: string): boolean {
  return path.startsWith(outer) && (path.length === outer.length || path[outer.length] === ".");
}

/** The inputs whose values properties of the kind compare with the object. */
export const covered = rememberedOf(
  (kind: Kind): ReadonlySet<string> =>
    new Set(kind.properties.flatMap((property) => property.inputs.map(inputOf))),
);

const rowsWithUnset = rememberedOf((kind: Kind) =>
  (kind.properties as readonly AnyProperty[]).filter((property) => property.unset !== undefined),
);

const nothing: ReadonlySet<string> = new Set();

/** What differs between the wanted and the observed object, in the order of the kind's table. */
export function differences(
  kind: Kind,
  target: Target,
  desired: unknown,
  observed: unknown,
  skip: ReadonlySet<string> = nothing,
): AnyDifference[] {
  const found: AnyDifference[] = [];
  for (const property of kind.properties as readonly AnyProperty[]) {
    const { inputs, endsWith = "" } = property;
    if (skip.size > 0 && (skip.has(endsWith) || inputs.some((input) => skip.has(inputOf(input))))) continue;
    const want = property.want(desired, target.recorded);
    if (want === undefined) continue;
    const is = property.is(observed, desired, target.recorded);
    if (!equal(want, is)) found.push({ property, want, is, desired, observed, target });
  }
  return found;
}

/** What is as it is wanted, and must be written all the same. */
export function unset(kind: Kind, target: Target, desired: unknown, observed: unknown): AnyDifference[] {
  const found: AnyDifference[] = [];
  for (const property of rowsWithUnset(kind)) {
    if (!property.unset?.(desired, target.recorded)) continue;
    const want = property.want(desired, target.recorded);
    const is = property.is(observed, desired, target.recorded);
    if (equal(want, is)) found.push({ property, want, is, desired, observed, target });
  }
  return found;
}

export interface Judged {
  difference: AnyDifference;
  verdict: Verdict;
}

/** Whether each difference can be written now; processes are looked up only where the answer depends on them. */
export async function judge(
  kind: Kind,
  target: Target,
  observed: unknown,
  found: readonly AnyDifference[],
  host: Host,
): Promise<Judged[]> {
  const depends = found.some(({ property }) => new Set(Object.values(property.verdict)).size > 1);
  const attachment = depends ? ((await kind.attachment?.(target, observed, host)) ?? "idle") : "idle";
  return found.map((difference) => {
    const { property, want, is } = difference;
    const verdict = property.needsReplace?.(want, is) ? "replace" : property.verdict[attachment];
    return { difference, verdict };
  });
}

/** A value of a property, for people. */
export function shown(property: AnyProperty, value: unknown): string {
  return (property.show ?? String)(value);
}

/** `mtu: 9000 on the host, 1500 declared`, or without values where an input of it is secret. */
export function describeDifference(
  { property, want, is }: AnyDifference,
  word: "declared" | "recorded",
  inputs: Inputs,
  secrets: readonly string[] = [],
): string {
  if (property.inputs.some((input) => secrets.includes(inputOf(input))))
    return `${property.name}: not the ${word} (secret) value`;
  const show = (value: unknown) => shown(property, value);
  const only = property.inputs.length === 1 ? valueAt(inputs, property.inputs[0] as string) : undefined;
  const words = typeof only === "string" && typeof want !== "string" ? `${only} (${show(want)})` : show(want);
  return `${property.name}: ${show(is)} on the host, ${words} ${word}`;
}

/** Equality of plain values: what comes from a program and what comes from the kernel. */
export function equal(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return false;
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((value, index) => equal(value, other[index]));
  }
  const [a, b] = [one as Inputs, other as Inputs];
  for (const key of Object.keys(a)) if (!equal(a[key], b[key])) return false;
  for (const key of Object.keys(b)) if (b[key] !== undefined && !Object.hasOwn(a, key)) return false;
  return true;
}

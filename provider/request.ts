import { declaredIn } from "./compact";
import { inputOf, valueAt, within } from "./differences";
import { TuntapError } from "./errors";
import type { Host } from "./host/host";
import { leaseName, parseUrn } from "./host/leases";
import type { Declaration, Inputs, Kind, Target } from "./kinds/kind";
import { automaticName } from "./kinds/parts/names";
import type { Company } from "./lint/passing";

/** What a face knows of a resource beside its inputs. */
export interface Identity {
  urn: string;
  /** Tells apart two clones of one program on one host. */
  instance?: string;
  /** Names of the inputs whose values no message may show. */
  secrets?: readonly string[];
  /** Of a member of a set, which is no resource of its own. */
  member?: { number: number; lease: string };
}

/** Something to tell the user on a resource; nothing in the core prints. */
export interface Notice {
  severity: "info" | "warning";
  message: string;
}

/** What a face hands over: the inputs that are known, and the names of those that are not yet. */
export interface Wanted {
  identity: Identity;
  inputs: Inputs;
  unknown: ReadonlySet<string>;
  /** How many resources of a kind the program declares; of kinds that look for one another only. */
  company?: Company;
}

/** What is recorded with a resource beside its outputs, in properties that begin with `__`. */
export interface Hidden {
  __tuntap: Identity;
  __lease: string;
  /**
   * Names (inside lists of objects, paths) of the inputs that the program declared, so that a refresh knows what to compare.
   * A text of `compact.ts`.
   */
  __declared: string;
}

export type Outputs = Record<string, unknown> & Partial<Hidden>;

/** A resource as it is now. */
export interface ReadResult {
  id: string;
  outputs: Outputs;
  /** The declared inputs, at the kernel's values. */
  inputs: Record<string, unknown>;
}

/** Who a recorded resource is. */
export function identityOf(recorded: Outputs): Identity {
  const identity = recorded.__tuntap;
  if (identity === undefined) {
    throw new TuntapError("INVALID_INPUT", {
      message: "the recorded state lacks the resource's identity (__tuntap)",
      remedy: "Declare resources with the classes of this package.",
    });
  }
  return identity;
}

/** As the user knows it: `TunInterface tap0`, `TunPool fc[3]`. */
export function resourceLabel({ urn, member }: Identity): string {
  const { kind, logicalName } = parseUrn(urn);
  return `${kind} ${logicalName}${member === undefined ? "" : `[${member.number}]`}`;
}

/** The lease of a resource that is not recorded yet. */
export function newLease({ urn, instance, member }: Identity, uid: number): string {
  return member?.lease ?? leaseName({ urn, instance, uid });
}

/** The automatic name of a resource, from its logical name alone; undefined where the kind has none. */
export function defaultName(kind: Declaration, identity: Identity): string | undefined {
  const { naming } = kind;
  if ("of" in naming) return undefined;
  return automaticName(parseUrn(identity.urn).logicalName, naming.bytes, naming.problem);
}

/** The name, or what stands for it; undefined while it is not known. */
export function nameOf(kind: Declaration, inputs: Inputs, unknown?: ReadonlySet<string>): string | undefined {
  if ("of" in kind.naming) return kind.naming.of(inputs, unknown);
  return unknown?.has("name") ? undefined : (inputs.name as string);
}

/** The input that says what an object is called. */
export function namingInput(kind: Declaration): string {
  return "of" in kind.naming ? kind.naming.property : "name";
}

/** @param inputs what is wanted, or what is recorded where nothing is wanted (any more). */
export function targetOf(
  kind: Kind,
  host: Host,
  identity: Identity,
  inputs: Inputs,
  recorded: Outputs | undefined,
): Target {
  // Where another name or namespace means another object, the recorded one is looked for.
  const place = (input: string) =>
    recorded && kind.inputs[input]?.change === "replace" ? recorded[input] : inputs[input];
  const placed =
    "of" in kind.naming
      ? Object.fromEntries(Object.keys(kind.inputs).map((input) => [input, place(input)]))
      : { name: place("name") };
  const name = nameOf(kind, placed) as string;
  const { logicalName } = parseUrn(identity.urn);
  const shortened =
    identity.member === undefined && name !== logicalName && name === defaultName(kind, identity);
  return {
    // The lease stays with the object, also when the resource's URN changes by an alias.
    lease: recorded?.__lease ?? newLease(identity, host.uid),
    namespace: place("namespace") as string | undefined,
    name,
    longName: shortened && /^[^\s/\0]{16,127}$/.test(logicalName) ? logicalName : undefined,
    wanted: inputs,
    recorded,
  };
}

/** Declared inputs as they stand in outputs: in the program's words where the kernel agrees, else the kernel's. */
export function declaredOf(kind: Declaration, outputs: Outputs): Record<string, unknown> {
  const declared: Record<string, unknown> = {};
  for (const path of declaredIn(outputs)) {
    const value = valueAt(outputs, path);
    if (value === undefined || !(inputOf(path) in kind.inputs)) continue;
    if (path.includes(".")) put(declared, path.split("."), value);
    else declared[path] = value;
  }
  return declared;
}

function put(into: Record<string, unknown>, [key = "", ...rest]: string[], value: unknown): void {
  if (rest.length === 0) into[key] = value;
  else {
    into[key] ??= /^\d+$/.test(rest[0] as string) ? [] : {};
    put(into[key] as Record<string, unknown>, rest, value);
  }
}

/**
 * The paths of what is declared, for `Hidden.__declared`: of a list of objects every value in it, as beside those that
 * are declared outputs have others.
 */
export function declaredPaths(kind: Declaration, declared: Inputs): string[] {
  const paths: string[] = [];
  for (const name of Object.keys(kind.inputs)) {
    const value = declared[name];
    if (value === undefined) continue;
    // Of an empty list there is nothing in it to name.
    if (!kind.inputs[name]?.items?.properties || (value as Inputs[]).length === 0) paths.push(name);
    else
      for (const [position, element] of (value as Inputs[]).entries())
        for (const key of Object.keys(element))
          if (element[key] !== undefined) paths.push(`${name}.${position}.${key}`);
  }
  return paths;
}

/** Whether a value was declared when the outputs were recorded. */
export function wasDeclared(recorded: Outputs, path: string): boolean {
  return declaredIn(recorded).some((name) => within(path, name) || within(name, path));
}

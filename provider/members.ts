import { namesText, numbersOf, numbersText } from "./compact";
import { TuntapError } from "./errors";
import { memberNumber, numberedLease } from "./host/leases";
import type { Inputs, SetKind } from "./kinds/kind";
import { declaredOf, type Identity, identityOf, type Outputs, type Wanted } from "./request";

/** Who the members of a set are: who the set is, and their numbers. */
function memberIdentities(kind: SetKind, identity: Identity, setLease: string): (number: number) => Identity {
  const secrets = namesInMember(kind, identity.secrets ?? []);
  return (number) => ({
    ...identity,
    secrets,
    member: { number, lease: numberedLease(setLease, number) },
  });
}

/** Names of inputs of the set, as names of inputs of its members. */
function namesInMember(kind: SetKind, names: Iterable<string>): string[] {
  const all = [...names].flatMap((name) => [name, ...(kind.derived[name] ?? [])]);
  return all.filter((name) => name in kind.member.inputs);
}

/** The members as they are wanted; none where it is not known yet which there are. */
export function wantedMembers(
  kind: SetKind,
  { identity, inputs, unknown }: Wanted,
  setLease: string,
): Wanted[] {
  if (kind.shape.some((name) => unknown.has(name))) return [];
  const notKnown = new Set(namesInMember(kind, unknown));
  const identityOfMember = memberIdentities(kind, identity, setLease);
  return kind.expand(inputs).map((member, number) => ({
    identity: identityOfMember(number),
    inputs: member,
    unknown: notKnown,
  }));
}

/** What is recorded of the members, by their numbers, as if each were a resource of its own. */
export function recordedMembers(kind: SetKind, recorded: Outputs): Map<number, Outputs> {
  const identity = identityOf(recorded);
  const lease = leaseOf(recorded);
  const known = kind.recall(recorded);
  const numbers = (recorded.__numbers as number[] | undefined) ?? known.map((_, position) => position);
  const numbersIn = (text: unknown) => (typeof text === "string" ? numbersOf(text) : []);
  const ifindexes = numbersIn(recorded.__ifindexes);
  const inodes = numbersIn(recorded.__namespaceInodes);
  const declared = declaredOf(kind, recorded);
  // After a refresh that found fewer, they are those of the highest numbers all the same.
  const count = Math.max(0, ...numbers) + (numbers.length > 0 ? 1 : 0);
  const inputs = kind.expand({ ...declared, [kind.counted]: count });
  const identityOfMember = memberIdentities(kind, identity, lease);
  return new Map(
    numbers.map((number, position) => {
      const member = inputs[number] ?? {};
      const who = identityOfMember(number);
      const outputs: Outputs = {
        ...member,
        ...known[position],
        ifindex: ifindexes[position],
        __bootId: recorded.__bootId,
        __namespaceInode: recorded.__namespaceInode ?? inodes[position],
        __lease: who.member?.lease,
        __declared: namesText(Object.keys(member).filter((name) => member[name] !== undefined)),
        __tuntap: who,
      };
      return [number, outputs];
    }),
  );
}

/** As little as finds a member of which nothing is recorded but its lease. */
export function unrecordedMember(
  kind: SetKind,
  identity: Identity,
  setLease: string,
  place: { number: number; name: string; namespace: string | undefined },
): Outputs {
  const { number, name, namespace } = place;
  return {
    name,
    namespace,
    __lease: numberedLease(setLease, number),
    __declared: "",
    __tuntap: memberIdentities(kind, identity, setLease)(number),
  };
}

/** What is recorded of a set beside its inputs and outputs. */
export function rememberMembers(members: ReadonlyMap<number, Outputs>): Record<string, unknown> {
  const numbers = [...members.keys()];
  const outputs = [...members.values()];
  const [first] = outputs;
  const inodes = outputs.map(({ __namespaceInode }) => __namespaceInode as number);
  return {
    __bootId: first?.__bootId,
    // Mostly all are in one namespace.
    ...(new Set(inodes).size === 1
      ? { __namespaceInode: inodes[0] }
      : { __namespaceInodes: numbersText(inodes) }),
    __ifindexes: numbersText(outputs.map(({ ifindex }) => ifindex as number)),
    ...(numbers.some((number, position) => number !== position) && { __numbers: numbers }),
  };
}

export function leaseOf({ __lease }: Outputs): string {
  if (__lease !== undefined) return __lease;
  throw new TuntapError("INVALID_INPUT", {
    message: "the recorded state lacks the resource's lease (__lease)",
    remedy: "Declare resources with the classes of this package.",
  });
}

/** A link that carries a lease of one of the set's members. */
export function numberOf(setLease: string, leases: readonly string[]): number | undefined {
  for (const lease of leases) {
    const number = memberNumber(setLease, lease);
    if (number !== undefined) return number;
  }
  return undefined;
}

/** What many members say, each line once: `fc3, fc7 and 12 more: mtu …`. */
export function summarise(said: readonly { name: string; text: string }[]): string[] {
  const byText = new Map<string, string[]>();
  for (const { name, text } of said) {
    const names = byText.get(text);
    if (names) names.push(name);
    else byText.set(text, [name]);
  }
  const lines = [...byText].map(([text, names]) =>
    names.length === 1 && text.startsWith(`${names[0]} `) ? text : `${listed(names)}: ${text}`,
  );
  const rest = lines.length - longestSummary;
  if (rest <= 0) return lines;
  return [...lines.slice(0, longestSummary), `and ${rest} more of the kind, about other members`];
}

const longestSummary = 8;
const longestList = 5;

/** `fc0, fc1, fc2, fc3, fc4 and 59 more` */
export function listed(names: readonly string[]): string {
  const shown = names.slice(0, longestList).join(", ");
  return names.length > longestList ? `${shown} and ${names.length - longestList} more` : shown;
}

/** Of a wanted member, or of a recorded one. */
export function memberName(inputs: Inputs): string {
  return String(inputs.name);
}

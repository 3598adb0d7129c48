import { createHash } from "node:crypto";
import { remembered } from "../remember";

/**
 * A lease is an alternative name that says which resource of which program made a link. The kernel keeps it
 * unique in a namespace, so it is a lock as well as a mark, and anyone may read it.
 */
export interface LeaseHolder {
  /** Tells apart two clones of one program on one host; undefined where nobody gave one. */
  instance: string | undefined;
  /** The resource's URN: stack, project, parents, kind and logical name. */
  urn: string;
  /** The uid on whose behalf the provider works. */
  uid: number;
}

/** Whose leases belong together. */
export interface LeaseStack {
  /** As in LeaseHolder. */
  instance: string | undefined;
  project: string;
  stack: string;
}

/** Of the digits at its end, those that stand for the stack come first, then those that stand for the resource. */
export const stackDigits = 12;
export const resourceDigits = 20;

const leasePattern = new RegExp(
  `^tuntap-(?<uid>\\d+)-(?<stack>[0-9a-f]{${stackDigits}})[0-9a-f]{${resourceDigits}}$`,
);

/**
 * `tuntap-<uid>-<32 hex digits>`, at most 50 bytes. The first 12 digits stand for instance, project and stack,
 * so that what belongs to one stack can be told from the kernel alone; the rest for the resource.
 */
export function leaseName(holder: LeaseHolder): string {
  const { stack, project, parents, kind, logicalName } = parseUrn(holder.urn);
  const stackKey = stackParts({ instance: holder.instance, project, stack });
  return `tuntap-${holder.uid}-${hash(stackKey, stackDigits)}${hash([...stackKey, kind, parents, logicalName], resourceDigits)}`;
}

/** The digits of a lease that tell a set's members apart. */
const numberDigits = 4;

/**
 * The lease of a member of a set: the set's own, but for the last digits, which are the member's number. So all of them
 * can be told from the kernel alone, also those that nobody has recorded.
 */
export function numberedLease(lease: string, number: number): string {
  return lease.slice(0, -numberDigits) + number.toString(16).padStart(numberDigits, "0");
}

/** The number of the member that carries the lease; undefined where it is none of this set. */
export function memberNumber(setLease: string, lease: string): number | undefined {
  const same = lease.length === setLease.length && lease.startsWith(setLease.slice(0, -numberDigits));
  return same ? Number.parseInt(lease.slice(-numberDigits), 16) : undefined;
}

/**
 * The lease of a further link of a resource: of the same stack and uid, so that it is told to be theirs like the first.
 * @param member what tells the link apart from the resource's others.
 */
export function memberLease(lease: string, member: string): string {
  return `${lease.slice(0, -resourceDigits)}${hash([lease, member], resourceDigits)}`;
}

export function isLease(alternativeName: string): boolean {
  return leasePattern.test(alternativeName);
}

/** Whether two leases were given by one stack of one instance. */
export function sameStack(one: string, other: string): boolean {
  const first = stackOf(one);
  return first !== undefined && first === stackOf(other);
}

/** Whether a lease was given by that stack of that instance. */
export function isOfStack(lease: string, stack: LeaseStack): boolean {
  return stackOf(lease) === hash(stackParts(stack), stackDigits);
}

/** The uid on whose behalf a lease was given. */
export function leaseUid(lease: string): number | undefined {
  const uid = leasePattern.exec(lease)?.groups?.uid;
  return uid === undefined ? undefined : Number(uid);
}

function stackOf(lease: string): string | undefined {
  return leasePattern.exec(lease)?.groups?.stack;
}

function stackParts({ instance, project, stack }: LeaseStack): string[] {
  return [instance ?? "", project, stack];
}

/** The name, at most 15 bytes, that a link of this lease carries while its final name is not free yet. */
export function interimName(lease: string): string {
  return `tt-${hash([lease], 12)}`;
}

/** Whether a link is, by its name, one of these: on its way to its name, or left so by an interrupted run. */
export function isInterimName(name: string): boolean {
  return /^tt-[0-9a-f]{12}$/.test(name);
}

interface Urn {
  stack: string;
  project: string;
  parents: string;
  kind: string;
  logicalName: string;
}

/**
 * `urn:pulumi:STACK::PROJECT::PARENTS$TYPE::NAME`. The kind is the last word of the type, and parents of this
 * package are named alike, so that a link keeps its lease when it moves from one face of the provider to the other.
 */
export const parseUrn = remembered((urn): Urn => {
  const [head = "", project = "", types = "", ...name] = urn.split("::");
  const chain = types.split("$");
  const type = chain.pop() ?? "";
  return {
    stack: head.slice("urn:pulumi:".length),
    project,
    parents: chain
      .map((parent) => parent.replace(/^pulumi-nodejs:dynamic\/tuntap:/, "tuntap:index:"))
      .join("$"),
    kind: type.slice(type.lastIndexOf(":") + 1),
    logicalName: name.join("::"),
  };
});

/** A resource, for people: `Bridge "br0"`. */
export function labelOf(urn: string): string {
  const { kind, logicalName } = parseUrn(urn);
  return `${kind} ${JSON.stringify(logicalName)}`;
}

function hash(parts: string[], digits: number): string {
  const text = parts.map((part) => `${Buffer.byteLength(part)}:${part}`).join("");
  return digest(text).slice(0, digits);
}

const digest = remembered((text) => createHash("sha256").update(text).digest("hex"));

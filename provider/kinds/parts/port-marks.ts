import { resourceDigits, stackDigits } from "../../host/leases";
import type { Link, LinkTable } from "../../host/links";

/*
 * The alternative name that an interface carries while a BridgePort has it on a bridge: whose doing that is, and what it was
 * a port of before. It is written first, so that a run that is interrupted knows the way back; and it stays with an
 * interface that others rename.
 */

const prefix = "tuntap-port-";
/** Of the lease: its stack and its resource. */
const digits = stackDigits + resourceDigits;

/** @param former what it was a port of before; empty for nothing. */
export function portMark(lease: string, former: string): string {
  return former === "" ? plainMark(lease) : `${plainMark(lease)}-${former}`;
}

function plainMark(lease: string): string {
  return prefix + lease.slice(-digits);
}

/** The marks of that resource on an interface; one, if any. */
export function marksOf({ alternativeNames }: Link, lease: string): string[] {
  const plain = plainMark(lease);
  return alternativeNames.filter((name) => name === plain || name.startsWith(`${plain}-`));
}

const pattern = new RegExp(`^${prefix}[0-9a-f]{${digits}}(-|$)`);

/** Whether any BridgePort has the interface on a bridge. */
export function isMarked({ alternativeNames }: Link): boolean {
  return alternativeNames.some((name) => pattern.test(name));
}

/** The marks of other resources on an interface: all of them have it on the bridge. */
export function othersMarks(link: Link, lease: string): string[] {
  const own = marksOf(link, lease);
  return link.alternativeNames.filter((name) => pattern.test(name) && !own.includes(name));
}

/** Those of them that are of the lease's own stack. */
export function marksOfStack(link: Link, lease: string): string[] {
  const ofStack = prefix + lease.slice(-digits, -resourceDigits);
  return othersMarks(link, lease).filter((name) => name.startsWith(ofStack));
}

/** What the interface of a mark was a port of before. */
export function formerIn(mark: string): string {
  return mark.slice(prefix.length + digits + 1);
}

/** The interface that carries a mark of that resource, whatever it is called. */
export function markedLink(links: LinkTable, lease: string): Link | undefined {
  return links.all.find((link) => marksOf(link, lease).length > 0);
}

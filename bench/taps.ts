/** The interfaces that every contender makes: `tap0` …, with an owner, an address, up. */

/** uid of nobody. */
export const owner = 65534;

/** Of the interface with that number. */
export function addressOf(number: number): string {
  return `10.${number >> 8}.${number & 255}.1/24`;
}

/** Of all interfaces of a pool, as many as there can be. */
export const poolSubnet = "10.0.0.0/16";

/** An IFLA_GROUP number that nobody uses. */
const group = 31387;

/** Lines for `ip -batch` that delete interfaces together. */
export function deleteGroup(names: readonly string[]): string[] {
  return [...names.map((name) => `link set ${name} group ${group}`), `link del group ${group}`];
}

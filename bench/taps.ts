/** The interfaces that every contender makes: `tap0` …, with an owner, an address, up. */

/** uid of nobody. */
export const owner = 65534;

/** Of the interface with that number. */
export function addressOf(number: number): string {
  return `10.${number >> 8}.${number & 255}.1/24`;
}

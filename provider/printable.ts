/**
 * What text from the host must not bring to a terminal. Anybody who holds an interface chooses the command line that is
 * shown of him, and whoever is root in a namespace the names and aliases there.
 */

/** Characters that a terminal obeys, or that change in what order others are seen; and halves of characters. */
export const unprintable = /[\p{Cc}\u2028-\u202e\u2066-\u2069\p{Cs}]/u;

const all = new RegExp(unprintable, "gu");

/** The text with such characters in writing (`\u001b`, and `\xff` for a byte that is no UTF-8); lines and tabs stay. */
export function printable(text: string): string {
  return text.replace(all, (character) => {
    if (character === "\n" || character === "\t") return character;
    const code = character.charCodeAt(0);
    // As readText (netlink/text.ts) has such a byte.
    return code >= 0xdc80 && code <= 0xdcff ? `\\x${(code - 0xdc00).toString(16)}` : escaped(code);
  });
}

/** A value as JSON of the same meaning without such characters. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replace(all, (character) => escaped(character.charCodeAt(0)));
}

function escaped(code: number): string {
  return `\\u${code.toString(16).padStart(4, "0")}`;
}

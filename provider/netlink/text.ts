/**
 * Text of the kernel. It is UTF-8 by custom only: a link name is any bytes. A byte that is no UTF-8 becomes the lone
 * surrogate U+DC00 + byte, and becomes that byte again when written, so no name is lost or confused with another.
 */

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text from `start` up to the first NUL, or up to `end`. */
export function readText(bytes: Buffer, start: number, end: number): string {
  let stop = start;
  let ascii = true;
  for (; stop < end; stop++) {
    const byte = bytes[stop]!;
    if (byte === 0) break;
    if (byte >= 0x80) ascii = false;
  }
  if (ascii) return bytes.toString("latin1", start, stop);
  return decode(bytes.subarray(start, stop)) ?? escapeBytes(bytes.subarray(start, stop));
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

function escapeBytes(bytes: Buffer): string {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const size = sequenceSize(bytes[at]!);
    const character = at + size <= bytes.length ? decode(bytes.subarray(at, at + size)) : undefined;
    text += character ?? String.fromCharCode(0xdc00 + bytes[at]!);
    at += character === undefined ? 1 : size;
  }
  return text;
}

/** Bytes of the UTF-8 sequence that begins with `lead`. */
function sequenceSize(lead: number): number {
  if (lead >= 0xf0) return 4;
  if (lead >= 0xe0) return 3;
  return lead >= 0xc0 ? 2 : 1;
}

const loneSurrogate = /\p{Surrogate}/u;

/** The bytes of a text, without a NUL; `undefined` for a text that has none (it holds a NUL or a broken surrogate). */
export function textBytes(text: string): Buffer | undefined {
  if (text.includes("\0")) return undefined;
  if (!loneSurrogate.test(text)) return Buffer.from(text, "utf8");
  const parts: Buffer[] = [];
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (code < 0xd800 || code > 0xdfff) parts.push(Buffer.from(character, "utf8"));
    else if (code >= 0xdc80 && code <= 0xdcff) parts.push(Buffer.of(code - 0xdc00));
    else return undefined;
  }
  return Buffer.concat(parts);
}

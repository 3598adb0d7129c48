import { describe, expect, test } from "vitest";
import { printable, printableJson } from "../provider/printable";

describe("text from the host, for a terminal", () => {
  test.each([
    ["plain text", "tap0, 4711 qemu -m 512", "tap0, 4711 qemu -m 512"],
    ["other scripts, and marks that they need", "Grüße שלום\u200f 😀 \u00a0", "Grüße שלום\u200f 😀 \u00a0"],
    ["lines and tabs", "a\n\tb", "a\n\tb"],
    ["an escape sequence", "\u001b[2J\u0007\r\u007f", "\\u001b[2J\\u0007\\u000d\\u007f"],
    ["one in C1", "\u009b2J\u0085", "\\u009b2J\\u0085"],
    ["what turns the direction", "\u202ea\u202c\u2066b\u2069", "\\u202ea\\u202c\\u2066b\\u2069"],
    ["other ends of lines", "a\u2028b\u2029c", "a\\u2028b\\u2029c"],
    ["a byte that is no UTF-8, as names of links have it", "x\udcff", "x\\xff"],
    ["half of a character", "x\ud83d", "x\\ud83d"],
  ])("%s", (_, text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  test("as JSON means the same", () => {
    const value = { alias: 'a\u001b[2J\u009b\u202e"\n', list: ["ü", 1, null] };
    const text = printableJson(value);
    expect(JSON.parse(text)).toEqual(value);
    expect(text).toMatch(/^[ -~ü]*$/);
  });
});

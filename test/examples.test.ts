/** Every example has a README that fits a screen, with a drawing of what it makes. That its commands work is tried in test/engine. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const folder = resolve(__dirname, "../examples");

/** A block without a language in which lines are drawn. */
const drawing = /^```\n(?:(?!```).*\n)*?.*[─═│┌┐└┘├┤┬┴┼](?:.*\n)*?```\n/gm;
/** A block in a language: what the example is about, as a program or script. */
const listing = /^```\w+\n(?:.*\n)*?```\n/gm;

describe.each(readdirSync(folder))("the README of %s", (name) => {
  const file = join(folder, name, "README.md");
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";

  test("has a drawing, and ten lines at most besides", () => {
    expect(text.split("\n")[0]).toBe(`# ${name}`);
    const listed = text.replace(listing, "");
    expect(listed.match(drawing)).toHaveLength(1);
    const lines = listed.replace(drawing, "").split("\n");
    expect(lines.filter((line) => line.trim() !== "").length).toBeLessThanOrEqual(10);
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(130);
  });

  test("names settings that the program reads", () => {
    const program = readFileSync(join(folder, name, "index.ts"), "utf8");
    for (const [, setting] of text.matchAll(/--config '?(\w+)=/g)) {
      expect(program).toMatch(
        new RegExp(`config\\.get\\w*(<.*>)?\\("${setting}"\\)|Config\\(\\)\\.get\\("${setting}"\\)`),
      );
    }
  });
});

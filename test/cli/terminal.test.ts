import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { lab, slow } from "./tool";

describe("on a terminal", () => {
  it(
    "asks after the plan, shows what runs and how many are done, and ends with the table",
    async () => {
      const at = lab();
      const up = at.onTerminal(["up", "--config", "delay=3000"]);
      await up.until(/Bring this up\?/);
      expect(existsSync(at.store)).toBe(false);
      up.child.stdin?.write("y");
      await up.until(/0 of 2 done · creating a · \d/);
      const ran = await up.ended;
      expect(ran.code, ran.all).toBe(0);
      const text = ran.stdout;
      expect(text).toMatch(
        /Plan of dev: 2 to create[\s\S]*Bring this up\?[\s\S]*created Thing a[\s\S]*Done: 2 created/,
      );
      expect(text).toContain("\u001b[32m");
      expect(text.trimEnd().split("\n").at(-1)).toContain("┘");
    },
    slow,
  );

  it(
    "changes nothing where the answer is no, or Ctrl-C",
    async () => {
      for (const answer of ["n", "\u0003"]) {
        const at = lab();
        const up = at.onTerminal(["up"]);
        await up.until(/Bring this up\?/);
        up.child.stdin?.write(answer);
        const ran = await up.ended;
        expect(ran.code).toBe(1);
        expect(ran.stdout).toContain("Nothing was changed.");
        expect(existsSync(join(at.store, "a.json"))).toBe(false);
      }
    },
    slow,
  );

  it(
    "with --json asks nothing: it needs --yes there too",
    async () => {
      const up = lab().onTerminal(["up", "--json"]);
      expect((await up.ended).code).toBe(2);
    },
    slow,
  );
});

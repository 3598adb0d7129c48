import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Lab, lab, object, slow } from "./tool";

const thing = 'const { Thing } = require("./things/thing");\nconst store = __dirname + "/store";\n';

function locksOf(at: Lab): string[] {
  const locks = join(at.root, ".tuntap/state/.pulumi/locks/organization/lab/dev");
  return readdirSync(locks).filter((name) => name.endsWith(".json"));
}

describe("a program that calls process.exit does not end the command", () => {
  const cases: [string, number, string, string][] = [
    ["where its modules are evaluated", 7, "process.exit(7);", "nothing was changed"],
    ["with 0, after a resource", 0, 'new Thing("a", { store });\nprocess.exit();', "nothing was changed"],
    [
      "with 3, where it catches what that throws",
      3,
      'try {\nprocess.exit(3);\n} catch {}\nnew Thing("a", { store });',
      "nothing was changed",
    ],
    [
      "in a timer",
      4,
      "module.exports = async () => {\nsetTimeout(() => process.exit(4));\n};",
      "nothing was",
    ],
  ];
  for (const [what, code, text, left] of cases) {
    it(
      what,
      async () => {
        const at = lab({ "index.js": thing + text });
        const up = await at.tuntap(["up", "--yes", "--json"]);
        expect(up.code, up.all).toBe(1);
        const { result, diagnostics } = object(up) as { result: string; diagnostics: { message: string }[] };
        expect(result).toBe("failed");
        expect(diagnostics.map(({ message }) => message)).toEqual([
          expect.stringMatching(
            new RegExp(
              `^the program called process\\.exit\\(${code || ""}\\)\n    at .*/index\\.js:[34]:\\d+$`,
            ),
          ),
        ]);
        expect(up.stderr).toContain(`failed: 1 error; ${left}`);
        expect(up.all).not.toContain("promises were still active");
      },
      slow,
    );
  }

  it(
    "in the middle of an up: the engine ends as after a signal, and leaves no lock",
    async () => {
      const program = `${thing}const { runtime } = require("@pulumi/pulumi");
        const a = new Thing("a", { store });
        a.urn.apply(() => runtime.isDryRun() || process.exit(5));
        new Thing("b", { store, delayMs: 3000 });`;
      const at = lab({ "index.js": program });
      const up = await at.tuntap(["up", "--yes"]);
      expect(up.code, up.all).toBe(1);
      expect(up.stdout.match(/error: the program called process\.exit\(5\)/g), up.all).toHaveLength(1);
      expect(up.stderr).toMatch(/failed: 1 error; \d of 2 done/);
      expect(locksOf(at)).toEqual([]);
      at.write("index.js", program.replace("process.exit(5)", "0"));
      const next = await at.tuntap(["up", "--yes"]);
      expect(next.code, next.all).toBe(0);
    },
    slow,
  );
});

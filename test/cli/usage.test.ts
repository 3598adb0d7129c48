import { describe, expect, it } from "vitest";
import { lab, object, slow, temporary } from "./tool";

describe("wrong usage exits with 2", () => {
  const { tuntap } = lab();
  const cases: [string, string[], RegExp][] = [
    ["an unknown command", ["upp"], /unknown command 'upp'[\s\S]*up/],
    ["an unknown option", ["up", "--parallell", "3"], /unknown option[\s\S]*--parallel/],
    ["a number that is none", ["up", "--parallel", "many"], /whole number from 1/],
    ["no parallelism", ["up", "--parallel", "0"], /whole number from 1/],
    ["a configuration without a value", ["up", "--yes", "--config", "mtu"], /expected key=value/],
    ["two folders", ["preview", ".", "other"], /too many arguments/],
    ["a stack name that is a path", ["preview", "--stack", "../dev"], /letters, digits/],
    ["a folder that does not exist", ["preview", "nowhere"], /no such folder/],
    ["up without a terminal and without --yes", ["up"], /give --yes/],
    ["down without a terminal and without --yes", ["down"], /give --yes/],
    ["refresh without a terminal and without --yes", ["refresh"], /give --yes/],
  ];
  for (const [what, args, pattern] of cases) {
    it(
      what,
      async () => {
        const ran = await tuntap(args);
        expect(ran.code).toBe(2);
        expect(ran.stderr).toMatch(pattern);
        expect(ran.stdout).toBe("");
      },
      slow,
    );
  }

  it(
    "a folder without a project, also as one object",
    async () => {
      const ran = await tuntap(["preview", temporary(), "--json"]);
      expect(ran.code).toBe(2);
      expect(object(ran)).toMatchObject({
        result: "failed",
        diagnostics: [{ severity: "error", message: expect.stringMatching(/no Pulumi.yaml/) }],
      });
    },
    slow,
  );

  it(
    "another language's project",
    async () => {
      const other = lab({ "Pulumi.yaml": "name: lab\nruntime: python\n" });
      const ran = await other.tuntap(["preview"]);
      expect(ran.code).toBe(2);
      expect(ran.stderr).toMatch(/runtime is python; tuntap runs nodejs programs/);
    },
    slow,
  );

  it(
    "a project without a program",
    async () => {
      const other = lab({
        "Pulumi.yaml": "name: lab\nruntime: nodejs\nmain: empty\n",
        "empty/README": "",
        "main.txt": "",
      });
      const ran = await other.tuntap(["preview"]);
      expect(ran.code).toBe(2);
      expect(ran.stderr).toMatch(/expected main of Pulumi.yaml, index.ts or index.js/);
    },
    slow,
  );

  it(
    "but help and version are no errors",
    async () => {
      expect((await tuntap(["--help"])).code).toBe(0);
      const version = await tuntap(["--version"]);
      expect(version).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+/) });
    },
    slow,
  );
});

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { lab, object, slow } from "./tool";

const none = { create: 0, update: 0, delete: 0, replace: 0, same: 0 };

describe("the course of a lab", () => {
  const { tuntap, store, root } = lab();
  const drift = () => writeFileSync(join(store, "a.json"), JSON.stringify({ mode: "tap", mtu: 9000 }));

  it(
    "previews without changing anything, and exits with 3 where no changes were expected",
    async () => {
      const preview = await tuntap(["preview"]);
      expect(preview.code).toBe(0);
      expect(preview.stdout).toMatch(/\+ {2}Thing a {2}create\n/);
      expect(preview.stdout).toContain("mtu: 1500");
      expect(preview.stdout).toContain("password: [secret]");
      expect(preview.stdout).not.toMatch(/__provider|__thing/);
      expect(preview.stdout).toContain("Plan of dev: 2 to create");
      const expected = await tuntap(["up", "--expect-no-changes", "--json"]);
      expect(expected.code).toBe(3);
      expect(object(expected)).toMatchObject({ result: "failed", changes: { ...none, create: 2 } });
      expect(object(expected).steps).toMatchObject([
        { kind: "Thing", name: "a", operation: "create", state: "planned" },
        {
          name: "b",
          properties: expect.arrayContaining([{ name: "password", before: null, after: "[secret]" }]),
        },
      ]);
      expect(existsSync(store)).toBe(false);
    },
    slow,
  );

  it(
    "comes up: plan, progress in plain lines, summary, outputs, and a table of what exists",
    async () => {
      const up = await tuntap(["up", "--yes"]);
      expect(up.code).toBe(0);
      const words = [
        "Plan of dev: 2 to create",
        "created Thing a",
        "Done: 2 created",
        "hidden: [secret]",
        'name: "a"',
        "│ kind",
      ];
      const places = words.map((word) => up.stdout.lastIndexOf(word));
      expect(places.includes(-1)).toBe(false);
      expect(places).toEqual([...places].sort((one, other) => one - other));
      expect(up.stdout.trimEnd().split("\n").at(-2)).toMatch(/Thing .* b .* tap .* 10\.0\.0\.1 .* yes/);
      expect(up.all).not.toContain("hush");
      expect(up.all).not.toContain("\u001b[");
      expect(existsSync(join(store, "b.json"))).toBe(true);
    },
    slow,
  );

  it(
    "prints exactly one object with --json",
    async () => {
      const ran = await tuntap(["preview", "--json"]);
      const result = object(ran);
      expect(Object.keys(result)).toEqual([
        "command",
        "stack",
        "result",
        "changes",
        "steps",
        "outputs",
        "diagnostics",
        "durationMs",
      ]);
      expect(result).toMatchObject({
        command: "preview",
        stack: "dev",
        result: "succeeded",
        changes: { ...none, same: 2 },
        steps: [],
        outputs: { name: "a", hidden: "[secret]" },
        diagnostics: [],
      });
      expect(result.durationMs).toBeGreaterThan(0);
    },
    slow,
  );

  it(
    "says at a second up that nothing changes",
    async () => {
      const again = await tuntap(["up", "--yes"]);
      expect(again.code).toBe(0);
      expect(again.stdout).toContain("nothing changes (2 unchanged)");
      expect(again.stdout).not.toContain("Done:");
      expect((await tuntap(["up", "--expect-no-changes"])).code).toBe(0);
    },
    slow,
  );

  it(
    "shows drift and vanished things with both values, and repairs them",
    async () => {
      drift();
      rmSync(join(store, "b.json"));
      const expected = await tuntap(["preview", "--expect-no-changes", "--json"]);
      expect(expected.code).toBe(3);
      expect(object(expected).changes).toEqual({ ...none, create: 1, update: 1 });
      const up = await tuntap(["up", "--yes", "--json"]);
      expect(up.stderr).toContain("mtu: 9000 => 1500");
      expect(up.stderr).toContain("Thing b  create again: it does not exist any more");
      expect(object(up)).toMatchObject({ result: "succeeded", changes: { ...none, create: 1, update: 1 } });
      expect(object(up).steps).toContainEqual({
        urn: expect.stringMatching(/::a$/),
        kind: "Thing",
        name: "a",
        operation: "update",
        state: "done",
        replaces: [],
        properties: [{ name: "mtu", before: 9000, after: 1500 }],
      });
      expect(JSON.parse(readFileSync(join(store, "a.json"), "utf8"))).toMatchObject({ mtu: 1500 });
      expect((await tuntap(["preview", "--expect-no-changes"])).code).toBe(0);
    },
    slow,
  );

  it(
    "replaces, and shows every property with --diff",
    async () => {
      const index = readFileSync(join(root, "index.ts"), "utf8");
      writeFileSync(
        join(root, "index.ts"),
        index.replace('new Thing("a", {', 'new Thing("a", { mode: "tun",'),
      );
      const up = await tuntap(["up", "--yes", "--diff"]);
      expect(up.stdout).toMatch(/\+- Thing a {2}replace \(mode\)/);
      expect(up.stdout).toContain('mode: "tap" => "tun"');
      expect(up.stdout).toContain("mtu: 1500");
      expect(up.stdout).toContain("=  Thing b  unchanged");
      expect(up.stdout).toContain("Done: 1 replaced, 1 unchanged");
    },
    slow,
  );

  it(
    "refreshes: what is on the host goes into the state",
    async () => {
      writeFileSync(join(store, "a.json"), JSON.stringify({ mode: "tun", mtu: 9000 }));
      const dry = await tuntap(["refresh", "--expect-no-changes"]);
      expect(dry.code).toBe(3);
      const refresh = await tuntap(["refresh", "--yes"]);
      expect(refresh.code).toBe(0);
      expect(refresh.stdout).toMatch(/Thing a {2}differs\n\s+mtu: 1500 => 9000/);
      expect(refresh.stdout).toMatch(/updated in the state Thing a/);
      const again = object(await tuntap(["refresh", "--yes", "--json"]));
      expect(again.changes).toEqual({ ...none, same: 2 });
    },
    slow,
  );

  it(
    "refreshes what is gone from the host out of the state, and says that nothing was deleted",
    async () => {
      rmSync(join(store, "b.json"));
      const refresh = await tuntap(["refresh", "--yes"]);
      expect(refresh.code, refresh.all).toBe(0);
      expect(refresh.stdout).toMatch(/Thing b {2}is gone/);
      expect(refresh.stdout).toContain("State of dev: 1 to forget, 1 unchanged");
      expect(refresh.stdout).toContain("  gone from the host, taken out of the state: Thing b (");
      expect(refresh.stdout).toContain("Done: 1 forgotten, 1 unchanged");
      expect(refresh.stdout).not.toContain("delete");
      expect((await tuntap(["up", "--yes"])).code).toBe(0);
    },
    slow,
  );

  it(
    "goes down without residue",
    async () => {
      const down = await tuntap(["down", "--yes", "--json"]);
      expect(down.code).toBe(0);
      expect(object(down)).toMatchObject({ command: "down", changes: { ...none, delete: 2 } });
      expect(existsSync(join(store, "a.json"))).toBe(false);
      expect(existsSync(join(store, "b.json"))).toBe(false);
      expect((await tuntap(["down", "--yes"])).code).toBe(0);
    },
    slow,
  );
});

describe("what the provider says", () => {
  const program = (mtu: number) => `
    const { Thing } = require("./things/thing");
    new Thing("a", { store: __dirname + "/store", mtu: ${mtu}, notice: "any user may attach" });`;

  it(
    "is printed on its resource, once for plan and run, and is in the object once",
    async () => {
      const at = lab({ "index.js": program(1500) });
      const up = await at.tuntap(["up", "--yes"]);
      expect(up.code, up.all).toBe(0);
      expect(up.stdout.match(/warning: any user may attach/g)).toHaveLength(1);
      expect(up.stdout).toMatch(/Thing a {2}create\n(?: {7}.*\n)* {7}warning: any user may attach/);
      writeFileSync(join(at.store, "a.json"), JSON.stringify({ mode: "tap", mtu: 9000 }));
      const repair = await at.tuntap(["up", "--yes", "--json"]);
      const { diagnostics } = object(repair) as { diagnostics: { message: string }[] };
      expect(diagnostics.map((one) => one.message).sort()).toEqual([
        "any user may attach",
        "mtu is 9000, declared 1500",
      ]);
      expect(repair.stderr.match(/mtu is 9000, declared 1500/g)).toHaveLength(1);
      // It is also said where nothing changes.
      const still = await at.tuntap(["preview"]);
      expect(still.stdout).toMatch(/= {2}Thing a {2}unchanged\n {7}warning: any user may attach/);
    },
    slow,
  );
});

describe("what is shown to exist in the end", () => {
  const program = (things: string) => `
    const { Thing } = require("./things/thing");
    const common = { store: __dirname + "/store" };
    ${things}`;

  it(
    "is neither what was deleted, nor a resource under its former name",
    async () => {
      const { tuntap, write } = lab({
        "index.js": program(`new Thing("a", common); new Thing("b", common);`),
      });
      expect((await tuntap(["up", "--yes"])).code).toBe(0);
      write("index.js", program(`new Thing("c", { ...common, mtu: 1400 }, { aliases: [{ name: "b" }] });`));
      const up = await tuntap(["up", "--yes"]);
      expect(up.code, up.all).toBe(0);
      const rows = up.stdout.split("\n").filter((line) => line.startsWith("│ Thing"));
      expect(rows).toEqual([expect.stringContaining("│ c ")]);
    },
    slow,
  );
});

describe("what goes wrong", () => {
  it(
    "changes nothing where the plan fails, and says why once",
    async () => {
      const { tuntap, store } = lab({ "Pulumi.dev.yaml": "config:\n  lab:mtu: 66\n" });
      const up = await tuntap(["up", "--yes", "--json"]);
      expect(up.code).toBe(1);
      const result = object(up);
      expect(result.result).toBe("failed");
      expect(result.diagnostics).toEqual([
        expect.objectContaining({
          severity: "error",
          message: expect.stringContaining("mtu 66 is below 68"),
        }),
      ]);
      expect(up.stderr).toContain("nothing was changed");
      expect(existsSync(store)).toBe(false);
    },
    slow,
  );

  it(
    "says what is left where the run fails in the middle",
    async () => {
      const program = `
      const { Thing } = require("./things/thing");
      const a = new Thing("a", { store: __dirname + "/store" });
      const b = new Thing("b", { store: __dirname + "/store", fail: true }, { dependsOn: a });
      new Thing("c", { store: __dirname + "/store" }, { dependsOn: b });`;
      const { tuntap } = lab({ "index.js": program });
      const up = await tuntap(["up", "--yes", "--json"]);
      expect(up.code).toBe(1);
      const result = object(up);
      expect(result.diagnostics).toEqual([
        { severity: "error", message: "b refuses to exist", urn: expect.stringContaining("Thing::b") },
      ]);
      expect(up.stderr).toMatch(/1 of 3 done; not done: Thing b, Thing c/);
      expect(result.steps).toMatchObject([
        { name: "a", state: "done" },
        { name: "b", state: "failed" },
        { name: "c", state: "planned" },
      ]);
    },
    slow,
  );

  it(
    "names the command that goes on, which for a down is no up",
    async () => {
      const { tuntap, store } = lab();
      await tuntap(["up", "--yes"]);
      // What the provider cannot remove as a file.
      rmSync(join(store, "a.json"));
      mkdirSync(join(store, "a.json"));
      const down = await tuntap(["down", "--yes"]);
      expect(down.code, down.all).toBe(1);
      expect(down.stderr).toMatch(/1 of 2 done; not done: Thing a; the next "tuntap down" goes on from here/);
    },
    slow,
  );
});

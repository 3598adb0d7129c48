/** Pulumi's options of a resource: recorded where they are all that changed, and shown as what they do. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Lab } from "../harness/lab";
import { type Declared, type Report, Workspace } from "../harness/workspace";

let lab: Lab;
let workspace: Workspace;

beforeAll(async () => {
  lab = await Lab.open();
});
afterAll(() => lab.close());
beforeEach(async () => {
  await lab.empty();
  workspace = new Workspace();
  return () => workspace.close();
});

const tap = (name: string, options: Record<string, unknown> = {}, args = {}): Declared => ({
  kind: "TunInterface",
  name,
  args: { owner: "nobody", namespace: lab.name, ...args },
  options,
});
const messages = (report: Report) => report.diagnostics.map(({ message }) => message).join("\n");
const names = async () => (await lab.links()).map(({ ifname }) => ifname);

interface Recorded {
  urn: string;
  protect?: boolean;
  dependencies?: string[];
}

/** What the engine's own file says of a resource. */
function recorded(name: string): Recorded | undefined {
  const file = join(workspace.folder, ".tuntap/state/.pulumi/stacks/test/dev.json");
  const resources = JSON.parse(readFileSync(file, "utf8")).checkpoint.latest.resources as Recorded[];
  return resources.find(({ urn }) => urn.endsWith(`::${name}`));
}

describe("an option that is all that changed", () => {
  test("protect: put on, it protects; taken off, it does no longer", async () => {
    workspace.declare(tap("tap0"));
    await workspace.succeed("up");
    workspace.declare(tap("tap0", { protect: true }));
    expect((await workspace.succeed("up")).changes).toMatchObject({ same: 1, update: 0 });
    expect(recorded("tap0")?.protect).toBe(true);
    workspace.declare();
    const refused = await workspace.run("up");
    expect(refused.code).toBe(1);
    expect(messages(refused.report)).toMatch(/protect/);
    expect(await names()).toEqual(["tap0"]);
    workspace.declare(tap("tap0"));
    await workspace.succeed("up");
    await workspace.succeed("down");
    expect(await names()).toEqual([]);
  });

  test("retainOnDelete: what leaves the program stays on the host, and the plan says so", async () => {
    workspace.declare(tap("tap0"));
    await workspace.succeed("up");
    workspace.declare(tap("tap0", { retainOnDelete: true }));
    await workspace.succeed("up");
    workspace.declare();
    const shown = execFileSync(process.execPath, [
      join(__dirname, "../../dist/cli/main.js"),
      "preview",
      workspace.folder,
    ]);
    expect(shown.toString()).toMatch(
      /- {2}TunInterface tap0 {2}forget: it stays on the host \(retainOnDelete\)/,
    );
    await workspace.succeed("up");
    expect(await names()).toEqual(["tap0"]);
  });

  test("dependsOn", async () => {
    workspace.declare(tap("tap0"), tap("tap1"));
    await workspace.succeed("up");
    const changed = [tap("tap0"), tap("tap1", { dependsOn: [{ $resource: "tap0" }] })];
    workspace.declare(...changed);
    await workspace.succeed("up");
    expect(recorded("tap1")?.dependencies).toEqual([recorded("tap0")?.urn]);
    await workspace.succeed("up", "--expect-no-changes");
  });
});

describe("a replacement that the program asks for", () => {
  const ifindex = async (name: string) => (await lab.mustHave(name)).ifindex;

  test("makes a new interface, and leaves it", async () => {
    const declare = (trigger: number) =>
      workspace.declare(
        tap("tap0", { replacementTrigger: trigger }),
        tap("tap1", { replaceWith: [{ $resource: "tap0" }] }),
      );
    declare(1);
    await workspace.succeed("up");
    const before = [await ifindex("tap0"), await ifindex("tap1")];
    declare(2);
    expect((await workspace.succeed("up")).changes).toMatchObject({ replace: 2 });
    expect(await names()).toEqual(expect.arrayContaining(["tap0", "tap1"]));
    expect(before).not.toContain(await ifindex("tap0"));
    expect(before).not.toContain(await ifindex("tap1"));
    await workspace.succeed("up", "--expect-no-changes");
    await workspace.succeed("down");
  });

  test("before the old one goes is refused", async () => {
    workspace.declare(tap("tap0", { deleteBeforeReplace: false }));
    const { code, report } = await workspace.run("preview");
    expect(code).toBe(1);
    expect(messages(report)).toMatch(/TunInterface tap0: deleteBeforeReplace: false is not possible/);
  });
});

test.each<[string, string, RegExp]>([
  ["a function", "owner: (() => 'nobody') as any", /TunInterface tap0: owner is a function; give a value/],
  ["a resource", "bridge: bridge as any", /TunInterface tap0: bridge is a resource; pass its `\.name`/],
  ["one in a list", "addresses: [bridge as any]", /TunInterface tap0: addresses\[0\] is a resource/],
])("%s where a value should be is refused", async (_what, input, message) => {
  workspace.write(`import * as tuntap from "pulumi-tuntap";
const bridge = new tuntap.Bridge("br0", { namespace: "${lab.name}" });
new tuntap.TunInterface("tap0", { namespace: "${lab.name}", ${input} });
`);
  const { code, report } = await workspace.run("preview");
  expect(code).toBe(1);
  expect(messages(report)).toMatch(message);
});

test("no inputs at all, said as null", async () => {
  workspace.write(`import * as tuntap from "pulumi-tuntap";
new tuntap.TunInterface("tt-null", null as any);
`);
  expect((await workspace.succeed("preview")).changes).toMatchObject({ create: 1 });
});

test("the plan of another name for a namespace says what ends with the old one", async () => {
  const declare = (name: string) =>
    workspace.declare(
      { kind: "Namespace", name: "n", args: { name } },
      { kind: "TunInterface", name: "tap0", args: { owner: "nobody", namespace: { $ref: "n.name" } } },
    );
  declare(`${lab.name}-a`);
  await workspace.succeed("up");
  declare(`${lab.name}-b`);
  const { diagnostics } = await workspace.succeed("preview");
  expect(diagnostics.map(({ message }) => message).join("\n")).toMatch(
    /replacing it means deleting network namespace ".*-a" .* with what is in it: tap0, and all addresses, routes and rules in it/,
  );
  await workspace.succeed("up");
  await workspace.succeed("up", "--expect-no-changes");
  await workspace.succeed("down");
});

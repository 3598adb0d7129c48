import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Lab } from "../harness/lab";
import { messages, Workspace } from "../harness/workspace";

let lab: Lab;
let workspace: Workspace;

beforeEach(async () => {
  lab = await Lab.open();
});
afterEach(async () => {
  workspace.close();
  await lab.close();
});

test("values that are unknown in the preview: no error, no replace, and right in the end", async () => {
  const source = (mode: string) => `
    import * as tuntap from "pulumi-tuntap";
    const first = new tuntap.TunInterface("first0", { owner: 1, mode: "${mode}", namespace: "${lab.name}" });
    // The ifindex is known only when the first is there; a replace makes it unknown again.
    export const second = new tuntap.TunInterface("second0", {
      owner: 1,
      mtu: first.ifindex.apply((index) => 1300 + index),
      name: first.ifindex.apply((index) => "dev" + index),
      namespace: "${lab.name}",
    }).name;`;
  workspace = new Workspace("test", source("tap"));
  const planned = await workspace.succeed("preview");
  expect(planned.changes).toMatchObject({ create: 2 });
  expect(messages(planned)).toBe("");
  const first = await workspace.succeed("up");
  const { ifindex } = await lab.mustHave("first0");
  expect(first.outputs.second).toBe(`dev${ifindex}`);
  expect((await lab.mustHave(`dev${ifindex}`)).mtu).toBe(1300 + ifindex);
  await workspace.succeed("up", "--expect-no-changes");

  workspace.write(source("tun"));
  const again = await workspace.succeed("preview");
  expect(again.changes).toMatchObject({ replace: 1, update: 1, create: 0, delete: 0 });
  const second = await workspace.succeed("up");
  expect(second.changes).toMatchObject({ replace: 1, update: 1 });
  const replaced = await lab.mustHave("first0");
  expect(replaced.ifindex).not.toBe(ifindex);
  expect((await lab.mustHave(`dev${replaced.ifindex}`)).mtu).toBe(1300 + replaced.ifindex);
});

test("a secret input stays secret in the state, in messages and in what is printed", async () => {
  workspace = new Workspace();
  const address = "192.0.2.77";
  workspace.declare({
    kind: "TunInterface",
    name: "dev0",
    args: { owner: 1, namespace: lab.name, address: { $secret: `${address}/24` } },
  });
  const made = await workspace.run("up");
  expect(made.code).toBe(0);
  await lab.ip("addr", "del", `${address}/24`, "dev", "dev0");
  const repaired = await workspace.run("up");
  expect(repaired.code).toBe(0);
  expect(messages(repaired.report)).toMatch(/addresses: not the (declared|recorded) \(secret\) value/);
  expect(await lab.addresses("dev0")).toEqual([`${address}/24`]);
  workspace.declare({
    kind: "TunInterface",
    name: "dev0",
    args: { owner: 1, namespace: lab.name, address: { $secret: "192.0.2.777" } },
  });
  const refused = await workspace.run("up");
  expect(refused.code).toBe(1);
  for (const { stdout, stderr } of [made, repaired, refused])
    expect(stdout + stderr).not.toContain("192.0.2.7");
  const state = readdirSync(join(workspace.folder, ".tuntap"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"));
  expect(state.length).toBeGreaterThan(3);
  expect(state.join()).not.toContain("192.0.2.7");
});

test("a namespace as plain text that does not exist: warned of in the plan, refused with what to do", async () => {
  workspace = new Workspace();
  workspace.declare({ kind: "TunInterface", name: "dev0", args: { owner: 1, namespace: "tt-missing" } });
  const planned = await workspace.succeed("preview");
  expect(messages(planned)).toMatch(
    /namespace "tt-missing" does not exist, and no Namespace resource of this program makes it/,
  );
  const { code, report } = await workspace.run("up");
  expect(code).toBe(1);
  expect(messages(report)).toMatch(/NAMESPACE_MISSING.*pass that resource's `\.name`/s);
});

/** A module of the kernel, by the built command with the real engine. */

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Declared, messages, Workspace } from "../harness/workspace";

let workspace: Workspace;
beforeAll(() => {
  workspace = new Workspace();
});
afterAll(() => workspace.close());

const port = readFileSync("/sys/module/vxlan/parameters/udp_port", "utf8").trim();
const program = (udpPort: string): Declared[] => [
  { kind: "KernelModule", name: "tun", args: { name: "tun" } },
  { kind: "KernelModule", name: "vxlan", args: { name: "vxlan", parameters: [`udp_port=${udpPort}`] } },
];

test("up finds it, the next has nothing to do, and down leaves it", async () => {
  workspace.declare(...program(port));
  expect((await workspace.succeed("up")).changes).toMatchObject({ create: 2 });
  await workspace.succeed("up", "--expect-no-changes");
  const { status } = await workspace.status("--expect-no-changes");
  expect(status.resources.map(({ condition, drift }) => [condition, drift])).toEqual([
    ["present", false],
    ["present", false],
  ]);
  workspace.declare(...program("1"));
  const { code, report } = await workspace.run("up");
  expect(code).toBe(1);
  expect(messages(report)).toMatch(/module vxlan is built into the kernel, with udp_port=\d+\. Give them on/);
  await workspace.succeed("down");
  expect(readFileSync("/sys/module/vxlan/parameters/udp_port", "utf8").trim()).toBe(port);
});

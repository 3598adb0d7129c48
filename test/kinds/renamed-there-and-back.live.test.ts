/** A resource that got another logical name by an alias, and its first one again without: a revert of the program. */

import { expect, test } from "vitest";
import type { Program } from "../harness/program";
import { lab, program, useTunLab } from "./tun-lab";

useTunLab();

const place = () => ({ namespace: lab.name });

/** As the engine does for an alias: what is recorded of one is that of the other from now on. */
function alias(of: Program, from: string, to: string): void {
  const recorded = of.state.get(from);
  if (recorded === undefined) throw new Error(`${from} is not in the state`);
  of.state.set(to, recorded);
  of.state.delete(from);
}

test.each<[string, () => Record<string, unknown>]>([
  ["Bridge", () => ({ ...place(), name: "dev0" })],
  ["TunInterface", () => ({ ...place(), name: "dev0", owner: "nobody" })],
  ["TunPool", () => ({ ...place(), count: 2, namePattern: "dev%d", owner: "nobody" })],
  ["VethPair", () => ({ ends: ["dev0", "dev1"].map((name) => ({ ...place(), name })) })],
  ["Vxlan", () => ({ ...place(), name: "dev0", vni: 42 })],
  ["BridgePort", () => ({ ...place(), interface: "nic0", bridge: "br0" })],
])("a %s stays, also when the run in between was interrupted", async (kind, inputs) => {
  await lab.ip("link", "add", "nic0", "type", "veth", "peer", "name", "peer0");
  await lab.ip("link", "add", "br0", "type", "bridge");
  const links = async () => (await lab.links()).map((link) => [link.ifindex, link.ifname, link.altnames]);
  const untouched = await links();
  await program.declare(kind, "one", inputs());
  alias(program, "one", "two");
  expect((await program.newRun().declare(kind, "two", inputs())).operation).toBe("update");
  const before = await lab.snapshot();

  expect((await program.newRun().declare(kind, "one", inputs())).operation).toBe("create");
  const left = program.state.get("two");
  await program.remove("two");
  expect(await lab.snapshot()).toBe(before);

  if (left) program.state.set("two", left);
  expect((await program.newRun().declare(kind, "one", inputs())).operation).toBe("same");
  await program.remove("two");
  expect(await lab.snapshot()).toBe(before);
  await program.newRun().removeAll();
  expect(await links()).toEqual(untouched);
});

test("one that is made anew under its alias is made anew", async () => {
  const { outputs } = await program.declare("Vxlan", "one", { ...place(), name: "dev0", vni: 42 });
  alias(program, "one", "two");
  const anew = await program.newRun().declare("Vxlan", "two", { ...place(), name: "dev0", vni: 43 });
  expect(anew.operation).toBe("replace");
  expect(anew.outputs.ifindex).not.toBe(outputs.ifindex);
});

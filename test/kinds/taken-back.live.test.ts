/** What was renamed by `aliases` and then declared under its first name again: two resources, one of them leaving, and one lease. */

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { Lab } from "../harness/lab";
import { Program } from "../harness/program";

let lab: Lab;
let program: Program;

beforeAll(async () => {
  lab = await Lab.open();
  await lab.ip("link", "add", "nic0", "up", "type", "veth", "peer", "name", "nic1");
  await lab.ip("link", "add", "br0", "type", "bridge");
});
beforeEach(() => {
  program = new Program();
});
afterEach(() => program.removeAll());
afterAll(() => lab.close());

/** As the engine has it where the program says `aliases`. */
function alias(before: string, now: string): void {
  const recorded = program.state.get(before);
  if (!recorded) throw new Error(`${before} is not in the state`);
  program.state.delete(before);
  program.state.set(now, recorded);
}

const links = () => lab.snapshot();
const port = () => lab.ip("link", "show", "nic0");
const routes = () => lab.ip("route");
const tables = () => lab.exec("nft", "list", "ruleset");

test.each<[string, Record<string, unknown>, () => Promise<string>]>([
  ["TunInterface", { owner: "nobody" }, links],
  ["Bridge", { address: "192.0.2.1/24" }, links],
  ["Vxlan", { vni: 42, local: "192.0.2.1" }, links],
  ["VethPair", { ends: [{ name: "one0" }, { name: "two0" }] }, links],
  ["TunPool", { count: 2, namePattern: "pool%d", owner: "nobody" }, links],
  ["BridgePort", { interface: "nic0", bridge: "br0" }, port],
  ["Route", { destination: "198.51.100.0/24", type: "blackhole" }, routes],
  ["Nat", { source: ["192.0.2.0/24"], outInterface: "nic0" }, tables],
])("a %s stays the same, also after an interrupted run", async (kind, given, shown) => {
  const place = { namespace: lab.name };
  const ends = given.ends as object[] | undefined;
  const inputs = ends ? { ends: ends.map((end) => ({ ...end, ...place })) } : { ...given, ...place };
  const empty = await shown();
  await program.declare(kind, "first", inputs);
  const made = await shown();
  expect(made).not.toBe(empty);

  alias("first", "second");
  await program.newRun().declare(kind, "second", inputs);
  await program.newRun().declare(kind, "first", inputs);
  const leaving = program.state.get("second");
  await program.remove("second");
  // With its name, which goes by the logical name, changed there and back.
  expect(await shown()).toBe(made);
  if (leaving) program.state.set("second", leaving);
  expect((await program.newRun().declare(kind, "first", inputs)).operation).toBe("same");
  await program.remove("second");
  expect(await shown()).toBe(made);
  expect((await program.newRun().declare(kind, "first", inputs)).operation).toBe("same");
  await program.remove("first");
  expect(await shown()).toBe(empty);
});

test("a namespace stays, with what is in it", async () => {
  const name = `${lab.name}-b`;
  await program.declare("Namespace", "first", { name });
  await program.declare("TunInterface", "tap0", { owner: "nobody", namespace: name });
  alias("first", "second");
  await program.newRun().declare("Namespace", "second", { name });
  await program.newRun().declare("Namespace", "first", { name });
  await program.remove("second");
  expect((await Lab.named(name).links()).map(({ ifname }) => ifname)).toEqual(["tap0"]);
  await program.remove("tap0");
  await program.remove("first");
});

test("one that is made anew under its other name is made anew", async () => {
  const inputs = { namespace: lab.name, name: "dev0", vni: 42 };
  const { outputs } = await program.declare("Vxlan", "first", inputs);
  alias("first", "second");
  const anew = await program.newRun().declare("Vxlan", "second", { ...inputs, vni: 43 });
  expect(anew.operation).toBe("replace");
  expect(anew.outputs.ifindex).not.toBe(outputs.ifindex);
});

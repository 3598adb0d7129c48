/** A bridge that has as many ports as the kernel gives one: refused in the plan where that is certain, and explained. */

import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../harness/lab";
import { Program } from "../harness/program";
import { said } from "./tun-lab";

const most = 1023;
let lab: Lab;

beforeAll(async () => {
  lab = await Lab.open();
  await lab.ip("link", "add", "full0", "type", "bridge");
  await lab.ip("link", "add", "free0", "type", "bridge");
  const lines = Array.from(
    { length: most },
    (_, number) => `tuntap add other${number} mode tap\nlink set other${number} master full0\n`,
  );
  execFileSync("ip", ["-n", lab.name, "-batch", "-"], { input: lines.join("") });
});
afterAll(() => lab.close());

const refused = async (kind: string, inputs: Record<string, unknown>) =>
  (await new Program().check(kind, "new", inputs)).problems;
const full = (ports: string, property = "bridge") => [
  {
    property,
    code: "BRIDGE_FULL",
    message: expect.stringMatching(
      new RegExp(
        `^(ends\\[0\\]\\.)?bridge "full0" has 1023 ports beside ${ports}, and a Linux bridge has 1023 at most\\. Use another bridge \\(a .TunPool. spreads .* \\[BRIDGE_FULL\\]$`,
      ),
    ),
  },
];

test("with ports of others it is refused in the plan, whatever shall join", async () => {
  const here = { namespace: lab.name };
  const onto = { ...here, bridge: "full0" };
  expect(await refused("TunInterface", onto)).toEqual(full("this one"));
  expect(await refused("Vxlan", { ...onto, vni: 1, local: "192.0.2.1" })).toEqual(full("this one"));
  expect(await refused("VethPair", { ends: [onto, here] })).toEqual(full("this one", "ends"));
  await lab.ip("tuntap", "add", "uplink0", "mode", "tap");
  expect(await refused("BridgePort", { ...onto, interface: "uplink0" })).toEqual(full("this one"));
  expect(await refused("TunPool", { ...onto, count: 3 })).toEqual(full("these 3"));
  const several = { ...here, count: 5, bridges: ["free0", "full0"] };
  expect(await refused("TunPool", several)).toEqual(full("these 2", "bridges"));
});

test("one that is its port already is no other, nor is a bridge full that has room for it", async () => {
  const onto = { namespace: lab.name, bridge: "full0" };
  expect(await refused("TunInterface", { ...onto, name: "other7", adopt: true })).toEqual([]);
  expect(await refused("BridgePort", { ...onto, interface: "other7", adopt: true })).toEqual([]);
  expect(await refused("TunPool", { ...onto, count: 5, namePattern: "other%d", adopt: true })).toEqual([]);
  await lab.ip("link", "set", "other9", "nomaster");
  expect(await refused("TunInterface", onto)).toEqual([]);
  expect(await refused("TunPool", { ...onto, count: 2 })).toMatchObject([{ code: "BRIDGE_FULL" }]);
  await lab.ip("link", "set", "other9", "master", "full0");
});

test("ports of this package may leave in the same run: that is warned of, and the kernel's refusal is explained", async () => {
  const program = new Program();
  const onto = { namespace: lab.name, owner: "nobody", bridge: "free0" };
  const many = { ...onto, count: most };
  await program.declare("TunPool", "vm", many);
  expect(said(await program.plan("TunPool", "vm", many))).toBe("");
  const text =
    /^bridge "free0" has 1023 ports beside this one, .* this will be refused unless some leave before$/;
  expect(said(await program.check("TunInterface", "more0", onto))).toMatch(text);
  await expect(program.declare("TunInterface", "more0", onto)).rejects.toMatchObject({
    code: "BRIDGE_FULL",
    errno: 54,
    message: expect.stringMatching(
      /the kernel refused joining bridge free0 \[BRIDGE_FULL, rtnetlink, EXFULL \(54\)\] Use another bridge/,
    ),
  });
  expect(await lab.link("more0")).toBeUndefined();
  await lab.ip("tuntap", "add", "uplink1", "mode", "tap");
  const uplink = { namespace: lab.name, bridge: "free0", interface: "uplink1" };
  await expect(program.declare("BridgePort", "uplink", uplink)).rejects.toMatchObject({
    code: "BRIDGE_FULL",
    remedy: expect.stringMatching(/^Use another bridge/),
  });
  await program.declare("TunPool", "vm", { ...onto, count: most - 1 });
  expect(said(await program.check("TunInterface", "more0", onto))).toBe("");
  await program.removeAll();
});

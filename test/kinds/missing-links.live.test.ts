/** Links that a program names and that are not there: warned of, unless another resource of the program makes them. */

import { expect, test } from "vitest";
import { lab, program, said, useTunLab } from "./tun-lab";

useTunLab();

const place = () => ({ namespace: lab.name });

test.each<[string, string, () => Record<string, unknown>, RegExp]>([
  ["a tap's bridge", "TunInterface", () => ({ ...place(), bridge: "dev0" }), /bridge "dev0" does not exist/],
  ["a pool's bridge", "TunPool", () => ({ ...place(), count: 2, bridge: "dev0" }), /bridge "dev0" does not/],
  [
    "the bridge of an end of a pair",
    "VethPair",
    () => ({ ends: [place(), { ...place(), bridge: "dev0" }] }),
    /ends\[1\]\.bridge "dev0" does not exist/,
  ],
  [
    "a tunnel's bridge",
    "Vxlan",
    () => ({ ...place(), vni: 42, bridge: "dev0" }),
    /bridge "dev0" does not exist/,
  ],
  [
    "a tunnel's device",
    "Vxlan",
    () => ({ ...place(), vni: 42, device: "dev0", mtu: 1400 }),
    /device "dev0" does not exist/,
  ],
  [
    "an interface that is put on a bridge",
    "BridgePort",
    () => ({ ...place(), interface: "dev0", bridge: "other0" }),
    /interface "dev0" does not exist/,
  ],
  [
    "a route's interface",
    "Route",
    () => ({ ...place(), interface: "dev0", destination: "198.51.100.0/24" }),
    /interface "dev0" does not exist/,
  ],
])("%s", async (_, kind, inputs, warning) => {
  const told = async () => {
    const checked = await program.check(kind, "it", inputs());
    expect(checked.problems).toEqual([]);
    return said(checked);
  };
  expect(await told()).toMatch(warning);
  await program.newRun().check("Bridge", "dev0", place());
  expect(await told()).not.toMatch(/"dev0" does not exist/);
});

/** What a change of the program finds on the host already is recorded all the same: later runs go by it. */

import { beforeEach, describe, expect, test } from "vitest";
import { lab, program, useTunLab } from "./tun-lab";

useTunLab();

const place = () => ({ namespace: lab.name });
const operation = async (kind: string, name: string, inputs: object) => {
  const where = kind === "VethPair" ? {} : place();
  return (await program.newRun().declare(kind, name, { ...where, ...inputs })).operation;
};
const master = async (name: string) => (await lab.mustHave(name)).master;

describe("a bridge that gets another name, with its ports", () => {
  const ends = (bridge?: string) => ({ ends: [{ ...place(), bridge }, place()] });
  const tunnel = { vni: 42, local: "192.0.2.1" };

  const declareAll = async (name: string) => ({
    bridge: await operation("Bridge", "lan", { name }),
    tap: await operation("TunInterface", "tap0", { bridge: name }),
    pair: await operation("VethPair", "cable", ends(name)),
    tunnel: await operation("Vxlan", "vx42", { ...tunnel, bridge: name }),
    nic: await operation("BridgePort", "uplink", { interface: "nic0", bridge: name }),
  });
  const all = (each: string) => ({ bridge: each, tap: each, pair: each, tunnel: each, nic: each });

  beforeEach(async () => {
    await lab.ip("link", "add", "nic0", "type", "veth", "peer", "name", "peer0");
    await declareAll("br0");
    expect(await declareAll("br1")).toEqual(all("update"));
  });

  test("nothing is left to do, and a refresh finds nothing", async () => {
    expect(await declareAll("br1")).toEqual(all("same"));
    for (const name of ["lan", "tap0", "cable", "vx42", "uplink"])
      expect((await program.newRun().refresh(name))?.notices).toEqual([]);
    expect(await declareAll("br1")).toEqual(all("same"));
  });

  test("ports leave it where they no longer declare it", async () => {
    await operation("TunInterface", "tap0", {});
    await operation("VethPair", "cable", ends());
    await operation("Vxlan", "vx42", tunnel);
    for (const name of ["tap0", "cable-a", "vx42"]) expect(await master(name)).toBeUndefined();
  });

  test("all of it goes, and the interface of others is on no bridge", async () => {
    await program.newRun().removeAll();
    expect((await lab.links()).map(({ ifname }) => ifname).sort()).toEqual(["nic0", "peer0"]);
    expect(await master("nic0")).toBeUndefined();
  });
});

describe("what others did before the program declares it", () => {
  test("an address and a peer go when they are no longer declared", async () => {
    const inputs = { vni: 42, local: "192.0.2.1" };
    const more = { ...inputs, address: "198.51.100.1/24", peers: [{ address: "192.0.2.2" }] };
    await operation("Vxlan", "vx42", inputs);
    await lab.ip("addr", "add", "198.51.100.1/24", "dev", "vx42");
    await lab.exec("bridge", "fdb", "append", "00:00:00:00:00:00", "dev", "vx42", "dst", "192.0.2.2");
    expect(await operation("Vxlan", "vx42", more)).toBe("update");
    expect(await operation("Vxlan", "vx42", more)).toBe("same");
    expect(await operation("Vxlan", "vx42", inputs)).toBe("update");
    expect(await lab.addresses("vx42")).toEqual([]);
    expect(await lab.exec("bridge", "fdb", "show", "dev", "vx42")).not.toContain("192.0.2.2");
  });

  test("a setting is compared by a refresh from then on", async () => {
    await operation("TunInterface", "tap0", {});
    expect(await operation("TunInterface", "tap0", { mtu: 1500 })).toBe("update");
    expect(await operation("TunInterface", "tap0", { mtu: 1500 })).toBe("same");
    await lab.ip("link", "set", "tap0", "mtu", "1400");
    expect((await program.newRun().refresh("tap0"))?.notices.join()).toMatch(/mtu: 1400 on the host, 1500/);
  });

  test("the same in other words is no change", async () => {
    await operation("TunInterface", "tap0", { address: "192.0.2.1", netmask: "255.255.255.0" });
    expect(await operation("TunInterface", "tap0", { address: "192.0.2.1/24" })).toBe("same");
    expect(await operation("TunInterface", "tap0", { addresses: ["192.0.2.1/24"] })).toBe("same");
  });
});

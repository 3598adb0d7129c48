/** VXLAN interfaces: each setting by the program and by hand, what the kernel changes live, and what only anew. */

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { attempt } from "../harness/shell";
import { describeRows } from "./rows";
import { lab, program, useTunLab } from "./tun-lab";

useTunLab();

const kind = "Vxlan";
const place = () => ({ namespace: lab.name });

/** The networks that the tunnels go through. */
beforeEach(async () => {
  await lab.ip("link", "add", "under0", "type", "veth", "peer", "name", "under1");
  for (const name of ["under0", "under1"]) await lab.ip("link", "set", name, "up");
  await lab.ip("addr", "add", "192.0.2.1/24", "dev", "under0");
  await lab.ip("addr", "add", "2001:db8::1/64", "dev", "under0", "nodad");
});

const settings = () => ({
  ...place(),
  vni: 42,
  local: "192.0.2.1",
  remote: "192.0.2.9",
  device: "under0",
  ttl: 5,
  learning: false,
  ageingTime: 100,
  peers: [{ address: "192.0.2.10" }, { address: "192.0.2.11", macAddress: "52:54:00:00:00:0A" }],
  address: "198.51.100.1",
  netmask: "255.255.255.0",
  macAddress: "52:54:00:12:34:56",
  mtu: 1400,
});

/** What `ip -d` shows of a VXLAN interface. */
async function vxlan(name = "dev0"): Promise<Record<string, unknown>> {
  return { ...(await lab.mustHave(name)).linkinfo?.info_data };
}

interface Entry {
  mac: string;
  dst: string;
  viaIf?: string;
  state?: string;
}

/** What `bridge fdb` shows of it, of what leads to another end. */
async function fdb(name = "dev0"): Promise<string[]> {
  const shown = JSON.parse(await lab.exec("bridge", "-j", "fdb", "show", "dev", name)) as Entry[];
  return shown
    .filter(({ dst }) => dst !== undefined)
    .map(({ mac, dst, viaIf, state }) => `${mac} ${dst}${viaIf ? ` via ${viaIf}` : ""} ${state}`)
    .sort();
}

const flood = "00:00:00:00:00:00";
const entries = (...more: string[]) =>
  [
    `${flood} 192.0.2.9 via under0 permanent`,
    `${flood} 192.0.2.10 permanent`,
    "52:54:00:00:00:0a 192.0.2.11 permanent",
    ...more,
  ].sort();

const fdbByHand = (verb: string, ...words: string[]) => lab.exec("bridge", "fdb", verb, ...words);
const byHand =
  (...words: string[]) =>
  () =>
    lab.ip("link", "set", "dev0", "type", "vxlan", ...words);
const shown = (name: string) => async () => (await vxlan())[name];
const change = (inputs: Record<string, unknown>) =>
  program.declare(kind, "dev0", { ...settings(), ...inputs });

/** With one end goes the other. */
afterEach(() => attempt("ip", "-n", lab.name, "link", "del", "under0"));

describe("with every setting", () => {
  test("as ip and bridge see it", async () => {
    const { outputs, notices } = await program.declare(kind, "dev0", settings());
    const link = await lab.mustHave("dev0");
    expect(link).toMatchObject({ address: "52:54:00:12:34:56", mtu: 1400, altnames: [outputs.__lease] });
    expect(link.flags).toContain("UP");
    expect(await vxlan()).toMatchObject({
      id: 42,
      local: "192.0.2.1",
      remote: "192.0.2.9",
      link: "under0",
      port: 4789,
      ttl: 5,
      learning: false,
      ageing: 100,
    });
    expect(await fdb()).toEqual(entries());
    expect(await lab.addresses("dev0")).toEqual(["198.51.100.1/24"]);
    expect(outputs).toMatchObject({ ...settings(), name: "dev0", up: true, ifindex: link.ifindex });
    expect(outputs.destinationPort).toBe(4789);
    expect(notices).toEqual([]);
  });

  test("the same program again changes nothing", async () => {
    await program.declare(kind, "dev0", settings());
    const before = await lab.snapshot();
    expect((await program.newRun().declare(kind, "dev0", settings())).operation).toBe("same");
    expect((await program.newRun().refresh("dev0"))?.notices).toEqual([]);
    expect((await program.newRun().declare(kind, "dev0", settings())).operation).toBe("same");
    expect(await lab.snapshot()).toBe(before);
    expect(await fdb()).toEqual(entries());
  });

  test("and gone without a trace", async () => {
    const before = await lab.snapshot();
    await program.declare(kind, "dev0", settings());
    await program.removeAll();
    expect(await lab.snapshot()).toBe(before);
  });

  test("of IPv6", async () => {
    const wide = {
      ...place(),
      vni: 0,
      local: "2001:DB8::1",
      remote: "2001:db8:0::9",
      peers: [{ address: "2001:DB8::10" }],
      destinationPort: 8472,
    };
    const { outputs } = await program.declare(kind, "dev0", wide);
    expect(await vxlan()).toMatchObject({ id: 0, local6: "2001:db8::1", remote6: "2001:db8::9", port: 8472 });
    expect(await fdb()).toEqual([`${flood} 2001:db8::10 permanent`, `${flood} 2001:db8::9 permanent`]);
    expect(outputs).toMatchObject(wide);
    expect((await program.newRun().declare(kind, "dev0", wide)).operation).toBe("same");
    const other = { ...wide, remote: "2001:db8::8", peers: [] };
    expect((await program.declare(kind, "dev0", other)).operation).toBe("update");
    expect(await fdb()).toEqual([`${flood} 2001:db8::8 permanent`]);
  });

  test("none is managed where it is not declared", async () => {
    const plain = { ...place(), vni: 42 };
    await program.declare(kind, "dev0", plain);
    await byHand("remote", "192.0.2.9", "local", "192.0.2.1", "dev", "under1", "ttl", "9", "nolearning")();
    await byHand("ageing", "77")();
    await lab.ip("link", "set", "dev0", "mtu", "1300");
    await fdbByHand("append", flood, "dev", "dev0", "dst", "192.0.2.20");
    const before = [await lab.snapshot(), await fdb()];
    expect((await program.newRun().declare(kind, "dev0", plain)).operation).toBe("same");
    expect([await lab.snapshot(), await fdb()]).toEqual(before);
  });
});

describeRows(
  settings,
  [
    {
      name: "local",
      change: { local: "192.0.2.2" },
      byHand: byHand("local", "192.0.2.3"),
      drift: /local: 192\.0\.2\.3 on the host, 192\.0\.2\.1/,
      read: shown("local"),
      original: "192.0.2.1",
      changed: "192.0.2.2",
    },
    {
      name: "remote",
      change: { remote: "192.0.2.7" },
      byHand: byHand("remote", "192.0.2.8"),
      drift: /remote: 192\.0\.2\.8 on the host, 192\.0\.2\.9/,
      read: async () => [(await vxlan()).remote, await fdb()],
      original: ["192.0.2.9", entries()],
      changed: [
        "192.0.2.7",
        [
          ...entries().filter((entry) => !entry.includes("192.0.2.9")),
          `${flood} 192.0.2.7 via under0 permanent`,
        ].sort(),
      ],
    },
    {
      name: "group instead of remote",
      change: { remote: undefined, group: "239.1.1.1" },
      byHand: byHand("group", "239.1.1.2", "dev", "under0"),
      drift: /remote: 239\.1\.1\.2 on the host, 192\.0\.2\.9/,
      read: async () => {
        const { group, remote } = await vxlan();
        return {
          group,
          remote,
          joined: (await lab.ip("maddr", "show", "dev", "under0")).includes("239.1.1.1"),
        };
      },
      original: { group: undefined, remote: "192.0.2.9", joined: false },
      changed: { group: "239.1.1.1", remote: undefined, joined: true },
    },
    {
      name: "device",
      change: { device: "under1" },
      byHand: byHand("dev", "under1"),
      drift: /device: under1 on the host, under0/,
      read: async () => [(await vxlan()).link, (await fdb()).filter((entry) => entry.includes("192.0.2.9"))],
      original: ["under0", [`${flood} 192.0.2.9 via under0 permanent`]],
      changed: ["under1", [`${flood} 192.0.2.9 via under1 permanent`]],
    },
    {
      name: "the entry of the remote address",
      change: { remote: "192.0.2.7", device: "under1" },
      byHand: () => fdbByHand("del", flood, "dev", "dev0", "dst", "192.0.2.9", "via", "under0"),
      drift: /flooding: nowhere on the host, 192\.0\.2\.9/,
      read: async () => (await fdb()).filter((entry) => entry.includes(" via ")),
      original: [`${flood} 192.0.2.9 via under0 permanent`],
      changed: [`${flood} 192.0.2.7 via under1 permanent`],
    },
    {
      name: "ttl",
      change: { ttl: 0 },
      byHand: byHand("ttl", "255"),
      drift: /ttl: 255 on the host, 5/,
      read: shown("ttl"),
      original: 5,
      changed: 0,
    },
    {
      name: "learning",
      change: { learning: true },
      byHand: byHand("learning"),
      drift: /learning: on on the host, off/,
      read: shown("learning"),
      original: false,
      changed: true,
    },
    {
      name: "ageingTime",
      change: { ageingTime: 4_294_967_295 },
      byHand: byHand("ageing", "1"),
      drift: /ageingTime: 1 s on the host, 100 s/,
      read: shown("ageing"),
      original: 100,
      changed: 4_294_967_295,
    },
    {
      name: "peers",
      change: { peers: [{ address: "192.0.2.12" }, { address: "192.0.2.10" }] },
      byHand: () => fdbByHand("del", flood, "dev", "dev0", "dst", "192.0.2.10"),
      drift: /peers: 52:54:00:00:00:0a at 192\.0\.2\.11 on the host, 192\.0\.2\.10, 52:54:00:00:00:0a at/,
      read: fdb,
      original: entries(),
      changed: [
        `${flood} 192.0.2.10 permanent`,
        `${flood} 192.0.2.12 permanent`,
        `${flood} 192.0.2.9 via under0 permanent`,
      ],
    },
    {
      name: "a peer of one MAC address",
      change: {
        peers: [{ address: "192.0.2.10" }, { address: "192.0.2.13", macAddress: "52-54-00-00-00-0A" }],
      },
      byHand: () => fdbByHand("replace", "52:54:00:00:00:0a", "dev", "dev0", "dst", "192.0.2.14"),
      drift: /peers: 192\.0\.2\.10, 52:54:00:00:00:0a at 192\.0\.2\.14 on the host/,
      read: fdb,
      original: entries(),
      changed: [
        `${flood} 192.0.2.10 permanent`,
        `${flood} 192.0.2.9 via under0 permanent`,
        "52:54:00:00:00:0a 192.0.2.13 permanent",
      ],
    },
    {
      name: "macAddress",
      change: { macAddress: "52:54:00:00:00:09" },
      byHand: () => lab.ip("link", "set", "dev0", "address", "52:54:00:00:00:01"),
      drift: /macAddress: 52:54:00:00:00:01 on the host, 52:54:00:12:34:56/,
      read: async () => (await lab.mustHave("dev0")).address,
      original: "52:54:00:12:34:56",
      changed: "52:54:00:00:00:09",
    },
    {
      name: "mtu",
      change: { mtu: 1450 },
      byHand: () => lab.ip("link", "set", "dev0", "mtu", "68"),
      drift: /mtu: 68 on the host, 1400/,
      read: async () => (await lab.mustHave("dev0")).mtu,
      original: 1400,
      changed: 1450,
    },
    {
      name: "up",
      change: { up: false },
      byHand: () => lab.ip("link", "set", "dev0", "down"),
      drift: /up: down on the host, up/,
      read: async () => (await lab.mustHave("dev0")).flags.includes("UP"),
      original: true,
      changed: false,
    },
    {
      name: "address",
      change: { address: "198.51.100.9" },
      byHand: () => lab.ip("addr", "del", "198.51.100.1/24", "dev", "dev0"),
      drift: /addresses: no address on the host, 198\.51\.100\.1\/24/,
      read: () => lab.addresses("dev0"),
      original: ["198.51.100.1/24"],
      changed: ["198.51.100.9/24"],
    },
    {
      name: "name",
      change: { name: "other0" },
      byHand: () => lab.ip("link", "set", "dev0", "name", "stray0"),
      drift: /name: stray0 on the host, dev0/,
      read: async () =>
        (await lab.links()).map(({ ifname }) => ifname).filter((name) => !name.startsWith("under")),
      original: ["dev0"],
      changed: ["other0"],
    },
  ],
  kind,
  "vxlan",
);

describe("what the kernel cannot change is made anew", () => {
  test.each<[string, Record<string, unknown>, string[], Record<string, unknown>]>([
    ["the VNI", { vni: 43 }, ["vni"], { id: 43, remote: "192.0.2.9" }],
    ["the port", { destinationPort: 8472 }, ["destinationPort"], { port: 8472 }],
    [
      "the family",
      { local: "2001:db8::1", remote: "2001:db8::9", peers: [] },
      ["local", "remote"],
      { local6: "2001:db8::1", remote6: "2001:db8::9" },
    ],
  ])("%s", async (_, inputs, replaces, seen) => {
    await program.declare(kind, "dev0", settings());
    const { ifindex } = await lab.mustHave("dev0");
    const plan = await program.newRun().plan(kind, "dev0", { ...settings(), ...inputs });
    expect(plan.replaces.sort()).toEqual(replaces);
    expect((await change(inputs)).operation).toBe("replace");
    expect(await vxlan()).toMatchObject(seen);
    expect((await lab.mustHave("dev0")).ifindex).not.toBe(ifindex);
    expect((await change(inputs)).operation).toBe("same");
  });

  test.each([
    ["id", "43"],
    ["dstport", "8472"],
    ["remote", "2001:db8::9"],
    ["local", "2001:db8::1"],
  ])("as the kernel says of %s %s, up and down", async (...words) => {
    await program.declare(kind, "dev0", settings());
    for (const state of ["up", "down"]) {
      await lab.ip("link", "set", "dev0", state);
      const { code } = await attempt("ip", "-n", lab.name, "link", "set", "dev0", "type", "vxlan", ...words);
      expect(code).not.toBe(0);
    }
  });
});

describe("what is no longer declared", () => {
  test("goes where it is a remote address or a peer, and stays where it is a setting, which is said", async () => {
    await program.declare(kind, "dev0", settings());
    await fdbByHand("append", flood, "dev", "dev0", "dst", "192.0.2.77");
    const { notices, outputs } = await program.declare(kind, "dev0", { ...place(), vni: 42 });
    for (const name of ["local", "device", "ttl", "learning", "ageingTime", "mtu"])
      expect(notices.join("\n")).toContain(`${name} is no longer declared; it stays as it is`);
    expect(notices.join("\n")).not.toMatch(/remote|peers/);
    expect(await vxlan()).toMatchObject({ local: "192.0.2.1", ttl: 5, link: "under0" });
    expect((await vxlan()).remote).toBeUndefined();
    expect(await fdb()).toEqual([`${flood} 192.0.2.77 permanent`]);
    expect(await lab.addresses("dev0")).toEqual([]);
    expect(outputs.remote).toBeUndefined();
    expect(outputs.peers).toBeUndefined();
    expect((await program.newRun().declare(kind, "dev0", { ...place(), vni: 42 })).operation).toBe("same");
  });

  test("and changed by others meanwhile is theirs", async () => {
    await program.declare(kind, "dev0", settings());
    await byHand("remote", "192.0.2.8")();
    await fdbByHand("replace", "52:54:00:00:00:0a", "dev", "dev0", "dst", "192.0.2.14");
    await program.declare(kind, "dev0", { ...place(), vni: 42 });
    expect((await vxlan()).remote).toBe("192.0.2.8");
    expect(await fdb()).toEqual([
      `${flood} 192.0.2.8 via under0 permanent`,
      "52:54:00:00:00:0a 192.0.2.14 permanent",
    ]);
  });

  test("a remote address becomes a peer, and a peer the remote address", async () => {
    const [asRemote, asPeer] = [{ remote: "192.0.2.9" }, { peers: [{ address: "192.0.2.9" }] }];
    const plain = { ...place(), vni: 42, local: "192.0.2.1" };
    await program.declare(kind, "dev0", { ...plain, ...asRemote });
    for (const inputs of [asPeer, asRemote, asPeer]) {
      expect((await program.declare(kind, "dev0", { ...plain, ...inputs })).operation).toBe("update");
      expect(await fdb()).toEqual([`${flood} 192.0.2.9 permanent`]);
      expect((await vxlan()).remote).toBe("remote" in inputs ? "192.0.2.9" : undefined);
      expect((await program.newRun().declare(kind, "dev0", { ...plain, ...inputs })).operation).toBe("same");
    }
  });
});

describe("entries of others", () => {
  test("stay, static or learned, through every change of ours", async () => {
    await program.declare(kind, "dev0", settings());
    await fdbByHand("append", flood, "dev", "dev0", "dst", "192.0.2.10", "port", "8472");
    await fdbByHand("add", "52:54:00:00:00:77", "dev", "dev0", "dst", "192.0.2.77");
    await fdbByHand("add", "52:54:00:00:00:78", "dev", "dev0", "dst", "192.0.2.78", "dynamic");
    expect((await program.newRun().declare(kind, "dev0", settings())).operation).toBe("same");
    await change({ peers: [] });
    expect(await fdb()).toEqual(
      [
        `${flood} 192.0.2.9 via under0 permanent`,
        `${flood} 192.0.2.10 permanent`,
        "52:54:00:00:00:77 192.0.2.77 permanent",
        expect.stringMatching(/^52:54:00:00:00:78 192\.0\.2\.78 (?!permanent)/),
      ].sort(),
    );
  });

  test("that were learned for a declared MAC address give way", async () => {
    await program.declare(kind, "dev0", { ...settings(), peers: [] });
    await fdbByHand("add", "52:54:00:00:00:0a", "dev", "dev0", "dst", "192.0.2.78", "dynamic");
    await program.declare(kind, "dev0", settings());
    expect(await fdb()).toEqual(entries());
  });
});

describe("as a port of a bridge", () => {
  test("with its settings, which are written again after every attach", async () => {
    await lab.ip("link", "add", "br0", "type", "bridge");
    const { address, netmask, ...rest } = settings();
    const port = { ...rest, bridge: "br0", port: { isolated: true, learning: false } };
    const { outputs } = await program.declare(kind, "dev0", port);
    expect(outputs).toMatchObject({ bridge: "br0", port: port.port });
    const seen = async () => {
      const { master, linkinfo } = await lab.mustHave("dev0");
      const { isolated, learning } = { ...linkinfo?.info_slave_data };
      return { master, isolated, learning };
    };
    expect(await seen()).toEqual({ master: "br0", isolated: true, learning: false });
    expect(await fdb()).toEqual(entries());
    await lab.ip("link", "set", "dev0", "nomaster");
    await lab.ip("link", "set", "dev0", "master", "br0");
    const { notices } = await program.newRun().declare(kind, "dev0", port);
    expect(notices.join()).toMatch(/port\.isolated: off on the host, on/);
    expect(await seen()).toEqual({ master: "br0", isolated: true, learning: false });
    await program.declare(kind, "dev0", { ...rest });
    expect((await lab.mustHave("dev0")).master).toBeUndefined();
  });

  test("a bridge that is not there is named, and nothing is left", async () => {
    await expect(program.declare(kind, "dev0", { ...place(), vni: 1, bridge: "br9" })).rejects.toMatchObject({
      code: "BRIDGE_MISSING",
      property: "bridge",
    });
    expect(await lab.link("dev0")).toBeUndefined();
  });
});

/** Pairs of links: both ends, each with its name, namespace, addresses, bridge and settings. */

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { memberLease } from "../../provider/host/leases";
import { Lab, type WitnessedLink } from "../harness/lab";
import { attempt, until } from "../harness/shell";
import { describeRows, type Row } from "./rows";
import { lab, program, said, useTunLab } from "./tun-lab";

useTunLab();

const kind = "VethPair";

let other: Lab;
beforeAll(async () => {
  other = await Lab.open();
});
afterAll(() => other.close());
beforeEach(() => other.empty());

type EndArgs = Record<string, unknown>;

const first = (): EndArgs => ({
  name: "va",
  namespace: lab.name,
  address: "192.0.2.1",
  netmask: "255.255.255.0",
  addresses: ["2001:db8::1/64"],
  macAddress: "52:54:00:00:00:0a",
  mtu: 1400,
});
const second = (): EndArgs => ({
  name: "vb",
  namespace: other.name,
  address: "192.0.2.2/24",
  mtu: 1400,
});
const pair = (a: EndArgs = {}, b: EndArgs = {}) => ({
  ends: [
    { ...first(), ...a },
    { ...second(), ...b },
  ],
});

describe("a pair over two namespaces", () => {
  test("as ip sees it", async () => {
    const { outputs, notices } = await program.declare(kind, "cable", pair());
    const a = await lab.mustHave("va");
    const b = await other.mustHave("vb");
    const lease = outputs.__lease as string;
    expect(a).toMatchObject({
      address: "52:54:00:00:00:0a",
      mtu: 1400,
      altnames: [lease],
      linkinfo: { info_kind: "veth" },
    });
    expect(b).toMatchObject({ mtu: 1400, altnames: [memberLease(lease, "b")] });
    for (const { flags } of [a, b]) expect(flags).toContain("UP");
    expect(await lab.addresses("va")).toEqual(["192.0.2.1/24", "2001:db8::1/64"]);
    expect(await other.addresses("vb")).toEqual(["192.0.2.2/24"]);
    expect(outputs.ends).toEqual([
      { ...first(), up: true, ifindex: a.ifindex },
      {
        ...second(),
        netmask: "255.255.255.0",
        addresses: [],
        macAddress: b.address,
        up: true,
        ifindex: b.ifindex,
      },
    ]);
    expect(notices).toEqual([]);
    expect(program.state.get("cable")?.id).toBe(`${lab.name}/va:${other.name}/vb`);
    await lab.exec("ping", "-c", "1", "-W", "2", "192.0.2.2");
  });

  test("the same program again changes nothing, nor does a refresh", async () => {
    await program.declare(kind, "cable", pair());
    // The kernel's own addresses come with the carrier.
    await until("both ends have an address of their own", async () =>
      (await Promise.all([lab.ip("addr"), other.ip("addr")])).every((shown) => shown.includes("fe80::")),
    );
    const before = [await lab.snapshot(), await other.snapshot()];
    expect((await program.newRun().declare(kind, "cable", pair())).operation).toBe("same");
    expect((await program.newRun().refresh("cable"))?.notices).toEqual([]);
    expect((await program.newRun().declare(kind, "cable", pair())).operation).toBe("same");
    expect([await lab.snapshot(), await other.snapshot()]).toEqual(before);
  });

  test("goes whole", async () => {
    await program.declare(kind, "cable", pair());
    await program.newRun().remove("cable");
    expect(await lab.links()).toEqual([]);
    expect(await other.links()).toEqual([]);
  });

  test.each(["va", "vb"])("with %s deleted by others is made anew", async (name) => {
    await program.declare(kind, "cable", pair());
    await (name === "va" ? lab : other).ip("link", "del", name);
    const plan = await program.newRun().plan(kind, "cable", pair());
    expect(plan.replaces).toEqual([]);
    expect(said(plan)).toMatch(
      /no longer exists \(it was deleted outside this program\); it will be made anew/,
    );
    expect((await program.declare(kind, "cable", pair())).operation).toBe("update");
    expect(await lab.addresses("va")).toEqual(["192.0.2.1/24", "2001:db8::1/64"]);
    expect(await other.addresses("vb")).toEqual(["192.0.2.2/24"]);
    expect((await program.newRun().declare(kind, "cable", pair())).operation).toBe("same");
  });

  test("both ends in one namespace, with nothing declared, have names after the logical one", async () => {
    const declared = { ends: [{ namespace: lab.name }, { namespace: lab.name }] };
    await program.declare(kind, "cable", declared);
    expect((await lab.links()).map(({ ifname }) => ifname).sort()).toEqual(["cable-a", "cable-b"]);
    expect((await program.newRun().declare(kind, "cable", declared)).operation).toBe("same");
    await lab.ip("link", "set", "cable-a", "mtu", "1300", "address", "52:54:00:00:00:99");
    await lab.ip("addr", "add", "198.51.100.9/24", "dev", "cable-b");
    expect((await program.newRun().declare(kind, "cable", declared)).operation).toBe("same");
    await program.remove("cable");
    const long = "a-very-long-logical-name";
    const { outputs } = await program.declare(kind, long, declared);
    const names = (outputs.ends as { name: string }[]).map(({ name }) => name);
    expect(names[0]).toMatch(/^a-very-[0-9a-f]{6}-a$|^a-very-?[0-9a-f-]{6,7}-a$/);
    for (const name of names) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(15);
    expect(names[1]).toBe(`${names[0]?.slice(0, -1)}b`);
  });

  test("what is no longer declared stays, which is said; addresses and bridge go", async () => {
    await lab.ip("link", "add", "br0", "type", "bridge");
    await program.declare(kind, "cable", pair({ bridge: "br0", address: undefined, netmask: undefined }));
    const less = { ends: [{ name: "va", namespace: lab.name }, second()] };
    const { notices } = await program.declare(kind, "cable", less);
    for (const path of ["ends.0.macAddress", "ends.0.mtu"])
      expect(notices.join()).toContain(`${path} is no longer declared; it stays as it is`);
    expect(await lab.mustHave("va")).toMatchObject({ address: "52:54:00:00:00:0a", mtu: 1400 });
    expect((await lab.mustHave("va")).master).toBeUndefined();
    expect(await lab.addresses("va")).toEqual([]);
    expect((await program.newRun().declare(kind, "cable", less)).operation).toBe("same");
  });
});

/** A row of each end. */
function rowsOf(end: 0 | 1): Row[] {
  const where = () => (end === 0 ? lab : other);
  const elsewhere = () => (end === 0 ? other : lab);
  const name = end === 0 ? "va" : "vb";
  const change = (args: EndArgs) => () => (end === 0 ? pair(args, {}) : pair({}, args));
  const link = (): Promise<WitnessedLink> => where().mustHave(name);
  const addresses = end === 0 ? ["192.0.2.1/24", "2001:db8::1/64"] : ["192.0.2.2/24"];
  const rest = addresses.slice(1);
  const label = `ends[${end}]`;
  const pattern = (text: string) => new RegExp(`ends\\[${end}\\]\\.${text}`);
  const bridged = async () => {
    await where().ip("link", "add", "br0", "type", "bridge");
    await where().ip("link", "add", "br1", "type", "bridge");
  };
  const withBridge = (args: EndArgs = {}) =>
    change({ bridge: "br0", port: { isolated: true, cost: 5 }, ...args })();
  const rows: Row[] = [
    {
      name: `${label}.mtu`,
      change: change({ mtu: 1300 }),
      byHand: () => where().ip("link", "set", name, "mtu", "9000"),
      drift: pattern("mtu: 9000 on the host, 1400"),
      read: async () => (await link()).mtu,
      original: 1400,
      changed: 1300,
    },
    {
      name: `${label}.up`,
      change: change({ up: false }),
      byHand: () => where().ip("link", "set", name, "down"),
      drift: pattern("up: down on the host, up"),
      read: async () => (await link()).flags.includes("UP"),
      original: true,
      changed: false,
    },
    {
      name: `${label}.addresses`,
      change: change({ address: "192.0.2.9", netmask: 24 }),
      byHand: () => where().ip("addr", "del", addresses[0] as string, "dev", name),
      drift: pattern(`addresses: ${rest.join() || "no address"} on the host, ${addresses[0]}`),
      read: () => where().addresses(name),
      original: addresses,
      changed: ["192.0.2.9/24", ...rest],
    },
    {
      name: `${label}.name`,
      change: change({ name: "vc" }),
      byHand: () => where().ip("link", "set", name, "name", "stray0"),
      drift: pattern(`name: stray0 on the host, ${name}`),
      read: async () => (await where().links()).map(({ ifname }) => ifname),
      original: [name],
      changed: ["vc"],
    },
    {
      name: `${label}.namespace, from where others moved it`,
      change: change({ mtu: 1350 }),
      byHand: () => where().ip("link", "set", name, "netns", elsewhere().name),
      drift: pattern("namespace: tt-\\w+ on the host, tt-"),
      read: async () => [
        (await link()).mtu,
        await where().addresses(name),
        (await elsewhere().links()).length,
      ],
      original: [1400, addresses, 1],
      changed: [1350, addresses, 1],
    },
  ];
  if (end === 0) {
    rows.push({
      name: `${label}.macAddress`,
      change: change({ macAddress: "52:54:00:00:00:0b" }),
      byHand: () => lab.ip("link", "set", "va", "address", "52:54:00:00:00:01"),
      drift: pattern("macAddress: 52:54:00:00:00:01 on the host, 52:54:00:00:00:0a"),
      read: async () => (await link()).address,
      original: "52:54:00:00:00:0a",
      changed: "52:54:00:00:00:0b",
    });
  }
  describe(`${label} on a bridge`, () => {
    beforeEach(bridged);
    const shown = async () => [(await link()).master, (await link()).linkinfo?.info_slave_data];
    const settings = (bridge: string) => [bridge, expect.objectContaining({ isolated: true, cost: 5 })];

    test("joins with its settings, changes bridges live, and leaves", async () => {
      await program.declare(kind, "dev0", withBridge());
      expect(await shown()).toEqual(settings("br0"));
      const { ifindex } = await link();
      expect((await program.declare(kind, "dev0", withBridge({ bridge: "br1" }))).operation).toBe("update");
      expect(await shown()).toEqual(settings("br1"));
      expect((await program.declare(kind, "dev0", pair())).operation).toBe("update");
      expect((await link()).master).toBeUndefined();
      expect((await link()).ifindex).toBe(ifindex);
      expect((await program.newRun().declare(kind, "dev0", pair())).operation).toBe("same");
    });

    test("taken off, or with another setting, by others, is put back", async () => {
      await program.declare(kind, "dev0", withBridge());
      await where().ip("link", "set", name, "nomaster");
      expect(said(await program.newRun().plan(kind, "dev0", withBridge()))).toMatch(
        pattern("bridge: no bridge on the host, br0"),
      );
      await program.declare(kind, "dev0", withBridge());
      expect(await shown()).toEqual(settings("br0"));
      await where().ip("link", "set", name, "type", "bridge_slave", "cost", "9");
      expect(said(await program.newRun().plan(kind, "dev0", withBridge()))).toMatch(
        pattern("port\\.cost: 9 on the host, 5"),
      );
      await program.declare(kind, "dev0", withBridge());
      expect(await shown()).toEqual(settings("br0"));
      expect((await program.newRun().declare(kind, "dev0", withBridge())).operation).toBe("same");
    });
  });
  return rows;
}

describeRows(pair, [...rowsOf(0), ...rowsOf(1)], kind, "veth");

describe("names and namespaces", () => {
  test("an end moves to another namespace, and back, on the same pair", async () => {
    const before = await program.declare(kind, "cable", pair());
    const { address } = await other.mustHave("vb");
    const here = pair({}, { namespace: lab.name });
    expect((await program.declare(kind, "cable", here)).operation).toBe("update");
    expect(await lab.addresses("vb")).toEqual(["192.0.2.2/24"]);
    expect(await lab.mustHave("vb")).toMatchObject({ address, mtu: 1400 });
    expect(await other.links()).toEqual([]);
    expect((await program.newRun().declare(kind, "cable", here)).operation).toBe("same");
    expect((await program.declare(kind, "cable", pair())).operation).toBe("update");
    expect((await other.mustHave("vb")).altnames).toEqual([
      memberLease(before.outputs.__lease as string, "b"),
    ]);
  });

  test("the ends change their names, and their places", async () => {
    const one = { ends: [first(), { ...second(), namespace: lab.name }] };
    await program.declare(kind, "cable", one);
    const { ifindex } = await lab.mustHave("va");
    const swapped = {
      ends: [
        { ...first(), name: "vb" },
        { ...second(), name: "va", namespace: lab.name },
      ],
    };
    expect((await program.declare(kind, "cable", swapped)).operation).toBe("update");
    expect((await lab.mustHave("vb")).ifindex).toBe(ifindex);
    expect((await lab.links()).map(({ ifname }) => ifname).sort()).toEqual(["va", "vb"]);
    expect((await program.newRun().declare(kind, "cable", swapped)).operation).toBe("same");

    await program.declare(kind, "cable", pair({}, { name: "va" }));
    const crossed = pair({ namespace: other.name }, { name: "va", namespace: lab.name });
    expect((await program.declare(kind, "cable", crossed)).operation).toBe("update");
    expect(await lab.addresses("va")).toEqual(["192.0.2.2/24"]);
    expect(await other.addresses("va")).toEqual(["192.0.2.1/24", "2001:db8::1/64"]);
    expect((await program.newRun().declare(kind, "cable", crossed)).operation).toBe("same");
  });

  test("two pairs exchange a name within one run", async () => {
    const named = (a: string, b: string) => ({
      ends: [
        { name: a, namespace: lab.name },
        { name: b, namespace: lab.name },
      ],
    });
    await program.declare(kind, "one", named("v1", "v2"));
    await program.declare(kind, "two", named("v3", "v4"));
    const { ifindex } = await lab.mustHave("v1");
    program.newRun();
    await expect(program.declare(kind, "one", named("v4", "v2"))).resolves.toMatchObject({
      operation: "update",
    });
    await program.declare(kind, "two", named("v3", "v1"));
    expect((await lab.mustHave("v4")).ifindex).toBe(ifindex);
    program.newRun();
    expect((await program.declare(kind, "one", named("v4", "v2"))).operation).toBe("same");
    await expect(program.declare(kind, "two", named("v3", "v4"))).rejects.toThrow(
      /ends\[1\]\.name "v4" is claimed by VethPair "one" of this program already/,
    );
    await expect(program.declare("TunInterface", "tap", { name: "v2", namespace: lab.name })).rejects.toThrow(
      /name "v2" is claimed by VethPair "one"/,
    );
  });

  test("a namespace that does not exist is named", async () => {
    const nowhere = pair({}, { namespace: "tt-nowhere" });
    const { notices } = await program.check(kind, "cable", nowhere);
    expect(notices.map(({ message }) => message).join()).toMatch(/namespace "tt-nowhere" does not exist/);
    await expect(program.declare(kind, "cable", nowhere)).rejects.toMatchObject({
      code: "NAMESPACE_MISSING",
      message: expect.stringMatching(/ends: namespace "tt-nowhere" does not exist/),
    });
    expect(await lab.links()).toEqual([]);
  });

  test("a bridge that does not exist is named, and nothing is made", async () => {
    const { notices } = await program.check(kind, "cable", pair({}, { bridge: "br9" }));
    expect(notices.map(({ message }) => message).join()).toMatch(/ends\[1\]\.bridge "br9" does not exist/);
    await expect(program.declare(kind, "cable", pair({}, { bridge: "br9" }))).rejects.toMatchObject({
      code: "BRIDGE_MISSING",
    });
    expect(await lab.links()).toEqual([]);
  });

  test("what the kernel refuses takes the pair back, and names the value", async () => {
    await lab.ip("link", "add", "br0", "type", "bridge");
    await lab.ip("link", "set", "br0", "mtu", "1400");
    const declared = pair({ addresses: [], mtu: 68, bridge: "br0", address: undefined, netmask: undefined });
    await program.declare(kind, "cable", declared);
    await program.remove("cable");
    await expect(
      program.declare(kind, "cable", pair({ macAddress: "52:54:00:00:00:0a", bridge: "va" })),
    ).rejects.toMatchObject({ code: expect.stringMatching(/BRIDGE_MISSING|NOT_A_BRIDGE/) });
    expect((await lab.links()).map(({ ifname }) => ifname)).toEqual(["br0"]);
    expect(await other.links()).toEqual([]);
  });
});

describe("the ends of the kernel's ranges", () => {
  test.each([68, 1280, 65535])("mtu %i", async (mtu) => {
    const declared = pair({ mtu, addresses: [] }, { mtu });
    await program.declare(kind, "cable", declared);
    expect((await lab.mustHave("va")).mtu).toBe(mtu);
    expect((await program.newRun().declare(kind, "cable", declared)).operation).toBe("same");
  });
});

describe("VLANs of an end that is a port", async () => {
  const filtering = await canFilter();
  const vlans = [{ id: 5, pvid: true, untagged: true }];

  test.skipIf(filtering)(
    "are refused in the plan, with the end's path, by a kernel that has none",
    async () => {
      await lab.ip("link", "add", "br0", "type", "bridge");
      const { problems } = await program.check(kind, "cable", pair({ bridge: "br0", port: { vlans } }));
      expect(problems).toEqual([
        expect.objectContaining({
          code: "NOT_SUPPORTED",
          property: "ends",
          message: expect.stringMatching(/^ends\[0\]\.port\.vlans /),
        }),
      ]);
      const port = { interface: "va", bridge: "br0", namespace: lab.name, port: { vlans } };
      const other = await program.check("BridgePort", "uplink", port);
      expect(other.problems).toEqual([expect.objectContaining({ code: "NOT_SUPPORTED", property: "port" })]);
    },
  );

  test.skipIf(!filtering)("are set, and set back (needs VLAN filtering)", async () => {
    await lab.ip("link", "add", "br0", "type", "bridge", "vlan_filtering", "1");
    const declared = pair({ bridge: "br0", port: { vlans } });
    await program.declare(kind, "cable", declared);
    expect(await lab.exec("bridge", "vlan", "show", "dev", "va")).toMatch(/5 PVID Egress Untagged/);
    await lab.exec("bridge", "vlan", "add", "dev", "va", "vid", "7");
    expect((await program.newRun().declare(kind, "cable", declared)).operation).toBe("update");
    expect(await lab.exec("bridge", "vlan", "show", "dev", "va")).not.toMatch(/\b7\b/);
    expect((await program.newRun().declare(kind, "cable", declared)).operation).toBe("same");
  });
});

/** Whether a bridge of this kernel can filter VLANs: tried, in a namespace that ends with the command. */
async function canFilter(): Promise<boolean> {
  const script = "ip link add br0 type bridge && ip link set br0 type bridge vlan_filtering 1";
  return (await attempt("unshare", "--net", "sh", "-c", script)).code === 0;
}

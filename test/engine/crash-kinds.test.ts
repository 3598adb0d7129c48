/**
 * Every kind whose creation takes several steps, killed at each of them: each step in a namespace of its own, where it is
 * held; then one kill hits all. TUN and TAP interfaces, and namespaces, have files of their own.
 */

import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Crash, exported, leftovers, type Point } from "../harness/crash";
import { Lab } from "../harness/lab";
import { until } from "../harness/shell";
import { type Declared, messages, Workspace } from "../harness/workspace";

interface Row {
  kind: Declared["kind"];
  /** What is there before the resource, of others. */
  prepare?(lab: Lab): Promise<unknown>;
  args: Record<string, unknown>;
  /** In their order. From `made` on something outlives the provider. */
  steps: string[];
  made: number;
  /** What the kernel has of it, in few words. */
  see(lab: Lab): Promise<unknown>;
  /** The same when it is as declared. */
  right: unknown;
  /** How it is after `down`, at these steps, where that is not what was before. */
  lost?: { from: number; is: unknown };
}

/** What others see of the links that a row makes: one by one, without what is random. */
const linkFacts =
  (...names: string[]) =>
  async (lab: Lab) => {
    const links = (await lab.links()).filter(({ ifname }) => !ifname.startsWith("other"));
    const facts = links.map(async ({ ifname, flags, mtu, master, altnames = [] }) => ({
      name: names.includes(ifname) ? ifname : "another",
      up: flags.includes("UP"),
      mtu,
      master,
      leases: altnames.filter((name) => /^tuntap-0-[0-9a-f]{32}$/.test(name)).length,
      addresses: await lab.addresses(ifname),
    }));
    return Promise.all(facts);
  };
const link = (
  name: string,
  addresses: string[],
  { mtu = 1400, master }: { mtu?: number; master?: string } = {},
) => ({
  name,
  up: true,
  mtu,
  master,
  leases: 1,
  addresses,
});

const routes = (lab: Lab) => async () =>
  (await lab.ip("route", "show", "table", "all", "proto", "116")).trim().replace(/ linkdown| +$/g, "");
const setting = "net.ipv4.ip_default_ttl";

const rows: Row[] = [
  {
    kind: "Bridge",
    args: { name: "br0", address: "192.0.2.1/24", addresses: ["2001:db8::1/64"], ageingTime: 60 },
    steps: [
      "before newlink",
      "after newlink",
      "before newlinkprop",
      "after newlinkprop",
      "before newlinkprop>newlink",
      "after newlinkprop>newlink",
      "before newlinkprop>newlink>newaddr",
      "after newlinkprop>newlink>newaddr",
      "after up",
      "after up>getlink",
    ],
    made: 1,
    see: linkFacts("br0"),
    right: [link("br0", ["192.0.2.1/24", "2001:db8::1/64"], { mtu: 1500 })],
  },
  {
    kind: "TunInterface",
    prepare: (lab) =>
      lab.ip("link", "add", "dev", "other0", "address", "52:54:00:00:00:01", "type", "bridge"),
    args: { name: "tap0", owner: "nobody", mtu: 1400, bridge: "other0", port: { isolated: true } },
    steps: [
      "after persist",
      "before persist>newlink",
      "after persist>newlink",
      "after persist>newlink>getlink",
    ],
    made: 0,
    see: linkFacts("tap0"),
    right: [link("tap0", [], { master: "other0" })],
  },
  {
    kind: "TunPool",
    args: {
      count: 3,
      namePattern: "p%d",
      owner: "nobody",
      mtu: 1400,
      addressPlan: { subnet: "192.0.2.0/24" },
    },
    steps: [
      "before open-tun",
      "after tunsetiff",
      "after newlinkprop",
      "after owner",
      "after persist",
      "after persist>owner",
      "after persist>persist>persist",
      "after persist>mtu",
      "after up",
      "after up>getlink",
    ],
    made: 4,
    see: linkFacts("p0", "p1", "p2"),
    right: [0, 1, 2].map((number) => link(`p${number}`, [`192.0.2.${number + 1}/24`])),
  },
  {
    kind: "Vxlan",
    args: {
      name: "vx0",
      vni: 42,
      local: "192.0.2.1",
      peers: [{ address: "192.0.2.2" }],
      address: "198.51.100.1/24",
      mtu: 1400,
    },
    steps: [
      "before newlink",
      "after newlink",
      "after newlinkprop",
      "after newlinkprop>newlink",
      "before newneigh",
      "after newneigh",
      "after up",
      "after up>getlink",
    ],
    made: 1,
    see: linkFacts("vx0"),
    right: [link("vx0", ["198.51.100.1/24"])],
  },
  {
    kind: "Route",
    async prepare(lab) {
      await lab.ip("tuntap", "add", "other0", "mode", "tap");
      await lab.ip("link", "set", "other0", "up");
      await lab.ip("addr", "add", "192.0.2.1/24", "dev", "other0");
    },
    args: { destination: "198.51.100.0/24", gateway: "192.0.2.2", interface: "other0", metric: 7 },
    steps: ["before newroute", "after newroute", "after newroute>getroute"],
    made: 1,
    see: (lab) => routes(lab)(),
    right: "198.51.100.0/24 via 192.0.2.2 dev other0 metric 7",
  },
  {
    kind: "Sysctl",
    args: { name: setting, value: 99 },
    steps: ["before open-sysctl", "after open-sysctl", "after sysctl"],
    made: 2,
    see: async (lab) => (await lab.exec("sysctl", "-n", setting)).trim(),
    right: "99",
    // It carries no mark: what was found is known only once it is recorded.
    lost: { from: 2, is: "99" },
  },
  {
    kind: "Nat",
    args: { name: "nat0", source: ["192.0.2.0/24"], allowForwarding: true },
    steps: ["before nft-start", "after nft-start", "after nft-end", "after nft-end>nft-list-end"],
    // nft goes on by itself.
    made: 1,
    see: async (lab) =>
      (await lab.exec("nft", "list", "ruleset"))
        .split("\n")
        .filter((line) => /table|masquerade|192/.test(line))
        .map((line) => line.trim().replace(/ comment .*/, "")),
    right: [
      "table inet nat0 {",
      "ip saddr 192.0.2.0/24 accept",
      "ip daddr 192.0.2.0/24 ct state established,related accept",
      "ip daddr 192.0.2.0/24 return",
      "ip saddr 192.0.2.0/24 masquerade",
    ],
  },
];

interface Case {
  row: Row;
  lab: Lab;
  position: number;
  /** Before anything was made. */
  before: string;
  nothing: unknown;
}

const cases: Case[] = [];
let crash: Crash;
let workspace: Workspace;

const snapshot = async (lab: Lab) =>
  `${await lab.snapshot()}${await lab.ip("route", "show", "table", "all")}`.replaceAll(
    / linkdown|"tso_max_size": \d+,/g,
    "",
  );
const step = ({ row, position }: Case) => `${row.kind}, ${row.steps[position]}`;

beforeAll(async () => {
  crash = await Crash.open();
  for (const row of rows) {
    for (const position of row.steps.keys()) {
      const lab = await Lab.open();
      await row.prepare?.(lab);
      cases.push({ row, lab, position, before: await snapshot(lab), nothing: await row.see(lab) });
    }
  }
  workspace = new Workspace();
  workspace.declare(
    ...cases.map(({ row, lab, position }): Declared => {
      const args = { ...row.args, namespace: lab.name };
      return { kind: row.kind, name: `${row.kind}-${position}`, args };
    }),
  );
});
afterAll(async () => {
  workspace.close();
  crash.close();
  for (const { lab } of cases) await lab.close();
});

test("kill -9 of the provider at each step: one up ends right, the next has nothing to do, down leaves nothing", async () => {
  const points = cases.map(({ row, lab, position }): Point => {
    const [phase, steps] = (row.steps[position] as string).split(" ") as [Point["phase"], string];
    return { namespace: lab.name, phase, action: "hold", steps };
  });
  const { code, report } = await crash.kill(workspace, "up", points).catch((error: Error) => {
    const text = cases.reduce((all, each) => all.replaceAll(each.lab.name, step(each)), error.message);
    throw new Error(text, { cause: error });
  });
  expect(code).toBe(1);
  expect(messages(report)).not.toBe("");
  crash.arm();

  for (const each of cases) {
    const { row, lab, position, nothing } = each;
    if (position < row.made) expect(await row.see(lab), step(each)).toEqual(nothing);
    else await until(step(each), async () => !isDeepStrictEqual(await row.see(lab), nothing));
  }

  const again = await workspace.run("up");
  expect(again.code, again.stderr).toBe(0);
  expect(leftovers(workspace)).toMatchObject({ locks: [], pending: [] });
  for (const each of cases) expect(await each.row.see(each.lab), step(each)).toEqual(each.row.right);
  await workspace.succeed("up", "--expect-no-changes");

  await workspace.succeed("down");
  for (const each of cases) {
    const { row, lab, position, before, nothing } = each;
    expect(await snapshot(lab), step(each)).toBe(before);
    const { lost } = row;
    expect(await row.see(lab), step(each)).toEqual(lost && position >= lost.from ? lost.is : nothing);
  }
  expect(await exported(workspace)).toEqual({ pending: 0, resources: 0 });
}, 300_000);

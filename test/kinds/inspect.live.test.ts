/** What an inspection says of every way in which a resource and the kernel can differ. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { Host } from "../../provider/host/host";
import { type Inspected, type Inspection, inspect, type Recollection } from "../../provider/inspect";
import { openKernel } from "../../provider/kernel/open";
import { Lab } from "../harness/lab";
import { Program } from "../harness/program";
import { run } from "../harness/shell";
import { kind, lab, program, useTunLab } from "./tun-lab";

useTunLab();

let elsewhere: Lab;
beforeAll(async () => {
  elsewhere = await Lab.open();
});
afterAll(() => elsewhere.close());

/** Inspects what a program has recorded, in a stack and instance of its own. */
function look(from: Program = program, more: Partial<Recollection> = {}): Promise<Inspected> {
  const resources = [...from.state].map(([name, { kind: its, outputs }]) => ({
    urn: from.identity(its.name, name).urn,
    outputs,
    secrets: [],
  }));
  const stacks = [{ instance: from.instance, project: from.project, stack: from.stack }];
  return inspect(new Host(openKernel()), { resources, unfinished: [], stacks, ...more });
}

async function one(from: Program = program): Promise<Inspection> {
  const { resources } = await look(from);
  expect(resources).toHaveLength(1);
  return resources[0] as Inspection;
}

const declared = (more: object = {}) => ({ owner: "nobody", mtu: 1400, namespace: lab.name, ...more });

test("as declared: every property on both sides, the lease, no carrier, nobody", async () => {
  const { outputs } = await program.declare(kind, "dev0", declared());
  const before = await lab.snapshot();
  expect(await one()).toMatchObject({
    kind,
    logicalName: "dev0",
    name: "dev0",
    namespace: lab.name,
    condition: "present",
    drift: false,
    lease: outputs.__lease,
    leased: true,
    carrier: false,
    holders: [],
    properties: expect.arrayContaining([
      {
        name: "mtu",
        declared: 1400,
        observed: 1400,
        drift: false,
        shown: { declared: "1400", observed: "1400" },
      },
      expect.objectContaining({ name: "owner", declared: "nobody", observed: "nobody", drift: false }),
    ]),
  });
  expect(await lab.snapshot()).toBe(before);
  expect((await look()).orphans).toEqual([]);
});

test("drift of a property, and a holder", async () => {
  await program.declare(kind, "dev0", declared());
  await lab.ip("link", "set", "dev0", "mtu", "9000");
  const holder = await lab.hold("dev0");
  const seen = await one();
  expect(seen).toMatchObject({ condition: "present", drift: true, carrier: true });
  expect(seen.properties.filter(({ drift }) => drift)).toEqual([
    {
      name: "mtu",
      declared: 1400,
      observed: 9000,
      drift: true,
      shown: { declared: "1400", observed: "9000" },
    },
  ]);
  expect(seen.holders.map(({ command, uid, user }) => ({ command, uid, user }))).toContainEqual({
    command: expect.stringMatching(/^socat OPEN:\/dev\/net\/tun/),
    uid: 0,
    user: "root",
  });
  await lab.release(holder);
});

test("what is not declared is shown, but is no drift", async () => {
  await program.declare(kind, "dev0", { owner: "nobody", namespace: lab.name });
  await lab.ip("link", "set", "dev0", "mtu", "9000");
  await lab.ip("addr", "add", "198.51.100.1/24", "dev", "dev0");
  const seen = await one();
  expect(seen.drift).toBe(false);
  expect(seen.properties.find(({ name }) => name === "mtu")).toEqual({
    name: "mtu",
    observed: 9000,
    drift: false,
    shown: { declared: "", observed: "9000" },
  });
});

test("a lost lease, a deleted link, a stranger in its place", async () => {
  const { outputs } = await program.declare(kind, "dev0", declared());
  await lab.ip("link", "property", "del", "dev", "dev0", "altname", outputs.__lease as string);
  expect(await one()).toMatchObject({
    condition: "present",
    drift: true,
    leased: false,
    message: expect.stringMatching(/lease was taken off; the next up restores it/),
  });
  await lab.ip("link", "del", "dev0");
  expect(await one()).toMatchObject({
    condition: "gone",
    drift: true,
    message: expect.stringMatching(
      /^dev0 in namespace \S+ no longer exists \(it was deleted outside this program\); the next up makes it anew$/,
    ),
  });
  await lab.exec("tunctl", "-t", "dev0", "-u", "bin");
  expect((await one()).message).toMatch(/its name is taken by tap "dev0" \(.*owner uid 2.*no lease\)$/);
});

test("a namespace that went with all in it", async () => {
  const place = await Lab.open(false);
  await program.declare("Namespace", "lab", { name: place.name });
  await program.declare(kind, "dev0", { owner: "nobody", namespace: place.name });
  expect((await look()).resources.map(({ condition }) => condition)).toEqual(["present", "present"]);
  await place.close();
  const { resources } = await look();
  expect(resources.map(({ condition }) => condition)).toEqual(["gone", "gone"]);
  expect(resources[1]?.message).toMatch(
    /^dev0 in namespace \S+ no longer exists \(its namespace is gone\); the next up makes it anew$/,
  );
});

test("an orphan: a link of this instance that the state does not know, and no other program's", async () => {
  await program.declare(kind, "dev0", declared());
  await program.declare(kind, "dev1", declared());
  await new Program().declare(kind, "dev2", declared());
  await new Program(program.instance, "prod").declare(kind, "dev3", declared());
  const lease = program.state.get("dev1")?.outputs.__lease;
  program.state.delete("dev1");
  expect((await look()).orphans).toEqual([
    {
      kind: "tap",
      name: "dev1",
      namespace: lab.name,
      lease,
      description: expect.stringMatching(/^tap "dev1" \(ifindex \d+, owner uid 65534, .*lease /),
      holders: [],
      removal: ["ip", "-n", lab.name, "link", "del", "dev", "dev1"],
    },
  ]);
});

test("a table of nftables that no state knows, and how it is removed", async () => {
  const nat = { source: ["192.0.2.0/24"], namespace: lab.name };
  await program.declare("Nat", "dev0", nat);
  await new Program().declare("Nat", "dev1", nat);
  await lab.exec("nft", "add", "table", "inet", "others");
  expect((await look()).orphans).toEqual([]);
  const { urn } = program.identity("Nat", "dev0");
  const unfinished = [{ urn, instance: program.instance }];
  expect((await look(program, { resources: [], unfinished })).orphans).toEqual([]);
  const lease = program.state.get("dev0")?.outputs.__lease as string;
  const { orphans } = await look(program, { resources: [] });
  expect(orphans).toEqual([
    {
      kind: "nftables table",
      name: "inet dev0",
      namespace: lab.name,
      lease,
      description: `nftables table inet dev0 (lease ${lease})`,
      holders: [],
      removal: ["ip", "netns", "exec", lab.name, "nft", "delete", "table", "inet", "dev0"],
    },
  ]);
  const [command = "", ...words] = orphans[0]?.removal ?? [];
  await run(command, ...words);
  expect(await lab.exec("nft", "list", "tables")).toBe("table inet dev1\ntable inet others\n");
  await lab.exec("nft", "flush", "ruleset");
});

test("a link that was moved away: its resource is told of, wherever it is found", async () => {
  await program.declare(kind, "dev0", declared());
  await lab.ip("link", "set", "dev0", "netns", elsewhere.name);
  const { resources, orphans } = await look();
  // Either it is seen there, or it is gone and left over there; it is never lost.
  if (resources[0]?.condition === "gone")
    expect(orphans.map(({ namespace }) => namespace)).toEqual([elsewhere.name]);
  else expect(orphans).toEqual([]);
  await elsewhere.ip("link", "del", "dev0");
});

test("what is being made is no orphan", async () => {
  await program.declare(kind, "dev0", declared());
  const { urn, instance } = program.identity(kind, "dev0");
  program.state.clear();
  const { resources, orphans } = await look(program, { unfinished: [{ urn, instance }] });
  expect(orphans).toEqual([]);
  expect(resources).toEqual([
    expect.objectContaining({
      condition: "unfinished",
      logicalName: "dev0",
      namespace: lab.name,
      drift: true,
      leased: true,
      message: expect.stringMatching(/began to make it; it is there as tap "dev0"/),
    }),
  ]);
  await lab.ip("link", "del", "dev0");
  const gone = await look(program, { unfinished: [{ urn, instance }] });
  expect(gone.resources[0]?.message).toMatch(/nothing of it is there/);
});

test("secrets are in no word of it", async () => {
  const secretive = new Program(program.instance, "dev", "test", ["mtu", "name", "address", "owner"]);
  await secretive.declare(kind, "dev0", declared({ name: "hush0", mtu: 1357, address: "203.0.113.77/24" }));
  const hidden = /hush0|1357|203\.0\.113\.77|nobody|65534/;
  await lab.ip("link", "set", "hush0", "down");
  const { resources } = await look(secretive);
  expect(resources[0]).toMatchObject({ name: "[secret]", drift: true });
  expect(JSON.stringify(resources)).not.toMatch(hidden);
  await lab.ip("link", "set", "hush0", "mtu", "9000");
  const drifted = await look(secretive);
  expect(drifted.resources[0]?.properties.find(({ name }) => name === "mtu")).toMatchObject({
    declared: "[secret]",
    observed: "[another value]",
    drift: true,
  });
  await lab.ip("link", "del", "hush0");
  const gone = await look(secretive);
  expect(gone.resources[0]?.condition).toBe("gone");
  expect(JSON.stringify(gone.resources)).not.toMatch(hidden);
});

test("a kind that this version does not know, and a state without an identity, are said and no crash", async () => {
  const urn = "urn:pulumi:dev::test::pulumi-nodejs:dynamic/tuntap:Teleporter::beam";
  const { resources } = await look(program, {
    resources: [
      { urn, outputs: {}, secrets: [] },
      { urn: program.identity(kind, "dev0").urn, outputs: { name: "dev0" }, secrets: [] },
    ],
  });
  expect(resources.map(({ condition }) => condition)).toEqual(["unreadable", "unreadable"]);
  expect(resources[0]?.message).toMatch(/no kind Teleporter/);
  expect(resources[1]?.message).toMatch(/lacks the resource's identity/);
});

/** A pair with an end in each namespace. */
const pair = () => ({
  ends: [
    { name: "va", namespace: lab.name },
    { name: "vb", namespace: elsewhere.name, mtu: 1400 },
  ],
});

test("a pair: both ends are known by their leases, and each by its drift", async () => {
  await program.declare("VethPair", "cable", pair());
  const whole = await look();
  expect(whole.orphans).toEqual([]);
  expect(whole.resources).toMatchObject([
    { kind: "VethPair", condition: "present", drift: false, leased: true, carrier: true },
  ]);
  await elsewhere.ip("link", "set", "vb", "mtu", "9000");
  const { properties, drift } = await one();
  expect(drift).toBe(true);
  expect(properties.filter((property) => property.drift)).toMatchObject([
    { name: "ends[1].mtu", declared: 1400, observed: 9000 },
  ]);
  // Not declared, so it is only shown.
  expect(properties).toContainEqual(
    expect.objectContaining({ name: "ends[0].mtu", drift: false, observed: 1500 }),
  );
});

test("a pair that no state knows is two orphans; one whose making was begun is none", async () => {
  await program.declare("VethPair", "cable", pair());
  const { urn } = program.identity("VethPair", "cable");
  const begun = await look(program, {
    resources: [],
    unfinished: [{ urn, instance: program.instance }],
  });
  expect(begun.orphans).toEqual([]);
  expect(begun.resources).toMatchObject([{ condition: "unfinished", leased: true }]);
  const lost = await look(program, { resources: [] });
  expect(lost.orphans.map(({ kind: its, name, namespace }) => [its, name, namespace]).sort()).toEqual([
    ["veth", "va", lab.name],
    ["veth", "vb", elsewhere.name],
  ]);
});

test("a port of others is no orphan: it carries no lease", async () => {
  await lab.ip("link", "add", "br0", "type", "bridge");
  await lab.ip("tuntap", "add", "nic0", "mode", "tap");
  await program.declare("BridgePort", "uplink", {
    interface: "nic0",
    bridge: "br0",
    namespace: lab.name,
  });
  const whole = await look();
  expect(whole.orphans).toEqual([]);
  expect(whole.resources).toMatchObject([{ kind: "BridgePort", condition: "present", drift: false }]);
  expect((await look(program, { resources: [] })).orphans).toEqual([]);
  await lab.ip("link", "set", "nic0", "nomaster");
  expect(await one()).toMatchObject({
    drift: true,
    properties: expect.arrayContaining([
      expect.objectContaining({ name: "bridge", declared: "br0", observed: "", drift: true }),
    ]),
  });
});

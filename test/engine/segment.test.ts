/** The component Segment, by the built command with the real engine: namespaces as hosts, with a switch between them. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../harness/lab";
import { attempt, until } from "../harness/shell";
import { messages, Workspace } from "../harness/workspace";

/** The network between the hosts. */
let wire: Lab;
let hosts: Lab[];
let workspace: Workspace;

beforeAll(async () => {
  wire = await Lab.open();
  await wire.ip("link", "add", "switch", "type", "bridge");
  await wire.ip("link", "set", "switch", "up");
  hosts = [];
  for (const index of [1, 2, 3]) {
    const host = await Lab.open();
    hosts.push(host);
    await host.ip("link", "add", "under0", "type", "veth", "peer", "name", `to${index}`, "netns", wire.name);
    await wire.ip("link", "set", `to${index}`, "master", "switch", "up");
    await host.ip("addr", "add", `192.0.2.${index}/24`, "dev", "under0");
    await host.ip("link", "set", "under0", "up");
  }
  workspace = new Workspace();
});

afterAll(async () => {
  workspace.close();
  for (const each of [...hosts, wire]) await each.close();
});

const host = (index: number) => hosts[index - 1] as Lab;

interface Settings {
  [input: string]: unknown;
}

/** A segment over the hosts of these numbers. */
function declare(
  numbers: number[],
  more: Settings = {},
  ofHost: (index: number) => Settings = () => ({}),
  options = "undefined",
): void {
  const members = numbers.map((index) => [
    `h${index}`,
    {
      namespace: host(index).name,
      local: `192.0.2.${index}`,
      newBridge: { address: `10.30.0.${index}/24` },
      ...ofHost(index),
    },
  ]);
  const args = { vni: 42, mtu: 1450, hosts: Object.fromEntries(members), ...more };
  workspace.write(`import * as tuntap from "pulumi-tuntap";
const segment = new tuntap.Segment<string>("seg", ${JSON.stringify(args)}, ${options});
export const bridges = Object.values(segment.bridges).map((bridge) => bridge?.name);
export const vxlans = Object.values(segment.vxlans).map((vxlan) => vxlan.name);
`);
}

/** The other ends that a host floods to, as `bridge fdb` shows them. */
async function ends(index: number): Promise<string[]> {
  const shown = JSON.parse(await host(index).exec("bridge", "-j", "fdb", "show", "dev", "vxlan42")) as {
    mac: string;
    dst?: string;
    state?: string;
  }[];
  return shown.flatMap(({ mac, dst }) => (mac === "00:00:00:00:00:00" && dst ? [dst] : [])).sort();
}

const reaches = (from: number, to: number) =>
  until(
    `host ${from} reaches host ${to}`,
    async () =>
      (await attempt("ip", "netns", "exec", host(from).name, "ping", "-c", "1", "-W", "1", `10.30.0.${to}`))
        .code === 0,
    20_000,
  );

test("three hosts are one network, every one with every other; no-op; and a repaired end", async () => {
  declare([1, 2, 3]);
  const report = await workspace.succeed("up");
  expect(report.changes).toMatchObject({ create: 7 });
  expect(report.outputs).toEqual({
    bridges: ["seg-h1", "seg-h2", "seg-h3"],
    vxlans: ["vxlan42", "vxlan42", "vxlan42"],
  });
  expect(await ends(1)).toEqual(["192.0.2.2", "192.0.2.3"]);
  expect(await host(2).mustHave("vxlan42")).toMatchObject({ master: "seg-h2", mtu: 1450 });
  for (const [from, to] of [
    [1, 2],
    [2, 3],
    [3, 1],
  ] as const) {
    await reaches(from, to);
  }
  await workspace.succeed("up", "--expect-no-changes");

  await host(1).exec(..."bridge fdb del 00:00:00:00:00:00 dev vxlan42 dst 192.0.2.3".split(" "));
  const drifted = await workspace.run("preview", "--expect-no-changes");
  expect(drifted.code).toBe(3);
  expect((await workspace.succeed("up")).changes).toMatchObject({ update: 1 });
  expect(await ends(1)).toEqual(["192.0.2.2", "192.0.2.3"]);
});

test("a host that leaves, or comes, changes the others in place", async () => {
  const { ifindex } = await host(1).mustHave("vxlan42");
  declare([1, 2]);
  expect((await workspace.succeed("up")).changes).toMatchObject({ delete: 2, update: 2, replace: 0 });
  expect(await ends(1)).toEqual(["192.0.2.2"]);
  expect((await host(3).links()).map(({ ifname }) => ifname)).toEqual(["under0"]);
  await reaches(1, 2);
  declare([1, 2, 3]);
  expect((await workspace.succeed("up")).changes).toMatchObject({ create: 2, update: 2, replace: 0 });
  expect((await host(1).mustHave("vxlan42")).ifindex).toBe(ifindex);
  await reaches(1, 3);
});

test("bridges that are there are joined and stay; down leaves the hosts as they were", async () => {
  await workspace.succeed("down");
  for (const index of [1, 2]) {
    await host(index).ip("link", "add", "own0", "type", "bridge");
    await host(index).ip("addr", "add", `10.30.0.${index}/24`, "dev", "own0");
    await host(index).ip("link", "set", "own0", "up");
  }
  declare([1, 2], { destinationPort: 8472 }, () => ({ bridge: "own0", newBridge: undefined }));
  const report = await workspace.succeed("up");
  expect(report.changes).toMatchObject({ create: 3 });
  expect(report.outputs.bridges).toEqual([]);
  expect((await host(1).mustHave("vxlan42")).linkinfo?.info_data).toMatchObject({ port: 8472, id: 42 });
  await reaches(1, 2);
  await workspace.succeed("down");
  expect((await host(1).links()).map(({ ifname }) => ifname).sort()).toEqual(["own0", "under0"]);
  for (const index of [1, 2]) await host(index).ip("link", "del", "own0");
});

test("transforms override what the component says, in each of its parts", async () => {
  const transform = `({ type, props, opts }) => {
    const more = { Bridge: { ageingTime: 77 }, Vxlan: { destinationPort: 8472, mtu: 1400 } }[type.split(":").pop()];
    return more && { props: { ...props, ...more }, opts };
  }`;
  declare([1, 2], {}, undefined, `{ transforms: [${transform}] }`);
  await workspace.succeed("up");
  for (const index of [1, 2]) {
    expect(await host(index).bridge(`seg-h${index}`)).toMatchObject({ ageing_time: 7700 });
    const vxlan = await host(index).mustHave("vxlan42");
    expect(vxlan).toMatchObject({ mtu: 1400, linkinfo: { info_data: { port: 8472, id: 42 } } });
  }
  await reaches(1, 2);
  await workspace.succeed("up", "--expect-no-changes");
  await workspace.succeed("down");
});

test("what is an input may be an output or a promise", async () => {
  await host(2).ip("link", "add", "own0", "type", "bridge");
  await host(2).ip("addr", "add", "10.30.0.2/24", "dev", "own0");
  await host(2).ip("link", "set", "own0", "up");
  workspace.write(`import * as pulumi from "@pulumi/pulumi";
import * as tuntap from "pulumi-tuntap";
const later = <T>(value: T) => pulumi.output(Promise.resolve(value));
new tuntap.Segment("seg", {
  vni: 42,
  hosts: {
    h1: {
      local: later("192.0.2.1"),
      namespace: later(${JSON.stringify(host(1).name)}),
      newBridge: { address: later("10.30.0.1/24"), name: Promise.resolve("br7") },
      vxlan: { device: later("under0"), name: later("vx0") },
    },
    h2: {
      local: Promise.resolve("192.0.2.2"),
      namespace: Promise.resolve(${JSON.stringify(host(2).name)}),
      bridge: later("own0"),
    },
  },
  destinationPort: later(8472),
  mtu: Promise.resolve(1450),
});
`);
  await workspace.succeed("up");
  expect(await host(1).mustHave("vx0")).toMatchObject({
    master: "br7",
    mtu: 1450,
    linkinfo: { info_data: { port: 8472, id: 42, link: "under0" } },
  });
  expect(await host(2).mustHave("vxlan42")).toMatchObject({ master: "own0", mtu: 1450 });
  await reaches(1, 2);
  await workspace.succeed("up", "--expect-no-changes");
  await workspace.succeed("down");
  await host(2).ip("link", "del", "own0");
});

test.each<[string, Settings, RegExp]>([
  [
    "a misspelt input",
    { newBridge: { adress: "10.30.0.1/24" } },
    /hosts\.h2\.newBridge\.adress is no property .* did you mean `hosts\.h2\.newBridge\.address`\?/,
  ],
  [
    "two hosts of one address",
    { local: "192.0.2.1" },
    /hosts\.h1 and hosts\.h2 have the same address 192\.0\.2\.1/,
  ],
  [
    "a bridge to join and to make",
    { bridge: "own0" },
    /hosts\.h1 has both bridge and newBridge; leave out newBridge/,
  ],
])("%s is refused before anything is done", async (_, settings, message) => {
  declare([1, 2], {}, () => settings);
  const { code, report, stderr } = await workspace.run("up");
  expect(code).toBe(1);
  expect(report.changes.create).toBe(0);
  expect(`${messages(report)}\n${stderr}`).toMatch(message);
});

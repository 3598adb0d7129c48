import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../harness/lab";
import { type Declared, type Report, Workspace } from "../harness/workspace";

let lab: Lab;
let workspace: Workspace;

beforeAll(async () => {
  lab = await Lab.open(false);
  workspace = new Workspace();
});
afterAll(async () => {
  workspace.close();
  await lab.close();
});

function program(sound: boolean): Declared[] {
  const inLab = { namespace: { $ref: "lab.name" } };
  const tap = (name: string, args: Record<string, unknown>): Declared => ({
    kind: "TunInterface",
    name,
    args: { ...inLab, owner: "nobody", ...args },
  });
  return [
    { kind: "Namespace", name: "lab", args: { name: lab.name } },
    {
      kind: "Bridge",
      name: "br0",
      args: { ...inLab, address: "192.0.2.1/24", mtu: sound ? 9000 : 1500, stp: !sound },
    },
    tap("vm0", { bridge: { $ref: "br0.name" }, mtu: 9000 }),
    tap("vm1", { bridge: { $ref: "br0.name" } }),
    tap("other0", { address: sound ? "198.51.100.1/24" : "192.0.2.200/25" }),
  ];
}

/** What is warned of, by resource. */
function warned({ diagnostics }: Report): Record<string, string[]> {
  const byName: Record<string, string[]> = {};
  for (const { severity, message, urn } of diagnostics) {
    const name = String(urn?.split("::").pop());
    if (severity === "warning") byName[name] = [...(byName[name] ?? []), message.trim()];
  }
  return byName;
}

const expected = {
  br0: [expect.stringMatching(/^it runs STP, .*: a port forwards nothing for its first 30 seconds/)],
  vm0: [expect.stringMatching(/^mtu 9000 is above the 1500 of its bridge, Bridge "br0": /)],
  other0: [
    expect.stringMatching(
      /^its subnet 192\.0\.2\.128\/25 overlaps that of Bridge "br0" \(192\.0\.2\.0\/24\) in/,
    ),
  ],
};

test("what the program as a whole shows is told in the plan and in the run, on the right resource, once", async () => {
  workspace.declare(...program(false));
  expect(warned(await workspace.succeed("preview"))).toEqual(expected);
  // Which previews first: what is told in both is reported once, so it was told on the same resource.
  expect(warned(await workspace.succeed("up"))).toEqual(expected);
  expect(warned(await workspace.succeed("up", "--expect-no-changes"))).toEqual(expected);
});

test("a sound program is told nothing", async () => {
  workspace.declare(...program(true));
  expect(warned(await workspace.succeed("up"))).toEqual({});
  expect(warned(await workspace.succeed("preview", "--expect-no-changes"))).toEqual({});
  expect(warned(await workspace.succeed("down"))).toEqual({});
});

test("where the namespace is there already, names that the program passes on are no missing interfaces", async () => {
  const host = await Lab.open();
  const network = new Workspace("network");
  try {
    await host.ip("link", "add", "nic0", "up", "type", "veth", "peer", "name", "nic1");
    const declare = (names: { bridge: string; tunnel: string; cable: string }) =>
      network.write(`import * as tuntap from "pulumi-tuntap";
const namespace = "${host.name}";
const bridge = new tuntap.Bridge("br", { name: "${names.bridge}", namespace });
new tuntap.TunInterface("vm0", { owner: "nobody", bridge: bridge.name, namespace });
new tuntap.TunPool("vm", { count: 2, namePattern: "pool%d", owner: "nobody", bridge: bridge.name, namespace });
const tunnel = new tuntap.TunInterface("vpn", {
  name: "${names.tunnel}", mode: "tun", owner: "nobody", address: "10.8.0.1", peerAddress: "10.8.0.2",
  netmask: "255.255.255.255", namespace });
new tuntap.Route("branch", { destination: "10.9.0.0/24", interface: tunnel.name, namespace });
const end = (number: number) => ({ namespace, name: "${names.cable}" + number });
const cable = new tuntap.VethPair("cable", { ends: [
  { ...end(0), bridge: bridge.name }, { ...end(1), address: "192.0.2.1/24" }] });
new tuntap.BridgePort("port", { interface: "nic0", bridge: bridge.name, namespace });
const below = new tuntap.Bridge("below", { name: "${names.bridge}b", namespace });
new tuntap.Vxlan("tunnel", {
  vni: 42, local: "192.0.2.1", device: cable.ends.apply((ends) => ends[1]?.name ?? ""),
  bridge: below.name, mtu: 1450, namespace });
`);
    declare({ bridge: "br0", tunnel: "vpn0", cable: "veth" });
    expect(warned(await network.succeed("up"))).toEqual({});
    declare({ bridge: "br1", tunnel: "vpn1", cable: "cable" });
    expect(warned(await network.succeed("up"))).toEqual({});
    expect(warned(await network.succeed("preview", "--expect-no-changes"))).toEqual({});
    await network.succeed("down");
  } finally {
    network.close();
    await host.close();
  }
});

test("forwarding is judged by all Sysctls of the program, also by those that the engine checks after the Nat", async () => {
  const router = await Lab.open();
  const later = new Workspace("later");
  try {
    await router.exec("sysctl", "-q", "-w", "net.ipv4.ip_forward=0");
    const told = async (value: number | undefined) => {
      const forward = `new tuntap.Sysctl("forward", { name: "net.ipv4.ip_forward", value: ${value}, namespace }, { dependsOn: nat });`;
      later.write(`import * as tuntap from "pulumi-tuntap";
const namespace = "${router.name}";
const nat = new tuntap.Nat("guests", { source: ["192.0.2.0/24"], namespace });
${value === undefined ? "" : forward}
`);
      return warned(await later.succeed("preview"));
    };
    expect(await told(1)).toEqual({});
    expect(await told(0)).toEqual({
      guests: [expect.stringMatching(/^it needs forwarding, which Sysctl "forward" turns off/)],
    });
    expect(await told(undefined)).toEqual({
      guests: [expect.stringMatching(/^it needs forwarding, and .* is 0 in namespace/)],
    });
  } finally {
    later.close();
    await router.close();
  }
});

test("what a bridge passes from port to port is judged by all Sysctls of the program, too, and by the host", async () => {
  const docker = await Lab.open();
  const later = new Workspace("docker");
  try {
    const name = "net.bridge.bridge-nf-call-iptables";
    await docker.exec("sysctl", "-q", "-w", `${name}=1`);
    const chain = "add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }";
    await docker.exec("nft", `add table ip filter; ${chain}`);
    await docker.ip("link", "add", "eth9", "type", "bridge");
    await docker.ip("addr", "add", "192.0.2.9/24", "dev", "eth9");
    await docker.ip("link", "set", "eth9", "up");
    const told = async (address: string, value: number | undefined) => {
      const sysctl = `new tuntap.Sysctl("nf", { name: "${name}", value: ${value}, namespace }, { dependsOn: bridge });`;
      later.write(`import * as tuntap from "pulumi-tuntap";
const namespace = "${docker.name}";
const bridge = new tuntap.Bridge("br0", { address: "${address}", namespace });
${value === undefined ? "" : sysctl}
`);
      return warned(await later.succeed("preview"));
    };
    expect(await told("198.51.100.1/24", 0)).toEqual({});
    const { br0, ...others } = await told("192.0.2.1/25", undefined);
    expect(others).toEqual({});
    expect(br0?.sort()).toEqual([
      expect.stringMatching(
        /^chain FORWARD of table ip filter .* is 1, IPv4 packets that this bridge passes/,
      ),
      expect.stringMatching(
        /^its subnet 192\.0\.2\.0\/25 overlaps that of eth9 \(192\.0\.2\.0\/24\), which this program did/,
      ),
    ]);
  } finally {
    later.close();
    await docker.close();
  }
});

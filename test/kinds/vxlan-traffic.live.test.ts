/** Two namespaces as two hosts, with a veth between them: what goes through the tunnels is what was declared. */

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Lab } from "../harness/lab";
import { Program } from "../harness/program";
import { attempt } from "../harness/shell";

const kind = "Vxlan";
let hosts: [Lab, Lab];
let program: Program;

beforeEach(async () => {
  hosts = [await Lab.open(), await Lab.open()];
  const [one, two] = hosts;
  await one.ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", two.name);
  for (const [position, host] of hosts.entries()) {
    await host.ip("addr", "add", `192.0.2.${position + 1}/24`, "dev", "eth0");
    await host.ip("addr", "add", `2001:db8::${position + 1}/64`, "dev", "eth0", "nodad");
    await host.ip("link", "set", "eth0", "up");
  }
  program = new Program();
});

afterEach(async () => {
  for (const host of hosts ?? []) await host.close();
});

/** The end of a tunnel on a host, with an address inside it. */
function declareEnd(position: 0 | 1, more: Record<string, unknown>) {
  return program.declare(kind, `vx${position}`, {
    name: "vx0",
    namespace: hosts[position].name,
    vni: 42,
    address: `198.51.100.${position + 1}/24`,
    ...more,
  });
}

async function declareBoth(more: (position: 0 | 1) => Record<string, unknown>): Promise<void> {
  for (const position of [0, 1] as const) await declareEnd(position, more(position));
}

/** Any of several pings: the kernel may tell a bridge of a port's carrier as late as a second after it is there. */
const reaches = async () => {
  const ping = ["ping", "-c", "4", "-i", "0.4", "-W", "1", "198.51.100.2"];
  return (await attempt("ip", "netns", "exec", hosts[0].name, ...ping)).code === 0;
};

const ends = (position: 0 | 1) => ({ local: `192.0.2.${position + 1}`, other: `192.0.2.${2 - position}` });

describe("a ping goes through", () => {
  test.each<[string, (position: 0 | 1) => Record<string, unknown>]>([
    ["a remote address", (position) => ({ local: ends(position).local, remote: ends(position).other })],
    ["a peer", (position) => ({ local: ends(position).local, peers: [{ address: ends(position).other }] })],
    ["a group", (position) => ({ local: ends(position).local, group: "239.1.1.1", device: "eth0" })],
    ["IPv6", (position) => ({ local: `2001:db8::${position + 1}`, remote: `2001:db8::${2 - position}` })],
  ])("with %s", async (_, inputs) => {
    await declareBoth(inputs);
    expect(await reaches()).toBe(true);
    await program.removeAll();
    expect(await reaches()).toBe(false);
  });

  test("without learning, where every MAC address has its peer, and not where it has none", async () => {
    const mac = (position: number) => `52:54:00:00:00:0${position + 1}`;
    const inputs = (position: 0 | 1, peers: string[]) => ({
      local: ends(position).local,
      macAddress: mac(position),
      learning: false,
      peers: peers.map((macAddress) => ({ address: ends(position).other, macAddress })),
    });
    const broadcast = "00:00:00:00:00:00";
    await declareBoth((position) => inputs(position, [mac(1 - position), broadcast]));
    expect(await reaches()).toBe(true);
    await declareEnd(1, inputs(1, []));
    for (const host of hosts) await host.ip("neigh", "flush", "dev", "vx0");
    expect(await reaches()).toBe(false);
  });
});

test("two bridges are one network: machines behind them reach one another, and go on doing so while ttl and peers change", async () => {
  for (const [position, host] of hosts.entries()) {
    const { local, other } = ends(position as 0 | 1);
    await program.declare("Bridge", `br${position}`, { name: "br0", namespace: host.name });
    await program.declare(kind, `vx${position}`, {
      name: "vx0",
      namespace: host.name,
      vni: 42,
      local,
      peers: [{ address: other }],
      bridge: "br0",
      port: { isolated: false },
      mtu: 1450,
    });
    await host.ip("link", "add", "vm0", "type", "veth", "peer", "name", "vm1");
    await host.ip("link", "set", "vm0", "master", "br0", "up");
    await host.ip("addr", "add", `198.51.100.${position + 1}/24`, "dev", "vm1");
    await host.ip("link", "set", "vm1", "up");
  }
  expect(await reaches()).toBe(true);
  const ping = attempt(
    ...(["ip", "netns", "exec", hosts[0].name, "ping", "-i", "0.05", "-c", "20", "198.51.100.2"] as const),
  );
  await program.declare(kind, "vx0", {
    name: "vx0",
    namespace: hosts[0].name,
    vni: 42,
    local: "192.0.2.1",
    peers: [{ address: "192.0.2.7" }, { address: "192.0.2.2" }],
    ttl: 3,
    bridge: "br0",
    mtu: 1450,
  });
  expect((await ping).output).toMatch(/20 (packets )?received|20 received/);
});

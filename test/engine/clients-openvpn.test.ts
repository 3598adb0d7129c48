import { chmodSync, chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Client, clientOwner } from "../harness/client";
import { Lab } from "../harness/lab";
import { attempt, run, until } from "../harness/shell";
import { Workspace } from "../harness/workspace";

/** Two hosts with a wire between them; each end has an address, on the wire, in the tunnel and on the bridge. */
const ends = [
  { wire: "198.51.100.1", tunnel: "10.9.0.1", bridge: "192.0.2.1" },
  { wire: "198.51.100.2", tunnel: "10.9.0.2", bridge: "192.0.2.2" },
] as const;

let labs: [Lab, Lab];
let workspace: Workspace;
let folder: string;
let key: string;

beforeAll(async () => {
  labs = [await Lab.open(), await Lab.open()];
  const [left, right] = labs;
  await left.ip("link", "add", "wire0", "type", "veth", "peer", "name", "wire0", "netns", right.name);
  for (const [index, lab] of labs.entries()) {
    await lab.ip("addr", "add", `${ends[index]?.wire}/24`, "dev", "wire0");
    await lab.ip("link", "set", "wire0", "up");
    await lab.ip("link", "add", "br0", "type", "bridge");
    await lab.ip("addr", "add", `${ends[index]?.bridge}/24`, "dev", "br0");
    await lab.ip("link", "set", "br0", "up");
  }
  folder = mkdtempSync(join(tmpdir(), "tuntap-openvpn-"));
  chmodSync(folder, 0o755);
  key = join(folder, "static.key");
  await run("openvpn", "--genkey", "secret", key);
  chownSync(key, Number(await run("id", "-u", clientOwner)), 0);

  workspace = new Workspace();
  workspace.declare(
    ...labs.flatMap((lab, index) => [
      {
        kind: "TunInterface" as const,
        name: `tunnel${index}`,
        args: {
          name: "vpn0",
          mode: "tun",
          owner: clientOwner,
          address: `${ends[index]?.tunnel}/30`,
          mtu: 1400,
          namespace: lab.name,
        },
      },
      {
        kind: "TunInterface" as const,
        name: `port${index}`,
        args: { name: "vpn1", owner: clientOwner, bridge: "br0", namespace: lab.name },
      },
    ]),
    {
      kind: "TunInterface",
      name: "queues0",
      args: { mode: "tun", owner: clientOwner, multiQueue: true, namespace: labs[0].name },
    },
  );
  await workspace.succeed("up");
});

afterAll(async () => {
  workspace.close();
  for (const lab of labs) await lab.close();
  rmSync(folder, { recursive: true, force: true });
});

/** An openvpn at one end. It gets no configuration of the interface: that has its own already. */
function openvpn(index: 0 | 1, device: string, type: "tun" | "tap"): Client {
  const [local, remote] = [ends[index].wire, ends[index === 0 ? 1 : 0].wire];
  const options = `--dev ${device} --dev-type ${type} --local ${local} --remote ${remote}`;
  const security = `--secret ${key} --cipher AES-256-CBC`;
  return new Client(labs[index], `openvpn ${options} ${security}`.split(" "));
}

async function connect(device: string, type: "tun" | "tap"): Promise<Client[]> {
  const peers = [openvpn(0, device, type), openvpn(1, device, type)];
  for (const peer of peers) {
    await peer.attached(device);
    expect(peer.credentials()).toEqual({ uids: ["65534"], capabilities: "0000000000000000" });
  }
  return peers;
}

async function answers(address: string, ...options: string[]): Promise<boolean> {
  const ping = ["ping", "-c", "1", "-W", "1", ...options, address];
  return (await attempt("ip", "netns", "exec", labs[0].name, ...ping)).code === 0;
}

/** That packets of any size get to the other end, by the two clients and by nothing else. */
async function carries(peers: Client[], address: string): Promise<void> {
  await until(`${address} answers`, () => answers(address), 30_000);
  // More than one packet of the wire can carry.
  expect(await answers(address, "-s", "4000")).toBe(true);
  await workspace.succeed("preview", "--expect-no-changes");
  for (const peer of peers) await peer.stop();
  expect(await answers(address)).toBe(false);
}

test("two openvpn peers over TUN: a ping gets through, as long as they run", async () => {
  await carries(await connect("vpn0", "tun"), ends[1].tunnel);
});

test("two openvpn peers over TAP, each in a bridge: a ping gets through, as long as they run", async () => {
  await carries(await connect("vpn1", "tap"), ends[1].bridge);
});

test("openvpn on an interface with several queues: it wants one, and gets Invalid argument", async () => {
  const client = openvpn(0, "queues0", "tun");
  expect(await client.ended()).toBe(1);
  expect(client.printed).toContain("Cannot ioctl TUNSETIFF queues0: Invalid argument");
});

test("after all that nothing has drifted, and down removes what the clients have left", async () => {
  await workspace.succeed("up", "--expect-no-changes");
  for (const lab of labs) {
    for (const name of ["vpn0", "vpn1"]) {
      expect((await lab.mustHave(name)).linkinfo?.info_data).toMatchObject({
        persist: true,
        user: clientOwner,
      });
    }
    expect(await lab.addresses("vpn0")).toHaveLength(1);
    expect((await lab.mustHave("vpn1")).master).toBe("br0");
  }
  expect((await workspace.succeed("down")).changes).toMatchObject({ delete: 5 });
  for (const lab of labs) {
    expect((await lab.links()).map((link) => link.ifname).sort()).toEqual(["br0", "wire0"]);
  }
});

import { execFileSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Client, clientOwner } from "../harness/client";
import { Example } from "../harness/example";
import { Lab } from "../harness/lab";
import { attempt, until } from "../harness/shell";

let gateway: Lab;
/** The other end of the tunnel, with a network behind it. */
let branch: Lab;
/** It knows no way to that network. */
let outside: Lab;
let example: Example;
let endpoint: Example;
let clients: Client[] = [];

const place = () => ["--config", `namespace=${gateway.name}`, "--config", "uplink=up0"];
const endpointFlags = () =>
  ["address=10.8.0.2", "peer=10.8.0.1", `namespace=${branch.name}`].flatMap((each) => ["--config", each]);

/** Connects two namespaces. */
async function connect(one: Lab, other: Lab, name: string, network: string): Promise<void> {
  await one.ip("link", "add", name, "type", "veth", "peer", "name", name, "netns", other.name);
  for (const [index, lab] of [one, other].entries()) {
    await lab.ip("addr", "add", `${network}.${index + 1}/24`, "dev", name);
    await lab.ip("link", "set", name, "up");
  }
}

beforeAll(async () => {
  gateway = await Lab.open();
  outside = await Lab.open();
  // The program of that end makes its namespace itself.
  branch = await Lab.open(false);
  await connect(gateway, outside, "up0", "203.0.113");
  await outside.start(
    "ready",
    ...["sh", "-c", "echo ready; exec socat TCP-LISTEN:7000,fork,reuseaddr SYSTEM:'echo $SOCAT_PEERADDR'"],
  );
  example = new Example("vpn-gateway");
  endpoint = new Example("openvpn-endpoint");
});

afterAll(async () => {
  for (const each of [example, endpoint]) each.close();
  for (const each of [gateway, branch, outside]) await each.close();
});

/** From which address the server outside is called, by a machine of the network behind the other end. */
async function calledFrom(address: string): Promise<string> {
  const call = ["netns", "exec", branch.name, "socat", "-T5", "-", `TCP:203.0.113.2:7000,bind=${address}`];
  return (await attempt("ip", ...call)).output;
}

test("up makes tunnel, route, forwarding and translation", async () => {
  const { changes, outputs } = await example.succeed("up", ...place());
  expect(changes).toMatchObject({ create: 4 });
  expect(outputs).toMatchObject({ device: "vpn0", table: "vpn-nat", reachable: ["10.9.0.0/24"] });
  expect(JSON.parse(await gateway.ip("-j", "route", "show", "10.9.0.0/24"))).toMatchObject([{ dev: "vpn0" }]);
  expect(await gateway.exec("sysctl", "-n", "net.ipv4.ip_forward")).toBe("1\n");
  expect(await gateway.exec("nft", "list", "table", "inet", "vpn-nat")).toMatch(/oifname "up0".*masquerade/s);
  await example.succeed("up", "--expect-no-changes", ...place());
});

test("with the README's openvpn at both ends the network behind it reaches the outside", async () => {
  await endpoint.succeed("up", ...endpointFlags());
  await connect(gateway, branch, "wire0", "198.51.100");
  const commands = example.commands("openvpn --genkey").split("\n");
  const here = (text: string) => text.replaceAll("/etc/openvpn", example.folder);
  const genkey = commands.find((line) => line.startsWith("sudo sh -c "))?.replace(/#.*/, "") ?? "";
  execFileSync("sh", ["-c", here(genkey).replace("sudo ", "")]);
  chmodSync(example.folder, 0o711);
  const command = here(commands.find((line) => line.startsWith(`sudo -u ${clientOwner} openvpn`)) ?? "");
  const start = (lab: Lab, other: string) =>
    new Client(lab, command.replace(`sudo -u ${clientOwner} `, "").replace("OTHER_END", other).split(" "));
  clients = [start(gateway, "198.51.100.2"), start(branch, "198.51.100.1")];
  for (const client of clients) await client.attached("vpn0");
  await branch.ip("addr", "add", "10.9.0.1/24", "dev", "lo");
  await branch.ip("link", "set", "lo", "up");
  await branch.ip("route", "add", "203.0.113.0/24", "via", "10.8.0.1");
  const answer = () => calledFrom("10.9.0.1").then((text) => text.includes("203.0.113.1"));
  await until("the server outside is called from the gateway's address", answer, 60_000);
});

test("a route that was taken away is put back, under the running tunnel", async () => {
  await gateway.ip("route", "del", "10.9.0.0/24");
  expect((await example.succeed("up", ...place())).changes).toMatchObject({
    create: 1,
    update: 0,
    replace: 0,
  });
  expect(await calledFrom("10.9.0.1")).toContain("203.0.113.1");
});

test("a second network behind the other end is one more route, and the table follows", async () => {
  await branch.ip("addr", "add", "10.10.0.1/24", "dev", "lo");
  const more = ["--config", 'branches=["10.9.0.0/24","10.10.0.0/24"]'];
  const { changes } = await example.succeed("up", ...place(), ...more);
  expect(changes).toMatchObject({ create: 1, update: 1, replace: 0 });
  for (const address of ["10.9.0.1", "10.10.0.1"]) expect(await calledFrom(address)).toContain("203.0.113.1");
});

test("down takes all of it away", async () => {
  for (const client of clients) await client.stop();
  await gateway.ip("link", "del", "wire0");
  await endpoint.succeed("down", ...endpointFlags());
  await example.succeed("down", ...place());
  expect((await gateway.links()).map(({ ifname }) => ifname)).not.toContain("vpn0");
  expect(await gateway.exec("nft", "list", "tables")).toBe("");
  expect(await gateway.exec("sysctl", "-n", "net.ipv4.ip_forward")).toBe("0\n");
});

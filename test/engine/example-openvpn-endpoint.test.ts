import { execFileSync } from "node:child_process";
import { chmodSync, existsSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Client, clientOwner } from "../harness/client";
import { Example } from "../harness/example";
import { Lab } from "../harness/lab";
import { attempt, until } from "../harness/shell";

/** The two ends: where each is on the wire between them, and what is given to the program there. */
const ends = [
  { wire: "198.51.100.1", settings: [] },
  { wire: "198.51.100.2", settings: ["--config", "address=10.8.0.2", "--config", "peer=10.8.0.1"] },
];

let labs: Lab[];
let example: Example;
let commands: string[];

beforeAll(async () => {
  // The program makes its namespace itself.
  labs = [await Lab.open(false), await Lab.open(false)];
  example = new Example("openvpn-endpoint");
  commands = example.commands("openvpn --genkey").split("\n");
});

afterAll(async () => {
  example.close();
  for (const lab of labs) await lab.close();
});

/** Each end is a stack of its own, as it would be a clone of its own on another host. */
function end(index: number): string[] {
  return [
    "--stack",
    `end${index}`,
    "--config",
    `namespace=${labs[index]?.name}`,
    ...(ends[index]?.settings ?? []),
  ];
}

/** The line of the README that begins so, without that beginning and without its comment. */
function line(beginning: string): string {
  const found = commands.find((each) => each.startsWith(beginning));
  if (found === undefined) throw new Error(`the README has no line that begins with ${beginning}`);
  return found.slice(beginning.length).replace(/#.*/, "").trim();
}

test.skipIf(existsSync("/sys/class/net/vpn0"))(
  "without a namespace the tunnel is planned on the host itself",
  async () => {
    const { changes } = await example.succeed("preview");
    expect(changes).toMatchObject({ create: 1, update: 0 });
  },
);

test("both ends come up as they are declared", async () => {
  for (const [index, lab] of labs.entries()) {
    const report = await example.succeed("up", ...end(index));
    expect(report.outputs.device).toBe("vpn0");
    expect(await lab.mustHave("vpn0")).toMatchObject({
      mtu: 1400,
      flags: expect.arrayContaining(["POINTOPOINT", "UP"]),
      linkinfo: { info_data: { type: "tun", persist: true, user: clientOwner } },
    });
  }
  const shown = JSON.parse((await labs[1]?.ip("-j", "addr", "show", "dev", "vpn0")) ?? "[]");
  expect(shown[0].addr_info).toContainEqual(
    expect.objectContaining({ family: "inet", local: "10.8.0.2", address: "10.8.0.1", prefixlen: 32 }),
  );
});

test("the README's openvpn, as the owner at both ends: a ping gets through, and nothing drifts", async () => {
  const [left, right] = labs as [Lab, Lab];
  await left.ip("link", "add", "wire0", "type", "veth", "peer", "name", "wire0", "netns", right.name);
  for (const [index, lab] of labs.entries()) {
    await lab.ip("addr", "add", `${ends[index]?.wire}/24`, "dev", "wire0");
    await lab.ip("link", "set", "wire0", "up");
  }
  const here = (text: string) => text.replaceAll("/etc/openvpn", example.folder);
  execFileSync("sh", ["-c", `sh -c ${here(line("sudo sh -c "))}`]);
  chmodSync(example.folder, 0o711);

  const command = here(line(`sudo -u ${clientOwner} `));
  expect(command).toMatch(/^openvpn .*--remote OTHER_END/);
  const clients = labs.map((lab, index) => {
    const other = ends[1 - index]?.wire ?? "";
    return new Client(lab, command.replace("OTHER_END", other).split(" "));
  });
  for (const client of clients) await client.attached("vpn0");
  const ping = ["netns", "exec", left.name, "ping", "-c", "1", "-W", "1", "-s", "4000", "10.8.0.2"];
  await until("the other end answers", async () => (await attempt("ip", ...ping)).code === 0, 30_000);
  for (const client of clients) await client.stop();
  for (const index of ends.keys()) await example.succeed("up", "--expect-no-changes", ...end(index));
  await left.ip("link", "del", "wire0");
});

test("down takes both away, with their namespaces", async () => {
  for (const [index, lab] of labs.entries()) {
    await example.succeed("down", ...end(index));
    await expect(lab.links()).rejects.toThrow(/No such file|Cannot open network namespace/);
  }
});

import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Client, clientOwner } from "../harness/client";
import { Lab } from "../harness/lab";
import { run, until } from "../harness/shell";
import { Workspace } from "../harness/workspace";

const node = statSync("/dev/net/tun").mode;

let lab: Lab;
let workspace: Workspace;
let folder: string;

beforeAll(async () => {
  lab = await Lab.open(false);
  workspace = new Workspace();
  folder = mkdtempSync(join(tmpdir(), "tuntap-node-"));
  chmodSync(folder, 0o755);
  const inLab = { owner: clientOwner, namespace: { $ref: "lab.name" } };
  workspace.declare(
    { kind: "Namespace", name: "lab", args: { name: lab.name } },
    { kind: "TunInterface", name: "tun0", args: { ...inLab, mode: "tun", address: "192.0.2.1/24" } },
    { kind: "TunInterface", name: "tap0", args: inLab },
    { kind: "TunInterface", name: "tap1", args: inLab },
    { kind: "TunInterface", name: "other0", args: { ...inLab, owner: "daemon" } },
  );
  await workspace.succeed("up");
});

afterAll(async () => {
  workspace.close();
  await lab.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A file that the clients' user may write. */
async function writable(name: string): Promise<string> {
  const file = join(folder, name);
  await run("install", "-m", "666", "/dev/null", file);
  return file;
}

test("a packet passes through a TUN to its owner, a socat without any privilege", async () => {
  const received = await writable("received");
  const socat = Client.socat(lab, "tun0", "tun", `OPEN:${received},wronly`, "-u");
  await socat.attached("tun0");
  expect(socat.credentials()).toEqual({ uids: ["65534"], capabilities: "0000000000000000" });
  await lab.exec("sh", "-c", "echo a-packet-through-the-tun | socat - UDP-SENDTO:192.0.2.2:9");
  await until("the packet is there", () =>
    readFileSync(received, "latin1").includes("a-packet-through-the-tun"),
  );
  await workspace.succeed("preview", "--expect-no-changes");
  await socat.stop();
});

test("a packet passes between two TAPs of a bridge, each held by a socat without any privilege", async () => {
  await lab.ip("link", "add", "br0", "type", "bridge");
  await lab.ip("link", "set", "tap0", "master", "br0");
  await lab.ip("link", "set", "tap1", "master", "br0");
  await lab.ip("link", "set", "br0", "up");
  // One end writes what arrives to a file, the other sends a frame that it is given in a file.
  const frame = Buffer.concat([
    Buffer.from("ffffffffffff", "hex"),
    Buffer.from("020000000001", "hex"),
    Buffer.from("88b5", "hex"),
    Buffer.from("a-frame-through-the-bridge".padEnd(64, ".")),
  ]);
  const received = await writable("frames");
  const receiver = Client.socat(lab, "tap1", "tap", `OPEN:${received},wronly`, "-u");
  const file = join(folder, "frame");
  writeFileSync(file, frame, { mode: 0o644 });
  // Both ways, so that it stays attached when the file has been sent.
  const sender = Client.socat(lab, "tap0", "tap", `SYSTEM:sleep 1; cat ${file}; sleep 60`);
  await receiver.attached("tap1");
  await sender.attached("tap0");
  await until("the frame is there", () =>
    readFileSync(received, "latin1").includes("a-frame-through-the-bridge"),
  );
  await workspace.succeed("preview", "--expect-no-changes");
  await sender.stop();
  await receiver.stop();
});

test("what a client is told where it may not attach: not its own, none, held already, another mode", async () => {
  const nowhere = "OPEN:/dev/null,wronly";
  for (const name of ["other0", "none0"]) {
    const stranger = Client.socat(lab, name, "tap", nowhere, "-u");
    expect(await stranger.ended()).toBe(1);
    expect(stranger.printed).toMatch(/ioctl.*Operation not permitted/);
  }

  const holder = Client.socat(lab, "tap0", "tap", nowhere, "-u");
  await holder.attached("tap0");
  const second = Client.socat(lab, "tap0", "tap", nowhere, "-u");
  expect(await second.ended()).toBe(1);
  expect(second.printed).toMatch(/ioctl.*Device or resource busy/);
  await holder.stop();

  const confused = Client.socat(lab, "tap0", "tun", nowhere, "-u");
  expect(await confused.ended()).toBe(1);
  expect(confused.printed).toMatch(/ioctl.*Invalid argument/);
});

test("after all that nothing has drifted: a bridge that is not declared is not managed", async () => {
  await workspace.succeed("up", "--expect-no-changes");
  expect((await lab.mustHave("tap0")).master).toBe("br0");
  expect(statSync("/dev/net/tun").mode).toBe(node);
});

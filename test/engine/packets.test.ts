import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../harness/lab";
import { run, until } from "../harness/shell";
import { Workspace } from "../harness/workspace";

/** IFF_TUN, IFF_TAP and IFF_NO_PI of linux/if_tun.h. */
const flags = { tun: 0x1001, tap: 0x1002 };

let lab: Lab;
let workspace: Workspace;
let folder: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  lab = await Lab.open(false);
  workspace = new Workspace();
  folder = mkdtempSync(join(tmpdir(), "tuntap-node-"));
  chmodSync(folder, 0o755);
  const inLab = { owner: "nobody", namespace: { $ref: "lab.name" } };
  workspace.declare(
    { kind: "Namespace", name: "lab", args: { name: lab.name } },
    { kind: "TunInterface", name: "tun0", args: { ...inLab, mode: "tun", address: "192.0.2.1/24" } },
    { kind: "TunInterface", name: "tap0", args: inLab },
    { kind: "TunInterface", name: "tap1", args: inLab },
  );
  await workspace.succeed("up");
});

afterAll(async () => {
  for (const child of children) await lab.release(child);
  workspace.close();
  await lab.close();
  rmSync(folder, { recursive: true, force: true });
});

/**
 * A real socat as user nobody, without any capability: attaches to a device and writes what comes out of it to another end.
 * The device node is one of its own, world-accessible, in a mount namespace of its own; the host's stays as it is.
 */
async function attach(
  name: string,
  mode: keyof typeof flags,
  other: string,
  options = "-u",
): Promise<ChildProcess> {
  const request = Buffer.alloc(40);
  request.write(name);
  request.writeUInt16LE(flags[mode], 16);
  const device = `OPEN:/dev/net/tun,rdwr,ioctl-bin=0x400454ca:x${request.toString("hex")}`;
  const script = [
    "mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200",
    `exec setpriv --reuid nobody --regid nogroup --clear-groups --inh-caps=-all --bounding-set=-all socat ${options} '${device}' '${other}'`,
  ].join(" && ");
  const child = spawn("ip", ["netns", "exec", lab.name, "unshare", "--mount", "sh", "-c", script], {
    stdio: "ignore",
    detached: true,
  });
  children.push(child);
  await until(`${name} has a carrier`, async () => (await lab.mustHave(name)).flags.includes("LOWER_UP"));
  return child;
}

test("a packet passes through a TUN to its owner, an unprivileged socat", async () => {
  const received = join(folder, "received");
  await run("install", "-m", "666", "/dev/null", received);
  const socat = await attach("tun0", "tun", `OPEN:${received},wronly`);
  await lab.exec("sh", "-c", "echo a-packet-through-the-tun | socat - UDP-SENDTO:192.0.2.2:9");
  await until("the packet is there", async () =>
    (await run("cat", received)).includes("a-packet-through-the-tun"),
  );
  await lab.release(socat);
});

test("a packet passes between two TAPs of a bridge, each held by an unprivileged socat", async () => {
  await lab.ip("link", "add", "br0", "type", "bridge");
  await lab.ip("link", "set", "tap0", "master", "br0");
  await lab.ip("link", "set", "tap1", "master", "br0");
  await lab.ip("link", "set", "br0", "up");
  const received = join(folder, "frames");
  await run("install", "-m", "666", "/dev/null", received);
  // One end writes what arrives to a file, the other sends a frame that it is given in a file.
  const frame = Buffer.concat([
    Buffer.from("ffffffffffff", "hex"),
    Buffer.from("020000000001", "hex"),
    Buffer.from("88b5", "hex"),
    Buffer.from("a-frame-through-the-bridge".padEnd(64, ".")),
  ]);
  const receiver = await attach("tap1", "tap", `OPEN:${received},wronly`);
  const file = join(folder, "frame");
  writeFileSync(file, frame, { mode: 0o644 });
  // Both ways, so that it stays attached when the file has been sent.
  const sender = await attach("tap0", "tap", `SYSTEM:sleep 1; cat ${file}; sleep 60`, "");
  await until("the frame is there", async () =>
    (await run("cat", received)).includes("a-frame-through-the-bridge"),
  );
  await lab.release(sender);
  await lab.release(receiver);
});

test("after all that nothing has drifted: a bridge that is not declared is not managed", async () => {
  await workspace.succeed("up", "--expect-no-changes");
  expect((await lab.mustHave("tap0")).master).toBe("br0");
});

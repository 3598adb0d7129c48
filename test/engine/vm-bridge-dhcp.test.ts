/** The server of a VmBridge as the real engine has it run; for the plugin stands what runs the same commands at the same steps. */

import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { installCommandPlugin } from "../harness/command-plugin";
import { isAlive } from "../harness/dnsmasq";
import { lab, useLabAndWorkspace, workspace } from "../harness/setup";
import { run, until } from "../harness/shell";
import { messages } from "../harness/workspace";

useLabAndWorkspace();
vi.setConfig({ testTimeout: 600_000 });

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tt-dhcp-"));
  chmodSync(folder, 0o755);
  const plugins = installCommandPlugin(join(folder, "plugins"));
  workspace.environment = { PATH: `${plugins}:${process.env.PATH}` };
});
afterEach(async () => {
  // One that a failed test left.
  const left = (await run("ip", "netns", "pids", lab.name)).split("\n").filter((pid) => pid !== "");
  for (const pid of left) process.kill(Number(pid));
  rmSync(folder, { recursive: true });
});

function declare(args: object, options = "undefined"): void {
  const inputs = { subnet: "10.20.0.0/24", namespace: lab.name, owner: "nobody", vms: { web: {} }, ...args };
  workspace.write(`import * as tuntap from "pulumi-tuntap";
const lab = new tuntap.VmBridge<string>("lab", ${JSON.stringify(inputs)}, ${options});
export const said = lab.dhcp?.stdout;
`);
}

const pidIn = (state: string) => Number(readFileSync(join(folder, state, "pid"), "utf8"));
const listens = async (bridge = "lab") => (await lab.exec("ss", "-Hlnu")).includes(`%${bridge}:67`);

test("another stateDirectory: the old server is ended, the new one serves, and down ends that", async () => {
  const at = (state: string) => ({ dhcp: { stateDirectory: join(folder, state) } });
  // As it was recorded before there were triggers.
  const without = "({ props, opts }) => ({ props: { ...props, triggers: undefined }, opts })";
  declare(at("zero"), `{ transforms: [${without}] }`);
  await workspace.succeed("up");
  const before = pidIn("zero");
  declare(at("one"));
  const first = await workspace.succeed("up");
  expect(isAlive(before)).toBe(false);
  expect(existsSync(join(folder, "zero"))).toBe(false);
  expect(first.outputs.said).toMatch(new RegExp(`^dnsmasq \\(pid ${pidIn("one")}\\) serves bridge lab`));
  await workspace.succeed("up", "--expect-no-changes");
  const { ifindex } = await lab.mustHave("lab-web");
  const old = pidIn("one");

  declare(at("two"));
  const moved = await workspace.succeed("up");
  expect(moved.changes).toMatchObject({ create: 0, delete: 0 });
  expect(isAlive(old)).toBe(false);
  expect(existsSync(join(folder, "one"))).toBe(false);
  expect(moved.outputs.said).toMatch(new RegExp(`^dnsmasq \\(pid ${pidIn("two")}\\) serves`));
  expect(await listens()).toBe(true);
  // Nothing that stands on it was made anew.
  expect((await lab.mustHave("lab-web")).ifindex).toBe(ifindex);
  await workspace.succeed("up", "--expect-no-changes");

  await workspace.succeed("down");
  expect(existsSync(join(folder, "two"))).toBe(false);
  expect(await lab.links()).toEqual([]);
});

test("another instance leaves the server where it is, as its folder is the bridge's", async () => {
  declare({ dhcp: true });
  const { outputs } = await workspace.succeed("up");
  const pid = Number(/\(pid (\d+)\)/.exec(String(outputs.said))?.[1]);
  workspace.environment.TUNTAP_INSTANCE = "another";
  // Its leases are other ones.
  const again = await workspace.succeed("up");
  expect(again.changes).toMatchObject({ create: 0, replace: 0, delete: 0 });
  expect(isAlive(pid)).toBe(true);
  expect(await listens()).toBe(true);
  await workspace.succeed("up", "--expect-no-changes");
  await workspace.succeed("down");
  expect(isAlive(pid)).toBe(false);
});

test("transforms override the command too", async () => {
  const transform = `({ type, props, opts }) => type === "command:local:Command"
    ? { props: { ...props, create: "echo instead", delete: undefined }, opts } : undefined`;
  declare({ dhcp: true }, `{ transforms: [${transform}] }`);
  const { outputs } = await workspace.succeed("up");
  expect(outputs.said).toBe("instead");
  expect(await listens()).toBe(false);
  await workspace.succeed("down");
});

test("a bridge that gets another name keeps its server in the folder that it has", async () => {
  const settings = { dhcp: { stateDirectory: join(folder, "state") } };
  declare({ ...settings, bridge: { name: "br7" } });
  await workspace.succeed("up");
  const pid = pidIn("state");
  declare({ ...settings, bridge: { name: "br8" } });
  await workspace.succeed("up");
  expect(isAlive(pid)).toBe(false);
  expect(await listens("br8")).toBe(true);
  await workspace.succeed("up", "--expect-no-changes");
  await workspace.succeed("down");
});

test("a port that is taken fails the up, with who has it, and the next up mends it", async () => {
  const socat = ["socat", "UDP4-RECVFROM:67", "OPEN:/dev/null"];
  const taker = spawn("ip", ["netns", "exec", lab.name, ...socat], { stdio: "ignore", detached: true });
  lab.keep(taker);
  await until("socat listens", async () => (await lab.exec("ss", "-Hlnu")).includes("0.0.0.0:67"));
  declare({ dhcp: { stateDirectory: join(folder, "state") } });
  const { code, report } = await workspace.run("up");
  expect(code).toBe(1);
  expect(messages(report)).toMatch(/it needs port 53 .* and UDP port 67.*0\.0\.0\.0:67.*socat/s);
  await lab.release(taker);
  await workspace.succeed("up");
  expect(await listens()).toBe(true);
  await workspace.succeed("down");
});

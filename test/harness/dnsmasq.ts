/** A bridge in a namespace, and the commands that run dnsmasq for it, run by a shell as `command.local.Command` does. */

import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect } from "vitest";
import { type DnsmasqSettings, dnsmasqCommands } from "../../sdk/components/dnsmasq";
import { Lab } from "./lab";
import { attempt } from "./shell";

export const web = { name: "web", address: "10.20.0.7", macAddress: "52:54:00:00:00:07" };
export const db = { name: "db", address: "10.20.0.8", macAddress: "52:54:00:00:00:08" };

/** Where the bridge `br0` is. */
export let lab: Lab;
/** Of the running test, for dnsmasq's files; not there yet. */
export let folder: string;

/** Gives every test of a file a new bridge and a new folder, and ends what it left running. */
export function useBridge(): void {
  beforeAll(async () => {
    lab = await Lab.open();
  });
  beforeEach(async () => {
    await attempt("ip", "-n", lab.name, "link", "del", "br0");
    await makeBridge();
    const own = mkdtempSync(join(tmpdir(), "tt-dnsmasq-"));
    // dnsmasq is not root when it reads its files again.
    chmodSync(own, 0o755);
    folder = join(own, "state");
    return async () => {
      await sh(commands().delete);
      rmSync(own, { recursive: true });
    };
  });
  afterAll(async () => {
    await lab.close();
  });
}

export async function makeBridge(): Promise<void> {
  await lab.ip("link", "add", "br0", "type", "bridge");
  await lab.ip("addr", "add", "10.20.0.1/24", "dev", "br0");
  await lab.ip("link", "set", "br0", "up");
}

export function commands(more: Partial<DnsmasqSettings> = {}) {
  return dnsmasqCommands({
    folder,
    bridge: "br0",
    namespace: lab.name,
    address: "10.20.0.1",
    network: "10.20.0.0",
    netmask: "255.255.255.0",
    domain: "lab.internal",
    leaseSeconds: 3600,
    mtu: undefined,
    upstream: [],
    hosts: [web],
    generation: "first",
    ...more,
  });
}

/**
 * As the plugin runs a command: by a shell, with the text as one argument.
 * @param before what the shell does first; it may run the command, its `$1`, itself.
 */
export async function sh(
  command: string,
  stdin = "",
  before = "",
): Promise<{ code: number | null; output: string }> {
  const child = spawn("sh", ["-c", ...(before ? [`${before} exec sh -c "$1"`, "sh"] : []), command], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data) => {
      output += data;
    });
  }
  // One that is killed does not read it.
  child.stdin.on("error", () => {});
  child.stdin.end(stdin);
  // Only when nobody holds the pipes any more: a server that kept them open would never let a command end.
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, output })));
}

/** Brings about what the settings say, and gives the pid of the server. */
export async function serve(more: Partial<DnsmasqSettings> = {}): Promise<number> {
  const { create, stdin } = commands(more);
  const { code, output } = await sh(create, stdin);
  expect(output).toMatch(/^dnsmasq \(pid \d+\) /);
  expect(code).toBe(0);
  return Number(readFileSync(join(more.folder ?? folder, "pid"), "utf8"));
}

/** What the server answers for a name, as a real resolver shows it. */
export async function lookup(name: string): Promise<string[]> {
  const { output } = await attempt(
    ...(["ip", "netns", "exec", lab.name, "busybox", "nslookup", "-type=a", name, "10.20.0.1"] as const),
  );
  return [...output.matchAll(/^Address(?: \d+)?: (\d[\d.]+)$/gm)].map((match) => match[1] as string);
}

export function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "";
}

/** `tuntap show`: a host without a program, compared with what `ip` says. */

import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../harness/lab";
import { attempt } from "../harness/shell";
import { repository, temporary } from "./tool";

const cli = join(repository, "dist", "cli", "main.js");
let lab: Lab;
let folder: string;

beforeAll(async () => {
  lab = await Lab.open();
  folder = temporary();
  await lab.ip("tuntap", "add", "dev", "plain0", "mode", "tap");
  await lab.ip("tuntap", "add", "dev", "owned0", "mode", "tun", "user", "daemon", "group", "bin", "pi");
  await lab.ip("addr", "add", "192.0.2.1/24", "dev", "owned0");
  await lab.ip("addr", "add", "2001:db8::1/64", "dev", "owned0", "nodad");
  await lab.ip("link", "set", "owned0", "mtu", "1300", "up", "alias", "for tests");
  await lab.ip("tuntap", "add", "dev", "many0", "mode", "tap", "multi_queue", "vnet_hdr", "user", "54321");
  await lab.ip("link", "set", "many0", "up");
  await lab.ip(
    "link",
    "property",
    "add",
    "dev",
    "plain0",
    "altname",
    `tuntap-65534-${"0123456789abcdef".repeat(2)}`,
  );
  await lab.ip("link", "add", "br0", "type", "bridge");
});
afterAll(() => lab.close());

/** In a folder without any project. */
async function show(...args: string[]): Promise<{ code: number; output: string }> {
  return attempt("env", "-C", folder, process.execPath, cli, "show", ...args);
}

async function links(...args: string[]): Promise<Record<string, unknown>[]> {
  const { code, output } = await show("--json", ...args);
  expect(code).toBe(0);
  return JSON.parse(output).links;
}

test("names and aliases say nothing to a terminal, and stay what they are as JSON", async () => {
  const name = "e\u001b[2J\u009bf";
  const alias = "\u001b[31mred\u202e";
  await lab.ip("tuntap", "add", "dev", name, "mode", "tap");
  try {
    await lab.ip("link", "set", name, "alias", alias);
    const table = await show("--namespace", lab.name);
    expect(table.output).toContain(" e\\u001b[2J\\u009bf ");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(table.output).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
    const widths = table.output.split("\n").filter((line) => /[│┌├└]/.test(line));
    expect(new Set(widths.map((line) => line.length)).size).toBe(1);
    const json = await show("--json", "--namespace", lab.name);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(json.output).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
    expect(JSON.parse(json.output).links).toContainEqual(expect.objectContaining({ name, alias }));
  } finally {
    await lab.ip("link", "del", name);
  }
});

test("mode, accounts by name, addresses, mtu, state, carrier, queues, persistence and lease", async () => {
  const seen = await links("--namespace", lab.name);
  expect(seen.map(({ name }) => name)).toEqual(["plain0", "owned0", "many0"]);
  const [plain, owned, many] = seen;
  const witness = await lab.mustHave("plain0");
  expect(plain).toEqual({
    namespace: lab.name,
    name: "plain0",
    ifindex: witness.ifindex,
    kind: "tap",
    mode: "tap",
    owner: null,
    group: null,
    addresses: [],
    macAddress: witness.address,
    mtu: 1500,
    up: false,
    carrier: false,
    multiQueue: false,
    queues: null,
    detachedQueues: 0,
    persistent: true,
    packetInformation: false,
    vnetHeader: false,
    alias: null,
    leases: [{ lease: witness.altnames?.[0], uid: 65534, user: "nobody" }],
    holders: [],
    keeper: null,
  });
  expect(owned).toMatchObject({
    mode: "tun",
    owner: { id: 1, name: "daemon" },
    group: { id: 2, name: "bin" },
    addresses: ["192.0.2.1/24", "2001:db8::1/64"],
    macAddress: null,
    mtu: 1300,
    up: true,
    packetInformation: true,
    alias: "for tests",
    leases: [],
  });
  expect(many).toMatchObject({
    owner: { id: 54321, name: null },
    multiQueue: true,
    queues: 0,
    vnetHeader: true,
    carrier: false,
  });
});

test("holders, and what they do to carrier and queues", async () => {
  const script = [
    "import fcntl, os, struct, time",
    "for name, flags in ((b'plain0', 0x1002), (b'many0', 0x5102), (b'many0', 0x5102), (b'temp0', 0x1002)):",
    "    fd = os.open('/dev/net/tun', os.O_RDWR)",
    "    fcntl.ioctl(fd, 0x400454ca, struct.pack('16sH22s', name, flags, b''))",
    "print('ready', flush=True)",
    "time.sleep(600)",
  ].join("\n");
  const holder = await lab.start("ready", "python3", "-c", script);
  await lab.ip("link", "set", "plain0", "up");
  const seen = await links("--namespace", lab.name);
  const process = { command: expect.stringMatching(/python3? -c import/), uid: 0, user: "root" };
  const found = Object.fromEntries(seen.map((link) => [link.name, link]));
  expect(found.plain0).toMatchObject({ carrier: true, holders: [process] });
  // Two queues of one process are one holder.
  expect(found.many0).toMatchObject({ carrier: true, queues: 2, holders: [process] });
  expect(found.temp0).toMatchObject({ persistent: false, holders: [process] });
  expect(found.owned0).toMatchObject({ holders: [] });

  const { code, output } = await show("--namespace", lab.name);
  expect(code).toBe(0);
  expect(output).toMatch(/│ many0\s*│ tap\s*│ 54321\s*│ none .*│ on\s*│ multi, 2 in use\s*│ yes .*\(root\)/);
  expect(output).toMatch(/│ owned0\s*│ tun\s*│ daemon\s*│ bin\s*│ 192\.0\.2\.1\/24\s*│ 1300 │ yes/);
  expect(output).toMatch(/of nobody/);
  expect(output).toMatch(/\n4 TUN or TAP interfaces in namespace \S+\n$/);
  await lab.release(holder);
});

test("other links only with a lease, and without what only a TUN or TAP interface has", async () => {
  const lease = `tuntap-0-${"fedcba9876543210".repeat(2)}`;
  await lab.ip("link", "add", "br1", "type", "bridge");
  await lab.ip("link", "property", "add", "dev", "br1", "altname", lease);
  // The lease of a namespace stands on its loopback interface, which is no link of anybody's.
  await lab.ip("link", "property", "add", "dev", "lo", "altname", `tuntap-0-${"0".repeat(32)}`);
  const seen = await links("--namespace", lab.name);
  expect(seen.map(({ name }) => name)).toEqual(["plain0", "owned0", "many0", "br1"]);
  expect(seen.at(-1)).toMatchObject({
    kind: "bridge",
    mode: null,
    owner: null,
    multiQueue: null,
    persistent: null,
    leases: [{ lease, uid: 0, user: "root" }],
    holders: [],
  });
  const { output } = await show("--namespace", lab.name);
  expect(output).toMatch(/│ br1\s*│ bridge\s*│ -\s*│ -\s*│ -\s*│ 1500 │ no/);
  expect(output).toMatch(/\n3 TUN or TAP interfaces in namespace \S+, and 1 other link with a lease\n$/);
  await lab.ip("link", "del", "br1");
  await lab.ip("link", "property", "del", "dev", "lo", "altname", `tuntap-0-${"0".repeat(32)}`);
});

test("without a namespace: the host's and all named ones", async () => {
  const all = await links();
  const ours = all.filter(({ namespace }) => namespace === lab.name).map(({ name }) => name);
  expect(ours).toEqual(expect.arrayContaining(["plain0", "owned0", "many0"]));
  // Seen from inside, the same links are those of the host's namespace.
  const inside = JSON.parse(await lab.exec(process.execPath, cli, "show", "--json")).links as {
    name: string;
    namespace: string | null;
  }[];
  expect(inside.filter(({ namespace }) => namespace === null).map(({ name }) => name)).toEqual(ours);
});

test("a namespace that does not exist, and one that is a path", async () => {
  const missing = await show("--namespace", "nowhere-at-all", "--json");
  expect(missing.code).toBe(1);
  expect(missing.output).toMatch(/"result":"failed"/);
  expect(missing.output).toMatch(/There is no network namespace .*nowhere-at-all.*NAMESPACE_MISSING/);
  const path = await show("--namespace", "../net");
  expect(path.code).toBe(1);
  expect(path.output).toMatch(/INVALID_INPUT/);
});

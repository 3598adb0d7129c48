/** NAT by the built command with the real engine, with a guest and a server on both sides of the router. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { Outside } from "../harness/outside";
import { type Declared, messages, Workspace } from "../harness/workspace";

let net: Outside;
let workspace: Workspace;

beforeAll(async () => {
  net = await Outside.open();
  await net.serve(net.server, "tcp", 80);
  await net.serve(net.guest, "tcp", 8000);
  await net.router.exec("sysctl", "-q", "-w", "net.ipv4.ip_forward=0");
  await net.router.exec("nft", "add", "table", "inet", "others");
  workspace = new Workspace();
}, 30_000);
afterAll(async () => {
  workspace.close();
  await net.close();
});

function program(nat: Record<string, unknown> = {}): Declared[] {
  const namespace = net.router.name;
  return [
    { kind: "Sysctl", name: "forward", args: { name: "net.ipv4.ip_forward", value: 1, namespace } },
    {
      kind: "Nat",
      name: "guests",
      args: {
        namespace,
        source: ["192.0.2.0/24"],
        outInterface: "out0",
        forwards: [{ protocol: "tcp", port: 8080, to: "192.0.2.10", toPort: 8000 }],
        ...nat,
      },
    },
  ];
}

const ruleset = () => net.router.exec("nft", "list", "ruleset");
const fromGuest = () => net.ask(net.guest, "tcp", "198.51.100.2", 80);
const fromServer = (port: number) => net.ask(net.server, "tcp", "198.51.100.1", port);

test("up: guests reach the server as the router, and the server a guest's port; then nothing is left to do", async () => {
  workspace.declare(...program());
  const preview = await workspace.succeed("preview");
  expect(preview.changes).toMatchObject({ create: 2 });
  expect(messages(preview)).toBe("");
  expect(await ruleset()).toBe("table inet others {\n}\n");
  const { changes } = await workspace.succeed("up");
  expect(changes).toMatchObject({ create: 2 });
  expect(await fromGuest()).toBe("198.51.100.1");
  expect(await fromServer(8080)).toBe("198.51.100.2");
  const written = await ruleset();
  await workspace.succeed("up", "--expect-no-changes");
  await workspace.succeed("refresh", "--expect-no-changes");
  expect(await ruleset()).toBe(written);
  const { code, status } = await workspace.status("--expect-no-changes");
  expect(code).toBe(0);
  expect(status.resources).toContainEqual(
    expect.objectContaining({ kind: "Nat", condition: "present", drift: false, leased: true }),
  );
});

test("a rule that somebody deleted, and one that somebody added, are seen and set right", async () => {
  const before = await ruleset();
  await net.router.exec("nft", "flush", "chain", "inet", "guests", "postrouting");
  await net.router.exec("nft", ..."add rule inet guests prerouting tcp dport 22 drop".split(" "));
  expect(await fromGuest()).toBeUndefined();
  const { code, report } = await workspace.run("preview", "--expect-no-changes");
  expect(code).toBe(3);
  expect(messages(report)).toMatch(/source: none on the host, 192\.0\.2\.0\/24/);
  expect(messages(report)).toMatch(/rules: \+ prerouting: tcp dport 22 drop/);
  expect((await workspace.succeed("up")).changes).toMatchObject({ update: 1, create: 0, replace: 0 });
  expect(await ruleset()).toBe(before);
  expect(await fromGuest()).toBe("198.51.100.1");
  await workspace.succeed("up", "--expect-no-changes");
});

test("a change is made in place, and what others drop is said with its remedy", async () => {
  await net.router.exec("nft", "add", "table", "ip", "filter");
  await net.router.exec(
    "nft",
    ..."add chain ip filter FORWARD { type filter hook forward priority 0 ; policy drop ; }".split(" "),
  );
  workspace.declare(
    ...program({ forwards: [{ protocol: "tcp", port: 9090, to: "192.0.2.10", toPort: 8000 }] }),
  );
  const report = await workspace.succeed("up");
  expect(report.changes).toMatchObject({ update: 1, create: 0, replace: 0 });
  expect(messages(report)).toMatch(/chain FORWARD of table ip filter .* has policy drop/);
  expect(await fromServer(9090)).toBeUndefined();
  await net.router.exec("nft", "delete", "table", "ip", "filter");
  expect(await fromServer(9090)).toBe("198.51.100.2");
  expect(await fromServer(8080)).toBeUndefined();
});

test("down leaves the tables of others and the sysctl as they were", async () => {
  await workspace.succeed("down");
  expect(await ruleset()).toBe("table inet others {\n}\n");
  expect((await net.router.exec("sysctl", "-n", "net.ipv4.ip_forward")).trim()).toBe("0");
});

test("two stacks side by side: the second is told that it forwards already, and keeps it when the first goes", async () => {
  const sysctl = async (...words: string[]) => (await net.router.exec("sysctl", ...words)).trim();
  await sysctl("-q", "-w", "net.ipv4.conf.out0.forwarding=1");
  const other = new Workspace();
  try {
    await workspace.succeed("up");
    other.declare(...program({ name: "second", source: ["203.0.113.0/24"], forwards: undefined }));
    expect(messages(await other.succeed("up"))).toMatch(
      /net\.ipv4\.ip_forward is "1" already, by default or set by somebody else: nothing is written/,
    );
    expect(messages(await workspace.succeed("down"))).toMatch(
      /net\.ipv4\.ip_forward is left at 1 in namespace .*other stacks need forwarding there \(table inet second\)/,
    );
    expect(await sysctl("-n", "net.ipv4.ip_forward")).toBe("1");
    await other.succeed("up", "--expect-no-changes");
    await other.succeed("down");
    await sysctl("-q", "-w", "net.ipv4.ip_forward=0");
    // Alone, it puts back all that it found, also what is written along.
    await sysctl("-q", "-w", "net.ipv4.conf.out0.forwarding=1");
    await workspace.succeed("up");
    await workspace.succeed("down");
    expect(await sysctl("-n", "net.ipv4.ip_forward", "net.ipv4.conf.out0.forwarding")).toBe("0\n1");
  } finally {
    other.close();
  }
}, 240_000);

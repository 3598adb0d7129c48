import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../harness/lab";
import { type Declared, messages, Workspace } from "../harness/workspace";

/** Made by the program itself. */
let lab: Lab;
/** With a sysctl that is to be put back, and a route that is to stay. */
let other: Lab;
let workspace: Workspace;

beforeAll(async () => {
  lab = await Lab.open(false);
  other = await Lab.open();
  await other.exec("sysctl", "-w", "net.ipv4.ip_default_ttl=99");
  await other.ip("route", "add", "blackhole", "10.0.0.0/8", "proto", "static");
  workspace = new Workspace();
});
afterAll(async () => {
  workspace.close();
  await lab.close();
  await other.close();
});

function program({ mode = "tap", gateway = "192.0.2.9", forward = 1, ttl = 70 } = {}): Declared[] {
  const inLab = { namespace: { $ref: "lab.name" } };
  return [
    { kind: "Namespace", name: "lab", args: { name: lab.name } },
    { kind: "Sysctl", name: "forward", args: { ...inLab, name: "net.ipv4.ip_forward", value: forward } },
    {
      kind: "Sysctl",
      name: "ttl",
      args: { name: "net.ipv4.ip_default_ttl", value: ttl, namespace: other.name },
    },
    {
      kind: "TunInterface",
      name: "tap0",
      args: { ...inLab, owner: 1, mode, addresses: ["192.0.2.1/24", "2001:db8::1/64"] },
    },
    {
      kind: "Route",
      name: "net4",
      args: { ...inLab, destination: "203.0.113.0/24", gateway, interface: { $ref: "tap0.name" }, mtu: 1300 },
    },
    {
      kind: "Route",
      name: "default6",
      args: { ...inLab, destination: "default", gateway: "2001:db8::9", interface: { $ref: "tap0.name" } },
    },
    {
      kind: "Route",
      name: "hole",
      args: { type: "blackhole", destination: "10.0.0.0/9", namespace: other.name },
    },
  ];
}

const routes = async (where: Lab, family = "-4") =>
  (await where.ip(family, "route", "show", "table", "all", "proto", "116"))
    .split("\n")
    .map((line) => line.replace(/ linkdown| pref medium/g, "").trim())
    .filter((line) => line !== "");
const sysctl = async (where: Lab, name: string) => (await where.exec("sysctl", "-n", name)).trim();

async function asDeclared(gateway = "192.0.2.9", forward = "1", ttl = "70"): Promise<void> {
  expect(await routes(lab)).toEqual([`203.0.113.0/24 via ${gateway} dev tap0 mtu 1300`]);
  expect(await routes(lab, "-6")).toEqual(["default via 2001:db8::9 dev tap0 metric 1024"]);
  expect(await routes(other)).toEqual(["blackhole 10.0.0.0/9"]);
  expect(await sysctl(lab, "net.ipv4.ip_forward")).toBe(forward);
  expect(await sysctl(other, "net.ipv4.ip_default_ttl")).toBe(ttl);
}

test("up makes them in one run, also what is known only then, and the next has nothing to do", async () => {
  workspace.declare(...program());
  expect((await workspace.succeed("preview")).changes).toMatchObject({ create: 7 });
  expect((await workspace.succeed("up")).changes).toMatchObject({ create: 7 });
  await asDeclared();
  await workspace.succeed("up", "--expect-no-changes");
  await workspace.succeed("refresh", "--expect-no-changes");
  const { code, status } = await workspace.status("--expect-no-changes");
  expect(code).toBe(0);
  expect(status.resources.map(({ kind, drift }) => [kind, drift])).toContainEqual(["Route", false]);
});

test("drift of each is seen with both values, and repaired by up", async () => {
  await lab.ip("route", "replace", "203.0.113.0/24", "via", "192.0.2.7", "proto", "116");
  await lab.ip("-6", "route", "del", "default", "proto", "116");
  await lab.exec("sysctl", "-w", "net.ipv4.ip_forward=0");
  const { code, report } = await workspace.run("preview", "--expect-no-changes");
  expect(code).toBe(3);
  expect(messages(report)).toMatch(/gateway: 192\.0\.2\.7 on the host, 192\.0\.2\.9 recorded/);
  expect(messages(report)).toMatch(/mtu: none on the host, 1300 recorded/);
  expect(messages(report)).toMatch(
    /::\/0 in namespace \S+ no longer exists \(it was deleted outside this program\)/,
  );
  expect(messages(report)).toMatch(/value: "0" on the host, "1" recorded/);
  expect((await workspace.succeed("up")).changes).toMatchObject({
    update: 2,
    create: 1,
    delete: 0,
    replace: 0,
  });
  await asDeclared();
  await workspace.succeed("up", "--expect-no-changes");
});

test("changes are made in place", async () => {
  workspace.declare(...program({ gateway: "192.0.2.8", forward: 0, ttl: 80 }));
  expect((await workspace.succeed("up")).changes).toMatchObject({
    update: 3,
    create: 0,
    delete: 0,
    replace: 0,
  });
  await asDeclared("192.0.2.8", "0", "80");
});

test("an interface that is made anew takes its routes with it: the same run puts them back", async () => {
  workspace.declare(...program({ mode: "tun" }));
  const { changes } = await workspace.succeed("up");
  expect(changes).toMatchObject({ replace: 1, create: 0, delete: 0 });
  await asDeclared();
  await workspace.succeed("up", "--expect-no-changes");
});

test("an interface that was set down by hand: the plan says what is gone, one up brings all back", async () => {
  await lab.ip("link", "set", "tap0", "down");
  expect(await routes(lab)).toEqual([]);
  const { report } = await workspace.run("preview");
  expect(messages(report)).toMatch(/203\.0\.113\.0\/24 .*no longer exists \(its interface tap0 is down/);
  await workspace.succeed("up");
  await asDeclared();
});

test("down leaves nothing of ours, all of others, and the sysctl as it was found", async () => {
  await workspace.succeed("down");
  expect(await routes(other)).toEqual([]);
  expect(await other.ip("route", "show", "proto", "static")).toContain("blackhole 10.0.0.0/8");
  expect(await sysctl(other, "net.ipv4.ip_default_ttl")).toBe("99");
  await expect(lab.ip("link", "show")).rejects.toThrow(/Cannot open network namespace/);
});

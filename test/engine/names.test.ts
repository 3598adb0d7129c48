import { describe, expect, test } from "vitest";
import { lab, useLabAndWorkspace, workspace } from "../harness/setup";
import { type Declared, messages } from "../harness/workspace";

useLabAndWorkspace();

/** Owner and name of every link. */
async function owners(): Promise<Record<string, string | undefined>> {
  return Object.fromEntries((await lab.links()).map((link) => [link.ifname, link.linkinfo?.info_data?.user]));
}

const dev = (logicalName: string, name: string, owner: string): Declared => ({
  kind: "TunInterface",
  name: logicalName,
  args: { name, owner, namespace: lab.name },
});

describe.each([[["--parallel", "1"]], [[]]])("with flags %j", (flags) => {
  test("two interfaces swap their names, three pass them round, and the devices stay", async () => {
    workspace.declare(
      dev("a", "x0", "daemon"),
      dev("b", "x1", "bin"),
      dev("c", "y0", "sys"),
      dev("d", "y1", "man"),
      dev("e", "y2", "nobody"),
    );
    await workspace.succeed("up", ...flags);
    const before = new Map((await lab.links()).map((link) => [link.altnames?.[0], link.ifindex]));
    workspace.declare(
      dev("a", "x1", "daemon"),
      dev("b", "x0", "bin"),
      dev("c", "y1", "sys"),
      dev("d", "y2", "man"),
      dev("e", "y0", "nobody"),
    );
    const report = await workspace.succeed("up", ...flags);
    expect(report.changes).toMatchObject({ update: 5, create: 0, replace: 0, delete: 0 });
    expect(await owners()).toEqual({ x1: "daemon", x0: "bin", y1: "sys", y2: "man", y0: "nobody" });
    expect(new Map((await lab.links()).map((link) => [link.altnames?.[0], link.ifindex]))).toEqual(before);
  });
});

test("a name goes from a resource that leaves the program to one that enters it", async () => {
  workspace.declare(dev("old", "x0", "daemon"));
  await workspace.succeed("up");
  workspace.declare(dev("new", "x0", "bin"));
  await workspace.succeed("up");
  expect(await owners()).toEqual({ x0: "bin" });
});

test("renamed by `aliases`, an interface is not another's that gets the former name, and stays when all is taken back", async () => {
  workspace.declare(dev("a", "x0", "daemon"));
  await workspace.succeed("up");
  const made = await lab.mustHave("x0");
  const renamed = { ...dev("b", "x0", "daemon"), options: { aliases: [{ name: "a" }] } };
  workspace.declare(renamed);
  await workspace.succeed("up");
  for (const declared of [
    [dev("a", "x1", "bin"), renamed],
    [renamed, dev("a", "x1", "bin")],
  ]) {
    workspace.declare(...declared);
    const { code, report } = await workspace.run("up");
    expect(code).toBe(1);
    expect(messages(report)).toMatch(
      /^error: TunInterface [ab]: .* "[ab]" .*renamed by `aliases`.*NAME_CLAIMED.*another logical name/,
    );
    expect(await owners()).toEqual({ x0: "daemon" });
  }
  workspace.declare(dev("a", "x0", "daemon"));
  await workspace.succeed("up");
  expect(await lab.mustHave("x0")).toMatchObject({ ifindex: made.ifindex, altnames: made.altnames });
  await workspace.succeed("up", "--expect-no-changes");
});

test("what names a link knows it by its new name when it is renamed, and nothing is missed before it is there", async () => {
  const program = (bridge: string, tap: string): Declared[] => {
    const namespace = lab.name;
    const br = { $ref: "br.name" };
    const ends = [
      { name: "v0", namespace, bridge: br },
      { name: "v1", namespace },
    ];
    return [
      { kind: "Bridge", name: "br", args: { namespace, name: bridge, address: "192.0.2.1/24" } },
      dev("tap", tap, "daemon"),
      { kind: "TunInterface", name: "port", args: { namespace, owner: "daemon", bridge: br } },
      { kind: "TunPool", name: "p", args: { namespace, owner: "daemon", count: 2, bridges: [br] } },
      { kind: "VethPair", name: "v", args: { ends } },
      {
        kind: "Vxlan",
        name: "vx",
        args: { namespace, vni: 7, group: "239.0.0.1", device: br, destinationPort: 4789 },
      },
      {
        kind: "Route",
        name: "over",
        args: { namespace, destination: "10.0.0.0/8", interface: { $ref: "tap.name" } },
      },
      {
        kind: "Route",
        name: "by",
        args: { namespace, destination: "default", gateway: "192.0.2.9", interface: br },
      },
    ];
  };
  workspace.declare(...program("br0", "x0"));
  expect(messages(await workspace.succeed("preview"))).toBe("");
  await workspace.succeed("up");
  workspace.declare(...program("br1", "x1"));
  const preview = await workspace.succeed("preview");
  expect(messages(preview)).toBe("");
  expect((await workspace.succeed("up")).changes).toEqual(preview.changes);
  expect(preview.changes).toMatchObject({ update: 8, create: 0, replace: 0 });
  expect(await lab.ip("route", "show", "proto", "116")).toMatch(
    /default via 192\.0\.2\.9 dev br1.*\n10\.0\.0\.0\/8 dev x1 /,
  );
  for (const command of ["refresh", "up"] as const)
    expect(messages(await workspace.succeed(command, "--expect-no-changes"))).toBe("");
});

test("two resources that claim one name are refused before anything is made, the second naming the first", async () => {
  workspace.declare(dev("a", "x0", "daemon"), dev("b", "x0", "bin"));
  const { code, report } = await workspace.run("up");
  expect(code).toBe(1);
  expect(messages(report)).toMatch(/name "x0" is claimed by TunInterface "(a|b)" of this program already/);
  expect(await lab.links()).toEqual([]);
});

test("bad input fails the preview with all problems of the resource, and nothing is made", async () => {
  workspace.declare(dev("good", "x0", "daemon"), {
    kind: "TunInterface",
    name: "bad",
    args: { namespace: lab.name, owner: "nosuchuser", mtu: 67, adress: "192.0.2.1", netmask: 24 },
  });
  const { code, report } = await workspace.run("up");
  expect(code).toBe(1);
  expect(report.result).toBe("failed");
  for (const pattern of [
    /adress is no property of TunInterface; did you mean `address`\?/,
    /mtu 67 is below the limit/,
    /owner "nosuchuser": no such user/,
    /netmask 24 is given without `address`/,
  ]) {
    expect(messages(report)).toMatch(pattern);
  }
  expect(await lab.links()).toEqual([]);
});

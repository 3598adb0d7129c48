/** `tuntap status` on the real engine's state and the real kernel. */

import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Crash } from "../harness/crash";
import { lab, useLabAndWorkspace, workspace } from "../harness/setup";
import { attempt, run, until } from "../harness/shell";
import type { Declared } from "../harness/workspace";

useLabAndWorkspace();

let program: Declared[];
beforeEach(() => {
  program = [
    { kind: "Namespace", name: "inner", args: { name: `${lab.name}-i` } },
    {
      kind: "TunInterface",
      name: "vm0",
      args: { owner: "daemon", mtu: 1400, address: "192.0.2.1/24", namespace: lab.name },
    },
    {
      kind: "TunInterface",
      name: "vm1",
      args: { owner: "nobody", mtu: { $secret: 1357 }, namespace: { $ref: "inner.name" } },
    },
  ];
});

afterEach(() => attempt("ip", "netns", "del", `${lab.name}-i`));

/** Every file below a folder, with its time and text. */
function snapshot(folder: string): string {
  if (!existsSync(folder)) return "";
  const entries = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  return entries
    .filter((name) => !name.startsWith("node_modules"))
    .map((name) => {
      const at = join(folder, name);
      const { mtimeMs, isFile } = { mtimeMs: statSync(at).mtimeMs, isFile: statSync(at).isFile() };
      return `${name} ${mtimeMs} ${isFile ? readFileSync(at, "utf8") : ""}`;
    })
    .join("\n");
}

/** A python that holds a tap of a namespace. */
function hold(namespace: string, name: string) {
  const script = [
    "import fcntl, os, struct, time",
    "fd = os.open('/dev/net/tun', os.O_RDWR)",
    `fcntl.ioctl(fd, 0x400454ca, struct.pack('16sH22s', b'${name}', 0x1002, b''))`,
    "print('ready', flush=True)",
    "time.sleep(600)",
  ].join("\n");
  return lab.start("ready", "ip", "netns", "exec", namespace, "python3", "-c", script);
}

test("a stack that was never brought up: said, and nothing is made for it", async () => {
  const before = snapshot(workspace.folder);
  const { code, status, text } = await workspace.status("--expect-no-changes");
  expect(code).toBe(0);
  expect(status).toEqual({
    command: "status",
    stack: "dev",
    result: "succeeded",
    created: false,
    resources: [],
    orphans: [],
    diagnostics: [],
    durationMs: expect.any(Number),
  });
  expect(text).toBe("Stack dev was never brought up: there is no state of it.\n");
  expect(snapshot(workspace.folder)).toBe(before);
});

test("declared, observed, drift, lease, holder and carrier of every resource", async () => {
  workspace.declare(...program);
  await workspace.succeed("up");
  const calm = await workspace.status("--expect-no-changes");
  expect(calm.code).toBe(0);
  expect(calm.status.resources.map(({ kind, name, condition }) => [kind, name, condition])).toEqual([
    ["Namespace", `${lab.name}-i`, "present"],
    ["TunInterface", "vm0", "present"],
    ["TunInterface", "vm1", "present"],
  ]);
  expect(calm.text).toMatch(/Status of dev: 3 resources, as declared\n$/);

  await lab.ip("link", "set", "vm0", "mtu", "9000");
  await lab.ip("addr", "del", "192.0.2.1/24", "dev", "vm0");
  await run("ip", "-n", `${lab.name}-i`, "link", "set", "vm1", "mtu", "1250");
  const holder = await hold(lab.name, "vm0");
  const witnessed = await lab.mustHave("vm0");
  const before = snapshot(workspace.folder);
  const links = await lab.snapshot();
  const { code, status, text } = await workspace.status();
  expect(code).toBe(0);
  expect(snapshot(workspace.folder)).toBe(before);
  expect(await lab.snapshot()).toBe(links);

  const [, vm0, vm1] = status.resources;
  expect(vm0).toMatchObject({ drift: true, namespace: lab.name, leased: true, carrier: true });
  expect(witnessed.altnames).toEqual([vm0?.lease]);
  expect(vm0?.properties.filter(({ drift }) => drift)).toEqual([
    { name: "mtu", declared: 1400, observed: 9000, drift: true },
    { name: "addresses", declared: ["192.0.2.1/24"], observed: [], drift: true },
  ]);
  expect(vm0?.holders).toEqual([
    { pid: expect.any(Number), command: expect.stringMatching(/python3? -c import/), uid: 0, user: "root" },
  ]);
  expect(readFileSync(`/proc/${vm0?.holders[0]?.pid}/cmdline`, "utf8")).toContain("python");
  expect(vm1).toMatchObject({ drift: true, carrier: false, holders: [] });
  expect(vm1?.properties.find(({ name }) => name === "mtu")).toEqual({
    name: "mtu",
    declared: "[secret]",
    observed: "[another value]",
    drift: true,
  });
  expect(JSON.stringify(status) + text).not.toMatch(/1357|1250/);
  expect(text).toMatch(
    /TunInterface vm0\s*│ \w+\s*│ [^│]+│ [^│]+│\s*│ on\s*│ \d+ python\S* -c import.*… \(root\)/,
  );
  expect(text).toMatch(/│ mtu\s*│ 1400\s*│ 9000\s*│ drift/);
  expect(text).toMatch(/Status of dev: 3 resources, 2 with drift\n$/);
  expect((await workspace.status("--expect-no-changes")).code).toBe(3);

  await lab.release(holder);
  await workspace.succeed("up");
  expect((await workspace.status("--expect-no-changes")).code).toBe(0);
  await workspace.succeed("down");
  const empty = await workspace.status("--expect-no-changes");
  expect(empty).toMatchObject({ code: 0, status: { created: true, resources: [], orphans: [] } });
});

test("it works beside a run that goes on, and leaves that its lock", async () => {
  workspace.declare(...program);
  await workspace.succeed("up");
  const holder = await hold(lab.name, "vm0");
  const going = workspace.start("down", "--on-busy", "wait");
  await until("it says that it waits", () => going.stderr().includes("waiting up to 60 s"), 60_000);
  const { code, status } = await workspace.status();
  expect(code).toBe(0);
  expect(status.diagnostics.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^a run holds stack dev \(process \d+ of \S+\), so this may be changing$/),
  ]);
  expect(status.resources.find(({ logicalName }) => logicalName === "vm0")).toMatchObject({
    condition: "present",
    carrier: true,
  });
  await lab.release(holder);
  expect((await going.finished).code).toBe(0);
});

test("what another run is making at this moment is unfinished, and not left over", async () => {
  const crash = await Crash.open();
  crash.arm({ namespace: lab.name, phase: "after", action: "hold", steps: "persist" });
  workspace.declare({ kind: "TunInterface", name: "vm0", args: { owner: "daemon", namespace: lab.name } });
  workspace.environment = crash.environment;
  const going = workspace.start("up");
  workspace.environment = {};
  await until("the interface is half made", () => crash.fired.includes(lab.name), 60_000);
  const { code, status, text } = await workspace.status("--expect-no-changes");
  crash.release(lab.name);
  expect((await going.finished).code).toBe(0);
  crash.close();
  expect(code).toBe(3);
  expect(status.orphans).toEqual([]);
  expect(status.resources).toMatchObject([
    { logicalName: "vm0", condition: "unfinished", leased: true, namespace: lab.name },
  ]);
  expect(text).toMatch(/TunInterface vm0: .*began to make it; it is there as tap "vm0"/);
  expect((await workspace.status("--expect-no-changes")).code).toBe(0);
});

test("what no state knows is told, with commands that remove it when they are pasted", async () => {
  workspace.declare(
    ...program,
    { kind: "TunInterface", name: "odd", args: { name: "we$rd'x", owner: 1, namespace: lab.name } },
    { kind: "TunInterface", name: "dash", args: { name: "-dash", owner: 1, namespace: lab.name } },
  );
  await workspace.succeed("up");
  const state = join(workspace.folder, ".tuntap", "state");
  renameSync(state, `${state}-lost`);
  const holder = await hold(lab.name, "vm0");
  const { code, status, text } = await workspace.status();
  expect(code).toBe(0);
  expect(status).toMatchObject({ created: false, resources: [] });
  expect(status.orphans.map(({ kind, name, namespace }) => [kind, name, namespace]).sort()).toEqual([
    ["namespace", `${lab.name}-i`, null],
    ["tap", "-dash", lab.name],
    ["tap", "vm0", lab.name],
    ["tap", "vm1", `${lab.name}-i`],
    ["tap", "we$rd'x", lab.name],
  ]);
  expect(status.orphans.at(-1)?.kind).toBe("namespace");
  expect(status.orphans.find(({ name }) => name === "vm0")?.holders).toHaveLength(1);
  expect((await workspace.status("--expect-no-changes")).code).toBe(3);
  await lab.release(holder);

  // As a user would: every line of the text that is a command.
  const commands = text.split("\n").filter((line) => /^ {2}ip /.test(line));
  expect(commands).toEqual(status.orphans.map(({ command }) => `  ${command}`));
  for (const command of commands) await run("sh", "-c", command);
  expect(await lab.links()).toEqual([]);
  expect(await run("ip", "netns", "list")).not.toContain(`${lab.name}-i`);
  expect((await workspace.status("--expect-no-changes")).status.orphans).toEqual([]);

  // With the state back, the same things are gone.
  rmSync(state, { recursive: true, force: true });
  renameSync(`${state}-lost`, state);
  const gone = await workspace.status("--expect-no-changes");
  expect(gone.code).toBe(3);
  expect(new Set(gone.status.resources.map(({ condition }) => condition))).toEqual(new Set(["gone"]));
  expect(gone.text).toMatch(/TunInterface vm0: vm0 in namespace \S+ no longer exists/);
  await workspace.succeed("up");
  await workspace.succeed("down");
});

test("a stack that another backend does not have, and wrong usage", async () => {
  const backend = join(workspace.folder, "backend");
  workspace.environment = { PULUMI_BACKEND_URL: `file://${backend}`, PULUMI_CONFIG_PASSPHRASE: "" };
  await run("mkdir", backend);
  const none = await workspace.start("status", "--stack", "prod").finished;
  expect(none.code).toBe(0);
  expect(JSON.parse(none.stdout)).toMatchObject({ stack: "prod", created: false, resources: [] });
  expect(existsSync(join(workspace.folder, ".tuntap"))).toBe(false);

  expect((await workspace.start("status", "--parallel", "3").finished).code).toBe(2);
  expect((await workspace.start("status", "--stack", "../x").finished).code).toBe(2);
  rmSync(join(workspace.folder, "Pulumi.yaml"));
  const { code, stdout } = await workspace.start("status").finished;
  expect(code).toBe(2);
  expect(JSON.parse(stdout).diagnostics[0].message).toMatch(/no Pulumi.yaml/);
});

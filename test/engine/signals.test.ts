import { spawn } from "node:child_process";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { Crash, cli, descendants, engineOf, exported, leftovers, lives } from "../harness/crash";
import { Lab } from "../harness/lab";
import { lab, useLabAndWorkspace, workspace } from "../harness/setup";
import { sleep } from "../harness/shell";
import { type Declared, messages } from "../harness/workspace";

let crash: Crash;
let slow: Lab;

beforeAll(async () => {
  crash = await Crash.open();
});
afterAll(() => crash.close());
useLabAndWorkspace();
beforeEach(async () => {
  slow = await Lab.open();
  workspace.declare(...program());
});
afterEach(() => slow.close());

/** One that is made at once, one whose create is held in the middle, one that is to be made after that. */
const program = (): Declared[] => [
  { kind: "TunInterface", name: "vm0", args: { namespace: lab.name, owner: "daemon" } },
  { kind: "TunInterface", name: "vm1", args: { namespace: slow.name, owner: "daemon", mtu: 1400 } },
  {
    kind: "TunInterface",
    name: "vm2",
    args: { namespace: lab.name, owner: "daemon", mtu: { $ref: "vm1.mtu" } },
  },
];

function armed(steps: string): Record<string, string> {
  crash.arm({ namespace: slow.name, phase: "before", action: "hold", steps });
  return crash.environment;
}

/** What holds after every clean end in the middle: what was begun is finished and recorded, and nothing hangs on. */
async function endedCleanly(processes: number[]): Promise<void> {
  expect(processes.filter(lives)).toEqual([]);
  expect(leftovers(workspace)).toMatchObject({ locks: [], pending: [] });
  expect(await lab.link("vm0")).toBeDefined();
  expect(await slow.mustHave("vm1")).toMatchObject({ mtu: 1400, flags: expect.arrayContaining(["UP"]) });
  expect(await lab.link("vm2")).toBeUndefined();
}

async function nextUpCompletes(): Promise<void> {
  const { changes } = await workspace.succeed("up");
  expect(changes).toMatchObject({ create: 1, same: 2, update: 0 });
  expect((await lab.mustHave("vm2")).mtu).toBe(1400);
  expect(leftovers(workspace)).toMatchObject({ locks: [], pending: [] });
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`${signal} to the command in the middle: what is begun is finished, the next up completes`, async () => {
    workspace.environment = armed("tunsetiff>persist");
    const { child, finished } = workspace.start("up");
    workspace.environment = {};
    const engine = engineOf(await crash.held(slow.name));
    const processes = [engine, ...descendants(engine)];
    child.kill(signal);
    await sleep(1500);
    expect(lives(engine)).toBe(true);
    crash.release(slow.name);

    const { code, report, stderr } = await finished;
    expect(code, stderr).toBe(1);
    expect(report.result).toBe("failed");
    expect(messages(report)).toContain(signal);
    expect(stderr).toContain(`${signal}: the engine finishes what it has begun, and ends`);
    expect(stderr).toMatch(
      new RegExp(
        `failed: interrupted by ${signal}; 2 of 3 done; not done: TunInterface vm2; the next "tuntap up"`,
      ),
    );
    await endedCleanly(processes);
    await nextUpCompletes();
  });
}

test("SIGTERM while it plans: nothing is changed", async () => {
  workspace.environment = armed("getlink");
  const { child, finished } = workspace.start("up");
  workspace.environment = {};
  const engine = engineOf(await crash.held(slow.name));
  const processes = [engine, ...descendants(engine)];
  child.kill("SIGTERM");
  await sleep(1500);
  crash.release(slow.name);
  const { code, stderr } = await finished;
  expect(code, stderr).toBe(1);
  expect(stderr).toContain("failed: interrupted by SIGTERM; nothing was changed");
  expect(processes.filter(lives)).toEqual([]);
  expect([...(await lab.links()), ...(await slow.links())]).toEqual([]);
  expect(leftovers(workspace)).toMatchObject({ locks: [], pending: [], resources: 0 });
});

test("Ctrl-C on a terminal, which reaches the command and the engine: once, and both end cleanly", async () => {
  // Whatever is typed into `script` arrives at a terminal of its own. Without exec, some shells stay in between and
  // report their own end by SIGINT instead of the command's.
  const command = `exec '${process.execPath}' '${cli}' up '${workspace.folder}' --yes`;
  const child = spawn("script", ["-qefc", command, "/dev/null"], {
    env: { ...process.env, ...armed("tunsetiff>persist"), TERM: "xterm", COLUMNS: "120" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let shown = "";
  child.stdout.on("data", (data) => {
    shown += data;
  });
  const end = new Promise<number | null>((done) => child.once("close", done));
  const engine = engineOf(await crash.held(slow.name));
  const processes = [engine, ...descendants(engine)];
  child.stdin.write("\x03");
  await sleep(500);
  expect(lives(engine), shown).toBe(true);
  crash.release(slow.name);

  expect(await end, shown).toBe(1);
  expect(shown).toContain("SIGINT: the engine finishes what it has begun, and ends");
  expect(shown).toMatch(/interrupted by SIGINT; 2 of 3 done; not done: TunInterface vm2/);
  await endedCleanly(processes);
  await nextUpCompletes();
  await workspace.succeed("down");
  expect([...(await lab.links()), ...(await slow.links())]).toEqual([]);
  expect(await exported(workspace)).toEqual({ pending: 0, resources: 0 });
});

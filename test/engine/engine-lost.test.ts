import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { Crash, descendants, ended, engineOf, exported, leftovers, lives } from "../harness/crash";
import { Lab } from "../harness/lab";
import { sleep, until } from "../harness/shell";
import { type Declared, messages, Workspace } from "../harness/workspace";

/** How long a provider may outlive its engine. */
const limit = 2000;

let crash: Crash;
let lab: Lab;
let workspace: Workspace;

beforeAll(async () => {
  crash = await Crash.open();
});
afterAll(() => crash.close());
beforeEach(async () => {
  lab = await Lab.open();
});
afterEach(async () => {
  workspace.close();
  await lab.close();
});

/** A program that has nothing for its provider to do once vm0 is made, but does not end. */
const waiting = () => `import * as tuntap from "pulumi-tuntap";
const tap = new tuntap.TunInterface("vm0", { namespace: "${lab.name}", owner: "daemon" });
export const later = tap.ifindex.apply(() => new Promise((done) => setTimeout(done, 120_000)));
`;

/** Starts an up and waits until its provider has nothing to do any more. */
async function idle() {
  crash.arm();
  workspace.environment = crash.environment;
  const { finished } = workspace.start("up");
  workspace.environment = {};
  const begun = () => crash.provider > 0 && lives(crash.provider);
  await until("the provider has done its work", async () => (await lab.link("vm0")) && begun(), 30_000);
  await sleep(1500);
  const engine = engineOf(crash.provider);
  return { finished, engine, provider: crash.provider, providers: descendants(engine).filter(isProvider) };
}

test("an idle provider ends with its engine", async () => {
  workspace = new Workspace("test", waiting());
  const { finished, engine, provider } = await idle();
  process.kill(engine, "SIGKILL");
  expect(await ended(provider)).toBeLessThan(limit);
  const { code, report } = await finished;
  expect(code).toBe(1);
  expect(messages(report)).not.toBe("");

  const again = await idle();
  process.kill(again.provider, "SIGSTOP");
  process.kill(again.engine, "SIGKILL");
  expect(await ended(again.provider)).toBeLessThan(limit);
  expect((await again.finished).code).toBe(1);
  // The engine starts one more where a state is read before the program runs, and may never ask it anything.
  const late = await Promise.allSettled(again.providers.map((pid) => ended(pid, limit)));
  for (const pid of again.providers) if (lives(pid)) process.kill(pid, "SIGKILL");
  expect(late.filter(({ status }) => status === "rejected")).toEqual([]);

  await workspace.succeed("down");
  expect(await lab.links()).toEqual([]);
  expect(leftovers(workspace)).toEqual({ locks: [], pending: [], resources: 0 });
});

test("50 interfaces in one run, killed at random moments: each time one up ends right", async () => {
  const seed = Number(process.env.TT_SEED) || (Date.now() % 1_000_000) + 1;
  console.log(`TT_SEED=${seed}`);
  const random = generator(seed);
  workspace = new Workspace();

  for (let round = 0; round < 5; round++) {
    // Every round has other names: 50 to make and, from the second round on, 50 to delete.
    const resources = interfaces(round);
    workspace.declare(...resources);
    const amount = resources.length;
    const moment = 1 + Math.floor(random() * (round === 0 ? amount - 1 : amount + 10));
    const reached = () =>
      moment > amount
        ? crash.count("dellink") + crash.count("dellink-group") > 0
        : crash.count("persist") >= moment;
    const victim = round % 2 === 0 ? "engine" : "provider";
    const pause = Math.floor(random() * 100);
    const label = `seed ${seed}, round ${round}: ${victim}, at ${moment} of ${amount}, then ${pause} ms`;

    crash.arm();
    workspace.environment = crash.environment;
    const { finished } = workspace.start("up");
    workspace.environment = {};
    await until(label, reached, 40_000);
    await sleep(pause);
    const provider = crash.provider;
    process.kill(victim === "engine" ? engineOf(provider) : provider, "SIGKILL");
    expect(await ended(provider), label).toBeLessThan(limit);
    expect((await finished).code, label).toBe(1);

    const again = await workspace.run("up");
    expect(again.code, `${label}\n${again.stderr}`).toBe(0);
    const links = await lab.links();
    expect(links.map(({ ifname }) => ifname).sort(), label).toEqual(resources.map(({ name }) => name).sort());
    for (const link of links) {
      expect(link, label).toMatchObject({
        mtu: 1400,
        flags: expect.arrayContaining(["UP"]),
        altnames: [expect.stringMatching(/^tuntap-0-[0-9a-f]{32}$/)],
        linkinfo: { info_data: { persist: true, user: "daemon" } },
      });
    }
    expect(leftovers(workspace), label).toMatchObject({ locks: [], pending: [] });
  }

  await workspace.succeed("up", "--expect-no-changes");
  await workspace.succeed("down");
  expect(await lab.links()).toEqual([]);
  expect(leftovers(workspace)).toEqual({ locks: [], pending: [], resources: 0 });
  expect(await exported(workspace)).toEqual({ pending: 0, resources: 0 });
}, 180_000);

function isProvider(pid: number): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return words[1]?.includes("/dynamic-provider") === true;
  } catch {
    return false;
  }
}

function interfaces(round: number): Declared[] {
  return Array.from({ length: 50 }, (_, position) => ({
    kind: "TunInterface",
    name: `r${round}n${position}`,
    args: { namespace: lab.name, owner: "daemon", mtu: 1400 },
  }));
}

/** A linear congruential generator: the same seed gives the same moments. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

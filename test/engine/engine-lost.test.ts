import { spawn } from "node:child_process";
import { mkdirSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Crash, ended, exported, leftovers, lives, loseEngine, stop } from "../harness/crash";
import { lab, useLabAndWorkspace, workspace } from "../harness/setup";
import { sleep, until } from "../harness/shell";
import { type Declared, messages } from "../harness/workspace";

const repository = resolve(__dirname, "../..");

/** How long a provider may outlive its engine. */
const limit = 2000;

let crash: Crash;

beforeAll(async () => {
  crash = await Crash.open();
});
afterAll(() => crash.close());
useLabAndWorkspace();

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
  return { finished, provider: crash.provider };
}

test("an idle provider ends with its engine, also a stopped one, also one that was never asked anything", async () => {
  workspace.write(waiting());
  const first = await idle();
  expect((await loseEngine(first.provider)).milliseconds).toBeLessThan(limit);
  const { code, report } = await first.finished;
  expect(code).toBe(1);
  expect(messages(report)).not.toBe("");

  const again = await idle();
  // The kernel wakes and ends it, if it has stopped by the time the engine ends.
  await stop(again.provider);
  const { milliseconds, late } = await loseEngine(again.provider);
  expect((await again.finished).code).toBe(1);
  await workspace.succeed("down");
  expect(await lab.links()).toEqual([]);
  expect(leftovers(workspace)).toEqual({ locks: [], pending: [], resources: 0 });
  expect(milliseconds).toBeLessThan(limit);
  // Where there is a state, the engine starts a second provider and may never ask it anything.
  expect(late).toEqual([]);
});

test("a provider that was busy for a while does not take its engine for lost", async () => {
  const server = `const grpc = require("@grpc/grpc-js");
    const server = new grpc.Server();
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (_, port) => console.log(port));`;
  // Busy as with the first of a thousand requests, before the connection stands, and once more after that.
  const client = `const { Engine } = require("${repository}/dist/provider/engine.js");
    const busy = () => { for (const end = Date.now() + 1500; Date.now() < end; ); };
    new Engine("127.0.0.1:" + process.argv[1]).endWithIt();
    setTimeout(busy, 1500);
    setTimeout(() => console.log("here"), 3500);
    setInterval(() => {}, 1000);
    busy();`;
  const start = async (source: string, ...args: string[]) => {
    const child = spawn(process.execPath, ["-e", source, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    const said = new Promise<string>((done, fail) => {
      child.stdout.once("data", (data) => done(String(data).trim()));
      child.once("exit", (code) => fail(new Error(`ended with ${code}`)));
    });
    return { pid: child.pid as number, said: await said };
  };
  const engine = await start(server);
  const provider = await start(client, engine.said).catch((error) => {
    process.kill(engine.pid);
    throw error;
  });
  process.kill(engine.pid, "SIGKILL");
  expect(await ended(provider.pid)).toBeLessThan(limit);
});

// What kill -9 leaves in the state's folder while the engine writes there; it happens, but not at every try.
const torn: [string, (state: string) => void][] = [
  [
    "half a file beside the state",
    // Truncated and written anew before each rename of the state itself.
    (state) => truncateSync(join(state, "stacks", "test", "dev.json.attrs")),
  ],
  [
    "an unfinished lock",
    // Written under such a name and then renamed; until then it counts as a lock for every other engine.
    (state) => {
      const folder = join(state, "locks", "organization", "test", "dev");
      const file = join(folder, "00000000-0000-0000-0000-000000000000.json.18a2b3c4d5e6f708.tmp");
      mkdirSync(folder, { recursive: true });
      writeFileSync(file, "");
      const past = new Date(Date.now() - 60_000);
      utimesSync(file, past, past);
    },
  ],
];

test.each(torn)("an engine killed while it writes leaves %s: the next up ends right", async (_, tear) => {
  const declare = (mtu: number) =>
    workspace.declare({
      kind: "TunInterface",
      name: "vm0",
      args: { namespace: lab.name, owner: "daemon", mtu },
    });
  declare(1400);
  await workspace.succeed("up");
  tear(join(workspace.folder, ".tuntap", "state", ".pulumi"));
  declare(1300);
  const { code, stderr } = await workspace.run("up");
  expect(code, stderr).toBe(0);
  expect((await lab.mustHave("vm0")).mtu).toBe(1300);
});

test("30 interfaces in one run, killed at random moments: each time one up ends right", async () => {
  const seed = Number(process.env.TT_SEED) || (Date.now() % 1_000_000) + 1;
  console.log(`TT_SEED=${seed}`);
  const random = generator(seed);

  for (let round = 0; round < 2; round++) {
    // Every round has other names: 30 to make and, in the second round, 30 to delete.
    const resources = interfaces(round);
    workspace.declare(...resources);
    const amount = resources.length;
    const moment = 1 + Math.floor(random() * (round === 0 ? amount - 1 : amount + 10));
    const reached = () =>
      moment > amount
        ? crash.count("dellink") + crash.count("dellink-group") > 0
        : crash.count("persist") >= moment;
    const victim = round === 1 ? "provider" : "engine";
    const pause = Math.floor(random() * 100);
    const label = `seed ${seed}, round ${round}: ${victim}, at ${moment} of ${amount}, then ${pause} ms`;

    crash.arm();
    workspace.environment = crash.environment;
    const { finished } = workspace.start("up");
    workspace.environment = {};
    await until(label, reached, 40_000);
    await sleep(pause);
    const provider = crash.provider;
    if (victim === "provider") process.kill(provider, "SIGKILL");
    const milliseconds =
      victim === "engine" ? (await loseEngine(provider)).milliseconds : await ended(provider);
    expect(milliseconds, label).toBeLessThan(limit);
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

function interfaces(round: number): Declared[] {
  return Array.from({ length: 30 }, (_, position) => ({
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

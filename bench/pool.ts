/** One `TunPool` for all: with the engine, beside a resource for each, beside the bare engine, beside `ip -batch`. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Lab } from "../test/harness/lab";
import { run } from "../test/harness/shell";
import { contender, type Program } from "./command";
import { batch, core, create, type Place, remove, timed, unchanged } from "./links";
import { alternate, type Contender, type Measurements } from "./measure";
import { emptyProvider } from "./runs";
import { deleteGroup, owner, poolSubnet } from "./taps";

export const works = { up: "pool, up", unchanged: "pool, no-op up", down: "pool, down" };
export const onBridges = "TunPool on bridges";
const withSubnets = "TunPool, a /30 each";
const single = "TunInterface on bridges";
export const emptyRun = "empty run";

/** Of the 1023 ports that a bridge can have. */
const portsPerBridge = 1000;
/** Of the most there are in a pool. */
const mostBridges = 4;

const bridgesOf = (taps: number) =>
  Array.from({ length: Math.ceil(taps / portsPerBridge) }, (_, number) => `br${number}`);

/**
 * @param mostSingle up to how many interfaces a resource for each is measured too: a thousand take the engine minutes.
 */
export async function measurePool(
  measurements: Measurements,
  place: Place,
  sizes: readonly number[],
  roundsOf: (taps: number) => number,
  mostSingle: number,
): Promise<void> {
  const { lab, folder } = place;
  for (const bridge of bridgesOf(mostBridges * portsPerBridge)) {
    await lab.ip("link", "add", bridge, "type", "bridge");
    await lab.ip("link", "set", bridge, "up");
  }
  const engine = (program: Program) => contender(measurements, folder, works, program);
  for (const taps of sizes) {
    const contenders = [
      engine(poolOnBridges(lab)),
      engine(poolWithSubnets(lab)),
      ...(taps <= mostSingle ? [engine(singleOnBridges(lab))] : []),
      engine(oneEmpty(lab)),
      coreOnBridges(place),
      batchOnBridges(place),
    ];
    await alternate(measurements, contenders, taps, roundsOf(taps));
  }
}

const one = () => 1;
/** The text of the list of bridges in a program. */
const bridgesText = `Array.from({ length: Math.ceil(taps / ${portsPerBridge}) }, (_, number) => "br" + number)`;
const taps = "const taps = Number(process.env.TAPS);\n";

/** The plan's addresses are the guests' then: what is a port has none itself. */
const poolOnBridges = (lab: Lab): Program => ({
  name: onBridges,
  source: `import * as tuntap from "pulumi-tuntap";
${taps}new tuntap.TunPool("tap", {
  count: taps,
  owner: ${owner},
  addressPlan: { subnet: "${poolSubnet}" },
  bridges: ${bridgesText},
  namespace: "${lab.name}",
});
`,
  resources: one,
  witness: (expected) => portsAreThere(lab, onBridges, expected),
});

const poolWithSubnets = (lab: Lab): Program => ({
  name: withSubnets,
  source: `import * as tuntap from "pulumi-tuntap";
${taps}new tuntap.TunPool("tap", {
  count: taps,
  owner: ${owner},
  addressPlan: { subnet: "${poolSubnet}", each: "/30" },
  namespace: "${lab.name}",
});
`,
  resources: one,
  witness: async (expected) => {
    const { sound } = await witnessed(lab);
    const shown = JSON.parse(await lab.ip("-j", "-4", "addr")) as { addr_info: { prefixlen: number }[] }[];
    const addressed = shown.filter(({ addr_info }) => addr_info.some(({ prefixlen }) => prefixlen === 30));
    if (sound.length !== expected || addressed.length !== expected)
      throw new Error(
        `${withSubnets}: ${sound.length} interfaces and ${addressed.length} addresses where ${expected} should be`,
      );
  },
});

const singleOnBridges = (lab: Lab): Program => ({
  name: single,
  source: `import * as tuntap from "pulumi-tuntap";
${taps}const bridges = ${bridgesText};
for (let number = 0; number < taps; number++)
  new tuntap.TunInterface("tap" + number, {
    owner: ${owner},
    bridge: bridges[number % bridges.length],
    namespace: "${lab.name}",
  });
`,
  resources: (taps) => taps,
  witness: (expected) => portsAreThere(lab, single, expected),
});

/** What one resource costs the engine, whoever provides it. */
const oneEmpty = (lab: Lab): Program => ({
  name: emptyRun,
  source: `${emptyProvider}${taps}new Empty("tap", {
  count: taps,
  owner: ${owner},
  addressPlan: { subnet: "${poolSubnet}" },
  bridges: ${bridgesText},
  namespace: "${lab.name}",
});
`,
  resources: one,
});

/** Each phase in a process of its own, as a run of the engine has its provider. */
function coreOnBridges({ lab, folder }: Place): Contender {
  const state = join(folder, "pool-state.json");
  const phase = (name: string) => async (taps: number) => {
    const args = [name, lab.name, String(taps), state, "TunPool", bridgesOf(taps).join()];
    return Number(await run(process.execPath, join(__dirname, "core.js"), ...args));
  };
  const created = { name: create, run: phase("create") };
  const compared = { name: unchanged, run: phase("diff") };
  const removed = { name: remove, run: phase("remove") };
  return { name: core, works: checkedOnBridges(lab, core, created, compared, removed) };
}

function batchOnBridges(place: Place): Contender {
  const { lab, folder } = place;
  const ip = (lines: string[]) => {
    const file = join(folder, "script");
    writeFileSync(file, `${lines.join("\n")}\n`);
    return timed(place, "ip", "-batch", file);
  };
  const names = (taps: number) => Array.from({ length: taps }, (_, number) => `tap${number}`);
  const created = (taps: number) => {
    const bridges = bridgesOf(taps);
    return ip([
      ...names(taps).map((name) => `tuntap add dev ${name} mode tap user ${owner}`),
      ...names(taps).map((name, at) => `link set ${name} master ${bridges[at % bridges.length]} up`),
    ]);
  };
  // Printed once and compared with nothing: less than a script would need.
  const shown = () => timed(place, "ip", "-j", "-d", "addr", "show");
  const removed = (taps: number) => ip(deleteGroup(names(taps)));
  return {
    name: batch,
    works: checkedOnBridges(
      lab,
      batch,
      { name: create, run: created },
      { name: unchanged, run: shown },
      { name: remove, run: removed },
    ),
  };
}

type Work = Contender["works"][number];

/** Creating, comparing and deleting: what is there after each is as it should be. */
function checkedOnBridges(lab: Lab, name: string, created: Work, compared: Work, removed: Work): Work[] {
  return [created, compared, removed].map((work) => ({
    name: `pool, ${work.name}`,
    run: async (taps) => {
      const milliseconds = await work.run(taps);
      await portsAreThere(lab, name, work === removed ? 0 : taps);
      return milliseconds;
    },
  }));
}

/** Seen from outside: the TAPs of nobody, and those of them that are ports, all up. */
async function witnessed(lab: Lab) {
  const links = (await lab.links()).filter(({ linkinfo }) => linkinfo?.info_kind === "tun");
  const sound = links.filter(
    ({ flags, linkinfo }) =>
      flags.includes("UP") && linkinfo?.info_data?.user === "nobody" && linkinfo.info_data.persist,
  );
  return { links, sound, ports: sound.filter(({ master }) => master?.startsWith("br")) };
}

async function portsAreThere(lab: Lab, name: string, expected: number): Promise<void> {
  const { links, sound, ports } = await witnessed(lab);
  if (links.length === expected && sound.length === expected && ports.length === expected) return;
  throw new Error(
    `${name}: ${links.length} interfaces, ${sound.length} up and owned, ${ports.length} ports, where ${expected} should be`,
  );
}

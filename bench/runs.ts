/** With the engine: `tuntap up`, a no-op `up`, `down`; beside the same with a provider that does nothing. */
import type { Lab } from "../test/harness/lab";
import { contender } from "./command";
import { alternate, type Measurements } from "./measure";
import { addressOf, owner } from "./taps";

export const up = "up";
export const unchanged = "no-op up";
export const down = "down";
export const ours = "tuntap";
export const empty = "empty provider";
/** Takes what it gets and does nothing: what the engine costs with any provider. */
export const emptyProvider = `import * as pulumi from "@pulumi/pulumi";
class Provider implements pulumi.dynamic.ResourceProvider {
  async check(olds: any, news: any) { return { inputs: news }; }
  async diff(id: string, olds: any, news: any) { return { changes: false }; }
  async create(inputs: any) { return { id: "empty", outs: inputs }; }
  async read(id: string, props: any) { return { id, props }; }
  async update(id: string, olds: any, news: any) { return { outs: news }; }
  async delete(id: string, props: any) {}
}
const provider = new Provider();
class Empty extends pulumi.dynamic.Resource {
  constructor(name: string, args: object) { super(provider, name, args, {}, "empty", "Empty"); }
}
`;

/** The program of a user, with as many interfaces as the environment says. */
const program = (lab: Lab) => `import * as tuntap from "pulumi-tuntap";
const address = ${addressOf};
for (let number = 0; number < Number(process.env.TAPS); number++)
  new tuntap.TunInterface("tap" + number, { owner: ${owner}, address: address(number), namespace: "${lab.name}" });
`;

/** The same inputs, taken as they are. */
const emptyProgram = (lab: Lab) => `${emptyProvider}const address = ${addressOf};
for (let number = 0; number < Number(process.env.TAPS); number++)
  new Empty("tap" + number, { owner: ${owner}, address: address(number), namespace: "${lab.name}" });
`;
export async function measureRuns(
  measurements: Measurements,
  lab: Lab,
  folder: string,
  sizes: readonly number[],
  roundsOf: (taps: number) => number,
): Promise<void> {
  for (const taps of sizes) {
    const works = { up, unchanged, down };
    const contenders = [
      contender(measurements, folder, works, {
        name: ours,
        source: program(lab),
        resources,
        witness: (expected) => counted(lab, expected),
      }),
      contender(measurements, folder, works, { name: empty, source: emptyProgram(lab), resources }),
    ];
    await alternate(measurements, contenders, taps, roundsOf(taps));
  }
}

const resources = (taps: number) => taps;

async function counted(lab: Lab, expected: number): Promise<void> {
  const { length } = await lab.links();
  if (length !== expected) throw new Error(`${length} interfaces where ${expected} should be`);
}

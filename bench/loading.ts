/** What loading our provider adds to a process of the engine's dynamic provider. */
import { join } from "node:path";
import { run } from "../test/harness/shell";
import type { Measurements } from "./measure";
import { ours } from "./runs";

export async function measureLoad(measurements: Measurements, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const milliseconds = Number(await run(process.execPath, join(__dirname, "load.js")));
    measurements.add(
      { taps: 1, work: "loading the provider, to its first answer", contender: ours },
      milliseconds,
    );
  }
}

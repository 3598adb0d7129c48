/** What is to be reached, and whether it is. */
import * as links from "./links";
import type { Measurements } from "./measure";
import * as runs from "./runs";

const size = 1000;

export interface Target {
  name: string;
  limit: number;
  /** undefined where what it needs was not measured. */
  measured: number | undefined;
  unit: "×" | "ms" | "MB";
}

export function targetsOf(measurements: Measurements): Target[] {
  const value = (taps: number, work: string, contender: string) => measurements.median(taps, work, contender);
  const ratio = (work: string, one: string, other: string, limit: number): Target => {
    const [above, below] = [value(size, work, one), value(size, work, other)];
    return {
      name: `${work} of ${size}, ${one} to ${other}`,
      limit,
      measured: above === undefined || below === undefined ? undefined : above / below,
      unit: "×",
    };
  };
  const oneUp = value(1, runs.up, runs.ours);
  const oneEmptyUp = value(1, runs.up, runs.empty);
  return [
    ratio(links.create, links.core, links.inC, 1.5),
    ratio(links.unchanged, links.core, links.inC, 3),
    ratio(links.remove, links.core, links.inC, 1.5),
    ...[links.create, links.unchanged, links.remove].map((work) => ratio(work, links.core, links.batch, 1)),
    ...[runs.up, runs.unchanged, runs.down].map((work) => ratio(work, runs.ours, runs.empty, 1.15)),
    {
      name: "what the provider adds to `up` of 1",
      limit: 150,
      measured: oneUp === undefined || oneEmptyUp === undefined ? undefined : oneUp - oneEmptyUp,
      unit: "ms",
    },
    {
      name: "start of the CLI to its first call of the engine",
      limit: 500,
      measured: value(1, runs.startOf(runs.up), runs.ours),
      unit: "ms",
    },
    {
      name: `peak memory of the provider, ${size}`,
      limit: 150,
      measured: highest(
        [runs.up, runs.unchanged, runs.down].map((work) => value(size, runs.memoryOf(work), runs.ours)),
      ),
      unit: "MB",
    },
  ];
}

function highest(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === values.length ? Math.max(...known) : undefined;
}

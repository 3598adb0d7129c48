/** What is to be reached, and whether it is. */

import { memoryOf, startOf } from "./command";
import * as links from "./links";
import type { Measurements } from "./measure";
import * as pool from "./pool";
import * as runs from "./runs";

const size = 1000;
const largest = 4000;

export interface Target {
  name: string;
  limit: number;
  /** By the medians; undefined where what it needs was not measured. */
  measured: number | undefined;
  /** By the least of the rounds instead. */
  least: number | undefined;
  unit: "×" | "ms" | "MB";
}

/** What a line comes to. */
type Value = (taps: number, work: string, contender: string) => number | undefined;
type Measured = Omit<Target, "least">;

export function targetsOf(measurements: Measurements): Target[] {
  const least = measuredTargets((...line) => measurements.minimum(...line));
  return measuredTargets((...line) => measurements.median(...line)).map((target, position) => ({
    ...target,
    least: least[position]?.measured,
  }));
}

function measuredTargets(value: Value): Measured[] {
  const ratio = (work: string, one: string, other: string, limit: number): Measured => {
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
      measured: value(1, startOf(runs.up), runs.ours),
      unit: "ms",
    },
    {
      name: `peak memory of the provider, ${size}`,
      limit: 150,
      measured: highest(
        [runs.up, runs.unchanged, runs.down].map((work) => value(size, memoryOf(work), runs.ours)),
      ),
      unit: "MB",
    },
    ...poolTargets(value),
  ];
}

/** What a pool may add to an engine run with one resource whose provider does nothing, and how that grows. */
function poolTargets(value: Value): Measured[] {
  const { up, unchanged, down } = pool.works;
  const beyond = (taps: number, work: string, base = value(taps, work, pool.emptyRun)) => {
    const ours = value(taps, work, pool.onBridges);
    return ours === undefined || base === undefined ? undefined : ours - base;
  };
  const limits: [work: string, limit: number][] = [
    [up, 1500],
    [unchanged, 300],
    [down, 1000],
  ];
  return [
    ...limits.map(
      ([work, limit]): Measured => ({
        name: `${work} of ${size}, beyond the empty run`,
        limit,
        measured: beyond(size, work),
        unit: "ms",
      }),
    ),
    ...limits.map(([work]): Measured => {
      // The empty run has work of its own, which a pool has not, and would make a small pool look cheaper than it is.
      const one = value(1, work, pool.onBridges);
      const [few, many] = one === undefined ? [] : [beyond(size, work, one), beyond(largest, work, one)];
      return {
        name: `${work}, beyond a pool of 1, ${largest} to ${size}`,
        // Linear is 4; the rest is what grows with the tables of the kernel, and chance.
        limit: 4.8,
        measured: few === undefined || many === undefined ? undefined : many / few,
        unit: "×",
      };
    }),
  ];
}

function highest(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === values.length ? Math.max(...known) : undefined;
}

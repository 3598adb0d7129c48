/** The measurements for people, and as one JSON object. */
import { execFileSync } from "node:child_process";
import { availableParallelism, release } from "node:os";
import Table from "cli-table3";
import { type Line, type Measurements, median } from "./measure";
import type { Target } from "./targets";

/** Which contender the others of a line are compared with. */
export type References = readonly string[];

export function tables(measurements: Measurements, references: References): string {
  const groups = new Map<string, Line[]>();
  for (const line of measurements.lines) {
    const contenders = contendersOf(measurements, line);
    groups.set(contenders.join(), [...(groups.get(contenders.join()) ?? []), line]);
  }
  return [...groups.values()].map((lines) => tableOf(measurements, lines, references)).join("\n");
}

/** Those who did the same work, in the order of their first appearance. */
function contendersOf(measurements: Measurements, { taps, work }: Line): string[] {
  const names = new Set(measurements.lines.map(({ contender }) => contender));
  return [...names].filter((name) => measurements.find(taps, work, name));
}

/** One row per number and work; of each contender the median, the least, and the median's ratio to the reference. */
function tableOf(measurements: Measurements, lines: readonly Line[], references: References): string {
  const contenders = contendersOf(measurements, lines[0]!);
  const reference = references.find((name) => contenders.includes(name));
  const table = new Table({
    head: ["TAPs", "work", "rounds", ...contenders],
    style: { head: [], border: [], compact: true },
    colAligns: ["right", "left", "right", ...contenders.map(() => "right" as const)],
  });
  const rows = lines.filter(({ contender }) => contender === contenders[0]);
  for (const { taps, work, unit, values } of rows) {
    const cells = contenders.map((contender) => {
      const own = measurements.median(taps, work, contender)!;
      const base = reference && measurements.median(taps, work, reference)!;
      const least = values.length < 2 ? [] : [digits(measurements.minimum(taps, work, contender)!)];
      const ratio = !base || contender === reference ? [] : [`${(own / base).toFixed(2)} ×`];
      const more = [...least, ...ratio];
      return `${digits(own)} ${unit}${more.length === 0 ? "" : ` (${more.join("; ")})`}`;
    });
    table.push([taps, work, values.length, ...cells]);
  }
  return table.toString();
}

export function targetTable(targets: readonly Target[]): string {
  const table = new Table({
    head: ["target", "at most", "by medians", "by the least", "reached"],
    style: { head: [], border: [], compact: true },
    colAligns: ["left", "right", "right", "right", "left"],
  });
  for (const target of targets) {
    const { name, limit, measured, least, unit } = target;
    const text = (value: number | undefined) =>
      value === undefined ? "-" : `${unit === "×" ? value.toFixed(2) : digits(value)} ${unit}`;
    table.push([
      name,
      `${limit} ${unit}`,
      text(measured),
      text(least),
      measured === undefined ? "not measured" : isReached(target) ? "yes" : "NO",
    ]);
  }
  return table.toString();
}

function isReached({ measured, limit }: Target): boolean | undefined {
  return measured === undefined ? undefined : measured <= limit;
}

function digits(value: number): string {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0);
}

/** What the numbers depend on. */
export function machine() {
  const versionOf = (program: string, ...args: string[]) =>
    execFileSync(program, args, { encoding: "utf8" }).trim();
  return {
    date: new Date().toISOString().slice(0, 10),
    cores: availableParallelism(),
    kernel: release(),
    node: process.version,
    iproute2: versionOf("ip", "-V"),
  };
}

export function asJson(measurements: Measurements, targets: readonly Target[]): string {
  return JSON.stringify({
    machine: machine(),
    lines: measurements.lines.map((line) => ({
      ...line,
      rounds: line.values.length,
      median: median(line.values),
      minimum: Math.min(...line.values),
    })),
    targets: targets.map((target) => ({ ...target, reached: isReached(target) })),
  });
}

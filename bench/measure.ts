/** Rounds, medians, and what is kept of them. */

/** One thing that is measured, by one contender, on a number of interfaces. */
export interface Line {
  taps: number;
  work: string;
  contender: string;
  unit: "ms" | "MB";
  /** One value per round. */
  values: number[];
}

/** All lines of a run. */
export class Measurements {
  readonly lines: Line[] = [];

  add(key: Omit<Line, "values" | "unit"> & { unit?: Line["unit"] }, value: number): void {
    const { taps, work, contender, unit = "ms" } = key;
    let line = this.find(taps, work, contender);
    if (!line) {
      line = { taps, work, contender, unit, values: [] };
      this.lines.push(line);
    }
    line.values.push(value);
  }

  find(taps: number, work: string, contender: string): Line | undefined {
    return this.lines.find(
      (line) => line.taps === taps && line.work === work && line.contender === contender,
    );
  }

  /** undefined where it was not measured. */
  median(taps: number, work: string, contender: string): number | undefined {
    const line = this.find(taps, work, contender);
    return line && median(line.values);
  }

  /** The best of the rounds: what others did on the machine meanwhile is least in it. */
  minimum(taps: number, work: string, contender: string): number | undefined {
    const line = this.find(taps, work, contender);
    return line && Math.min(...line.values);
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** A contender that does each work once per round, in this order. */
export interface Contender {
  name: string;
  works: readonly { name: string; run(taps: number): Promise<number> }[];
}

/**
 * All contenders, one after the other in each round, so that what disturbs the machine meanwhile hits all alike. The
 * order turns by one each round: none is always the one behind the most expensive.
 */
export async function alternate(
  measurements: Measurements,
  contenders: readonly Contender[],
  taps: number,
  rounds: number,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (let position = 0; position < contenders.length; position++) {
      const { name, works } = contenders[(round + position) % contenders.length]!;
      for (const work of works) {
        tell(`${taps} TAPs, round ${round + 1} of ${rounds}: ${name}, ${work.name} …`);
        measurements.add({ taps, work: work.name, contender: name }, await work.run(taps));
      }
    }
  }
  tell("");
}

/** One line that is written over, where somebody looks at it. */
function tell(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[2K${text}`);
}

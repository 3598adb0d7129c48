/** `npm run bench`: what this package costs, beside what others cost, on this machine. Needs root; leaves nothing. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { Lab } from "../test/harness/lab";
import { run } from "../test/harness/shell";
import * as links from "./links";
import { measureLoad } from "./loading";
import { Measurements } from "./measure";
import * as pool from "./pool";
import { asJson, machine, tables, targetTable } from "./report";
import * as runs from "./runs";
import { targetsOf } from "./targets";

const parts = ["links", "runs", "load", "pool"] as const;
type Part = (typeof parts)[number];

interface Options {
  quick: boolean;
  only?: Part[];
  rounds?: number;
  taps?: number[];
  single: number;
  json: boolean;
}

const usualRounds = 5;
/** A thousand resources take the engine minutes, whoever provides them. */
const expensiveRounds = 3;

function positive(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError("expected a whole number from 1 to 9999");
  return Number(text);
}

function readOptions(): Options {
  return new Command("bench")
    .option("--quick", "1 and 100 interfaces, three rounds", false)
    .addOption(new Option("--only <part...>", "leave out the other parts").choices(parts))
    .option("--rounds <n>", "rounds of every line", positive)
    .option("--taps <n>", "numbers of interfaces; may be repeated", (text, before: number[] = []) => [
      ...before,
      positive(text),
    ])
    .option("--single <n>", "pool: as many TunInterface beside it, up to that number", positive, 100)
    .option("--json", "print one JSON object", false)
    .parse()
    .opts();
}

async function main(): Promise<void> {
  const options = readOptions();
  if (process.getuid?.() !== 0) throw new Error("the bench makes interfaces and namespaces: run it as root");
  const sizes = options.taps ?? (options.quick ? [1, 100] : [1, 100, 1000]);
  const poolSizes = options.taps ?? (options.quick ? [1, 100] : [1, 100, 1000, 4000]);
  const rounds = options.rounds ?? (options.quick ? expensiveRounds : usualRounds);
  const wanted = (part: Part) => options.only?.includes(part) ?? true;
  const measurements = new Measurements();
  const folder = mkdtempSync(join(tmpdir(), "tuntap-bench-"));
  const lab = await Lab.open();
  try {
    const program = join(folder, "taps");
    await run("cc", "-O2", "-o", program, resolve(__dirname, "../../taps.c"));
    if (wanted("links")) await links.measureLinks(measurements, { lab, program, folder }, sizes, rounds);
    if (wanted("load")) await measureLoad(measurements, rounds);
    const roundsOf = (taps: number) => options.rounds ?? (taps < 1000 ? rounds : expensiveRounds);
    if (wanted("runs")) await runs.measureRuns(measurements, lab, folder, sizes, roundsOf);
    if (wanted("pool")) {
      const place = { lab, program, folder };
      await pool.measurePool(measurements, place, poolSizes, roundsOf, options.single);
    }
  } finally {
    await lab.close();
    rmSync(folder, { recursive: true, force: true });
  }
  const targets = targetsOf(measurements);
  if (options.json) {
    process.stdout.write(`${asJson(measurements, targets)}\n`);
    return;
  }
  const facts = Object.entries(machine()).map(([name, value]) => `${name} ${value}`);
  process.stdout.write(
    `${facts.join(", ")}; medians of the rounds, in brackets the least, and ratios to C or to the empty provider\n`,
  );
  process.stdout.write(`${tables(measurements, [links.inC, runs.empty, pool.emptyRun, links.batch])}\n`);
  process.stdout.write(`${targetTable(targets)}\n`);
}

main().catch((error: Error) => {
  process.stderr.write(`\nerror: ${error.message}\n`);
  process.exitCode = 1;
});

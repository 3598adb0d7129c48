/** The options that the commands share. */
import { type Command, InvalidArgumentError, Option } from "commander";

export interface RunOptions {
  stack: string;
  config: string[];
  parallel: number;
  expectNoChanges: boolean;
  diff: boolean;
  yes: boolean;
  json: boolean;
  /** What to do with interfaces that a process holds, whatever is declared. */
  onBusy?: string;
}

export function withStack(command: Command): Command {
  return command
    .argument("[DIR]", "the folder of the Pulumi project", ".")
    .addOption(new Option("--stack <name>", "the stack").default("dev").argParser(stackName));
}

export function withRunOptions(command: Command): Command {
  return withStack(command)
    .option("--config <key=value>", "a configuration value for this run; may be repeated", collect, [])
    .option("--parallel <n>", "resources at once", positive, 1024)
    .option("--expect-no-changes", "exit with 3 if there is anything to change, and change nothing", false)
    .option("--diff", "show every property", false)
    .option("--yes", "do not ask", false)
    .option("--json", "print one JSON object", false);
}

/** For what may have to delete an interface. */
export function withOnBusy(command: Command): Command {
  return command.addOption(
    new Option(
      "--on-busy <mode>",
      "what to do with interfaces that a process holds, instead of what they declare as onBusy",
    ).choices(["fail", "wait", "force"]),
  );
}

/** `org/project/dev` is dev where files are named after it. */
export function shortName(stack: string): string {
  return stack.split("/").at(-1) ?? stack;
}

function collect(value: string, before: string[]): string[] {
  if (value.indexOf("=") < 1) throw new InvalidArgumentError("expected key=value");
  return [...before, value];
}

function positive(value: string): number {
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new InvalidArgumentError("expected a whole number from 1");
  return Number(value);
}

function stackName(value: string): string {
  if (!/^\w[\w.-]*(\/\w[\w.-]*){0,2}$/.test(value))
    throw new InvalidArgumentError("letters, digits, - _ . only");
  return value;
}

import { delimiter, dirname } from "node:path";
import type { Command } from "commander";
import { shortName, withStack } from "../options";
import { quote } from "../shell";

export function env(program: Command): void {
  const command = program
    .command("env")
    .description("print what a plain pulumi needs to work on the same state");
  withStack(command).action(async (folder: string, options: { stack: string }) => {
    const [{ findEngine }, { findProject }, { giveBackState, openState }, { Terminal }] = await Promise.all([
      import("../engine.js"),
      import("../project.js"),
      import("../state.js"),
      import("../terminal.js"),
    ]);
    const terminal = new Terminal(false);
    const project = findProject(folder);
    const state = openState(project);
    const found = await findEngine(terminal);
    const variables: Record<string, string> = { ...state.env };
    // Without the option, plain pulumi keeps to the stack that it has selected.
    if (command.getOptionValueSource("stack") === "cli") variables.PULUMI_STACK = options.stack;
    if (found.source !== "PATH")
      variables.PATH = `${dirname(found.path)}${delimiter}${process.env.PATH ?? ""}`;
    const words = Object.entries(variables).map(([name, value]) => `${name}=${quote(value)}`);
    terminal.say(`export ${words.join(" ")}`);
    giveBackState(project, state, shortName(options.stack));
  });
}

import type { Command } from "commander";

export function engine(program: Command): void {
  const command = program
    .command("engine")
    .description("say which Pulumi engine is used; get one if there is none");
  command.action(async () => {
    const { findEngine } = await import("../engine.js");
    const { Terminal } = await import("../terminal.js");
    const terminal = new Terminal(false);
    const { version, source, path } = await findEngine(terminal);
    terminal.say(`version  ${version}`);
    terminal.say(`source   ${source}`);
    terminal.say(`path     ${path}`);
  });
}

import type { Command } from "commander";
import { withStack } from "../options";

export function cancel(program: Command): void {
  const command = program
    .command("cancel")
    .description("end a run that holds the stack, and remove its lock");
  withStack(command).action(async (folder: string, options: { stack: string }) => {
    const { cancelRun } = await import("../cancel.js");
    process.exitCode = await cancelRun(folder, options.stack);
  });
}

import type { Command } from "commander";
import { withStack } from "../options";
import type { StatusOptions } from "../status";

export function status(program: Command): void {
  const command = program
    .command("status")
    .description("show what the stack has made beside what the host shows, and what nobody knows any more");
  withStack(command)
    .option("--expect-no-changes", "exit with 3 if anything differs or is left over", false)
    .option("--diff", "show every property", false)
    .option("--json", "print one JSON object", false)
    .action(async (folder: string, options: StatusOptions) => {
      const { runStatus } = await import("../status.js");
      process.exitCode = await runStatus(folder, options);
    });
}

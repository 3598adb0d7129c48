import type { Command } from "commander";
import { type RunOptions, withOnBusy, withRunOptions } from "../options";

export function up(program: Command): void {
  withOnBusy(withRunOptions(program.command("up").description("bring up what the program declares"))).action(
    async (folder: string, options: RunOptions) => {
      const { run } = await import("../run.js");
      process.exitCode = await run("up", folder, options);
    },
  );
}

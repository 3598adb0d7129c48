import type { Command } from "commander";
import { type RunOptions, withOnBusy, withRunOptions } from "../options";

export function down(program: Command): void {
  withOnBusy(withRunOptions(program.command("down").description("remove what the stack has made"))).action(
    async (folder: string, options: RunOptions) => {
      const { run } = await import("../run.js");
      process.exitCode = await run("down", folder, options);
    },
  );
}

import type { Command } from "commander";
import { type RunOptions, withRunOptions } from "../options";

export function preview(program: Command): void {
  withRunOptions(program.command("preview").description("show what up would change")).action(
    async (folder: string, options: RunOptions) => {
      const { run } = await import("../run.js");
      process.exitCode = await run("preview", folder, options);
    },
  );
}

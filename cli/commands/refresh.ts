import type { Command } from "commander";
import { type RunOptions, withRunOptions } from "../options";

export function refresh(program: Command): void {
  withRunOptions(program.command("refresh").description("write what the host says into the state")).action(
    async (folder: string, options: RunOptions) => {
      const { run } = await import("../run.js");
      process.exitCode = await run("refresh", folder, options);
    },
  );
}

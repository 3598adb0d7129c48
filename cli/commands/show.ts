import type { Command } from "commander";

export function show(program: Command): void {
  program
    .command("show")
    .description(
      "show every TUN and TAP interface of this host, whoever made it, and every link with a lease; needs no project",
    )
    .option("--namespace <name>", "only those of this network namespace (default: the host's and all named)")
    .option("--json", "print one JSON object", false)
    .action(async (options: { namespace?: string; json: boolean }) => {
      const { showHost } = await import("../show.js");
      process.exitCode = await showHost(options.namespace, options.json);
    });
}

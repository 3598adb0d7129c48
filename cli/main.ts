#!/usr/bin/env node
/** The command `tuntap`: a table of commands; each loads what it needs when it runs. */
import { Command, CommanderError } from "commander";
import { printable } from "../provider/printable";
import { compileLate } from "../provider/tiering";
import { cancel } from "./commands/cancel";
import { down } from "./commands/down";
import { engine } from "./commands/engine";
import { env } from "./commands/env";
import { preview } from "./commands/preview";
import { refresh } from "./commands/refresh";
import { show } from "./commands/show";
import { status } from "./commands/status";
import { up } from "./commands/up";
import { exitCode, Failure, messageOf } from "./failure";
import { readPackageFile } from "./package-file";

const commands = [preview, up, refresh, down, status, show, cancel, env, engine];

compileLate();

async function main(): Promise<number> {
  const program = new Command("tuntap")
    .description("TUN/TAP interfaces and lab networks as a Pulumi program, with the engine included")
    .version(ownVersion())
    .showSuggestionAfterError()
    .exitOverride();
  for (const add of commands) add(program);
  for (const command of program.commands) command.exitOverride().allowExcessArguments(false);
  try {
    await program.parseAsync();
    return Number(process.exitCode ?? exitCode.done);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.done : exitCode.usage;
    process.stderr.write(`error: ${printable(messageOf(error))}\n`);
    return error instanceof Failure ? error.code : exitCode.failed;
  }
}

function ownVersion(): string {
  return (readPackageFile("package.json") as { version: string } | undefined)?.version ?? "unknown";
}

/**
 * Work that was begun goes on when nobody reads about it any more (`tuntap up | head -1`). Unhandled, such an error
 * would be reported by the engine's SDK on the very stream that gave it, without an end.
 */
function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", ({ code }: NodeJS.ErrnoException) => {
      // A full disk, say: what should have been written is lost.
      if (code !== "EPIPE") lost = true;
    });
  }
}

let lost = false;

outliveReaders();
// What the program left open (servers, timers) must not keep the command alive.
main().then((code) =>
  process.stdout.write("", () => process.exit(lost && code === exitCode.done ? exitCode.failed : code)),
);

import { cpSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { run } from "./shell";
import { Workspace } from "./workspace";

const repository = resolve(__dirname, "../..");

/** `examples/NAME` as it is in the repository, in a user's folder; and what its README tells people to type. */
export class Example extends Workspace {
  readonly readme: string;

  constructor(name: string) {
    super(name);
    const source = join(repository, "examples", name);
    // State of somebody's own try is not part of it.
    cpSync(source, this.folder, { recursive: true, filter: (path) => basename(path) !== ".tuntap" });
    this.readme = readFileSync(join(source, "README.md"), "utf8");
  }

  /** The first block of commands that contains `sign`. */
  commands(sign: string): string {
    const blocks = [...this.readme.matchAll(/^```\w*\n(.*?)^```$/gms)].map((match) => match[1] ?? "");
    const found = blocks.find((block) => block.includes(sign));
    if (found === undefined) throw new Error(`the README of ${this.folder} has no commands with ${sign}`);
    return found;
  }

  /** Changes its program as a user would in an editor. */
  edit(text: string, replacement: string): void {
    const file = join(this.folder, "index.ts");
    const program = readFileSync(file, "utf8");
    if (!program.includes(text)) throw new Error(`the program of ${this.folder} has no ${text}`);
    this.write(program.replace(text, replacement));
  }

  /** What a command prints for people. */
  print(command: "preview", ...flags: string[]): Promise<string> {
    return run(process.execPath, join(repository, "dist", "cli", "main.js"), command, this.folder, ...flags);
  }
}

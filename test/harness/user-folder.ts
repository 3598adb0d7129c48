import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const repository = resolve(__dirname, "../..");

/** A folder of a user's own, with the package as `npm pack` makes it. */
export class UserFolder {
  readonly path = mkdtempSync(join(tmpdir(), "tuntap user's folder "));
  /** The packed file's name. */
  readonly archive: string;

  constructor() {
    this.mustRun(`npm pack --silent --pack-destination "$PWD" '${repository}'`);
    this.archive = readdirSync(this.path).find((name) => name.endsWith(".tgz"))!;
  }

  /** Runs a shell command in the folder, as a user would type it. */
  run(command: string, environment: Record<string, string> = {}): { code: number | null; output: string } {
    const { status, stdout, stderr } = spawnSync("sh", ["-c", command], {
      cwd: this.path,
      encoding: "utf8",
      env: { ...process.env, npm_config_prefer_offline: "true", ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    return { code: status, output: `${stdout}${stderr}` };
  }

  /** @returns what it printed. */
  mustRun(command: string, environment: Record<string, string> = {}): string {
    const { code, output } = this.run(command, environment);
    if (code !== 0) throw new Error(`${command} ended with ${code}:\n${output}`);
    return output;
  }

  /** Unpacks the package, without installing what it depends on; gives the folder. */
  unpack(): string {
    this.mustRun(`tar xzf './${this.archive}'`);
    return join(this.path, "package");
  }

  /** Installs the package with install scripts disabled. */
  install(environment: Record<string, string> = {}): void {
    const options = "--ignore-scripts --no-audit --no-fund";
    this.mustRun(`npm init -y >/dev/null && npm install ${options} './${this.archive}'`, environment);
  }

  /** An environment with a PATH of Node.js, npm and what the tests themselves need: no compiler, no Python. */
  bare(node = process.execPath): Record<string, string> {
    const bin = mkdtempSync(join(this.path, "bin-"));
    symlinkSync(node, join(bin, "node"));
    this.mustRun('for each in npm npx sh env ip id; do ln -s "$(command -v $each)" "$BIN/"; done', {
      BIN: bin,
    });
    return { PATH: bin };
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

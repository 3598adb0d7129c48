/**
 * The stack's settings for one run. `Pulumi.<stack>.yaml` is the user's: with our own backend the engine works on a
 * private copy in `.tuntap/settings`, which has this clone's salt and the values of --config. So nothing committed is
 * rewritten, and a file with another clone's salt does no harm unless it holds secrets of that clone.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { usage } from "./failure";
import { shortName } from "./options";
import { makeFolder } from "./ownership";
import type { Project } from "./project";
import type { State } from "./state";
import { parseYaml } from "./yaml";

export interface Settings {
  /** The user's file; it may not exist. */
  committed: string;
  /** Does it hold secret values? */
  secrets: boolean;
  /** What the engine is to use in its place. */
  copy?: string;
  /** The folder of the copy: a project of its own, for commands that know no --config-file. */
  folder: string;
}

const saltLine = /^encryptionsalt:.*$/m;

export function openSettings(
  project: Project,
  state: State,
  stack: string,
  config: readonly string[],
): Settings {
  const name = `Pulumi.${shortName(stack)}.yaml`;
  const committed = join(project.settingsFolder, name);
  const folder = join(state.home, "settings");
  const text = existsSync(committed) ? readFileSync(committed, "utf8") : "";
  const secrets = holdsSecrets(parse(text, committed));
  if (!state.backend.own && config.length === 0) return { committed, secrets, folder };
  makeFolder(folder, 0o700);
  const copy = join(folder, name);
  writeFileSync(join(folder, "Pulumi.yaml"), `name: ${JSON.stringify(project.name)}\nruntime: nodejs\n`);
  writeFileSync(copy, state.backend.own && !secrets ? withOwnSalt(text, copy) : text, { mode: 0o600 });
  return { committed, secrets, copy, folder };
}

/** Splits `key=value`; a key without a namespace is the project's. */
export function parseConfig(project: string, pair: string): [key: string, value: string] {
  const at = pair.indexOf("=");
  if (at < 1) throw usage(`--config ${pair}: expected key=value`);
  const key = pair.slice(0, at);
  return [key.includes(":") ? key : `${project}:${key}`, pair.slice(at + 1)];
}

function withOwnSalt(text: string, copy: string): string {
  const own = existsSync(copy) ? saltLine.exec(readFileSync(copy, "utf8"))?.[0] : undefined;
  const bare = text.replace(saltLine, "").trimEnd();
  return [bare, own]
    .filter(Boolean)
    .map((part) => `${part}\n`)
    .join("");
}

function parse(text: string, file: string): unknown {
  try {
    return parseYaml(text, file);
  } catch (error) {
    throw usage(`${file} cannot be read: ${(error as Error).message}`);
  }
}

function holdsSecrets(value: unknown): boolean {
  if (!value || typeof value !== "object") return false;
  return Object.entries(value).some(([key, inner]) => key === "secure" || holdsSecrets(inner));
}

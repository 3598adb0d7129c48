/**
 * Where the state is. A backend that the user chose is used as it is; otherwise state, passphrase and instance are
 * in `.tuntap/` beside Pulumi.yaml.
 */
import { createHash, randomBytes } from "node:crypto";
import { accessSync, constants, existsSync, linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { join, resolve } from "node:path";
import { notYours } from "./failure";
import { giveBack, inside, invoker, makeFolder, ownedByInvoker } from "./ownership";
import type { Project } from "./project";

export interface Backend {
  url: string;
  /** Who chose it, in words. */
  source: string;
  /** Is it `.tuntap/state`? */
  own: boolean;
  /** Of a backend in a folder: the folder. */
  folder?: string;
}

const login = "pulumi login";

export interface State {
  /** `.tuntap` of the project. */
  home: string;
  backend: Backend;
  /** What the engine needs in its environment. */
  env: Record<string, string>;
}

/** Finds the backend and makes what is missing of `.tuntap/`. */
export function openState(project: Project): State {
  const { home, backend } = placesOf(project);
  makeFolder(home, 0o700);
  writeOnce(join(home, ".gitignore"), "*\n", 0o644);
  writeOnce(join(home, "instance"), randomBytes(8).toString("hex"), 0o600);
  if (backend.own) {
    makeFolder(join(home, "state"), 0o700);
    if (!passphraseGiven()) writeOnce(passphraseFile(home), randomBytes(24).toString("base64url"), 0o600);
  }
  giveBackHome(project, home);
  return { home, backend, env: environmentOf(home, backend) };
}

/** The same, but only what is there: nothing is made. */
export function lookAtState(project: Project): State {
  const { home, backend } = placesOf(project);
  if (existsSync(home)) mustRead(home);
  return { home, backend, env: environmentOf(home, backend) };
}

function mustRead(folder: string): void {
  try {
    accessSync(folder, constants.R_OK | constants.X_OK);
  } catch {
    throw notYours(folder);
  }
}

function placesOf(project: Project): { home: string; backend: Backend } {
  const home = join(project.root, ".tuntap");
  return { home, backend: chosenBackend(project) ?? ownBackend(home) };
}

function environmentOf(home: string, backend: Backend): Record<string, string> {
  const env: Record<string, string> = { PULUMI_SKIP_UPDATE_CHECK: "true" };
  const instance = process.env.TUNTAP_INSTANCE || readIfThere(join(home, "instance"));
  if (instance) env.TUNTAP_INSTANCE = instance;
  // An engine that was built here looks for the home in the account data, an official one in HOME, as we do.
  if (!process.env.PULUMI_HOME && accountHome() !== homedir()) env.PULUMI_HOME = pulumiHome();
  // The engine reads `pulumi login` by itself; what Pulumi.yaml says, it would not know in our private folder.
  if (backend.source !== login)
    env.PULUMI_BACKEND_URL = backend.folder ? fileUrl(backend.folder) : backend.url;
  if (backend.own && !passphraseGiven()) env.PULUMI_CONFIG_PASSPHRASE_FILE = passphraseFile(home);
  return env;
}

function passphraseGiven(): boolean {
  return (
    process.env.PULUMI_CONFIG_PASSPHRASE !== undefined || Boolean(process.env.PULUMI_CONFIG_PASSPHRASE_FILE)
  );
}

function passphraseFile(home: string): string {
  return join(home, "passphrase");
}

/** Whether the stack's state is a file of ours and is not there. */
export function isMissing(project: Project, { backend }: State, stack: string): boolean {
  const file = join(backend.folder ?? "", ".pulumi", "stacks", project.name, `${stack}.json`);
  return backend.own && !existsSync(file) && !existsSync(`${file}.gz`);
}

/**
 * Whether the engine works on that stack where none is named: what it noted of this project says so (pkg/workspace of the
 * engine). Where that cannot be told, it is not.
 */
export function isSelected({ name, file }: Project, { backend, env }: State, stack: string): boolean {
  if (!backend.own || !backend.folder) return false;
  const place = createHash("sha1").update(file).digest("hex");
  const note = join(env.PULUMI_HOME ?? pulumiHome(), "workspaces", `${name}-${place}-workspace.json`);
  try {
    const { stacks } = JSON.parse(readFileSync(note, "utf8")) as { stacks?: Record<string, string> };
    return [stack, `organization/${name}/${stack}`].includes(stacks?.[fileUrl(backend.folder)] ?? "");
  } catch {
    return false;
  }
}

/** Called at the end: the engine wrote as root what the user of sudo must own. */
export function giveBackState(project: Project, state: State, stack: string): void {
  const user = invoker();
  if (!user) return;
  giveBackHome(project, state.home);
  if (ownedByInvoker(project.settingsFolder)) giveBack(join(project.settingsFolder, `Pulumi.${stack}.yaml`));
  const folder = state.backend.folder;
  if (folder && ownedByInvoker(folder)) giveBack(join(folder, ".pulumi"));
  // Workspaces and credentials, where root works in the user's home; plugins are many and lie deeper.
  if (inside(pulumiHome(), user.home)) giveBack(pulumiHome(), 2);
}

/** In a folder of root's own it stays root's. */
function giveBackHome({ root }: Project, home: string): void {
  if (ownedByInvoker(root)) giveBack(home);
}

function ownBackend(home: string): Backend {
  const folder = join(home, "state");
  return { url: fileUrl(folder), source: "tuntap", own: true, folder };
}

function chosenBackend(project: Project): Backend | undefined {
  const fromEnv = process.env.PULUMI_BACKEND_URL;
  if (fromEnv) return backendOf(fromEnv, "PULUMI_BACKEND_URL", project);
  if (project.backendUrl) return backendOf(project.backendUrl, project.file, project);
  const current = currentLogin();
  return current ? backendOf(current, login, project) : undefined;
}

function backendOf(url: string, source: string, project: Project): Backend {
  const folder = folderOf(url, project.root);
  return { url, source, own: false, ...(folder ? { folder } : {}) };
}

function currentLogin(): string | undefined {
  try {
    const file = join(process.env.PULUMI_CREDENTIALS_PATH || pulumiHome(), "credentials.json");
    const current = (JSON.parse(readFileSync(file, "utf8")) as { current?: unknown }).current;
    if (typeof current === "string" && current) return current;
  } catch {
    // Nobody logged in.
  }
  return process.env.PULUMI_ACCESS_TOKEN ? process.env.PULUMI_API || "https://api.pulumi.com" : undefined;
}

function pulumiHome(): string {
  return process.env.PULUMI_HOME || join(homedir(), ".pulumi");
}

function accountHome(): string | undefined {
  try {
    return userInfo().homedir;
  } catch {
    // A user without an account entry.
    return undefined;
  }
}

/** The file URL as the engine reads it: only what would end a URL's path is escaped. */
export function fileUrl(folder: string): string {
  return `file://${folder.replace(/[%?#]/g, encodeURIComponent)}`;
}

export function folderOf(url: string, root: string): string | undefined {
  if (!url.startsWith("file://")) return undefined;
  const path = decodeURIComponent(url.slice("file://".length).replace(/[?#].*$/, ""));
  return path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : resolve(root, path);
}

/** Writes the file unless it exists, whole or not at all; two who race get the same. */
function writeOnce(file: string, content: string, mode: number): void {
  if (existsSync(file)) return;
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, content, { mode });
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(draft);
  }
}

function readIfThere(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, "utf8").trim() : undefined;
}

/** The Pulumi project of a folder: what Pulumi.yaml says, and which file its program is. Nothing is written. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import { Failure, messageOf, usage } from "./failure";
import { parseYaml } from "./yaml";

export interface Project {
  /** The folder of Pulumi.yaml. */
  root: string;
  file: string;
  name: string;
  /** Backend that Pulumi.yaml chooses, if it does. */
  backendUrl?: string;
  /** The folder of `Pulumi.<stack>.yaml`. */
  settingsFolder: string;
  /** `main` of Pulumi.yaml as an absolute path; the root where it is not given. */
  main: string;
}

export interface Entry {
  file: string;
  /** The program's folder: its working directory while it runs. */
  folder: string;
  module: "commonjs" | "esm";
  warning?: string;
}

interface Manifest {
  type?: string;
  main?: unknown;
  exports?: unknown;
}

const projectFiles = ["Pulumi.yaml", "Pulumi.yml", "Pulumi.json"];
const extensions = [".ts", ".js", ".mts", ".cts", ".mjs", ".cjs"];

export function findProject(folder: string): Project {
  const start = resolve(folder);
  if (!existsSync(start)) throw usage(`${start}: no such folder`);
  for (let at = start; ; at = dirname(at)) {
    for (const name of projectFiles) if (existsSync(join(at, name))) return readProject(join(at, name));
    if (at === dirname(at)) throw usage(`no Pulumi.yaml in ${start} or above: tuntap needs a Pulumi project`);
  }
}

function readProject(file: string): Project {
  let content: unknown;
  try {
    content = parseYaml(readFileSync(file, "utf8"), file);
  } catch (error) {
    throw usage(`${file} cannot be read: ${messageOf(error)}`);
  }
  const record = (content ?? {}) as Record<string, unknown>;
  const root = dirname(file);
  const name = typeof record.name === "string" ? record.name : "";
  if (!name) throw usage(`${file}: name is missing`);
  const runtime = record.runtime as string | { name?: string } | undefined;
  const runtimeName = typeof runtime === "object" ? runtime?.name : runtime;
  if (runtimeName !== "nodejs") {
    throw usage(
      `${file}: runtime is ${runtimeName ?? "missing"}; tuntap runs nodejs programs, use pulumi for others`,
    );
  }
  const backendUrl = (record.backend as { url?: string } | undefined)?.url;
  return {
    root,
    file,
    name,
    ...(backendUrl ? { backendUrl } : {}),
    settingsFolder: resolve(root, typeof record.stackConfigDir === "string" ? record.stackConfigDir : ""),
    main: resolve(root, typeof record.main === "string" ? record.main : ""),
  };
}

/** Finds the program's file as Pulumi's node runtime does. */
export function findEntry(project: Project): Entry {
  const file = withExtension(project.main);
  if (file) return entry(file, dirname(file));
  if (!existsSync(project.main))
    throw new Failure(`${project.file}: main is ${project.main}, which does not exist`, 2);
  return entryOfFolder(project.main);
}

function entryOfFolder(folder: string): Entry {
  const manifest = readManifest(join(folder, "package.json"));
  const named = mainOf(manifest);
  let warning: string | undefined;
  if (named) {
    const target =
      withExtension(resolve(folder, named)) ?? withExtension(join(resolve(folder, named), "index"));
    if (target) return entry(target, folder);
    warning = `package.json names ${named}, which does not exist; looking for index.ts or index.js`;
  }
  const order = manifest?.type === "module" ? [".js", ".mjs", ".ts", ".mts"] : [".js", ".ts", ".cjs", ".cts"];
  const candidates = order.map((suffix) => join(folder, `index${suffix}`)).filter(isFile);
  const file = candidates[0] ?? withExtension(join(folder, "index"));
  if (!file) throw usage(`no program in ${folder}: expected main of Pulumi.yaml, index.ts or index.js`);
  if (basename(file) === "index.js" && isFile(join(folder, "index.ts"))) {
    warning = "there is an index.ts and an index.js: index.js is run, as Pulumi does";
  }
  return entry(file, folder, warning);
}

function entry(file: string, folder: string, warning?: string): Entry {
  return { file, folder, module: moduleOf(file), ...(warning ? { warning } : {}) };
}

function moduleOf(file: string): Entry["module"] {
  if (/\.m[jt]s$/.test(file)) return "esm";
  if (/\.c[jt]s$/.test(file)) return "commonjs";
  for (let at = dirname(file); ; at = dirname(at)) {
    const manifest = readManifest(join(at, "package.json"));
    if (manifest) return manifest.type === "module" ? "esm" : "commonjs";
    if (at === dirname(at)) return "commonjs";
  }
}

function mainOf(manifest: Manifest | undefined): string | undefined {
  const entrance = manifest?.exports;
  const dot = typeof entrance === "object" ? (entrance as Record<string, unknown> | null)?.["."] : entrance;
  if (typeof dot === "string") return dot;
  if (dot && typeof dot === "object") {
    const ways = dot as Record<string, unknown>;
    const way = ways.default ?? ways.require ?? ways.import;
    if (typeof way === "string") return way;
  }
  return typeof manifest?.main === "string" ? manifest.main : undefined;
}

function readManifest(file: string): Manifest | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Manifest;
  } catch {
    return undefined;
  }
}

function withExtension(path: string): string | undefined {
  if (isFile(path)) return path;
  if (extname(path) && existsSync(path)) return undefined;
  return extensions.map((suffix) => path + suffix).find(isFile);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

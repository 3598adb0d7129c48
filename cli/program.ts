/**
 * Loads the user's program, anew for each run of the engine: a program registers its resources while its modules
 * are evaluated, so a cached module would register nothing in the second run.
 */
import { createRequire } from "node:module";
import { dirname, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { messageOf } from "./failure";
import { type Entry, findEntry, type Project } from "./project";

/** What the program threw: as the engine repeats it, and with the line of the user's code. */
export interface ProgramError {
  text: string;
  located: string;
}

/** Of this package, as it was built. */
const ownFolder = dirname(__dirname) + sep;
let typescriptReady: Promise<void> | undefined;
let generation = 0;
let baseline: Set<string> | undefined;

/** Resolves `id` as the program would, else as this package does. */
export function resolveForProgram(project: Project, id: string): string {
  try {
    return createRequire(`${findEntry(project).folder}${sep}index.js`).resolve(id);
  } catch {
    return require.resolve(id);
  }
}

/** Runs the program once, in its own folder, and gives its outputs. */
export async function runProgram(project: Project, onError: (error: ProgramError) => void): Promise<object> {
  const entry = findEntry(project);
  const before = process.cwd();
  process.chdir(entry.folder);
  try {
    const exported = await load(entry);
    const value = typeof exported === "function" ? await exported() : await exported;
    return value && typeof value === "object" ? { ...value } : {};
  } catch (error) {
    onError({ text: messageOf(error), located: locate(error) });
    throw error;
  } finally {
    process.chdir(before);
  }
}

async function load(entry: Entry): Promise<unknown> {
  await prepareTypeScript();
  forgetProgram();
  return entry.module === "esm" ? await loadEsm(entry.file) : loadCommonJs(entry.file);
}

/** Makes `require` understand TypeScript; done before a program is loaded, or earlier when there is time. */
export function prepareTypeScript(): Promise<void> {
  typescriptReady ??= import("tsx/cjs/api").then((tsx) => {
    tsx.register();
  });
  return typescriptReady;
}

function loadCommonJs(file: string): unknown {
  const exported = createRequire(file)(file) as Record<string, unknown>;
  // `export default` of TypeScript compiled to CommonJS.
  const compiled = exported !== null && typeof exported === "object" && exported.__esModule === true;
  if (compiled && Object.keys(exported).join() === "default") return exported.default;
  return exported;
}

async function loadEsm(file: string): Promise<unknown> {
  const tsx = await import("tsx/esm/api");
  // A namespace of its own per run: every module of the program is evaluated again, node_modules are not.
  const scope = tsx.register({ namespace: `tuntap-${++generation}` });
  const loaded = (await scope.import(pathToFileURL(file).href, pathToFileURL(__filename).href)) as object;
  if (!("default" in loaded)) return loaded;
  if (Object.keys(loaded).length !== 1) {
    throw new Error("the program has a default export and named exports: Pulumi takes one or the other");
  }
  return loaded.default;
}

/** Drops the program's own modules from the cache; what npm installed stays, so there is one @pulumi/pulumi. */
function forgetProgram(): void {
  baseline ??= new Set(Object.keys(require.cache));
  for (const file of Object.keys(require.cache)) {
    const installed = file.includes(`${sep}node_modules${sep}`) || file.startsWith(ownFolder);
    if (!baseline.has(file) && !installed) delete require.cache[file];
  }
}

/** The error with the line of the user's own code that it comes from. */
export function locate(error: unknown): string {
  if (!(error instanceof Error)) return `the program failed: ${String(error)}`;
  const text = error.name === "Error" ? error.message : `${error.name}: ${error.message}`;
  const own = ownFrame(error.stack ?? "");
  return own ? `${text}\n    at ${own}` : text;
}

/** A message with a whole stack in it, with the one frame of the user's code instead. */
export function shortenStack(message: string): string {
  const lines = message.split("\n");
  const first = lines.findIndex((line) => /^\s+at /.test(line));
  if (first < 1) return message;
  const own = ownFrame(lines.slice(first).join("\n"));
  const text = lines.slice(0, first).join("\n");
  return own ? `${text}\n    at ${own}` : text;
}

function ownFrame(stack: string): string | undefined {
  const frames = stack.split("\n").filter((line) => /^\s+at /.test(line));
  return frames.map(frameFile).find((at) => at && isUsers(at));
}

function frameFile(frame: string): string | undefined {
  const place = /(?:at |async |\()((?:file:\/\/)?\/[^()]*?:\d+:\d+)\)?$/.exec(frame)?.[1];
  if (!place) return undefined;
  const clean = place.replace(/\?[^:]*/, "");
  const position = /:\d+:\d+$/.exec(clean)?.[0] ?? "";
  const file = clean.slice(0, -position.length);
  return (file.startsWith("file://") ? fileURLToPath(file) : file) + position;
}

function isUsers(at: string): boolean {
  return !at.includes(`${sep}node_modules${sep}`) && !at.startsWith(ownFolder) && dirname(at) !== ".";
}

/** Getting an engine into the cache: the official install, or a build with Go. */
import { chmodSync, copyFileSync, cpSync, existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type * as Automation from "@pulumi/pulumi/automation";
import { messageOf } from "../failure";
import { giveBack, inside, invoker } from "../ownership";
import { seconds, type Terminal } from "../terminal";
import { makeWorkFolder } from "../work-folder";
import { cacheFolder, launcher, type Search, searchCache, which } from "./installed";
import { type Finished, runProcess } from "./process";
import { atLeast, engineVersion, findVersion, minimumGo } from "./version";

const installer = "https://get.pulumi.com/install.sh";
const goModule = "github.com/pulumi/pulumi";

/** The official download, through the Automation API. On a network that cannot reach it this ends at once. */
export async function installOfficial(terminal: Terminal): Promise<Search> {
  try {
    // The Automation API has no limit of time; so ask first whether the installer answers.
    const answer = await fetch(installer, { method: "HEAD", signal: AbortSignal.timeout(10_000) });
    if (!answer.ok) return { reason: `${installer} answers ${answer.status}` };
  } catch {
    return { reason: `${installer} cannot be reached` };
  }
  return intoCache(terminal, "downloading the Pulumi engine", async (root) => {
    const { PulumiCommand } = require("@pulumi/pulumi/automation") as typeof Automation;
    const options = { root, version: engineVersion };
    await PulumiCommand.install(options as unknown as Parameters<typeof PulumiCommand.install>[0]);
  });
}

/** Builds the pinned engine from its Go module: what remains where only package registries are reachable. */
export async function buildWithGo(terminal: Terminal): Promise<Search> {
  const go = which("go");
  if (!go) return { reason: "there is no go on PATH" };
  const version = findVersion((await runProcess(go, ["version"])).stdout);
  if (!version || !atLeast(version, minimumGo)) {
    return { reason: `${go} is ${version ?? "of unknown version"}, older than ${minimumGo}` };
  }
  terminal.note(
    `no Pulumi engine here: building version ${engineVersion} with Go, once; this takes some minutes`,
  );
  let downloads = 0;
  const what = () =>
    `building the Pulumi engine with Go ${version}${downloads ? `, ${downloads} modules downloaded` : ""}`;
  return intoCache(terminal, what, (root) =>
    build(go, root, (text) => {
      downloads += text.match(/^go: downloading /gm)?.length ?? 0;
    }),
  );
}

async function build(go: string, root: string, onStderr: (text: string) => void): Promise<void> {
  const source = join(root, "source");
  cpSync(moduleFolder(), source, { recursive: true });
  giveBack(root);
  const options = { cwd: source, onStderr, ...asInvoker() };
  const flags = `-s -w -X ${goModule}/sdk/v3/go/common/version.Version=v${engineVersion}`;
  const output = join(root, "bin", "pulumi");
  const target = `${goModule}/pkg/v3/cmd/pulumi`;
  mustSucceed("go build", await runProcess(go, ["build", "-ldflags", flags, "-o", output, target], options));
  const list = await runProcess(go, ["list", "-m", "-f", "{{.Dir}}", `${goModule}/sdk/v3`], options);
  mustSucceed("go list", list);
  copyFileSync(join(list.stdout.trim(), "nodejs", "dist", launcher), join(root, "bin", launcher));
  rmSync(source, { recursive: true });
}

/** Go's own caches are in HOME: where that is the user's, Go runs as the user. */
function asInvoker(): { uid?: number; gid?: number } {
  const user = invoker();
  const home = process.env.HOME;
  return user && home && inside(home, user.home) ? { uid: user.uid, gid: user.gid } : {};
}

/** `tools/engine` of this package, seen from the sources or from dist. */
function moduleFolder(): string {
  const places = ["../../tools/engine", "../../../tools/engine"].map((place) => join(__dirname, place));
  const found = places.find((place) => existsSync(join(place, "go.mod")));
  if (!found) throw new Error("this package lacks its folder tools/engine");
  return found;
}

function mustSucceed(what: string, result: Finished): void {
  if (result.code === 0) return;
  const lines = result.stderr.split("\n").filter((line) => line && !line.startsWith("go: downloading"));
  throw new Error(`${what} failed: ${lines.slice(-5).join("\n")}`);
}

/** Never half an engine, also when two run at once. */
async function intoCache(
  terminal: Terminal,
  what: string | (() => string),
  work: (root: string) => Promise<void>,
): Promise<Search> {
  const began = Date.now();
  const describe = typeof what === "string" ? () => what : what;
  const line = () => `${describe()} (${seconds(Date.now() - began)})`;
  const root = makeWorkFolder(cacheFolder(), engineVersion);
  terminal.status(line);
  const reminder = terminal.live ? undefined : setInterval(() => terminal.note(line()), 20_000);
  try {
    await work(root);
    for (const name of readdirSync(join(root, "bin"))) chmodSync(join(root, "bin", name), 0o755);
    chmodSync(root, 0o755);
    publish(root);
    giveBack(cacheFolder());
    terminal.note(`${describe()}: done after ${seconds(Date.now() - began)}`);
    return searchCache();
  } catch (error) {
    return { reason: messageOf(error) };
  } finally {
    clearInterval(reminder);
    terminal.status(undefined);
    rmSync(root, { recursive: true, force: true });
  }
}

function publish(root: string): void {
  const place = join(cacheFolder(), engineVersion);
  if (searchCache().engine) return;
  rmSync(place, { recursive: true, force: true });
  try {
    renameSync(root, place);
  } catch (error) {
    // Another process was faster; its engine is the same.
    if (!searchCache().engine) throw error;
  }
}

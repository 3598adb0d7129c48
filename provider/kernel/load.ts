/** Finds, checks and loads the native files: those built here, else those that came with the package. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { TuntapError } from "../errors";

const packageName = "pulumi-tuntap";
const addonName = "tuntap.node";
const helperName = "tuntap-helper";
/** Made by tools/prebuild: SHA-256 and path of every prebuilt file, as sha256sum(1) writes them. */
const checksumsName = "SHA256SUMS";
/** The oldest that the prebuilt addon runs with; tools/prebuild builds for it. */
const oldestGlibc = "2.28";

/**
 * Loads the native addon and says where its helper is, which is looked for only when one is asked for.
 *
 * @param roots folders to look in; the package's own.
 * @returns what the addon exports, and the path of the helper beside it.
 * @throws TuntapError ADDON_MISSING where there is none for this machine or it cannot be loaded, PREBUILT_DAMAGED
 * where a file that came with the package is not as it was packed.
 */
export function loadNative<Addon>(roots: readonly string[] = packageRoots(__dirname)): {
  addon: Addon;
  helper: string;
} {
  const machine = `linux-${process.arch}`;
  const places = roots.flatMap((root) => [
    { folder: join(root, "native", "build"), prebuilt: false },
    { folder: join(root, "prebuilds", machine), prebuilt: true },
  ]);
  const found = places.find(({ folder }) => existsSync(join(folder, addonName)));
  if (!found) throw missing(machine, roots, places);
  if (found.prebuilt) verify(found.folder);
  const path = join(found.folder, addonName);
  try {
    return { addon: createRequire(__filename)(path), helper: join(found.folder, helperName) };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const remedy = found.prebuilt ? unsuitableLibrary() : "Remove that file and run `sh tools/bootstrap.sh`.";
    throw new TuntapError("ADDON_MISSING", {
      message: `${path} could not be loaded: ${reason}.`,
      remedy,
      cause,
    });
  }
}

function missing(
  machine: string,
  roots: readonly string[],
  places: readonly { folder: string }[],
): TuntapError {
  const carried = roots.map((root) => join(root, "prebuilds")).filter((folder) => existsSync(folder));
  const machines = carried.flatMap((folder) => readdirSync(folder)).filter((name) => name !== checksumsName);
  const others = machines.length > 0 ? ` There are addons for ${machines.sort().join(" and ")}.` : "";
  const paths = places.map(({ folder }) => join(folder, addonName));
  return new TuntapError("ADDON_MISSING", {
    message: `There is no native addon for this machine, ${machine}: no ${paths.join(" and no ")}.${others}`,
  });
}

/** Every file of the folder that the checksums list, the addon among them, must be as it was packed. */
function verify(folder: string): void {
  const list = join(dirname(folder), checksumsName);
  const sums = read(list)
    .toString()
    .split("\n")
    .map((line) => line.split("  "));
  const own = sums.filter(([, path]) => path?.startsWith(`${basename(folder)}/`));
  if (!own.some(([, path]) => path?.endsWith(`/${addonName}`))) {
    throw damaged(`${list} does not list ${basename(folder)}/${addonName}.`);
  }
  for (const [expected, path] of own) {
    const file = join(dirname(folder), path!);
    const actual = createHash("sha256").update(read(file)).digest("hex");
    if (actual !== expected) throw damaged(`${file} has the checksum ${actual}; ${list} says ${expected}.`);
  }
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw damaged(`${path} cannot be read: ${(cause as Error).message}.`, cause);
  }
}

function damaged(message: string, cause?: unknown): TuntapError {
  return new TuntapError("PREBUILT_DAMAGED", { message, cause });
}

/** What to do where Node.js runs with a C library that the prebuilt addon is not for; undefined where it is. */
function unsuitableLibrary(): string | undefined {
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  const glibc = header.glibcVersionRuntime;
  const needed = `The addon that came with the package needs glibc ${oldestGlibc} or newer`;
  const instead = "use a Node.js for glibc (Debian, Ubuntu, Fedora …; as an image, `node:22-slim`).";
  if (!glibc)
    return `${needed}; this Node.js runs with another C library (musl, as on Alpine Linux): ${instead}`;
  const isOlder = glibc.localeCompare(oldestGlibc, "en", { numeric: true }) < 0;
  return isOlder ? `${needed}; this host has ${glibc}: ${instead}` : undefined;
}

/** Folders above with a package.json of this package: this file runs from the source tree and from `dist/`. */
function packageRoots(folder: string): string[] {
  const description = join(folder, "package.json");
  const own = existsSync(description) && JSON.parse(readFileSync(description, "utf8")).name === packageName;
  const parent = dirname(folder);
  return [...(own ? [folder] : []), ...(parent === folder ? [] : packageRoots(parent))];
}

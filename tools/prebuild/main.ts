/** `npm run prebuild`: the addon and the helper for each kind of machine, with their checksums, in `prebuilds/`. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { messageOf } from "../../cli/failure";
import { build, buildFolder, type Machine, machines, root } from "./build";

const prebuilds = join(root, "prebuilds");
const checksums = "SHA256SUMS";
const products = { "tuntap.node": "glibc", "tuntap-helper": "static" } as const;

function main(): void {
  const files = new Map<string, Buffer>();
  for (const machine of Object.keys(machines) as Machine[]) {
    for (const product of Object.keys(products) as (keyof typeof products)[]) {
      files.set(`linux-${machine}/${product}`, readFileSync(build(machine, products[product], product)));
    }
  }
  const sums = [...files].map(
    ([name, bytes]) => `${createHash("sha256").update(bytes).digest("hex")}  ${name}\n`,
  );
  files.set(checksums, Buffer.from(sums.join("")));
  publish(files);
}

/** Afterwards `prebuilds/` holds these files and no other. What is as it should be is not touched: it may be in use. */
function publish(files: ReadonlyMap<string, Buffer>): void {
  for (const [name, bytes] of files) {
    const path = join(prebuilds, name);
    if (existsSync(path) && readFileSync(path).equals(bytes)) continue;
    mkdirSync(dirname(path), { recursive: true });
    const work = join(root, "native", buildFolder, `publish-${process.pid}`);
    writeFileSync(work, bytes, { mode: name === checksums ? 0o644 : 0o755 });
    renameSync(work, path);
  }
  const keep = new Set([...files.keys()].flatMap((name) => [name, dirname(name)]));
  for (const name of readdirSync(prebuilds, { recursive: true, encoding: "utf8" })) {
    if (!keep.has(name)) rmSync(join(prebuilds, name), { recursive: true, force: true });
  }
}

try {
  main();
} catch (error) {
  process.stderr.write(`prebuild: ${messageOf(error)}\n`);
  process.exitCode = 1;
}

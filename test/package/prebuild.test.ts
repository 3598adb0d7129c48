import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const repository = resolve(__dirname, "../..");

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tuntap-prebuild-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Packs with an empty cache, so that the compiler would have to be installed. */
function pack(environment: Record<string, string>): { code: number | null; errors: string } {
  const { status, stderr } = spawnSync("npm", ["pack", "--silent", "--pack-destination", folder], {
    cwd: repository,
    encoding: "utf8",
    env: { ...process.env, XDG_CACHE_HOME: join(folder, "cache"), ...environment },
  });
  return { code: status, errors: stderr };
}

function expectNoPackage({ code, errors }: ReturnType<typeof pack>): void {
  expect(code).not.toBe(0);
  expect(errors).toMatch(/^prebuild: ziglang [\d.]+ could not be installed: /m);
  expect(errors).toMatch(/no complete package without it\.\n.*apt-get install python3-venv/);
  // Neither half a package, nor half a compiler that a later run would take.
  expect(existsSync(join(folder, "pulumi-tuntap-0.1.0.tgz"))).toBe(false);
  expect(spawnSync("find", [join(folder, "cache"), "-type", "f"], { encoding: "utf8" }).stdout).toBe("");
}

test("without a package index there is no package, and a reason", () => {
  const result = pack({
    PIP_INDEX_URL: "http://127.0.0.1:9/simple",
    PIP_EXTRA_INDEX_URL: "",
    PIP_RETRIES: "0",
  });
  expectNoPackage(result);
  expect(result.errors).toMatch(/No matching distribution found for ziglang/);
});

test("without Python there is no package, and a reason", () => {
  const bin = join(folder, "bin");
  const tools = ["node", "npm", "sh", "env", "make", "g++", "find", "id", "chown", "getent", "cut"];
  spawnSync("mkdir", [bin]);
  for (const tool of tools) {
    const path = spawnSync("sh", ["-c", `command -v ${tool}`], { encoding: "utf8" }).stdout.trim();
    symlinkSync(path, join(bin, tool));
  }
  const result = pack({ PATH: bin });
  expectNoPackage(result);
  expect(result.errors).toMatch(/spawnSync python3 ENOENT/);
});

import { spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
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

/** Instead of Python: installs an empty file as the compiler, which takes so many seconds. */
const standIn = `#!/bin/sh
case $2 in
  venv) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  pip)
    for target; do :; done
    sleep "$SECONDS_TO_INSTALL" && mkdir -p "$target/ziglang" && : >"$target/ziglang/zig"
    ;;
esac
`;

test("two that install the compiler at once: the first one's stays, and what a killed one left goes", async () => {
  const bin = join(folder, "bin");
  const place = join(folder, "cache/pulumi-tuntap/zig");
  mkdirSync(bin);
  mkdirSync(join(place, ".0.1.2-99999999-killed"), { recursive: true });
  writeFileSync(join(bin, "python3"), standIn, { mode: 0o755 });
  const install = (seconds: number) => {
    const script = `process.stdout.write(require("./tools/prebuild/zig").ensureZig())`;
    const child = spawn(process.execPath, ["--require", "tsx/cjs", "-e", script], {
      cwd: repository,
      env: {
        ...process.env,
        PATH: `${bin}:${process.env.PATH}`,
        XDG_CACHE_HOME: join(folder, "cache"),
        SECONDS_TO_INSTALL: String(seconds),
      },
    });
    let path = "";
    child.stdout.on("data", (data) => {
      path += data;
    });
    return new Promise<string>((done) => child.on("close", () => done(path)));
  };
  const late = install(6);
  const first = await install(1);
  const { ino } = statSync(first);
  expect(await late).toBe(first);
  expect(statSync(first).ino).toBe(ino);
  expect(readdirSync(place)).toEqual([first.split("/").at(-3)]);
});

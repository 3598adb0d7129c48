import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UserFolder } from "../harness/user-folder";

let user: UserFolder;
let folder: string;
beforeAll(() => {
  user = new UserFolder();
  folder = user.unpack();
});
afterAll(() => user.remove());

describe.each([
  ["x64", "Advanced Micro Devices X86-64", /^ld-linux-x86-64\.so\.2$/],
  ["arm64", "AArch64", /^ld-linux-aarch64\.so\.1$/],
])("for %s", (machine, header, loader) => {
  const path = (name: string) => join(folder, "prebuilds", `linux-${machine}`, name);
  const readelf = (name: string, ...options: string[]) =>
    execFileSync("readelf", ["--wide", ...options, path(name)], { encoding: "utf8" });

  test("addon and helper are of that machine", () => {
    for (const name of ["tuntap.node", "tuntap-helper"]) {
      expect(/Machine: +(.*)/.exec(readelf(name, "--file-header"))?.[1], name).toBe(header);
    }
  });

  test("the addon needs nothing but glibc 2.28: its C++ library is inside", () => {
    const dynamic = readelf("tuntap.node", "--dynamic");
    const needed = [...dynamic.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, name]) => name!);
    const glibc = ["libc.so.6", "libdl.so.2", "libpthread.so.0"];
    expect(needed.filter((name) => !loader.test(name)).sort()).toEqual(glibc);
    const symbols = readelf("tuntap.node", "--version-info");
    const versions = [...symbols.matchAll(/Name: (\S+)/g)].map(([, name]) => name!);
    expect(versions).toContain("GLIBC_2.28");
    const minors = versions.map((name) => Number(/^GLIBC_2\.(\d+)(\.\d+)?$/.exec(name)?.[1]));
    expect(Math.max(...minors)).toBe(28);
  });

  test("the addon shows Node.js what it looks for and nothing else, and is never unloaded", () => {
    const symbols = readelf("tuntap.node", "--dyn-syms")
      .split("\n")
      .map((line) => line.trim().split(/ +/));
    const defined = symbols.filter(
      ([number, , , , , , index]) => /^\d+:/.test(number ?? "") && index !== "UND",
    );
    expect(defined.map((columns) => columns[7]).sort()).toEqual([
      "napi_register_module_v1",
      "node_api_module_get_api_version_v1",
    ]);
    expect(readelf("tuntap.node", "--dynamic")).toMatch(/Flags: NOW NODELETE/);
  });

  test("the helper needs nothing at all", () => {
    expect(readelf("tuntap-helper", "--dynamic")).toMatch(/There is no dynamic section/);
    expect(readelf("tuntap-helper", "--program-headers")).not.toMatch(/INTERP/);
  });

  test("neither names a folder of the machine that made it, nor carries debug information", () => {
    for (const name of ["tuntap.node", "tuntap-helper"]) {
      const text = execFileSync("strings", ["--all", path(name)], { encoding: "utf8" });
      expect(text).not.toContain("node-addon-api");
      expect(text).not.toContain(process.cwd());
      expect(text).not.toMatch(/\/\.cache\/|pulumi-tuntap\/zig/);
      expect(readelf(name, "--section-headers")).not.toMatch(/\.debug_|\.symtab/);
    }
  });
});

/** What is made for arm64, run by an emulator. It passes most system calls on; what it cannot is probed by trying. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { build, root } from "../../tools/prebuild/build";
import { obtainNode } from "../harness/node-versions";
import { UserFolder } from "../harness/user-folder";

const emulator = "qemu-aarch64-static";
/** glibc and libstdc++ for arm64, for an emulated Node.js. */
const libraries = "/usr/aarch64-linux-gnu";

function emulate(
  args: readonly string[],
  cwd?: string,
): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(emulator, args, { cwd, encoding: "utf8" });
  return { code: status, stdout, stderr };
}

const emulates = spawnSync(emulator, ["--version"]).status === 0;

describe.skipIf(!emulates)(`under ${emulator}`, () => {
  describe("the package", () => {
    let user: UserFolder;
    beforeAll(() => {
      user = new UserFolder();
      user.install();
    });
    afterAll(() => user.remove());

    test("its helper runs", () => {
      const helper = join(user.path, "node_modules/pulumi-tuntap/prebuilds/linux-arm64/tuntap-helper");
      expect(emulate([helper])).toEqual({
        code: 2,
        stdout: "",
        stderr: expect.stringMatching(/^usage: tuntap-helper /),
      });
    });

    test("its addon is loaded by a Node.js for arm64, and reaches the kernel", ({ skip }) => {
      if (!existsSync(libraries)) return skip(`there is no ${libraries}`);
      const node = obtainNode("20.20.2", "arm64");
      if (!node.path) return skip(`Node.js for arm64 cannot be had: ${node.reason}`);
      const program = `
        const { loadAddon } = require("./node_modules/pulumi-tuntap/dist/provider/kernel/addon.js");
        const kernel = loadAddon();
        kernel.account("user", "root").then(({ id }) => kernel.sysctl(undefined, "net.ipv4.ip_forward").then((value) =>
          console.log(process.arch, id, value)));
      `;
      const { stdout, stderr } = emulate(["-L", libraries, node.path, "-e", program], user.path);
      const forward = readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8").trim();
      expect({ stdout, stderr }).toEqual({ stdout: `arm64 0 ${forward}\n`, stderr: "" });
    });
  });

  describe("the native tests", () => {
    const folder = join(root, "native", "test");
    const sources = readdirSync(folder).filter((name) => name.endsWith("_test.cc"));
    const names = sources.flatMap((name) =>
      [...readFileSync(join(folder, name), "utf8").matchAll(/^TEST\((\w+)\)/gm)].map(([, test]) => test!),
    );
    const results = new Map<string, { verdict: string; reason: string }>();
    beforeAll(() => {
      const { stdout } = emulate([build("arm64", "static", "plain/run")]);
      for (const [, verdict, name, reason] of stdout.matchAll(/^(ok|skip|FAIL) +(\w+)(?:: (.*))?$/gm)) {
        results.set(name!, { verdict: verdict!, reason: reason ?? "" });
      }
    }, 900_000);

    test.for(names)("%s", (name, { skip }) => {
      const { verdict, reason } = results.get(name) ?? { verdict: "missing", reason: "" };
      if (verdict === "skip") return skip(reason);
      expect({ verdict, reason }).toEqual({ verdict: "ok", reason: "" });
    });

    test("are mostly such as the emulator can run", () => {
      const skipped = [...results.values()].filter(({ verdict }) => verdict === "skip");
      expect(skipped.length).toBeLessThan(results.size / 2);
    });
  });
});

import { existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Lab } from "../harness/lab";
import { nodeVersions, obtainNode } from "../harness/node-versions";
import { UserFolder } from "../harness/user-folder";

let lab: Lab;
let user: UserFolder;

beforeAll(async () => {
  lab = await Lab.open(false);
  user = new UserFolder();
  writeFileSync(join(user.path, "Pulumi.yaml"), "name: mylab # a comment that stays\nruntime: nodejs\n");
  writeFileSync(
    join(user.path, "index.ts"),
    `import * as tuntap from "pulumi-tuntap";
const lab = new tuntap.Namespace("lab", { name: "${lab.name}" });
export const name = new tuntap.TunInterface("vmtap0", {
  owner: "nobody",
  address: "192.0.2.1/24",
  namespace: lab.name,
}).name;
new tuntap.TunInterface("vmtap1", { multiQueue: true, persistence: "process", namespace: lab.name });
`,
  );
});

/** The programs of the package that are running, as the kernel names them. */
function helpers(): string[] {
  const programs = user.mustRun("for each in /proc/[0-9]*/exe; do readlink $each; done; true").split("\n");
  return programs.filter((path) => path.startsWith(user.path));
}

const helper = () =>
  join(user.path, `node_modules/pulumi-tuntap/prebuilds/linux-${process.arch}/tuntap-helper`);

afterAll(async () => {
  await lab.close();
  user.remove();
});

describe("npm install with install scripts disabled, no compiler, and npx tuntap", () => {
  test("installs", () => {
    const bare = user.bare();
    for (const tool of ["cc", "gcc", "g++", "clang++", "make", "python3", "go"]) {
      expect(user.run(`command -v ${tool}`, bare).code, tool).not.toBe(0);
    }
    user.install(bare);
    expect(existsSync(join(user.path, "node_modules/pulumi-tuntap/native"))).toBe(false);
  });

  test("up makes it, a second up changes nothing, Pulumi.yaml stays as it is", async () => {
    const output = user.mustRun("npx --no-install tuntap up --yes", user.bare());
    expect(output).toMatch(/vmtap0/);
    expect(await lab.addresses("vmtap0")).toEqual(["192.0.2.1/24"]);
    expect(helpers()).toEqual([helper()]);
    expect(user.mustRun("npx --no-install tuntap up --yes --expect-no-changes", user.bare())).toMatch(
      /nothing changes/,
    );
    expect(user.mustRun("cat Pulumi.yaml")).toBe("name: mylab # a comment that stays\nruntime: nodejs\n");
    expect(statSync(join(user.path, ".tuntap")).mode & 0o777).toBe(0o700);
  });

  test("the plain engine has the same state through `tuntap env`: refresh, then destroy", async () => {
    await lab.ip("link", "set", "vmtap0", "down");
    const plain = (command: string) =>
      `eval "$(npx --no-install tuntap env)" && pulumi ${command} --stack dev --yes --non-interactive`;
    expect(user.mustRun(plain("refresh"))).toMatch(/up: down on the host, up recorded/);
    user.mustRun(plain("destroy"));
    await expect(lab.ip("link")).rejects.toThrow();
    expect(helpers()).toEqual([]);
  });
});

/** The same program, by another Node.js each: the command, the engine's provider process and the addon in it. */
describe.each(nodeVersions)("under Node.js %s", (version) => {
  test("up makes it, down removes it", async ({ skip }) => {
    const node = obtainNode(version);
    if (!node.path) return skip(`Node.js ${version} cannot be had: ${node.reason}`);
    const bare = user.bare(node.path);
    expect(user.mustRun("node --version", bare)).toBe(`v${version}\n`);
    // Nothing but its version: what is set of V8 is known to that one too.
    expect(user.mustRun("node_modules/.bin/tuntap --version 2>&1", bare)).toMatch(/^\d+\.\d+\.\d+\n$/);
    user.mustRun("node_modules/.bin/tuntap up --yes", bare);
    expect(await lab.addresses("vmtap0")).toEqual(["192.0.2.1/24"]);
    expect(helpers()).toEqual([helper()]);
    user.mustRun("node_modules/.bin/tuntap down --yes", bare);
    await expect(lab.ip("link")).rejects.toThrow();
    expect(helpers()).toEqual([]);
  });

  test("a CommonJS module and an ES module get the classes by name", ({ skip }) => {
    const node = obtainNode(version);
    if (!node.path) return skip(`Node.js ${version} cannot be had: ${node.reason}`);
    const bare = user.bare(node.path);
    const print = "console.log(typeof TunInterface, typeof Namespace)";
    const both = 'import { TunInterface, Namespace } from "pulumi-tuntap";';
    writeFileSync(join(user.path, "named.mjs"), `${both}\n${print};\n`);
    writeFileSync(
      join(user.path, "star.mjs"),
      `import * as tuntap from "pulumi-tuntap";
const { TunInterface, Namespace } = tuntap;\n${print};\n`,
    );
    writeFileSync(
      join(user.path, "named.cjs"),
      `const { TunInterface, Namespace } = require("pulumi-tuntap");\n${print};\n`,
    );
    for (const file of ["named.mjs", "star.mjs", "named.cjs"]) {
      expect(user.mustRun(`node ${file}`, bare), file).toBe("function function\n");
    }
  });
});

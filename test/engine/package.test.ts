import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Lab } from "../harness/lab";

const repository = resolve(__dirname, "../..");

let lab: Lab;
let folder: string;

/** Runs a shell command in the user's folder, as a user would type it. */
function shell(
  command: string,
  environment: Record<string, string> = {},
): { code: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync("sh", ["-c", command], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, npm_config_prefer_offline: "true", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return { code: status, output: `${stdout}${stderr}` };
}

function mustRun(command: string, environment: Record<string, string> = {}): string {
  const { code, output } = shell(command, environment);
  if (code !== 0) throw new Error(`${command} ended with ${code}:\n${output}`);
  return output;
}

beforeAll(async () => {
  lab = await Lab.open(false);
  folder = mkdtempSync(join(tmpdir(), "tuntap user's folder "));
  mustRun(`npm pack --silent --pack-destination "$PWD" '${repository}'`);
  writeFileSync(join(folder, "Pulumi.yaml"), "name: mylab # a comment that stays\nruntime: nodejs\n");
  writeFileSync(
    join(folder, "index.ts"),
    `import * as tuntap from "pulumi-tuntap";
const lab = new tuntap.Namespace("lab", { name: "${lab.name}" });
export const name = new tuntap.TunInterface("vmtap0", {
  owner: "nobody",
  address: "192.0.2.1/24",
  namespace: lab.name,
}).name;
`,
  );
});

afterAll(async () => {
  await lab.close();
  rmSync(folder, { recursive: true, force: true });
});

test("the package holds what it needs, and nothing else", () => {
  const [archive] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  const names = mustRun(`tar tzf '${archive}'`).trim().split("\n");
  expect(names).toContain(`package/prebuilds/linux-${process.arch}/tuntap.node`);
  expect(names).toContain("package/tools/engine/go.mod");
  expect(
    names.filter((name) => !/^package\/(dist|prebuilds|tools\/engine)\/|^package\/[^/]+$/.test(name)),
  ).toEqual([]);
  expect(names.filter((name) => /test|\.tsbuildinfo|node_modules|\.built/.test(name))).toEqual([]);
});

describe("npm install with install scripts disabled, no compiler, and npx tuntap", () => {
  // Neither g++ nor make: only node, npm and what the tests themselves need.
  const bare = () => {
    const bin = join(folder, "bin");
    mustRun(
      `mkdir -p bin && for each in node npm npx sh env ip id; do ln -sf "$(command -v $each)" bin/; done`,
    );
    return { PATH: bin };
  };

  test("installs", () => {
    mustRun(
      "npm init -y >/dev/null && npm install --ignore-scripts --no-audit --no-fund ./pulumi-tuntap-*.tgz",
      bare(),
    );
    expect(existsSync(join(folder, "node_modules/pulumi-tuntap/native"))).toBe(false);
  });

  test("up makes it, a second up changes nothing, Pulumi.yaml stays as it is", async () => {
    const output = mustRun("npx --no-install tuntap up --yes", bare());
    expect(output).toMatch(/vmtap0/);
    expect(await lab.addresses("vmtap0")).toEqual(["192.0.2.1/24"]);
    expect(mustRun("npx --no-install tuntap up --yes --expect-no-changes", bare())).toMatch(
      /nothing changes/,
    );
    expect(mustRun("cat Pulumi.yaml")).toBe("name: mylab # a comment that stays\nruntime: nodejs\n");
    expect(statSync(join(folder, ".tuntap")).mode & 0o777).toBe(0o700);
  });

  test("the plain engine has the same state through `tuntap env`: refresh, then destroy", async () => {
    await lab.ip("link", "set", "vmtap0", "down");
    const plain = (command: string) =>
      `eval "$(npx --no-install tuntap env)" && pulumi ${command} --stack dev --yes --non-interactive`;
    expect(mustRun(plain("refresh"))).toMatch(/up: down on the host, up recorded/);
    mustRun(plain("destroy"));
    await expect(lab.ip("link")).rejects.toThrow();
  });
});

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { UserFolder } from "../harness/user-folder";

const repository = resolve(__dirname, "../..");
const mostBytes = 10_000_000;

let user: UserFolder;
let folder: string;
beforeAll(() => {
  user = new UserFolder();
  folder = user.unpack();
});
afterAll(() => user.remove());

function filesBelow(path: string): string[] {
  return readdirSync(path, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(path, name)).isFile())
    .sort();
}

/** What the compiler makes of the sources of a room. */
function compiled(room: string, ...endings: string[]): string[] {
  return filesBelow(join(repository, room)).flatMap((source) =>
    endings.map((ending) => `dist/${room}/${source.replace(/\.ts$/, ending)}`),
  );
}

/** The examples as they are in the repository, without what running them leaves. */
function examples(): string[] {
  return filesBelow(join(repository, "examples")).filter((name) => !/\/(\.tuntap|node_modules)\//.test(name));
}

const expected = [
  ...["CHANGELOG.md", "LICENSE", "README.md", "package.json", "schema.json"],
  ...compiled("cli", ".js"),
  ...compiled("provider", ".js", ".d.ts"),
  ...compiled("sdk", ".js", ".d.ts"),
  ...filesBelow(join(repository, "docs")).map((name) => `docs/${name}`),
  ...examples().map((name) => `examples/${name}`),
  "prebuilds/SHA256SUMS",
  ...["linux-arm64", "linux-x64"].flatMap((machine) =>
    ["tuntap-helper", "tuntap.node"].map((file) => `prebuilds/${machine}/${file}`),
  ),
  ...["tools/engine/go.mod", "tools/engine/go.sum"],
].sort();

test("the package holds what it needs, and nothing else", () => {
  expect(filesBelow(folder)).toEqual(expected);
});

test("what its texts link to is in it", () => {
  const texts = filesBelow(folder).filter((name) => name.endsWith(".md"));
  expect(texts.length).toBeGreaterThan(10);
  const dead = texts.flatMap((text) =>
    linksOf(readFileSync(join(folder, text), "utf8"))
      .filter((link) => !existsSync(join(folder, dirname(text), link)))
      .map((link) => `${text}: ${link}`),
  );
  expect(dead).toEqual([]);
});

/** The files that a Markdown text links to. */
function linksOf(text: string): string[] {
  const links = [...text.matchAll(/\]\(([^()\s]+)\)/g)].map((match) => match[1] ?? "");
  return links.filter((link) => !/^(\w+:|#)/.test(link)).map((link) => link.replace(/#.*/, ""));
}

test(`it has at most ${mostBytes} bytes unpacked, without its dependencies`, () => {
  const bytes = filesBelow(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  expect(bytes).toBeGreaterThan(1_000_000);
  expect(bytes).toBeLessThan(mostBytes);
});

test("every native file has its checksum, and the helper may be executed", () => {
  const lines = user
    .mustRun("cd package/prebuilds && sha256sum --strict --check SHA256SUMS")
    .trim()
    .split("\n");
  const native = expected.filter((name) => /^prebuilds\/linux/.test(name));
  expect(lines.sort()).toEqual(native.map((name) => `${name.replace("prebuilds/", "")}: OK`));
  for (const name of native.filter((each) => each.endsWith("helper"))) {
    expect(statSync(join(folder, name)).mode & 0o111, name).toBe(0o111);
  }
});

test("npm knows of no vulnerability in what it depends on", ({ skip }) => {
  const { stdout, stderr } = spawnSync("npm", ["audit", "--json"], { cwd: repository, encoding: "utf8" });
  const report = JSON.parse(stdout || "{}");
  if (report.auditReportVersion === undefined) {
    const reason = report.message ?? stderr.trim().split("\n")[0];
    return skip(`the package registry answers no audit: ${reason}`);
  }
  expect(report.vulnerabilities).toEqual({});
});

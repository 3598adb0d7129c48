import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { engineVersion, minimumEngine } from "../../cli/engine/version";
import { lab, repository, slow, temporary } from "./tool";

/** Makes every network request of the command fail at once. */
const closed = "--import data:text/javascript,globalThis.fetch=()=>Promise.reject(Error())";
const launcher = "pulumi-resource-pulumi-nodejs";

function script(folder: string, name: string, text: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(folder, name), 0o755);
}

/** A host with nothing but node and the shell, an empty cache and no network. */
function bareHost() {
  const base = temporary();
  const bin = join(base, "bin");
  const cache = join(base, "cache");
  script(bin, "node", `exec ${process.execPath} "$@"`);
  for (const tool of ["mkdir", "sleep", "cat", "cp", "touch"])
    script(bin, tool, `PATH=/usr/bin:/bin exec ${tool} "$@"`);
  const at = lab({ "index.js": "exports.a = 1;" });
  const env = { PATH: bin, XDG_CACHE_HOME: cache, NODE_OPTIONS: closed };
  const engines = join(cache, "pulumi-tuntap", "engine");
  const cached = (version = engineVersion) => {
    script(join(engines, engineVersion, "bin"), "pulumi", `echo v${version}`);
    script(join(engines, engineVersion, "bin"), launcher, "");
  };
  /** A Go that makes an engine of the shape that a real build gives. */
  const go = (version: string, build: string) => {
    const sdk = join(base, "sdk");
    script(join(sdk, "nodejs", "dist"), launcher, "");
    chmodSync(join(sdk, "nodejs", "dist", launcher), 0o444);
    const make = `mkdir -p "\${5%/*}"; echo "#!/bin/sh" > "$5"`;
    script(
      bin,
      "go",
      `case "$1" in version) echo "go version go${version} linux/amd64";; build) ${build}; ${make};; list) echo ${sdk};; esac`,
    );
  };
  return {
    ...at,
    bin,
    engines,
    cached,
    go,
    tell: () => at.tuntap(["engine"], env),
    start: () => at.start(["engine"], env),
  };
}

describe("the engine", () => {
  it(
    "on PATH is taken if it is new enough and has its launcher",
    async () => {
      const host = bareHost();
      script(host.bin, "pulumi", `echo v${minimumEngine}`);
      script(host.bin, launcher, "");
      host.cached();
      const told = await host.tell();
      expect(told.stdout).toBe(
        `version  ${minimumEngine}\nsource   PATH\npath     ${join(host.bin, "pulumi")}\n`,
      );
      expect(told.code).toBe(0);
    },
    slow,
  );

  it(
    "is no folder of that name on PATH",
    async () => {
      const host = bareHost();
      mkdirSync(join(host.bin, "pulumi"));
      mkdirSync(join(host.bin, "go"));
      const told = await host.tell();
      expect(told.stderr).toContain("PATH: there is no pulumi");
      expect(told.stderr).toContain("built with Go: there is no go");
    },
    slow,
  );

  it(
    "on PATH that is too old, or lacks its launcher, gives way to the cached one, and that is said",
    async () => {
      const old = bareHost();
      script(old.bin, "pulumi", "echo v3.100.0");
      script(old.bin, launcher, "");
      old.cached();
      const told = await old.tell();
      expect(told.stdout).toContain(
        `source   cache\npath     ${join(old.engines, engineVersion, "bin", "pulumi")}`,
      );
      expect(told.stderr).toMatch(
        new RegExp(`PATH: .*pulumi is 3.100.0, older than ${minimumEngine}; going on`),
      );
      const bare = bareHost();
      script(bare.bin, "pulumi", "echo v3.999.0");
      bare.cached();
      const without = await bare.tell();
      expect(without.stdout).toContain("source   cache");
      expect(without.stderr).toContain(`lacks ${launcher}`);
    },
    slow,
  );

  it(
    "is built with Go where nothing else is there, whole or not at all, and used from then on",
    async () => {
      const host = bareHost();
      host.go("1.25.0", "echo 'go: downloading example' >&2; sleep 1");
      const told = await host.tell();
      expect(told.code, told.all).toBe(0);
      expect(told.stdout).toContain(`version  ${engineVersion}\nsource   built with Go`);
      expect(told.stderr).toMatch(/official install: .* cannot be reached; going on\n/);
      expect(told.stderr).toMatch(/building version .* with Go, once; this takes some minutes/);
      expect(told.stderr).toMatch(/1 modules downloaded: done after 1\.\d s/);
      expect(readdirSync(host.engines)).toEqual([engineVersion]);
      expect(readdirSync(join(host.engines, engineVersion, "bin")).sort()).toEqual(["pulumi", launcher]);
      expect((await host.tell()).stdout).toContain("source   cache");
    },
    slow,
  );

  it(
    "built by two at once is there once, for both",
    async () => {
      const host = bareHost();
      host.go("1.26.1", "sleep 2");
      const [one, other] = await Promise.all([host.tell(), host.tell()]);
      expect([one.code, other.code]).toEqual([0, 0]);
      expect(readdirSync(host.engines)).toEqual([engineVersion]);
    },
    slow,
  );

  it(
    "of a build that was killed leaves a folder that the next build removes",
    async () => {
      const host = bareHost();
      host.go("1.26.1", "sleep 3");
      mkdirSync(host.engines, { recursive: true });
      mkdtempSync(join(host.engines, `.${engineVersion}-99999999-`));
      expect((await host.tell()).code).toBe(0);
      expect(readdirSync(host.engines)).toEqual([engineVersion]);
    },
    slow,
  );

  it(
    "that cannot be had is an error that lists what was tried and the three remedies",
    async () => {
      const host = bareHost();
      const told = await host.tell();
      expect(told.code).toBe(1);
      expect(told.stdout).toBe("");
      for (const word of [
        "PATH: there is no pulumi",
        "cache: no engine",
        "official install:",
        "built with Go: there is no go",
      ]) {
        expect(told.stderr).toContain(word);
      }
      expect(told.stderr).toMatch(
        /1\. install Pulumi .*\n.*2\. let this host reach .*\n.*3\. install Go 1\.25/,
      );
      host.go("1.24.9", ":");
      expect((await host.tell()).stderr).toContain("is 1.24.9, older than 1.25");
      host.go("1.26.0", "echo 'no such module' >&2; exit 1");
      const failed = await host.tell();
      expect(failed.stderr).toContain("built with Go: go build failed: no such module");
      expect(readdirSync(host.engines)).toEqual([]);
    },
    slow,
  );

  it("is pinned in the packaged module to the version that is built", () => {
    const pinned = readFileSync(join(repository, "tools", "engine", "go.mod"), "utf8");
    expect(pinned).toContain(`github.com/pulumi/pulumi/pkg/v3 v${engineVersion}`);
    expect(pinned).toContain(`github.com/pulumi/pulumi/sdk/v3 v${engineVersion}`);
  });
});

describe("a proxy of the host's", () => {
  it(
    "does not stand between the program, the engine and its providers",
    async () => {
      const proxy = "http://127.0.0.1:9";
      const at = lab();
      const up = await at.tuntap(["up", "--yes"], {
        http_proxy: proxy,
        https_proxy: proxy,
        no_proxy: "example.org",
      });
      expect(up.code, up.all).toBe(0);
    },
    slow,
  );
});

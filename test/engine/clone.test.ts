import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../harness/shell";

const repository = resolve(__dirname, "../..");
const lab = "tuntap-lab";
/** Somebody who is not root, as sudo tells of them. */
const user = { SUDO_UID: "12345", SUDO_GID: "12346", SUDO_USER: "somebody" };

let clone: string;

function npm(script: string): { code: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync("npm", ["run", "--silent", script], {
    cwd: clone,
    encoding: "utf8",
    env: { ...process.env, ...user, npm_config_prefer_offline: "true", TERM: "dumb" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return { code: status, output: `${stdout}${stderr}` };
}

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).map((entry) =>
    join(entry.parentPath, entry.name),
  );
}

describe.skipIf(existsSync(`/run/netns/${lab}`))(
  `the two commands of the README (not while ${lab} is up)`,
  () => {
    beforeAll(() => {
      clone = join(mkdtempSync(join(tmpdir(), "tuntap-clone-")), "another name");
      // What a clone would have: every file that git knows or would add, and nothing that was built.
      const names = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
        cwd: repository,
      });
      const present = names
        .toString()
        .split("\0")
        .filter((name) => name && existsSync(join(repository, name)));
      execFileSync(
        "sh",
        [
          "-c",
          `mkdir '${clone}' && tar c --null -T - | tar x -C '${clone}' && chown -R 12345:12346 '${clone}'`,
        ],
        {
          cwd: repository,
          input: present.join("\0"),
        },
      );
    });

    afterAll(() => {
      spawnSync("ip", ["netns", "del", lab]);
      rmSync(join(clone, ".."), { recursive: true, force: true });
    });

    test("npm run up brings up the lab and ends with a table of what the kernel has", async () => {
      const { code, output } = npm("up");
      expect(code, output).toBe(0);
      const table = output.slice(output.indexOf("┌"));
      for (const pattern of [
        /vpn0 .*tun .*nobody.*10\.99\.0\.1/,
        /web0 .*tap .*daemon.*192\.0\.2\.1/,
        /db0 .*tap .*1000.*198\.51\.100\.1/,
      ]) {
        expect(table).toMatch(pattern);
      }
      const links = JSON.parse(await run("ip", "-n", lab, "-j", "-d", "link")) as {
        ifname: string;
        linkinfo?: { info_data: { type: string } };
      }[];
      expect(links.map((link) => `${link.ifname} ${link.linkinfo?.info_data.type ?? ""}`).sort()).toEqual([
        "db0 tap",
        "lo ",
        "vpn0 tun",
        "web0 tap",
      ]);
    });

    test("what was written in the clone belongs to the user, not to root", () => {
      const roots = files(clone).filter((name) => statSync(name, { throwIfNoEntry: false })?.uid === 0);
      expect(roots).toEqual([]);
    });

    test("a second up says that nothing changes", () => {
      expect(npm("up").output).toMatch(/nothing changes/);
    });

    test("an mtu changed by hand, a deleted link and a deleted namespace are said and repaired", async () => {
      await run("ip", "-n", lab, "link", "set", "vpn0", "mtu", "9000");
      await run("ip", "-n", lab, "link", "del", "web0");
      const drifted = npm("up").output;
      expect(drifted).toMatch(/mtu: 9000 on the host, 1400 recorded/);
      expect(drifted).toMatch(/mtu: 9000 => 1400/);
      expect(drifted).toMatch(/web0 in namespace tuntap-lab no longer exists/);
      expect(await run("ip", "-n", lab, "link", "show", "vpn0")).toMatch(/mtu 1400/);

      await run("ip", "netns", "del", lab);
      expect(npm("up").output).toMatch(/tuntap-lab no longer exists/);
      expect(await run("ip", "-n", lab, "-br", "link")).toMatch(/web0/);
    });

    test("npm run down leaves no residue", () => {
      expect(npm("down").code).toBe(0);
      expect(existsSync(`/run/netns/${lab}`)).toBe(false);
    });
  },
);

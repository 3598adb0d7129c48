import { chownSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { lab, slow } from "./tool";

const user = 12345;
const group = 23456;
const root = process.getuid?.() === 0;

function* walk(path: string): Generator<string> {
  yield path;
  const stat = lstatSync(path);
  if (stat.isDirectory()) for (const name of readdirSync(path)) yield* walk(join(path, name));
}

describe("under sudo", () => {
  it.skipIf(!root)(
    "everything written in the user's folders belongs to the user",
    async () => {
      const at = lab();
      const sudo = { SUDO_UID: String(user), SUDO_GID: String(group) };
      chownSync(at.root, user, group);
      const up = await at.tuntap(["up", "--yes"], sudo);
      expect(up.code, up.all).toBe(0);
      const owners = [...walk(join(at.root, ".tuntap"))].map((path) => [
        path,
        lstatSync(path).uid,
        lstatSync(path).gid,
      ]);
      expect(owners.filter(([, uid, gid]) => uid !== user || gid !== group)).toEqual([]);
      expect(owners.length).toBeGreaterThan(8);
      const down = await at.tuntap(["down", "--yes"], sudo);
      expect(down.code).toBe(0);
      const later = [...walk(join(at.root, ".tuntap"))].filter((path) => lstatSync(path).uid !== user);
      expect(later).toEqual([]);
    },
    slow,
  );

  it.skipIf(!root)(
    "with a backend of the user's in a folder of the user's, too",
    async () => {
      const at = lab();
      const backend = join(at.root, "backend");
      mkdirSync(backend);
      for (const path of [at.root, backend]) chownSync(path, user, group);
      const env = { PULUMI_BACKEND_URL: `file://${backend}`, PULUMI_CONFIG_PASSPHRASE: "x" };
      const up = await at.tuntap(["up", "--yes"], {
        SUDO_UID: String(user),
        SUDO_GID: String(group),
        ...env,
      });
      expect(up.code, up.all).toBe(0);
      expect([...walk(backend)].filter((path) => lstatSync(path).uid !== user)).toEqual([]);
      expect(lstatSync(join(at.root, "Pulumi.dev.yaml")).uid).toBe(user);
    },
    slow,
  );

  it.skipIf(!root)(
    "in a folder of root's, it stays root's",
    async () => {
      const at = lab({ "index.js": "exports.a = 1;" });
      const sudo = { SUDO_UID: String(user), SUDO_GID: String(group) };
      const up = await at.tuntap(["up", "--yes"], sudo);
      expect(up.code, up.all).toBe(0);
      const owners = [...walk(join(at.root, ".tuntap"))].map((path) => lstatSync(path).uid);
      expect(new Set(owners)).toEqual(new Set([0]));
    },
    slow,
  );

  it.skipIf(!root)(
    "files of others stay theirs",
    async () => {
      const at = lab({ "index.js": "exports.a = 1;" });
      chownSync(at.root, user, group);
      await at.tuntap(["preview"], { SUDO_UID: String(user), SUDO_GID: String(group) });
      const other = join(at.root, ".tuntap", "others");
      writeFileSync(other, "");
      chownSync(other, user + 1, group);
      await at.tuntap(["preview"], { SUDO_UID: String(user), SUDO_GID: String(group) });
      expect(lstatSync(other).uid).toBe(user + 1);
      expect(lstatSync(join(at.root, "index.js")).uid).toBe(0);
    },
    slow,
  );
});

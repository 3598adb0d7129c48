import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { lab, launch, object, slow } from "./tool";

const yaml = `# the lab\nname: lab\n\nruntime: nodejs   # and no other\nconfig:\n  lab:mtu:\n    default: 1300\n`;
const program = `
import * as pulumi from "@pulumi/pulumi";
const config = new pulumi.Config();
export const mtu = config.getNumber("mtu");
export const word = config.get("word");
export const other = new pulumi.Config("other").get("key");
export const instance = process.env.TUNTAP_INSTANCE;`;

const foreignSalt = "v1:ug3TJUlp/N0=:v1:HY52ii0CHkhU/WQM:+9eQoE11CrSDkwaxQSXEdtBXBh80Rw==";

describe("configuration", () => {
  it(
    "comes from Pulumi.yaml, Pulumi.<stack>.yaml and --config, and no file of the user's is written",
    async () => {
      const dev = "# kept\nconfig:\n  lab:word: of the file # why\n";
      const { tuntap, read } = lab({ "Pulumi.yaml": yaml, "Pulumi.dev.yaml": dev, "index.ts": program });
      const plain = await tuntap(["up", "--yes", "--json"]);
      expect(object(plain), plain.stderr).toMatchObject({ outputs: { mtu: 1300, word: "of the file" } });
      const given = ["--config", "word=a=b c", "--config", "other:key=1", "--config", "mtu=1200"];
      const configured = object(await tuntap(["preview", "--json", ...given]));
      expect(configured.outputs).toMatchObject({ mtu: 1200, word: "a=b c", other: "1" });
      expect(object(await tuntap(["preview", "--json"])).outputs).toMatchObject({
        mtu: 1300,
        word: "of the file",
      });
      expect(read("Pulumi.yaml")).toBe(yaml);
      expect(read("Pulumi.dev.yaml")).toBe(dev);
    },
    slow,
  );

  it(
    "makes no file where there was none",
    async () => {
      const { tuntap, root } = lab({ "index.ts": program });
      expect((await tuntap(["up", "--yes", "--stack", "new"])).code).toBe(0);
      expect(readdirSync(root).filter((name) => name.startsWith("Pulumi"))).toEqual(["Pulumi.yaml"]);
    },
    slow,
  );
});

describe("another clone's Pulumi.<stack>.yaml", () => {
  it(
    "with its salt comes up all the same and stays as it is",
    async () => {
      const dev = `encryptionsalt: ${foreignSalt}\nconfig:\n  lab:mtu: 1280\n`;
      const { tuntap, read } = lab({ "Pulumi.dev.yaml": dev });
      const up = await tuntap(["up", "--yes", "--json"]);
      expect(object(up), up.stderr).toMatchObject({ result: "succeeded", changes: { create: 2 } });
      const again = object(await tuntap(["preview", "--expect-no-changes", "--json"]));
      expect(again).toMatchObject({ result: "succeeded", changes: { same: 2 } });
      expect(read("Pulumi.dev.yaml")).toBe(dev);
      expect((await tuntap(["down", "--yes"])).code).toBe(0);
    },
    slow,
  );

  it(
    "with its secrets names the file and the variable to set; with the right passphrase it comes up",
    async () => {
      const first = lab({ "index.ts": program });
      await first.tuntap(["preview"]);
      const passphrase = first.read(".tuntap/passphrase");
      const environment = await first.tuntap(["env"]);
      const set = `${environment.stdout.trim()}; pulumi config set --secret word hush --stack dev --non-interactive`;
      const ran = await launch(["sh", "-c", set], first.root, first.env()).ended;
      expect(ran.code, ran.all).toBe(0);
      const dev = first.read("Pulumi.dev.yaml");
      expect(dev).toContain("secure:");
      // The clone that wrote it reads it.
      expect(object(await first.tuntap(["preview", "--json"])).outputs).toMatchObject({ word: "[secret]" });

      const second = lab({ "index.ts": program, "Pulumi.dev.yaml": dev });
      const refused = await second.tuntap(["up", "--yes", "--json"]);
      expect(refused.code).toBe(1);
      const [diagnostic] = object(refused).diagnostics as { message: string }[];
      expect(diagnostic?.message).toContain(join(second.root, "Pulumi.dev.yaml"));
      expect(diagnostic?.message).toContain("PULUMI_CONFIG_PASSPHRASE");
      const allowed = await second.tuntap(["up", "--yes", "--json"], {
        PULUMI_CONFIG_PASSPHRASE: passphrase,
      });
      expect(object(allowed), allowed.stderr).toMatchObject({
        result: "succeeded",
        outputs: { word: "[secret]" },
      });
      expect(second.read("Pulumi.dev.yaml")).toBe(dev);
    },
    slow,
  );
});

describe("state", () => {
  it(
    "is in .tuntap, closed to others, with passphrase and instance of its own",
    async () => {
      const { tuntap, root, read } = lab({ "index.ts": program });
      const first = object(await tuntap(["up", "--yes", "--json"]));
      const mode = (path: string) => (statSync(join(root, ".tuntap", path)).mode & 0o777).toString(8);
      expect([mode(""), mode("passphrase"), mode("instance"), mode("state")]).toEqual([
        "700",
        "600",
        "600",
        "700",
      ]);
      expect(read(".tuntap/.gitignore")).toBe("*\n");
      expect(read(".tuntap/instance")).toMatch(/^[0-9a-f]{16}$/);
      expect(read(".tuntap/passphrase").length).toBeGreaterThan(30);
      expect(first.outputs).toMatchObject({ instance: read(".tuntap/instance") });
      const other = lab({ "index.ts": program });
      await other.tuntap(["preview"]);
      expect(other.read(".tuntap/instance")).not.toBe(read(".tuntap/instance"));
    },
    slow,
  );

  it(
    "is where the user chose: variable, Pulumi.yaml, login; the instance is kept all the same",
    async () => {
      const passphrase = { PULUMI_CONFIG_PASSPHRASE: "mine" };
      const places: ((folder: string) => [files: Record<string, string>, env: Record<string, string>])[] = [
        (url) => [{}, { PULUMI_BACKEND_URL: url }],
        (url) => [{ "Pulumi.yaml": `name: lab\nruntime: nodejs\nbackend:\n  url: ${url}\n` }, {}],
        (url) => [
          { "../home/.pulumi/credentials.json": JSON.stringify({ current: url, accounts: { [url]: {} } }) },
          {},
        ],
      ];
      for (const place of places) {
        const { tuntap, root, write, read } = lab({ "index.ts": program });
        write("elsewhere/.keep", "");
        const [files, env] = place(`file://${root}/elsewhere`);
        for (const [name, text] of Object.entries(files)) write(name, text);
        const up = await tuntap(["up", "--yes", "--json", "--config", "word=w"], { ...env, ...passphrase });
        expect(object(up), up.stderr).toMatchObject({ result: "succeeded", outputs: { word: "w" } });
        expect(existsSync(join(root, "elsewhere/.pulumi/stacks/lab/dev.json"))).toBe(true);
        expect(existsSync(join(root, ".tuntap/state"))).toBe(false);
        expect(read(".tuntap/instance")).toMatch(/^[0-9a-f]{16}$/);
      }
    },
    slow,
  );

  it(
    "is shared with a plain pulumi by eval of tuntap env, in a folder with any name",
    async () => {
      const { tuntap, root, write, env } = lab();
      write("it's 100% a lab/Pulumi.yaml", "name: odd\nruntime: nodejs\n");
      write("it's 100% a lab/index.js", "exports.a = 1;");
      const folder = join(root, "it's 100% a lab");
      const up = await tuntap(["up", "--yes", folder]);
      expect(up.code, up.all).toBe(0);
      const words = (await tuntap(["env", folder])).stdout;
      expect(words).toMatch(/^export .*PULUMI_BACKEND_URL=.*PULUMI_CONFIG_PASSPHRASE_FILE=/);
      expect(words).toContain("TUNTAP_INSTANCE=");
      const line = `eval "$WORDS"; pulumi stack ls --json && pulumi stack export --stack dev`;
      const ran = await launch(["sh", "-c", line], folder, env({ WORDS: words })).ended;
      expect(ran.code, ran.all).toBe(0);
      expect(ran.stdout).toContain('"name": "dev"');
      expect(ran.stdout).toContain("pulumi:pulumi:Stack");
    },
    slow,
  );

  it(
    "is that of the stack used last, for a plain pulumi too; it is selected only where it is not yet",
    async () => {
      const { tuntap, root, write, env } = lab({ "index.ts": "export const done = true;" });
      const [, engine = ""] = /path +(.+)/.exec((await tuntap(["engine"])).stdout) ?? [];
      const asked = join(root, "asked");
      for (const name of ["pulumi", "pulumi-resource-pulumi-nodejs"]) {
        write(
          `bin/${name}`,
          `#!/bin/sh\necho "$1 $2" >> '${asked}'\nexec '${join(dirname(engine), name)}' "$@"\n`,
        );
        chmodSync(join(root, "bin", name), 0o755);
      }
      const onPath = { PATH: `${join(root, "bin")}:${process.env.PATH}` };
      const selections = async (...args: string[]) => {
        writeFileSync(asked, "");
        const ran = await tuntap(args, onPath);
        expect(ran.code, ran.all).toBe(0);
        const calls = readFileSync(asked, "utf8").split("\n");
        expect(calls).toContain("preview --refresh");
        return calls.filter((call) => call === "stack select").length;
      };
      const selected = async () => {
        const words = (await tuntap(["env"], onPath)).stdout;
        const line = 'eval "$WORDS"; pulumi stack --show-name';
        return (await launch(["sh", "-c", line], root, env({ ...onPath, WORDS: words })).ended).all;
      };
      expect(await selections("up", "--yes")).toBe(1);
      expect(await selections("up", "--yes")).toBe(0);
      expect(await selected()).toBe("dev\n");
      expect(await selections("up", "--yes", "--stack", "other")).toBe(1);
      expect(await selections("preview", "--stack", "other")).toBe(0);
      expect(await selected()).toBe("other\n");
      expect(await selections("preview", "--stack", "dev")).toBe(1);
      expect(await selected()).toBe("dev\n");
    },
    slow,
  );
});

describe("the environment for a plain pulumi", () => {
  it(
    "is that of the stack that was asked for",
    async () => {
      const { tuntap, root, env } = lab({ "index.js": "exports.a = 1;" });
      for (const stack of ["blue", "dev"]) await tuntap(["preview", "--stack", stack]);
      const chosen = async (...args: string[]) => {
        const words = (await tuntap(["env", ...args])).stdout.trim();
        return (
          await launch(["sh", "-c", `${words}; pulumi stack --show-name`], root, env()).ended
        ).stdout.trim();
      };
      expect(await chosen("--stack", "blue")).toBe("blue");
      expect(await chosen()).toBe("dev");
    },
    slow,
  );
});

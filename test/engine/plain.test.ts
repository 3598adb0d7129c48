import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../harness/lab";
import { Workspace } from "../harness/workspace";

/**
 * A plain `up`, as `pulumi up` makes it: no refresh, no preview before it, none of the command `tuntap`. The
 * engine is driven by its own Automation API, which is how a program runs where the language host is missing.
 */
const driver = `
const { LocalWorkspace, PulumiCommand } = require("@pulumi/pulumi/automation");
const program = async () => {
  const tuntap = require("pulumi-tuntap");
  const lab = new tuntap.Namespace("lab", { name: process.argv[3] });
  new tuntap.TunInterface("dev0", { owner: "nobody", address: "192.0.2.1/24", mtu: 1400, namespace: lab.name });
  new tuntap.TunInterface("dev1", { owner: "nobody", namespace: lab.name });
};
(async () => {
  const pulumiCommand = await PulumiCommand.get({ root: process.argv[4] });
  const stack = await LocalWorkspace.createOrSelectStack(
    { stackName: "plain", projectName: "test", program },
    { workDir: __dirname, pulumiCommand },
  );
  const lines = [];
  const onEvent = ({ diagnosticEvent }) => diagnosticEvent && lines.push(diagnosticEvent.severity + ": " + diagnosticEvent.message);
  const result = await (process.argv[2] === "up" ? stack.up({ onEvent }) : stack.destroy({ onEvent }));
  console.log(JSON.stringify({ changes: result.summary.resourceChanges, lines }));
})().catch((error) => { console.error(error); process.exit(1); });
`;

let lab: Lab;
let workspace: Workspace;
let engine: string;

beforeAll(async () => {
  lab = await Lab.open(false);
  workspace = new Workspace();
  writeFileSync(join(workspace.folder, "driver.cjs"), driver);
  const main = resolve(__dirname, "../../dist/cli/main.js");
  const { stdout } = spawnSync(process.execPath, [main, "engine"], { encoding: "utf8" });
  engine = resolve(/path\s+(\S+)/.exec(stdout)?.[1] ?? "", "../..");
});
afterAll(async () => {
  workspace.close();
  await lab.close();
});

function plain(operation: "up" | "destroy"): { changes: Record<string, number>; lines: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(workspace.folder, "driver.cjs"), operation, lab.name, engine],
    {
      encoding: "utf8",
      cwd: workspace.folder,
      env: {
        ...process.env,
        PULUMI_BACKEND_URL: `file://${workspace.folder}`,
        PULUMI_CONFIG_PASSPHRASE: "",
        PULUMI_SKIP_UPDATE_CHECK: "true",
        TUNTAP_INSTANCE: "plain",
      },
    },
  );
  if (status !== 0) throw new Error(`${stdout}\n${stderr}`);
  const { changes, lines } = JSON.parse(stdout.trim().split("\n").at(-1) as string);
  return { changes, lines: lines.join("\n") };
}

test("without refresh: drift, a vanished link and a vanished namespace are said and repaired all the same", async () => {
  expect(plain("up").changes).toMatchObject({ create: 4 });
  expect(plain("up").changes).toEqual({ same: 4 });

  await lab.ip("link", "set", "dev0", "mtu", "9000");
  await lab.ip("link", "del", "dev1");
  const drifted = plain("up");
  expect(drifted.changes).toEqual({ same: 2, update: 2 });
  expect(drifted.lines).toMatch(
    /warning: mtu: 9000 on the host, 1400 declared: changed outside this program, will be set back/,
  );
  expect(drifted.lines).toMatch(
    /warning: dev1 in namespace \S+ no longer exists \(it was deleted outside this program\)/,
  );
  expect((await lab.mustHave("dev0")).mtu).toBe(1400);
  expect((await lab.mustHave("dev1")).linkinfo?.info_data?.user).toBe("nobody");

  await lab.close();
  const lost = plain("up");
  expect(lost.changes).toEqual({ same: 1, update: 3 });
  expect(await lab.addresses("dev0")).toEqual(["192.0.2.1/24"]);
  expect(plain("up").changes).toEqual({ same: 4 });

  expect(plain("destroy").changes).toMatchObject({ delete: 4 });
  await expect(lab.ip("link")).rejects.toThrow();
});

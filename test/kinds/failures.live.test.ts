/** Refusals of the kernel that need a process of their own: other device nodes, other privileges. */

import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../harness/lab";

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.open();
});
afterAll(() => lab.close());

/** Declares a TAP in a process prepared by a shell command, and gives the error that it ended with. */
function declare(prepare: string, wrapper = "", kind = "TunInterface"): { code: string; message: string } {
  const program = resolve(__dirname, "../harness/program.ts");
  const inputs = kind === "TunInterface" ? { owner: 0, namespace: lab.name } : { name: `${lab.name}-new` };
  const script = `
    const { Program } = require(${JSON.stringify(program)});
    new Program().declare(${JSON.stringify(kind)}, "dev0", ${JSON.stringify(inputs)}).then(
      () => console.log(JSON.stringify({ code: "none" })),
      ({ code, message }) => console.log(JSON.stringify({ code, message })),
    );`;
  const { stdout, stderr } = spawnSync(
    "unshare",
    [
      "--mount",
      "sh",
      "-c",
      `${prepare}; exec ${wrapper} ${process.execPath} --require tsx/cjs -e "$0"`,
      script,
    ],
    { encoding: "utf8", cwd: resolve(__dirname, "../..") },
  );
  const line = stdout.trim().split("\n").at(-1);
  if (!line?.startsWith("{")) throw new Error(`${stdout}\n${stderr}`);
  return JSON.parse(line);
}

test("the same process with the host's own node has no error", async () => {
  expect(declare("true").code).toBe("none");
  await lab.ip("link", "del", "dev0");
});

test.each([
  [
    "/dev/net/tun is missing",
    "mount -t tmpfs none /dev/net",
    "",
    "TUN_NODE_MISSING",
    /mknod \/dev\/net\/tun c 10 200/,
  ],
  [
    "no driver answers at the node",
    "mount -t tmpfs none /dev/net; mknod /dev/net/tun c 10 254",
    "",
    "TUN_MODULE_MISSING",
    /modprobe tun/,
  ],
  [
    "CAP_NET_ADMIN is missing",
    "true",
    "setpriv --bounding-set=-net_admin --inh-caps=-net_admin",
    "PERMISSION_DENIED",
    /sudo/,
  ],
])("%s", async (_what, prepare, wrapper, code, remedy) => {
  const error = declare(prepare, wrapper);
  expect(error.code).toBe(code);
  expect(error.message).toMatch(/^TunInterface dev0: /);
  expect(error.message).toMatch(remedy);
  expect(await lab.links()).toEqual([]);
});

test("a namespace cannot be made without CAP_SYS_ADMIN", () => {
  const error = declare("true", "setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin", "Namespace");
  expect(error.code).toBe("PERMISSION_DENIED");
  expect(error.message).toMatch(/^Namespace dev0: .*CAP_SYS_ADMIN/s);
});

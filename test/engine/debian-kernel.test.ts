/** The live tests that the host's kernel may not allow, under Debian's: it filters VLANs, loads modules, limits queues. */
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { underDebianKernel } from "../harness/debian-kernel";

const repository = resolve(__dirname, "../..");
const minutes = 60_000;
const files = ["bridge", "kernel-module-loading", "port-vlans", "tun-settings", "veth-pair"];
/** In the names of tests: what they need of a kernel, or what differs between kernels. */
const chosen = "[(]needs |a queue that the kernel takes";

test("VLANs, modules that are loaded and unloaded, and limits", { timeout: 20 * minutes }, async ({
  skip,
}) => {
  const tests = files.map((name) => `test/kinds/${name}.live.test.ts`).join(" ");
  const command = `export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root NO_COLOR=1; cd '${repository}' && for module in tun bridge veth; do modprobe $module; done; '${process.execPath}' node_modules/.bin/vitest run ${tests} -t '${chosen}'`;
  const ended = await underDebianKernel(command, 15 * minutes);
  if (ended === undefined) return skip("virtiofsd, which shares files with a guest, is not installed");
  expect(ended.code, ended.output).toBe(0);
  expect(ended.output).toContain("22 passed, 0 failed");
});

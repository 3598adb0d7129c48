/** The live tests that the host's kernel may not allow, under Debian's: it filters VLANs, and loads modules. */
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { underDebianKernel } from "../harness/debian-kernel";

const repository = resolve(__dirname, "../..");
const minutes = 60_000;

test("VLANs of ports, and modules that are loaded and unloaded", { timeout: 20 * minutes }, async ({
  skip,
}) => {
  const files = ["port-vlans", "kernel-module-loading"].map((name) => `test/kinds/${name}.live.test.ts`);
  const command = `export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root NO_COLOR=1; cd '${repository}' && for module in tun bridge veth; do modprobe $module; done; '${process.execPath}' node_modules/.bin/vitest run ${files.join(" ")}`;
  const ended = await underDebianKernel(command, 15 * minutes);
  if (ended === undefined) return skip("virtiofsd, which shares files with a guest, is not installed");
  expect(ended.code, ended.output).toBe(0);
  // None of those is skipped that need what only that kernel has.
  expect(ended.output).not.toMatch(/↓ .*(needs VLAN filtering|needs a kernel)/);
  expect(ended.output).toContain("11 passed, 0 failed, 5 skipped");
});

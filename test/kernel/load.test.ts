import { execFileSync, spawnSync } from "node:child_process";
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { errorTable } from "../../provider/errors";
import { loadAddon } from "../../provider/kernel/addon";

const built = resolve(__dirname, "../../native/build/tuntap.node");
const machine = `linux-${process.arch}`;

let root: string;
let prebuilt: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tuntap-load-"));
  prebuilt = join(root, "prebuilds", machine);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const load = () => {
  try {
    return loadAddon([root]);
  } catch (error) {
    return error;
  }
};

/** As tools/prebuild leaves it, with the checksums of the outside witness. */
function pack(text?: string): void {
  mkdirSync(prebuilt, { recursive: true });
  if (text === undefined) cpSync(built, join(prebuilt, "tuntap.node"));
  else writeFileSync(join(prebuilt, "tuntap.node"), text);
  writeFileSync(join(prebuilt, "tuntap-helper"), "helper");
  sum();
}

function sum(): void {
  execFileSync("sh", ["-c", "cd prebuilds && sha256sum linux-*/* > SHA256SUMS"], { cwd: root });
}

test("says for which machine there is no addon, where it was looked for, and for which there is one", () => {
  expect(load()).toMatchObject({
    code: "ADDON_MISSING",
    message: expect.stringContaining(
      `for this machine, ${machine}: no ${root}/native/build/tuntap.node and no`,
    ),
    remedy: errorTable.ADDON_MISSING.remedy,
  });
  mkdirSync(join(root, "prebuilds", "linux-mips"), { recursive: true });
  writeFileSync(join(root, "prebuilds", "SHA256SUMS"), "");
  expect(load()).toMatchObject({
    code: "ADDON_MISSING",
    message: expect.stringMatching(/no \S+prebuilds\S+tuntap\.node\. There are addons for linux-mips\. /),
  });
});

test("takes the prebuilt one whose checksum is right", () => {
  pack();
  expect(load()).toMatchObject({ request: expect.any(Function) });
});

test("prefers the one built here, whatever the prebuilt one is", () => {
  pack("damaged");
  writeFileSync(join(root, "prebuilds", "SHA256SUMS"), "");
  mkdirSync(join(root, "native", "build"), { recursive: true });
  cpSync(built, join(root, "native", "build", "tuntap.node"));
  expect(load()).toMatchObject({ request: expect.any(Function) });
});

test("tells what to do with one built here that cannot be loaded", () => {
  mkdirSync(join(root, "native", "build"), { recursive: true });
  writeFileSync(join(root, "native", "build", "tuntap.node"), "no addon");
  expect(load()).toMatchObject({
    code: "ADDON_MISSING",
    message: expect.stringContaining(`${root}/native/build/tuntap.node could not be loaded`),
    remedy: "Remove that file and run `sh tools/bootstrap.sh`.",
    cause: expect.any(Error),
  });
});

test.each<[string, () => void, RegExp]>([
  [
    "a changed addon",
    () => appendFileSync(join(prebuilt, "tuntap.node"), "x"),
    /tuntap\.node has the checksum/,
  ],
  ["a changed helper", () => appendFileSync(join(prebuilt, "tuntap-helper"), "x"), /helper has the checksum/],
  ["a lost helper", () => rmSync(join(prebuilt, "tuntap-helper")), /tuntap-helper cannot be read: ENOENT/],
  [
    "lost checksums",
    () => rmSync(join(root, "prebuilds", "SHA256SUMS")),
    /SHA256SUMS cannot be read: ENOENT/,
  ],
  [
    "an addon without a checksum",
    () => writeFileSync(join(root, "prebuilds", "SHA256SUMS"), `${"0".repeat(64)}  linux-x/tuntap.node\n`),
    /SHA256SUMS does not list linux-\w+\/tuntap\.node/,
  ],
])("does not load a package with %s", (_what, damage, message) => {
  pack();
  damage();
  const error = load();
  expect(error).toMatchObject({
    code: "PREBUILT_DAMAGED",
    remedy: errorTable.PREBUILT_DAMAGED.remedy,
    message: expect.stringMatching(message),
  });
});

test("a file that is packed well but is no addon: the loader's own words, and no blame on the C library", () => {
  pack("no addon");
  expect(load()).toMatchObject({
    code: "ADDON_MISSING",
    message: expect.stringContaining("could not be loaded"),
    remedy: errorTable.ADDON_MISSING.remedy,
  });
});

// A Node.js of Alpine Linux does not run on the machines that test this: its report is what differs there.
test.each([
  ["musl, as on Alpine", undefined, /this Node\.js runs with another C library \(musl, as on Alpine/],
  ["an old glibc", "2.9", /needs glibc 2\.28 or newer; this host has 2\.9:/],
])("explains %s where the prebuilt addon cannot be loaded", (_what, glibc, expected) => {
  pack("no addon");
  const header = glibc ? `{ glibcVersionRuntime: ${JSON.stringify(glibc)} }` : "{}";
  const program = `
    process.report.getReport = () => ({ header: ${header} });
    require("tsx/cjs");
    const { loadAddon } = require("./provider/kernel/addon.ts");
    try { loadAddon([${JSON.stringify(root)}]) } catch (error) { console.log(error.code, error.message) }
  `;
  const { stdout } = spawnSync(process.execPath, ["-e", program], {
    cwd: resolve(__dirname, "../.."),
    encoding: "utf8",
  });
  expect(stdout).toMatch(/^ADDON_MISSING /);
  expect(stdout).toMatch(expected);
});

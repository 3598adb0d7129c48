import { readdirSync, readFileSync } from "node:fs";
import { run, sleep } from "./shell";

/** What tests could leave on the host, each as a line of text. */
type Snapshot = ReadonlySet<string>;

const namespaceFolder = "/run/netns";
/** Namespaces of tests that were there before these tests began: another run's, which takes them away itself. */
const ofAnotherRun = /\/tt-[0-9a-f]+$/;
/** Namespaces that are being taken down may be seen for a moment longer. */
const patienceMilliseconds = 5000;

/** Compares the host before and after all tests; a run that left something, or took something, has failed. */
export async function setup(): Promise<() => Promise<void>> {
  const before = await snapshot();
  return async () => {
    const end = Date.now() + patienceMilliseconds;
    let changes = differences(before, await snapshot());
    while (changes.length > 0 && Date.now() < end) {
      await sleep(200);
      changes = differences(before, await snapshot());
    }
    if (changes.length === 0) return;
    process.exitCode = 1;
    globalThis.hostChanged = true;
    process.stderr.write(
      `\nThe host is not as it was before the tests (or something else changed it meanwhile):\n${changes.map((change) => `  ${change}\n`).join("")}`,
    );
  };
}

declare global {
  /** Whether the tests left traces; for the reporter, which counts that as a failure. */
  var hostChanged: boolean | undefined;
}

async function snapshot(): Promise<Snapshot> {
  const links = JSON.parse(await run("ip", "-j", "link")) as { ifname: string }[];
  return new Set([
    ...links.map(({ ifname }) => `link ${ifname}`),
    ...namespaces().map((name) => `file ${namespaceFolder}/${name}`),
    ...mounts().map((path) => `mount ${path}`),
  ]);
}

function namespaces(): string[] {
  try {
    return readdirSync(namespaceFolder);
  } catch {
    // No namespace was ever made on this host.
    return [];
  }
}

function mounts(): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((path) => path.startsWith(`${namespaceFolder}/`));
}

function differences(before: Snapshot, after: Snapshot): string[] {
  return [
    ...[...after].filter((line) => !before.has(line)).map((line) => `left behind: ${line}`),
    ...[...before]
      .filter((line) => !after.has(line) && !ofAnotherRun.test(line))
      .map((line) => `gone: ${line}`),
  ];
}

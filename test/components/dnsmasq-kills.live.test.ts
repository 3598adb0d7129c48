/**
 * The shell that runs the commands of dnsmasq, killed before and during each program that it calls: the next run finds
 * what is there, ends right, and delete leaves nothing.
 */

import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { DnsmasqSettings } from "../../sdk/components/dnsmasq";
import { commands, db, folder, lookup, serve, sh, useBridge, web } from "../harness/dnsmasq";
import { attempt, until } from "../harness/shell";

useBridge();

/** What the commands call; the rest is built into the shell. */
const programs = "cat cmp dirname find grep id ip mkdir mv rm rmdir sleep stat tr dnsmasq ss".split(" ");

/** Stands before each of them, counts, and kills the shell at the number that is wanted. */
const standIn = `#!/bin/sh
read -r number <"$KILLS/count"
number=$((number + 1))
echo "$number" >"$KILLS/count"
PATH=\${PATH#"$KILLS/bin:"}
name=\${0##*/}
if [ "$number" = "$KILL_AT" ]; then
  echo "$name $*" >"$KILLS/killed"
  if [ "$KILL_WHEN" = before ]; then kill -9 "$KILL_SHELL"; exit 1; fi
  "$name" "$@" <&0 &
  kill -9 "$KILL_SHELL"
  wait
  exit 1
fi
exec "$name" "$@"
`;

interface Kill {
  at: number;
  when: "before" | "during";
}

/** Runs it up to there, and gives what was called then; undefined where it ended before. */
async function killed(create: string, stdin: string, { at, when }: Kill): Promise<string | undefined> {
  const kills = join(folder, "..", `${at}-${when}`);
  mkdirSync(join(kills, "bin"), { recursive: true });
  writeFileSync(join(kills, "stand-in"), standIn, { mode: 0o755 });
  for (const name of programs) symlinkSync("../stand-in", join(kills, "bin", name));
  writeFileSync(join(kills, "count"), "0\n");
  const settings = `KILLS=${kills} KILL_AT=${at} KILL_WHEN=${when} KILL_SHELL=$$`;
  const { code } = await sh(create, stdin, `export ${settings} PATH=${kills}/bin:$PATH;`);
  if (!existsSync(join(kills, "killed"))) {
    expect(code).toBe(0);
    return undefined;
  }
  expect(code).toBe(null);
  return readFileSync(join(kills, "killed"), "utf8").trim();
}

/** Pids of the processes that have the folder's configuration. */
async function servers(): Promise<string[]> {
  const { output } = await attempt(
    "sh",
    "-c",
    `grep -lzFx -e --conf-file=${folder}/dnsmasq.conf /proc/[0-9]*/cmdline`,
  );
  return [...output.matchAll(/^\/proc\/(\d+)\/cmdline$/gm)].map((match) => match[1] as string);
}

async function clean(): Promise<void> {
  expect(await sh(commands().delete)).toEqual({ code: 0, output: "" });
  expect(await servers()).toEqual([]);
  expect(existsSync(folder)).toBe(false);
}

/** After a SIGHUP it takes a moment. */
const answers = (name: string, addresses: string[], step: string) =>
  until(`${name} is answered with ${addresses} after a kill ${step}`, async () => {
    return String(await lookup(name)) === String(addresses);
  });

test.each<[string, Partial<DnsmasqSettings> | undefined, Partial<DnsmasqSettings>, string[]]>([
  ["the first start", undefined, { hosts: [web] }, ["mkdir -p", "dnsmasq --test", "mv -f", "ip netns"]],
  [
    "a restart without a machine",
    { hosts: [web, db] },
    { hosts: [web], leaseSeconds: 7200 },
    ["dnsmasq --test", "grep -qFvx", "cmp -s", "rm -f", "mv -f", "ip netns"],
  ],
  ["a machine more", { hosts: [web] }, { hosts: [web, db] }, ["mv -f", "cmp -s", "rm -f"]],
])("killed at each step of %s", { timeout: 600_000 }, async (_, before, wanted, steps) => {
  const seen = new Set<string>();
  const { create, stdin } = commands(wanted);
  for (const when of ["before", "during"] as const) {
    for (let at = 1; ; at += 1) {
      if (before) await serve(before);
      const call = await killed(create, stdin, { at, when });
      const step = `${when} step ${at}, ${call}`;
      if (call === undefined) {
        await clean();
        break;
      }
      seen.add(call.split(" ").slice(0, 2).join(" "));
      const again = await sh(create, stdin);
      expect(again, step).toMatchObject({ code: 0, output: expect.stringMatching(/^dnsmasq \(pid \d+\) /) });
      expect(await servers(), step).toEqual([readFileSync(join(folder, "pid"), "utf8").trim()]);
      await answers("web", [web.address], step);
      await answers("db", wanted.hosts?.includes(db) ? [db.address] : [], step);
      await clean();
    }
  }
  expect([...seen]).toEqual(expect.arrayContaining(steps));
});

test("killed at each step of delete", { timeout: 600_000 }, async () => {
  for (const when of ["before", "during"] as const) {
    for (let at = 1; ; at += 1) {
      await serve();
      const call = await killed(commands().delete, "", { at, when });
      await clean();
      if (call === undefined) break;
    }
  }
});

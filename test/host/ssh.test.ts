/** Which ssh connections a run came by: its own environment, and that of those who started it. */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { SshConnection } from "../../provider/host/ssh";

const module = join(__dirname, "../../provider/host/ssh.ts");
const script = `console.log(JSON.stringify(require(${JSON.stringify(module)}).sshConnections()))`;

/** What a process sees that a shell starts, which has the one variable and hands on the other, or none. */
function seen(outer: string | undefined, inner: string | undefined): SshConnection[] {
  const { SSH_CONNECTION: _, ...rest } = process.env;
  const inside = inner === undefined ? "env -u SSH_CONNECTION" : `env SSH_CONNECTION='${inner}'`;
  const { stdout, stderr } = spawnSync(
    "sh",
    // More than one command, so that the shell stays.
    ["-c", `${inside} "$0" --import tsx -e "$1"; true`, process.execPath, script],
    {
      encoding: "utf8",
      cwd: join(__dirname, "../.."),
      env: { ...rest, ...(outer !== undefined && { SSH_CONNECTION: outer }) },
    },
  );
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

const usual = { client: "198.51.100.7", server: "192.0.2.9" };

test.each<[string, string | undefined, string | undefined, SshConnection[]]>([
  ["of its own", undefined, "198.51.100.7 50000 192.0.2.9 22", [usual]],
  ["of its parent, where it was dropped", "198.51.100.7 50000 192.0.2.9 22", undefined, [usual]],
  [
    "of both",
    "198.51.100.7 50000 192.0.2.9 22",
    "2001:db8::7 50000 2001:DB8:0::9 22",
    [{ client: "2001:db8::7", server: "2001:db8::9" }, usual],
  ],
  ["that both have", "198.51.100.7 50000 192.0.2.9 22", "198.51.100.7 50000 192.0.2.9 22", [usual]],
  [
    "with a zone",
    undefined,
    "fe80::7%eth0 50000 fe80::9%eth0 22",
    [{ client: "fe80::7", server: "fe80::9" }],
  ],
  ["that is none", "nonsense", "a b c d", []],
])("a connection %s", (_, outer, inner, expected) => {
  const others = seen(undefined, undefined);
  const known = expected.map((each) => JSON.stringify(each));
  const more = others.filter((each) => !known.includes(JSON.stringify(each)));
  expect(seen(outer, inner)).toEqual([...expected, ...more]);
});

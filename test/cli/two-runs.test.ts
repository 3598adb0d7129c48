import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { lab, slow, waitFor } from "./tool";

it(
  "a run that was planned before another took the lock names our remedy, and nothing of plain pulumi",
  async () => {
    const at = lab();
    const late = at.onTerminal(["up"]);
    await late.until(/Bring this up\?/);
    const first = at.start(["up", "--yes", "--config", "delay=600000"]);
    const locks = join(at.root, ".tuntap/state/.pulumi/locks/organization/lab/dev");
    await waitFor(() => existsSync(locks) && readdirSync(locks).some((name) => name.endsWith(".json")));
    late.child.stdin?.write("y");
    const ran = await late.ended;
    expect(ran.code, ran.all).toBe(1);
    expect(ran.all).toMatch(/locked by 1 lock.*"tuntap cancel"/);
    expect(ran.all).not.toContain("pulumi cancel");
    first.child.kill("SIGTERM");
    await first.until(/the engine finishes/);
    first.child.kill("SIGTERM");
    await first.ended;
  },
  slow,
);

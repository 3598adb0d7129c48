/** The times of a bridge while another one is the root of its spanning tree: the kernel shows those of the root. */

import { beforeEach, describe, expect, test } from "vitest";
import { until } from "../harness/shell";
import { lab, program, said, useTunLab } from "./tun-lab";

useTunLab();

const kind = "Bridge";
const place = () => ({ namespace: lab.name });
const times = (more: Record<string, unknown> = {}) => ({
  ...place(),
  stp: true,
  priority: 8192,
  forwardDelay: 4,
  helloTime: 1,
  maxAge: 6,
  ...more,
});
const isRoot = async () => (await lab.bridge("dev0")).root_port === 0;
const shown = async () => {
  const { forward_delay, hello_time, max_age } = await lab.bridge("dev0");
  return [forward_delay, hello_time, max_age];
};

/** Plugs the bridge into another one, which has the kernel's times and is the root, and waits until it knows. */
async function joinRoot(): Promise<void> {
  await lab.ip("link", "add", "root0", "type", "bridge", "stp_state", "1", "priority", "4096");
  await lab.ip("link", "add", "port0", "type", "veth", "peer", "name", "port1");
  await lab.ip("link", "set", "port0", "master", "root0");
  await lab.ip("link", "set", "port1", "master", "dev0");
  for (const name of ["dev0", "root0", "port0", "port1"]) await lab.ip("link", "set", name, "up");
  await until("the other bridge is the root", async () => !(await isRoot()));
  expect(await shown()).toEqual([1500, 200, 2000]);
}

async function leaveRoot(): Promise<void> {
  await lab.ip("link", "del", "port0");
  await until("the bridge is its own root", isRoot);
}

describe("times that are declared", () => {
  beforeEach(async () => {
    await program.declare(kind, "dev0", times());
    await joinRoot();
  });

  test("are no drift, and outputs as they were written", async () => {
    const plan = await program.newRun().plan(kind, "dev0", times());
    expect(said(plan)).toBe("");
    expect((await program.declare(kind, "dev0", times())).operation).toBe("same");
    const refreshed = await program.newRun().refresh("dev0");
    expect(refreshed?.notices).toEqual([]);
    expect(refreshed?.outputs).toMatchObject({ forwardDelay: 4, helloTime: 1, maxAge: 6 });
  });

  test("are written when they change, and count when the root is gone", async () => {
    const other = times({ forwardDelay: 6, helloTime: 1.5, maxAge: 10 });
    expect((await program.newRun().declare(kind, "dev0", other)).operation).toBe("update");
    expect((await program.newRun().declare(kind, "dev0", other)).operation).toBe("same");
    expect(await shown()).toEqual([1500, 200, 2000]);
    await leaveRoot();
    expect(await shown()).toEqual([600, 150, 1000]);
    expect((await program.newRun().declare(kind, "dev0", other)).operation).toBe("same");
  });

  test("are compared again when the root is gone", async () => {
    await lab.ip("link", "set", "dev0", "type", "bridge", "forward_delay", "700");
    expect((await program.newRun().declare(kind, "dev0", times())).operation).toBe("same");
    await leaveRoot();
    const { operation, notices } = await program.newRun().declare(kind, "dev0", times());
    expect(operation).toBe("update");
    expect(notices.join()).toMatch(/forwardDelay: 7 s on the host, 4 s/);
    expect(await shown()).toEqual([400, 100, 600]);
  });
});

test("a bridge of others is given its times when it is taken over, although they are not shown", async () => {
  await lab.ip("link", "add", "dev0", "type", "bridge", "stp_state", "1", "priority", "8192");
  await joinRoot();
  await program.declare(kind, "dev0", times({ adopt: true }));
  expect((await program.newRun().declare(kind, "dev0", times({ adopt: true }))).operation).toBe("same");
  await leaveRoot();
  expect(await shown()).toEqual([400, 100, 600]);
});

test("times that are not declared are those of before in a refresh", async () => {
  const inputs = { ...place(), stp: true, priority: 8192 };
  const { outputs } = await program.declare(kind, "dev0", inputs);
  await lab.ip("link", "set", "dev0", "type", "bridge", "forward_delay", "700");
  await program.newRun().refresh("dev0");
  await joinRoot();
  const refreshed = await program.newRun().refresh("dev0");
  expect(refreshed?.outputs).toMatchObject({
    forwardDelay: 7,
    helloTime: outputs.helloTime,
    maxAge: outputs.maxAge,
  });
});

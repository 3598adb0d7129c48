import { expect, test } from "vitest";
import { Program } from "../harness/program";
import { lab, program, useTunLab } from "./tun-lab";

useTunLab();

const tap = (logicalName: string, inputs: Record<string, unknown>, of = program) =>
  of.declare("TunInterface", logicalName, { owner: "nobody", namespace: lab.name, ...inputs });

test("two interfaces that overlap are told on one of them, once in a run, and again in the next", async () => {
  const elsewhere: string[] = [];
  const tell = (urn: string, notices: readonly { message: string }[]) =>
    void elsewhere.push(...notices.map(({ message }) => `${urn.split("::").pop()}: ${message}`));
  const told = new Program(undefined, "dev", "test", [], {}, { tell });
  expect((await tap("one", { address: "192.0.2.1/24" }, told)).notices).toEqual([]);
  const { notices } = await tap("two", { address: "192.0.2.129/25" }, told);
  const text = `its subnet 192.0.2.128/25 overlaps that of TunInterface "one" (192.0.2.0/24) in namespace ${lab.name}: `;
  expect(notices).toEqual([expect.stringContaining(text)]);
  // Both are there: the kernel takes them, and sends to one of them only.
  expect(await lab.addresses("two")).toEqual(["192.0.2.129/25"]);
  expect((await tap("two", { address: "192.0.2.129/25" }, told)).notices).toEqual([]);
  expect(elsewhere).toEqual([]);
  // In another order it is told on the same one, which has passed by then.
  told.newRun();
  expect((await tap("two", { address: "192.0.2.129/25" }, told)).notices).toEqual([]);
  expect((await tap("one", { address: "192.0.2.1/24" }, told)).notices).toEqual([]);
  expect(elsewhere).toEqual([expect.stringContaining(`two: ${text}`)]);
  await told.removeAll();
});

test("a secret address is told neither on its own resource nor on another", async () => {
  const secret = new Program(undefined, "dev", "test", ["address"]);
  await tap("one", { address: "192.0.2.1/24" }, secret);
  expect((await tap("two", { address: "192.0.2.129/25" }, secret)).notices).toEqual([]);
  await secret.removeAll();
});

test("with STP a machine really waits: its port listens", async () => {
  const elsewhere: string[] = [];
  const told = new Program(
    undefined,
    "dev",
    "test",
    [],
    {},
    {
      tell: (urn, notices) => void elsewhere.push(`${urn.split("::").pop()}: ${notices[0]?.message}`),
    },
  );
  await told.declare("Bridge", "br0", { namespace: lab.name, stp: true, mtu: 1400 });
  const { notices } = await tap("vm0", { bridge: "br0", mtu: 1500 }, told);
  expect(notices).toEqual([
    expect.stringMatching(/^mtu 1500 is above the 1400 of its bridge, Bridge "br0": /),
  ]);
  expect(elsewhere).toEqual([
    expect.stringMatching(/^br0: it runs STP, .*: a port forwards nothing for its first 30 seconds/),
  ]);
  expect((await tap("vm1", { bridge: "br0", mtu: 1400 }, told)).notices).toEqual([]);
  const child = await lab.hold("vm0");
  const port = (await lab.mustHave("vm0")).linkinfo?.info_slave_data;
  expect(port?.state).toMatch(/listening|learning/);
  await lab.release(child);
  await told.removeAll();
});

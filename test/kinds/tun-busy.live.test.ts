/** What `onBusy` does with an interface that a process holds. */

import type { ChildProcess } from "node:child_process";
import { expect, test } from "vitest";
import type { Run } from "../../provider/reconcile";
import { attached } from "../harness/attach";
import { Program } from "../harness/program";
import { sleep } from "../harness/shell";
import { base, kind, lab, useTunLab } from "./tun-lab";

useTunLab();

/** A program whose notices are gathered as they are told. */
function waiting(run: Run = {}): { program: Program; told: string[] } {
  const told: string[] = [];
  const tell: Run["tell"] = (_, notices) => told.push(...notices.map(({ message }) => message));
  return { program: new Program("0123456789abcdef", "dev", "test", [], {}, { tell, ...run }), told };
}

const patient = (seconds = 20) => ({ ...base(), onBusy: "wait", busyTimeoutSeconds: seconds });
const announced = (seconds: number) =>
  new RegExp(
    `^tap "dev0" .*held by pid \\d+ \\(socat .*\\) of root \\(uid 0\\): waiting up to ${seconds} s for that to end$`,
  );

/** Ends the holder after a while; gives how long the work took, in milliseconds. */
async function endingAfter(milliseconds: number, holder: ChildProcess, work: Promise<unknown>) {
  const began = performance.now();
  const ended = sleep(milliseconds).then(() => lab.release(holder));
  await work;
  const took = performance.now() - began;
  await ended;
  return took;
}

test("a delete waits until the holder has ended, says for whom once, and then deletes", async () => {
  const { program, told } = waiting();
  await program.declare(kind, "dev0", patient());
  const holder = await lab.hold("dev0");
  const took = await endingAfter(1500, holder, program.remove("dev0"));
  expect(took).toBeGreaterThan(1400);
  expect(await lab.links()).toEqual([]);
  expect(told).toEqual([expect.stringMatching(announced(20))]);
});

test("when the time is over it fails as fail does, and says how long it waited for whom", async () => {
  const { program } = waiting();
  await program.declare(kind, "dev0", patient(1));
  const holder = await lab.hold("dev0");
  const began = performance.now();
  await expect(program.remove("dev0")).rejects.toMatchObject({
    code: "LINK_BUSY",
    message: expect.stringMatching(
      /tap "dev0" .* is not deleted: it is held by pid \d+ \(socat .*\) of root \(uid 0\) \(after 1\.0 s of waiting\)\. .*--on-busy/,
    ),
  });
  expect(performance.now() - began).toBeGreaterThan(990);
  expect((await lab.mustHave("dev0")).flags).toContain("LOWER_UP");
  await lab.release(holder);
});

test("a replace waits", async () => {
  const { program } = waiting();
  await program.declare(kind, "dev0", patient());
  const holder = await lab.hold("dev0");
  const plan = await program.plan(kind, "dev0", { ...patient(), mode: "tun" });
  expect(plan.notices.map(({ message }) => message).join()).toMatch(/up to 20 s will be spent waiting/);
  const work = program.declare(kind, "dev0", { ...patient(), mode: "tun" });
  await endingAfter(1000, holder, work);
  expect((await work).operation).toBe("replace");
  expect((await lab.mustHave("dev0")).linkinfo?.info_data?.type).toBe("tun");
});

test.each(["owner", "group"])(
  "a change of %s that a holder blocks waits, on the same device",
  async (input) => {
    const { program, told } = waiting();
    const first = await program.declare(kind, "dev0", patient());
    const holder = await lab.hold("dev0");
    const work = program.declare(kind, "dev0", { ...patient(), [input]: 2 });
    await endingAfter(1000, holder, work);
    const { operation, outputs } = await work;
    expect(operation).toBe("update");
    expect(outputs[input]).toBe(2);
    expect(outputs.ifindex).toBe(first.outputs.ifindex);
    const data = (await lab.mustHave("dev0")).linkinfo?.info_data;
    expect(input === "owner" ? data?.user : data?.group).toBe("bin");
    expect(told).toEqual([expect.stringMatching(announced(20))]);
  },
);

test("a blocked change that waits in vain names property, holder and time", async () => {
  const { program } = waiting();
  await program.declare(kind, "dev0", patient(1));
  const holder = await lab.hold("dev0");
  await expect(program.declare(kind, "dev0", { ...patient(1), owner: 12 })).rejects.toMatchObject({
    code: "LINK_BUSY",
    property: "owner",
    message: expect.stringMatching(
      /owner cannot be changed while .* held by pid \d+ .* \(after 1\.0 s of waiting\)\./,
    ),
  });
  await lab.release(holder);
});

test("a device that ends with the holder that is awaited is made anew", async () => {
  const { program } = waiting();
  await program.declare(kind, "dev0", patient());
  const holder = await attached(lab, "dev0", { persist: false });
  await endingAfter(1000, holder.process, program.declare(kind, "dev0", patient()));
  expect((await lab.mustHave("dev0")).linkinfo?.info_data?.persist).toBe(true);
  expect(await lab.addresses("dev0")).toHaveLength(3);
});

test("who waits holds up nobody else", async () => {
  const { program } = waiting();
  await program.declare(kind, "dev0", patient());
  await program.declare(kind, "dev1", { namespace: lab.name, owner: "nobody" });
  const holder = await lab.hold("dev0");
  const removal = program.remove("dev0");
  await Promise.all([
    program.remove("dev1"),
    program.declare(kind, "dev2", { namespace: lab.name, owner: "nobody" }),
  ]);
  await program.declare(kind, "dev2", { namespace: lab.name, owner: "nobody", name: "dev3", mtu: 1300 });
  expect((await lab.links()).map((link) => link.ifname).sort()).toEqual(["dev0", "dev3"]);
  await lab.release(holder);
  await removal;
});

test("a run's own mode stands before what is declared, and is no change", async () => {
  const { program, told } = waiting({ onBusy: "wait" });
  await program.declare(kind, "dev0", base());
  expect((await program.declare(kind, "dev0", base())).operation).toBe("same");
  const holder = await lab.hold("dev0");
  await endingAfter(500, holder, program.remove("dev0"));
  expect(told).toEqual([expect.stringMatching(announced(60))]);

  const { program: careful } = waiting({ onBusy: "fail" });
  await careful.declare(kind, "dev0", { ...base(), onBusy: "force" });
  const second = await lab.hold("dev0");
  await expect(careful.remove("dev0")).rejects.toMatchObject({ code: "LINK_BUSY" });
  await lab.release(second);
});

test("a run that is interrupted waits no longer", async () => {
  let interrupted = false;
  const { program } = waiting({ interrupted: () => interrupted });
  await program.declare(kind, "dev0", patient(60));
  const holder = await lab.hold("dev0");
  const removal = program.remove("dev0");
  setTimeout(() => {
    interrupted = true;
  }, 500);
  await expect(removal).rejects.toMatchObject({
    code: "LINK_BUSY",
    message: expect.stringMatching(/\(the run was interrupted after \d\.\d s of waiting\)/),
  });
  await lab.release(holder);
});

import { afterAll, beforeAll, expect, test } from "vitest";
import { Host } from "../../provider/host/host";
import { setLink } from "../../provider/host/links";
import { openKernel } from "../../provider/kernel/open";
import { Lab } from "../harness/lab";
import { ScriptedKernel } from "../harness/scripted-kernel";
import { sleep } from "../harness/shell";

const links = 100;
let lab: Lab;

beforeAll(async () => {
  lab = await Lab.open();
  await lab.exec(
    "sh",
    "-c",
    `for i in $(seq ${links}); do echo "tuntap add dev tap$i mode tap"; done | ip -batch -`,
  );
});
afterAll(() => lab.close());

/** A host on the real kernel that counts how often it looks at links and addresses. */
function counting() {
  const kernel = openKernel();
  const count = { dumps: 0 };
  const counted = {
    ...kernel,
    dump: (...args: Parameters<typeof kernel.dump>) => {
      count.dumps++;
      return kernel.dump(...args);
    },
  };
  return { host: new Host(counted), count };
}

test("plans that ask one after the other share what was seen a moment ago", async () => {
  const { host, count } = counting();
  for (let call = 0; call < 50; call++) {
    expect((await host.scenes.lately(lab.name)).links.all.length).toBe(links + 1);
  }
  expect(count.dumps).toBeLessThan(50);
});

test("but see what was written from here, and after a while what others wrote", async () => {
  const { host } = counting();
  const mtu = async () => (await host.scenes.lately(lab.name)).links.named("tap1")?.mtu;
  const ifindex = (await host.scenes.lately(lab.name)).links.named("tap1")!.ifindex;
  for (const value of [1300, 1301, 1302]) {
    await host.batch.send(lab.name, [setLink(ifindex, { mtu: value })]);
    expect(await mtu()).toBe(value);
  }
  await lab.ip("link", "set", "tap1", "mtu", "1400");
  await sleep(300);
  expect(await mtu()).toBe(1400);
});

test("in a small namespace a plan sees at once what others wrote", async () => {
  const small = await Lab.open();
  try {
    await small.ip("tuntap", "add", "dev", "tap1", "mode", "tap");
    const [{ host }, { host: others }] = [counting(), counting()];
    const { ifindex } = (await host.scenes.lately(small.name)).links.named("tap1")!;
    for (let mtu = 1301; mtu <= 1350; mtu++) {
      await others.batch.send(small.name, [setLink(ifindex, { mtu })]);
      expect((await host.scenes.lately(small.name)).links.named("tap1")?.mtu).toBe(mtu);
    }
  } finally {
    await small.close();
  }
});

test("who asks what others have there does not mind what was written from here, and sees theirs after a while", async () => {
  const { host, count } = counting();
  const mtu = async () => (await host.scenes.ofOthers(lab.name)).links.named("tap1")?.mtu;
  const ifindex = (await host.scenes.lately(lab.name)).links.named("tap1")!.ifindex;
  for (let value = 1301; value <= 1350; value++) {
    await host.batch.send(lab.name, [setLink(ifindex, { mtu: value })]);
    await mtu();
  }
  expect(count.dumps).toBeLessThan(50);
  await lab.ip("link", "set", "tap1", "mtu", "1401");
  await sleep(300);
  expect(await mtu()).toBe(1401);
});

test("and what a sysctl that was written from here did to addresses", async () => {
  const { host } = counting();
  await lab.ip("addr", "add", "2001:db8::1/64", "dev", "tap3", "nodad");
  const addresses = async () => {
    const { links, addresses } = await host.scenes.lately(lab.name);
    return (addresses.get(links.named("tap3")!.ifindex) ?? []).map(({ cidr }) => cidr);
  };
  expect(await addresses()).toContain("2001:db8::1/64");
  await host.sysctls.write(lab.name, "net.ipv6.conf.tap3.disable_ipv6", "1");
  expect(await addresses()).toEqual([]);
});

test("who writes sees what is there after the question, together with others who ask meanwhile", async () => {
  const { host, count } = counting();
  await host.scenes.now(lab.name);
  for (const value of [1500, 1501]) {
    await lab.ip("link", "set", "tap2", "mtu", String(value));
    expect((await host.scenes.now(lab.name)).links.named("tap2")?.mtu).toBe(value);
  }
  count.dumps = 0;
  const asked: Promise<unknown>[] = [];
  for (let call = 0; call < 20; call++) {
    asked.push(host.scenes.now(lab.name));
    await new Promise((turn) => setImmediate(turn));
  }
  await Promise.all(asked);
  expect(count.dumps).toBeLessThan(20);
});

test("a look that our own writes disturb lets those that are under way end, and the next ones wait", async () => {
  const kernel = new ScriptedKernel();
  let [writing, writes] = [0, 0];
  kernel.answer = async (messages) => {
    writing++;
    writes++;
    await sleep(3);
    writing--;
    return messages.map(() => ({ errno: 0 }));
  };
  kernel.answerDump = async () => {
    const before = writes;
    const disturbed = writing > 0;
    await sleep(10);
    return { bytes: Buffer.alloc(0), interrupted: disturbed || writes !== before };
  };
  const host = new Host(kernel);
  let [ended, failed] = [false, false];
  const writeOn = async (namespace: string) => {
    while (!ended) await host.batch.send(namespace, [setLink(1, { mtu: 1500 })]);
  };
  const writers = ["one", "other"].map(writeOn);
  await sleep(5);
  const looks = ["one", "other", undefined].map((namespace) => host.links.table(namespace));
  for (const look of await Promise.allSettled(looks)) failed ||= look.status === "rejected";
  const during = writes;
  await sleep(20);
  ended = true;
  await Promise.all(writers);
  expect(failed).toBe(false);
  // Each once as it came, once in quiet; and whoever waited goes on.
  expect(kernel.dumps).toBe(6);
  expect(writes).toBeGreaterThan(during);
});

test("a write that fails holds nobody up", async () => {
  const kernel = new ScriptedKernel();
  kernel.answer = () => {
    throw new Error("no answer");
  };
  kernel.answerDump = (attempt) => ({ bytes: Buffer.alloc(0), interrupted: attempt === 1 });
  const host = new Host(kernel);
  const write = () => host.batch.send(undefined, [setLink(1, { mtu: 1500 })]);
  await expect(write()).rejects.toThrow("no answer");
  expect((await host.links.table(undefined)).all).toEqual([]);
  await expect(write()).rejects.toThrow("no answer");
});

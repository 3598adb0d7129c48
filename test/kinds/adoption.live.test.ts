/** Taking over what others made: what the plan says of it, and what a failure leaves of it. */
import { describe, expect, test } from "vitest";
import { attached } from "../harness/attach";
import { Program } from "../harness/program";
import { base, kind, lab, program, said, useTunLab } from "./tun-lab";

useTunLab();

const adopting = (more: Record<string, unknown> = {}) => ({ ...base(), adopt: true, ...more });
const strange = (...options: string[]) =>
  lab
    .exec("tunctl", "-t", "dev0", "-u", "bin", ...options)
    .then(() => lab.ip("addr", "add", "198.51.100.1/24", "dev", "dev0"));

describe("the plan", () => {
  test("says what is taken over, that it will be deleted, and what will be changed", async () => {
    await strange();
    const checked = await program.check(kind, "dev0", adopting());
    expect(checked.problems).toEqual([]);
    expect(said(checked)).toMatch(/takes over tap "dev0" .*no lease.*`down` will delete it/);
    expect(said(checked)).toMatch(
      /it will be changed: .*owner: uid 2 on the host, nobody \(uid 65534\) declared/,
    );
    expect(said(checked)).toMatch(/mtu: 1500 on the host, 1400 declared/);
  });

  test.each<[string, () => Promise<unknown>, Record<string, unknown>, RegExp]>([
    [
      "of another mode",
      () => lab.ip("tuntap", "add", "dev", "dev0", "mode", "tun"),
      {},
      /cannot be taken over: mode: tun on the host, tap declared, which cannot be changed.*\[FOREIGN_LINK\]/,
    ],
    [
      "with a single queue",
      () => lab.ip("tuntap", "add", "dev", "dev0", "mode", "tap"),
      { multiQueue: true },
      /cannot be taken over: multiQueue: a single queue on the host.*\[FOREIGN_LINK\]/,
    ],
    [
      "that is no TUN or TAP interface",
      () => lab.ip("link", "add", "dev0", "type", "bridge"),
      {},
      /bridge "dev0" .*is no TUN or TAP interface, so it cannot be taken over.*\[FOREIGN_LINK\]/,
    ],
  ])("refuses one %s", async (_what, make, more, message) => {
    await make();
    const before = await lab.snapshot();
    const { problems, notices } = await program.check(kind, "dev0", adopting(more));
    expect(problems.map((problem) => problem.message).join()).toMatch(message);
    expect(notices.map((notice) => notice.message).join()).not.toMatch(/takes over/);
    await expect(program.declare(kind, "dev0", adopting(more))).rejects.toThrow(/FOREIGN_LINK/);
    expect(await lab.snapshot()).toBe(before);
  });

  test.each([
    [{}, /this will be refused until that process ends/],
    [{ onBusy: "wait", busyTimeoutSeconds: 7 }, /up to 7 s will be spent waiting/],
    [{ onBusy: "force" }, /it will be deleted under that process and made anew/],
  ])("names who holds one whose owner shall change %o", async (more, message) => {
    await strange();
    const holder = await lab.hold("dev0");
    const checked = await program.check(kind, "dev0", adopting(more));
    expect(said(checked)).toMatch(
      /owner: .*cannot be changed while the interface is held by pid \d+ \(socat/,
    );
    expect(said(checked)).toMatch(message);
    await lab.release(holder);
  });
});

describe("what came between the plan and the run", () => {
  test.each<[string, string[], RegExp]>([
    ["of another mode", ["ip", "tuntap", "add", "dev", "dev0", "mode", "tun"], /mode: tun on the host/],
    ["of another kind", ["ip", "link", "add", "dev0", "type", "bridge"], /is no TUN or TAP interface/],
  ])("%s is refused by the run too, and left as it is", async (_what, command, message) => {
    const late = new Program();
    const checked = await late.check(kind, "dev0", adopting());
    expect(checked.problems).toEqual([]);
    await lab.exec(...command);
    const before = await lab.snapshot();
    await expect(late.create(kind, "dev0", checked.inputs)).rejects.toThrow(message);
    expect(await lab.snapshot()).toBe(before);
  });
});

describe("one that a process holds", () => {
  test("is left as it was where its owner cannot be changed", async () => {
    await strange();
    const holder = await lab.hold("dev0");
    const before = await lab.snapshot();
    await expect(program.declare(kind, "dev0", adopting())).rejects.toMatchObject({
      code: "LINK_BUSY",
      property: "owner",
      message: expect.stringMatching(/held by pid \d+ \(socat/),
    });
    expect(await lab.snapshot()).toBe(before);
    // So the next run knows it for a stranger still.
    await expect(program.newRun().declare(kind, "dev0", base())).rejects.toThrow(/FOREIGN_LINK/);
    await lab.release(holder);
  });

  test("is waited for", async () => {
    await strange();
    const holder = await lab.hold("dev0");
    const taken = program.declare(kind, "dev0", adopting({ onBusy: "wait" }));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await lab.mustHave("dev0")).altnames).toBeUndefined();
    await lab.release(holder);
    expect((await taken).operation).toBe("create");
    expect((await lab.mustHave("dev0")).linkinfo?.info_data?.user).toBe("nobody");
  });

  test("is made anew by force, at once", async () => {
    await strange();
    const { ifindex } = await lab.mustHave("dev0");
    const holder = await lab.hold("dev0");
    await program.declare(kind, "dev0", adopting({ onBusy: "force" }));
    const now = await lab.mustHave("dev0");
    expect(now.ifindex).not.toBe(ifindex);
    expect(now.linkinfo?.info_data?.user).toBe("nobody");
    await lab.release(holder);
  });
});

describe("a failure gives it back as it was", () => {
  test.each<[string, () => Promise<unknown>, Record<string, unknown>, RegExp]>([
    ["a bridge that is missing", strange, { bridge: "missing0" }, /BRIDGE_MISSING/],
    [
      "an address that the kernel refuses",
      async () => {
        await strange();
        await lab.exec("sysctl", "-qw", "net.ipv6.conf.dev0.disable_ipv6=1");
      },
      { txQueueLength: 77, alias: "ours", promiscuous: true },
      /2001:db8::1\/64/,
    ],
    [
      "after leaving its bridge",
      async () => {
        await strange();
        await lab.ip("link", "add", "br7", "type", "bridge");
        await lab.ip("link", "add", "br8", "type", "bridge");
        // Its address and offloads are its ports', so it keeps one.
        await lab.ip("tuntap", "add", "dev", "kept0", "mode", "tap");
        await lab.ip("link", "set", "kept0", "master", "br8");
        await lab.ip("link", "set", "dev0", "master", "br7");
        await lab.exec("bridge", "link", "set", "dev", "dev0", "isolated", "on", "cost", "9");
        await lab.exec("sysctl", "-qw", "net.ipv6.conf.dev0.disable_ipv6=1");
      },
      { bridge: "br8", port: { hairpin: true } },
      /2001:db8::1\/64/,
    ],
  ])("%s", async (_what, make, more, message) => {
    await make();
    const before = await lab.snapshot();
    await expect(program.declare(kind, "dev0", adopting(more))).rejects.toThrow(message);
    expect(await lab.snapshot()).toBe(before);
    await expect(program.newRun().declare(kind, "dev0", base())).rejects.toThrow(/FOREIGN_LINK/);
  });

  test("also to another program", async () => {
    const other = program;
    await other.declare(kind, "dev0", base());
    const before = await lab.snapshot();
    await expect(
      new Program().declare(kind, "dev0", adopting({ mtu: 1300, bridge: "missing0" })),
    ).rejects.toThrow(/BRIDGE_MISSING/);
    expect(await lab.snapshot()).toBe(before);
    expect((await other.newRun().declare(kind, "dev0", base())).operation).toBe("same");
  });
});

describe("first settings of one that is taken over", () => {
  const flags = async () => (await lab.mustHave("dev0")).linkinfo?.info_data;

  test("are written while nobody holds it", async () => {
    await strange();
    expect(await flags()).toMatchObject({ vnet_hdr: false });
    await program.declare(kind, "dev0", adopting({ vnetHeader: true }));
    expect(await flags()).toMatchObject({ vnet_hdr: true });
  });

  test("are its holder's while one does", async () => {
    await lab.exec("tunctl", "-t", "dev0", "-u", "nobody", "-g", "daemon");
    const holder = await attached(lab, "dev0", {});
    const before = await flags();
    await program.declare(kind, "dev0", adopting({ vnetHeader: true }));
    expect(await flags()).toEqual(before);
    await holder.end();
  });
});

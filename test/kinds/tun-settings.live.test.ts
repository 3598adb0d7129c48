/** The settings of an interface beyond its addresses and owner, each changed by the program and by hand. */

import { constants } from "node:os";
import { describe, expect, test } from "vitest";
import { attached } from "../harness/attach";
import { run } from "../harness/shell";
import { describeRows } from "./rows";
import { base, kind, lab, program, useTunLab } from "./tun-lab";

useTunLab();

const flag = (name: string) => async () => (await lab.mustHave("dev0")).flags.includes(name);

const settings = () => ({
  ...base(),
  macAddress: "52:54:00:12:34:56",
  txQueueLength: 250,
  promiscuous: true,
  allMulticast: true,
  multicast: false,
  arp: false,
  alias: "the web server's",
  broadcast: "192.0.2.127",
});

describe("a TAP with every setting", () => {
  test("as ip sees it", async () => {
    const { outputs } = await program.declare(kind, "dev0", settings());
    const link = await lab.mustHave("dev0");
    expect(link).toMatchObject({
      address: "52:54:00:12:34:56",
      txqlen: 250,
      ifalias: "the web server's",
      flags: expect.arrayContaining(["PROMISC", "ALLMULTI", "NOARP", "UP"]),
    });
    expect(link.flags).not.toContain("MULTICAST");
    expect(await lab.ip("addr", "show", "dev", "dev0")).toContain("inet 192.0.2.1/24 brd 192.0.2.127 ");
    const { addresses, mtu, owner, group, ...rest } = settings();
    expect(outputs).toMatchObject(rest);
  });

  test.each([
    ["MAC in capitals", { macAddress: "52:54:00:AB:CD:EF" }],
    ["MAC with dashes", { macAddress: "52-54-00-ab-cd-ef" }],
  ])("and another spelling is no change: %s", async (_what, other) => {
    await program.declare(kind, "dev0", { ...settings(), macAddress: "52:54:00:ab:cd:ef" });
    expect((await program.declare(kind, "dev0", { ...settings(), ...other })).operation).toBe("same");
  });

  test("none of them is managed where it is not declared", async () => {
    await program.declare(kind, "dev0", base());
    await lab.ip("link", "set", "dev0", "address", "52:54:00:00:00:01", "txqueuelen", "9", "alias", "mine");
    await lab.ip("link", "set", "dev0", "promisc", "on", "allmulticast", "on", "arp", "off");
    await lab.ip("link", "set", "dev0", "multicast", "off");
    const before = await lab.snapshot();
    expect((await program.newRun().declare(kind, "dev0", base())).operation).toBe("same");
    expect(await lab.snapshot()).toBe(before);
  });

  test("and stays as it is when it is no longer declared, which is said", async () => {
    await program.declare(kind, "dev0", settings());
    const step = await program.declare(kind, "dev0", base());
    for (const name of ["macAddress", "txQueueLength", "promiscuous", "arp", "alias"])
      expect(step.notices.join()).toContain(`${name} is no longer declared; it stays as it is`);
    expect(await lab.mustHave("dev0")).toMatchObject({ txqlen: 250, address: "52:54:00:12:34:56" });
  });

  test("an empty alias is none", async () => {
    await program.declare(kind, "dev0", settings());
    expect((await program.declare(kind, "dev0", { ...settings(), alias: "" })).operation).toBe("update");
    expect((await lab.mustHave("dev0")).ifalias).toBeUndefined();
    expect((await program.declare(kind, "dev0", { ...settings(), alias: "" })).operation).toBe("same");
  });
});

describeRows(settings, [
  {
    name: "macAddress",
    change: { macAddress: "52:54:00:00:00:09" },
    byHand: () => lab.ip("link", "set", "dev0", "address", "52:54:00:00:00:01"),
    drift: /macAddress: 52:54:00:00:00:01 on the host, 52:54:00:12:34:56/,
    read: async () => (await lab.mustHave("dev0")).address,
    original: "52:54:00:12:34:56",
    changed: "52:54:00:00:00:09",
  },
  {
    name: "txQueueLength",
    change: { txQueueLength: 0 },
    byHand: () => lab.ip("link", "set", "dev0", "txqueuelen", "77"),
    drift: /txQueueLength: 77 on the host, 250/,
    // ip leaves a length of 0 out.
    read: async () => (await lab.mustHave("dev0")).txqlen ?? 0,
    original: 250,
    changed: 0,
  },
  {
    name: "promiscuous",
    change: { promiscuous: false },
    byHand: () => lab.ip("link", "set", "dev0", "promisc", "off"),
    drift: /promiscuous: off on the host, on/,
    read: flag("PROMISC"),
    original: true,
    changed: false,
  },
  {
    name: "allMulticast",
    change: { allMulticast: false },
    byHand: () => lab.ip("link", "set", "dev0", "allmulticast", "off"),
    drift: /allMulticast: off on the host, on/,
    read: flag("ALLMULTI"),
    original: true,
    changed: false,
  },
  {
    name: "multicast",
    change: { multicast: true },
    byHand: () => lab.ip("link", "set", "dev0", "multicast", "on"),
    drift: /multicast: on on the host, off/,
    read: flag("MULTICAST"),
    original: false,
    changed: true,
  },
  {
    name: "arp",
    change: { arp: true },
    byHand: () => lab.ip("link", "set", "dev0", "arp", "on"),
    drift: /arp: on on the host, off/,
    read: flag("NOARP"),
    original: true,
    changed: false,
  },
  {
    name: "alias",
    change: { alias: "another" },
    byHand: () => lab.ip("link", "set", "dev0", "alias", "stray"),
    drift: /alias: "stray" on the host, (the web server's \()?"the web server's"/,
    read: async () => (await lab.mustHave("dev0")).ifalias,
    original: "the web server's",
    changed: "another",
  },
  {
    name: "broadcast",
    change: { broadcast: "192.0.2.63" },
    byHand: async () => {
      await lab.ip("addr", "del", "192.0.2.1/24", "dev", "dev0");
      await lab.ip("addr", "add", "192.0.2.1/24", "brd", "192.0.2.31", "dev", "dev0");
      await lab.ip("addr", "replace", "192.0.2.7/24", "dev", "dev0");
    },
    drift: /192.0.2.1\/24 broadcast 192.0.2.31.* on the host, 192.0.2.1\/24 broadcast 192.0.2.127/,
    read: async () => /192.0.2.1\/24 brd (\S+)/.exec(await lab.ip("addr", "show", "dev", "dev0"))?.[1],
    original: "192.0.2.127",
    changed: "192.0.2.63",
  },
]);

describe("a broadcast address", () => {
  test("that is not declared is the subnet's, and not managed", async () => {
    await program.declare(kind, "dev0", base());
    const shown = () => lab.ip("addr", "show", "dev", "dev0");
    expect(await shown()).toContain("inet 192.0.2.1/24 brd 192.0.2.255 ");
    await lab.ip("addr", "flush", "dev", "dev0", "to", "192.0.2.0/24");
    await lab.ip("addr", "add", "192.0.2.1/24", "brd", "192.0.2.31", "dev", "dev0");
    await lab.ip("addr", "add", "192.0.2.7/24", "dev", "dev0");
    expect((await program.newRun().declare(kind, "dev0", base())).operation).toBe("same");
  });
});

describe("a TUN with a peer", () => {
  const pointToPoint = () => ({
    mode: "tun",
    owner: "nobody",
    address: "192.0.2.1",
    peerAddress: "192.0.2.2",
    namespace: lab.name,
  });
  const inet = async () => /inet (.*) scope/.exec(await lab.ip("addr", "show", "dev", "dev0"))?.[1];

  test("is made as ip sees it, with the peer's netmask", async () => {
    const { outputs } = await program.declare(kind, "dev0", pointToPoint());
    expect(await inet()).toBe("192.0.2.1 peer 192.0.2.2/32");
    expect(outputs).toMatchObject({
      address: "192.0.2.1",
      peerAddress: "192.0.2.2",
      netmask: "255.255.255.255",
    });
    expect((await program.declare(kind, "dev0", pointToPoint())).operation).toBe("same");
    await program.declare(kind, "dev0", { ...pointToPoint(), netmask: 30 });
    expect(await inet()).toBe("192.0.2.1 peer 192.0.2.2/30");
  });

  test("a peer that the program takes out goes", async () => {
    await program.declare(kind, "dev0", pointToPoint());
    const { peerAddress, ...rest } = pointToPoint();
    await program.declare(kind, "dev0", { ...rest, netmask: 24 });
    expect(await inet()).toBe("192.0.2.1/24");
  });

  describeRows(pointToPoint, [
    {
      name: "peerAddress",
      change: { peerAddress: "192.0.2.3" },
      byHand: async () => {
        await lab.ip("addr", "flush", "dev", "dev0", "scope", "global");
        await lab.ip("addr", "add", "192.0.2.1", "peer", "192.0.2.9", "dev", "dev0");
      },
      drift: /addresses: no address on the host, 192.0.2.1 peer 192.0.2.2\/32/,
      read: async () => (await lab.ip("addr", "show", "dev", "dev0")).match(/peer 192.0.2.[23]\b/)?.[0],
      original: "peer 192.0.2.2",
      changed: "peer 192.0.2.3",
    },
  ]);
});

describe("exclusiveAddresses", () => {
  const exclusive = () => ({ ...base(), exclusiveAddresses: true });

  test("what others added is drift, and removed; what the kernel made stays", async () => {
    await program.declare(kind, "dev0", exclusive());
    const linkLocal = async () => (await lab.ip("-6", "addr", "show", "dev", "dev0")).includes("fe80:");
    const before = await linkLocal();
    await lab.ip("addr", "add", "198.51.100.9/24", "dev", "dev0");
    await lab.ip("addr", "add", "2001:db8:9::1/64", "dev", "dev0");
    const plan = await program.newRun().plan(kind, "dev0", exclusive());
    expect(plan.notices.map((notice) => notice.message).join()).toMatch(
      /198\.51\.100\.9\/24.* on the host, .*declared/,
    );
    expect((await program.declare(kind, "dev0", exclusive())).operation).toBe("update");
    expect(await lab.addresses("dev0")).toEqual(["192.0.2.1/24", "192.0.2.7/24", "2001:db8::1/64"]);
    expect(await linkLocal()).toBe(before);
    expect((await program.declare(kind, "dev0", exclusive())).operation).toBe("same");
  });

  test("without any declared address means that there is none", async () => {
    const { address, netmask, addresses, ...rest } = exclusive();
    await program.declare(kind, "dev0", rest);
    await lab.ip("addr", "add", "198.51.100.9/24", "dev", "dev0");
    await program.declare(kind, "dev0", rest);
    expect(await lab.addresses("dev0")).toEqual([]);
  });
});

describe("the longest queue", () => {
  const longest = 524_288;

  test("and what the kernel makes of a longer one: nobody can attach any more", async () => {
    const attach = () => attached(lab, "dev9").then((consumer) => consumer.end());
    const length = (packets: number) => lab.ip("link", "set", "dev", "dev9", "txqueuelen", String(packets));
    await lab.ip("tuntap", "add", "dev", "dev9", "mode", "tap");
    await length(longest + 1);
    await expect(attach()).rejects.toThrow(/Cannot allocate memory/);
    await length(longest);
    await attach();
  });

  test("a queue that the kernel takes or refuses: as declared, or refused with what to do, and nothing is left", async () => {
    const inputs = { ...base(), txQueueLength: longest };
    const failure = await program.declare(kind, "dev0", inputs).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (failure === undefined) {
      expect((await lab.mustHave("dev0")).txqlen).toBe(longest);
      await program.declare(kind, "dev0", { ...inputs, txQueueLength: 7 });
      await program.declare(kind, "dev0", inputs);
      expect((await lab.mustHave("dev0")).txqlen).toBe(longest);
      return;
    }
    // Some kernels have a limit of their own, as 32767 of Debian's 6.1.
    expect(failure).toMatchObject({
      property: "txQueueLength",
      errno: constants.errno.ERANGE,
      message: expect.stringMatching(/Choose a smaller one: some kernels.* take 32767 packets at most/),
    });
    expect(await lab.links()).toEqual([]);
    await lab.ip("tuntap", "add", "dev", "dev9", "mode", "tap");
    await expect(lab.ip("link", "set", "dev", "dev9", "txqueuelen", "32768")).rejects.toThrow();
    await program.declare(kind, "dev0", { ...base(), txQueueLength: 32767 });
    expect((await lab.mustHave("dev0")).txqlen).toBe(32767);
  });
});

test("the lab's own witness would see a change of an alias", async () => {
  await run("ip", "-n", lab.name, "tuntap", "add", "dev", "dev9", "mode", "tap");
  await lab.ip("link", "set", "dev9", "alias", "x");
  expect((await lab.mustHave("dev9")).ifalias).toBe("x");
});

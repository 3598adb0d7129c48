/**
 * What the table of a TunInterface says of each property (live, blocked, replace), proven on the real kernel for a TAP
 * and for a TUN: idle, held by its single queue, and held by one of several queues. What came of it is read by `ip`.
 */

import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { portInput } from "../../provider/kinds/parts/port-settings";
import { tunInterface } from "../../provider/kinds/tun-interface";
import { type Attached, attached } from "../harness/attach";
import { Lab, type WitnessedLink } from "../harness/lab";
import { kind, lab, program, said, useTunLab } from "./tun-lab";

useTunLab();

type Verdict = "live" | "blocked" | "replace";
type Inputs = Record<string, unknown>;

let other: Lab;
beforeAll(async () => {
  other = await Lab.open();
});
afterAll(() => other.close());

/** A link with its addresses, as `ip -j -d addr` prints it, and where it is. */
interface Seen extends WitnessedLink {
  namespace: string;
  addr_info: { local: string; address?: string; prefixlen: number; scope: string; broadcast?: string }[];
}

/** The link with that lease, wherever and whatever it is called. */
async function seen(lease: unknown): Promise<Seen | undefined> {
  for (const { name } of [lab, other]) {
    const links: Seen[] = JSON.parse(await Lab.named(name).ip("-j", "-d", "addr", "show"));
    const found = links.find(({ altnames }) => altnames?.includes(String(lease)));
    if (found) return { ...found, namespace: name };
  }
  return undefined;
}

/** All that only a write can change, without what the kernel gives an interface when somebody attaches. */
async function whole(): Promise<unknown> {
  const links: Seen[] = JSON.parse(await lab.snapshot());
  return links.map((link) => ({
    ...link,
    addr_info: link.addr_info.filter(({ scope }) => scope !== "link"),
  }));
}

/** Whether a process has an interface of that name open, as the kernel says it of its descriptors. */
function holds({ pid }: Attached, name: string): boolean {
  return readdirSync(`/proc/${pid}/fdinfo`).some((fd) =>
    readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8").includes(`iff:\t${name}\n`),
  );
}

type Read = (link: Seen) => unknown;
const flag =
  (name: string): Read =>
  ({ flags }) =>
    flags.includes(name);
const data =
  (name: string): Read =>
  ({ linkinfo }) =>
    (linkinfo?.info_data as Inputs | undefined)?.[name];
const ofPort =
  (name: string): Read =>
  ({ linkinfo }) =>
    linkinfo?.info_slave_data?.[name];
const addresses: Read = ({ addr_info }) =>
  addr_info
    .filter(({ scope }) => scope !== "link")
    .map(({ local, prefixlen }) => `${local}/${prefixlen}`)
    .sort();

interface Row {
  /** The input whose change it is. */
  input: string;
  what?: string;
  /** What is declared before, beside what always is. */
  begin?: Inputs;
  /** Arguments of ip, between the two. */
  byHand?: string[];
  /** @param several whether the interface has several queues. */
  change: Inputs | ((several: boolean) => Inputs);
  /** Idle, attached to the only queue, attached to one of several. */
  verdicts: readonly [Verdict, Verdict, Verdict];
  read: Read;
  /** What is read where it is done; something else before. */
  after: unknown | ((several: boolean) => unknown);
}

const live = ["live", "live", "live"] as const;
const byAttaching = ["live", "blocked", "live"] as const;
const firstSetting = ["live", "blocked", "blocked"] as const;
const replace = ["replace", "replace", "replace"] as const;
const row = (input: string, value: unknown, read: Read, after: unknown = value): Row => ({
  input,
  change: { [input]: value },
  verdicts: live,
  read,
  after,
});

/** Of TAP and TUN alike. */
const both: Row[] = [
  row("up", false, flag("UP")),
  row("mtu", 1300, ({ mtu }) => mtu),
  row("txQueueLength", 7, ({ txqlen }) => txqlen),
  row("promiscuous", true, flag("PROMISC")),
  row("allMulticast", true, flag("ALLMULTI")),
  row("multicast", false, flag("MULTICAST")),
  row("alias", "other", ({ ifalias }) => ifalias),
  row("name", "other0", ({ ifname }) => ifname),
  {
    ...row("namespace", undefined, ({ namespace }) => namespace),
    change: () => ({ namespace: other.name }),
    after: () => other.name,
  },
  row("address", "192.0.2.9", addresses, ["192.0.2.9/24"]),
  row("netmask", 25, addresses, ["192.0.2.1/25"]),
  row("addresses", ["2001:db8::1/64"], addresses, ["192.0.2.1/24", "2001:db8::1/64"]),
  {
    ...row("exclusiveAddresses", true, addresses, ["192.0.2.1/24"]),
    byHand: ["addr", "add", "203.0.113.9/24", "dev", "dev0"],
  },
  { ...row("owner", "daemon", data("user")), verdicts: byAttaching },
  { ...row("group", "bin", data("group")), verdicts: byAttaching },
  {
    ...row("owner", "daemon", data("user")),
    what: "that was unset",
    begin: { owner: undefined, group: undefined },
    verdicts: byAttaching,
  },
  {
    ...row("group", "bin", data("group")),
    what: "that was unset",
    begin: { owner: undefined, group: undefined },
    verdicts: byAttaching,
  },
  {
    ...row("owner", -1, (link) => data("user")(link) ?? "none", "none"),
    what: "back to none",
    verdicts: replace,
  },
  {
    ...row("group", -1, (link) => data("group")(link) ?? "none", "none"),
    what: "back to none",
    verdicts: replace,
  },
  { ...row("packetInformation", true, data("pi")), verdicts: firstSetting },
  { ...row("vnetHeader", true, data("vnet_hdr")), verdicts: firstSetting },
  {
    input: "multiQueue",
    change: (several) => ({ multiQueue: !several }),
    verdicts: replace,
    read: data("multi_queue"),
    after: (several: boolean) => !several,
  },
];

/** None as the kernel starts with it: input, word of ip, value. */
const port: [string, string, boolean | number][] = [
  ["isolated", "isolated", true],
  ["learning", "learning", false],
  ["flood", "flood", false],
  ["multicastFlood", "mcast_flood", false],
  ["hairpin", "hairpin", true],
  ["guard", "guard", true],
  ["rootBlock", "root_block", true],
  ["fastLeave", "fastleave", true],
  ["cost", "cost", 5],
  ["priority", "priority", 7],
];

const tables: Readonly<Record<"tap" | "tun", Row[]>> = {
  tap: [
    ...both,
    row("arp", false, ({ flags }) => !flags.includes("NOARP")),
    row("macAddress", "52:54:00:00:00:09", ({ address }) => address),
    row("broadcast", "192.0.2.127", ({ addr_info }) => addr_info[0]?.broadcast),
    row("bridge", "br0", ({ master }) => master),
    ...port.map(([name, word, value]) => ({
      ...row(`port.${name}`, value, ofPort(word)),
      begin: { bridge: "br0" },
      change: { port: { [name]: value } },
    })),
    { ...row("mode", "tun", data("type")), verdicts: replace },
  ],
  tun: [
    ...both,
    row("arp", true, ({ flags }) => !flags.includes("NOARP")),
    row("peerAddress", "192.0.2.9", ({ addr_info }) => addr_info[0]?.address),
    { ...row("mode", "tap", data("type")), verdicts: replace },
  ],
};

/** Read by the provider only. */
interface Control {
  input: string;
  begin?: Inputs | ((several: boolean) => Inputs);
  change: Inputs | ((several: boolean) => Inputs);
  modes?: readonly string[];
}

/** QEMU opens several queues where there are several. */
const qemu = (several: boolean) => ({ consumer: "qemu", ...(several && { queues: 2 }) });
const controls: Control[] = [
  { input: "adopt", change: { adopt: true } },
  { input: "onBusy", change: { onBusy: "wait" } },
  {
    input: "busyTimeoutSeconds",
    begin: { onBusy: "wait" },
    change: { onBusy: "wait", busyTimeoutSeconds: 5 },
  },
  { input: "consumer", change: qemu, modes: ["tap"] },
  { input: "queues", begin: qemu, change: (several) => ({ queues: several ? 3 : 1 }), modes: ["tap"] },
  {
    input: "guestMacAddress",
    begin: qemu,
    change: { guestMacAddress: "52:54:00:00:00:0a" },
    modes: ["tap"],
  },
];

const attachments = ["idle", "single", "multi"] as const;
const modes = ["tap", "tun"] as const;
const columns = modes.flatMap((mode) =>
  attachments.map((attachment, column) => ({ mode, attachment, column })),
);

describe.each(columns)("a $mode, $attachment", ({ mode, attachment, column }) => {
  const several = attachment === "multi";
  const start = () => ({
    mode,
    owner: "nobody",
    group: "daemon",
    address: "192.0.2.1",
    netmask: 24,
    multiQueue: several,
    namespace: lab.name,
  });
  const hold = async (persist?: boolean) =>
    attachment === "idle"
      ? undefined
      : attached(lab, "dev0", { mode, flags: several ? ["multiQueue"] : [], persist });
  const of = <T>(value: T | ((several: boolean) => T)): T =>
    value instanceof Function ? value(several) : value;

  interface Proof {
    changed: Inputs;
    verdict: Verdict;
    /** What was there before another hand was at it. */
    first: Seen;
    lease: unknown;
    holder: Attached | undefined;
    read: Read;
    after: unknown;
  }

  /** That what differs now is planned and done as the verdict says. */
  async function prove({ changed, verdict, first, lease, holder, read, after }: Proof): Promise<void> {
    const before = await whole();
    const plan = await program.newRun().plan(kind, "dev0", changed);
    expect(plan.changes).toBe(true);
    expect(plan.replaces.length > 0, said(plan)).toBe(verdict === "replace");
    const refused = verdict !== "live" && holder;
    if (!refused) expect(said(plan)).not.toContain("this will be refused");
    const outcome = await program.declare(kind, "dev0", changed).catch((error) => error as Error);
    if (refused) {
      expect(said(plan)).toMatch(new RegExp(`held by pid ${holder.pid} .*this will be refused`));
      expect(outcome).toMatchObject({ code: "LINK_BUSY" });
      expect(await whole()).toEqual(before);
      expect(holds(holder, "dev0")).toBe(true);
    } else {
      expect(outcome).toMatchObject({ operation: verdict === "live" ? "update" : "replace" });
      const now = (await seen(lease)) as Seen;
      expect(read(now)).toEqual(after);
      expect(now.ifindex === first.ifindex).toBe(verdict === "live");
      expect((await program.newRun().declare(kind, "dev0", changed)).operation).toBe("same");
      // Whoever held it holds it still.
      if (holder) {
        expect(holds(holder, now.ifname)).toBe(true);
        await expect(program.remove("dev0")).rejects.toThrow(new RegExp(`held by pid ${holder.pid} `));
      }
    }
    await holder?.end();
    await program.remove("dev0");
    expect(await seen(lease)).toBeUndefined();
  }

  async function made(inputs: Inputs): Promise<{ first: Seen; lease: unknown }> {
    const { outputs } = await program.declare(kind, "dev0", inputs);
    const first = (await seen(outputs.__lease)) as Seen;
    return { first, lease: outputs.__lease };
  }

  const titled = tables[mode].map((each) => [`${each.input} ${each.what ?? ""}`.trim(), each] as const);
  test.each(titled)("%s", async (_, { begin, byHand, change, verdicts, read, after }) => {
    const inputs = { ...start(), ...begin };
    if (mode === "tap") await lab.ip("link", "add", "name", "br0", "type", "bridge");
    const { first, lease } = await made(inputs);
    if (byHand) await lab.ip(...byHand);
    expect(read((await seen(lease)) as Seen)).not.toEqual(of(after));
    await prove({
      changed: { ...inputs, ...of(change) },
      verdict: verdicts[column] as Verdict,
      first,
      lease,
      holder: await hold(),
      read,
      after: of(after),
    });
  });

  test("the lease, which another took off, is there again", async () => {
    const { first, lease } = await made(start());
    const holder = await hold();
    await lab.ip("link", "property", "del", "dev", "dev0", "altname", String(lease));
    expect(await seen(lease)).toBeUndefined();
    const read: Read = ({ altnames }) => altnames;
    await prove({ changed: start(), verdict: "live", first, lease, holder, read, after: [lease] });
  });

  // Only beside other queues there is one for the process that keeps the interface.
  if (attachment !== "single")
    test("persistence", async () => {
      const inputs = { ...start(), multiQueue: true };
      const { first, lease } = await made(inputs);
      const read = data("persist");
      expect(read(first)).toBe(true);
      const changed = { ...inputs, persistence: "process" };
      await prove({ changed, verdict: "live", first, lease, holder: await hold(), read, after: false });
    });

  // Without a holder the interface would be gone.
  if (attachment !== "idle")
    test("persistence, which the holder cleared", async () => {
      const { first, lease } = await made(start());
      const holder = await hold(false);
      const read = data("persist");
      expect(read((await seen(lease)) as Seen)).toBe(false);
      const verdict = several ? "live" : "blocked";
      await prove({ changed: start(), verdict, first, lease, holder, read, after: true });
    });

  const suitable = controls.filter(({ modes: only = modes }) => only.includes(mode));
  test.each(suitable)("$input, which is only the provider's", async ({ begin, change }) => {
    const inputs = { ...start(), ...of(begin), ...of(change) };
    await made({ ...start(), ...of(begin) });
    const holder = await hold();
    const before = await whole();
    const plan = await program.newRun().plan(kind, "dev0", inputs);
    expect([plan.changes, plan.replaces]).toEqual([true, []]);
    expect(said(plan)).not.toContain("held by");
    expect((await program.declare(kind, "dev0", inputs)).operation).toBe("update");
    expect((await program.newRun().declare(kind, "dev0", inputs)).operation).toBe("same");
    expect(await whole()).toEqual(before);
    if (holder) expect(holds(holder, "dev0")).toBe(true);
    await holder?.end();
  });
});

/** What only the one or the other has. */
const tapOnly = ["macAddress", "broadcast", "bridge", "consumer", "queues", "guestMacAddress"];
const tunOnly = ["peerAddress"];

test.each(modes)("of a %s, every input is among them", (mode) => {
  const tried = [
    ...tables[mode].map(({ input }) => input),
    ...controls.filter(({ modes: only = modes }) => only.includes(mode)).map(({ input }) => input),
    "persistence",
    // Tried where the kernel has them, with the other settings of ports: port-vlans.live.test.ts.
    ...(mode === "tap" ? ["port.vlans"] : []),
  ];
  const without = mode === "tap" ? tunOnly : tapOnly;
  const inputs = Object.keys(tunInterface.inputs).flatMap((name) => {
    if (name !== "port") return without.includes(name) ? [] : [name];
    return mode === "tap" ? Object.keys(portInput.properties).map((field) => `port.${field}`) : [];
  });
  expect([...new Set(tried)].sort()).toEqual(inputs.sort());
});

test("every property of the kind's table has only inputs that are among them", () => {
  const inputs = modes.flatMap((mode) => tables[mode].map(({ input }) => input));
  const tried = new Set([...inputs, "persistence", "port.vlans"]);
  const rows = tunInterface.properties.map(({ name, inputs: of }) => ({ name, inputs: of }));
  expect(rows.filter(({ inputs: of }) => !of.every((input) => tried.has(input)))).toEqual([]);
});

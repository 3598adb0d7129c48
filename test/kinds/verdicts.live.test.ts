/**
 * What the table of a TunInterface says of each property (live, blocked, replace), proven on the real kernel: idle,
 * held by a single queue, and held by one of several queues.
 */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tunInterface } from "../../provider/kinds/tun-interface";
import { type Attached, attached } from "../harness/attach";
import { Lab } from "../harness/lab";
import { kind, lab, program, useTunLab } from "./tun-lab";

useTunLab();

type Verdict = "live" | "blocked" | "replace";

let other: Lab;
beforeAll(async () => {
  other = await Lab.open();
});
afterAll(() => other.close());

/** None as the kernel starts with it. */
const port = {
  isolated: true,
  learning: false,
  flood: false,
  multicastFlood: false,
  hairpin: true,
  guard: true,
  rootBlock: true,
  fastLeave: true,
  cost: 5,
  priority: 7,
};

const attachments = ["idle", "single", "multi"] as const;

/** A change of one input, and what it means idle, attached to the only queue, and to one of several. */
const changes: [string, () => Record<string, unknown>, Verdict, Verdict, Verdict][] = [
  ["up", () => ({ up: false }), "live", "live", "live"],
  ["mtu", () => ({ mtu: 1300 }), "live", "live", "live"],
  ["macAddress", () => ({ macAddress: "52:54:00:00:00:09" }), "live", "live", "live"],
  ["txQueueLength", () => ({ txQueueLength: 7 }), "live", "live", "live"],
  ["promiscuous", () => ({ promiscuous: true }), "live", "live", "live"],
  ["allMulticast", () => ({ allMulticast: true }), "live", "live", "live"],
  ["multicast", () => ({ multicast: false }), "live", "live", "live"],
  ["arp", () => ({ arp: false }), "live", "live", "live"],
  ["alias", () => ({ alias: "other" }), "live", "live", "live"],
  ["bridge", () => ({ bridge: "br0" }), "live", "live", "live"],
  ["port", () => ({ bridge: "br0", port }), "live", "live", "live"],
  ["address", () => ({ address: "192.0.2.9/24" }), "live", "live", "live"],
  ["broadcast", () => ({ broadcast: "192.0.2.127" }), "live", "live", "live"],
  ["name", () => ({ name: "other0" }), "live", "live", "live"],
  ["namespace", () => ({ namespace: other.name }), "live", "live", "live"],
  ["owner", () => ({ owner: "daemon" }), "live", "blocked", "live"],
  ["group", () => ({ group: "bin" }), "live", "blocked", "live"],
  ["owner that was unset", () => ({ owner: "daemon", group: undefined }), "live", "blocked", "live"],
  ["packetInformation", () => ({ packetInformation: true }), "live", "blocked", "blocked"],
  ["vnetHeader", () => ({ vnetHeader: true }), "live", "blocked", "blocked"],
  ["owner back to none", () => ({ owner: -1 }), "replace", "replace", "replace"],
  ["group back to none", () => ({ group: -1 }), "replace", "replace", "replace"],
  ["mode", () => ({ mode: "tun", address: undefined }), "replace", "replace", "replace"],
];

describe.each(attachments.map((attachment, column) => ({ attachment, column })))(
  "$attachment",
  ({ attachment, column }) => {
    const multiQueue = attachment === "multi";
    const start = () => ({
      owner: "nobody",
      group: "daemon",
      address: "192.0.2.1/24",
      multiQueue,
      namespace: lab.name,
    });
    const hold = (): Promise<Attached> | undefined =>
      attachment === "idle" ? undefined : attached(lab, "dev0", { flags: multiQueue ? ["multiQueue"] : [] });

    const all: [string, () => Record<string, unknown>, Verdict][] = [
      ...changes.map(
        ([name, change, ...verdicts]) =>
          [name, change, verdicts[column] as Verdict] as [string, () => Record<string, unknown>, Verdict],
      ),
      ["multiQueue", () => ({ multiQueue: !multiQueue }), "replace"],
      ...(multiQueue ? [["persistence", () => ({ persistence: "process" }), "live"] as const] : []),
    ].map((row) => [...row] as [string, () => Record<string, unknown>, Verdict]);

    test.each(all)("%s", async (what, change, verdict) => {
      await lab.ip("link", "add", "name", "br0", "type", "bridge");
      const unset = what === "owner that was unset";
      const begin = unset ? { ...start(), owner: undefined, group: undefined } : start();
      const first = await program.declare(kind, "dev0", begin);
      const holder = await hold();
      const changed = { ...begin, ...change() };
      const plan = await program.plan(kind, "dev0", changed);
      const said = plan.notices.map(({ message }) => message).join("\n");
      expect(plan.changes).toBe(true);
      expect(plan.replaces.length > 0, said).toBe(verdict === "replace");
      const outcome = await program.declare(kind, "dev0", changed).catch((error) => error as Error);
      if (verdict === "live") {
        expect(outcome).toMatchObject({
          operation: "update",
          outputs: { ifindex: first.outputs.ifindex, __lease: first.outputs.__lease },
        });
        expect((await program.newRun().declare(kind, "dev0", changed)).operation).toBe("same");
        // Whoever held it holds it still.
        if (holder)
          await expect(program.remove("dev0")).rejects.toThrow(new RegExp(`held by pid ${holder.pid} `));
      } else if (holder) {
        expect(said).toMatch(new RegExp(`held by pid ${holder.pid} .*this will be refused`));
        expect(outcome).toMatchObject({ code: "LINK_BUSY" });
        expect((await lab.mustHave("dev0")).ifindex).toBe(first.outputs.ifindex);
      } else {
        expect(outcome).toMatchObject({ operation: "replace" });
        expect((outcome as typeof first).outputs.ifindex).not.toBe(first.outputs.ifindex);
      }
      await holder?.end();
      if (program.state.has("dev0")) await program.remove("dev0");
    });
  },
);

test("every property of the table is among them", () => {
  const inputs = new Set(changes.flatMap(([, change]) => Object.keys(change())));
  const settings = Object.keys(port).map((name) => `port.${name}`);
  // VLANs of a port are tried where the kernel has them, with the other settings of ports.
  const proven = [...inputs, ...settings, "port.vlans", "multiQueue", "persistence"];
  for (const { name, inputs: declared } of tunInterface.properties)
    expect(
      declared.some((input) => proven.includes(input)),
      name,
    ).toBe(true);
});

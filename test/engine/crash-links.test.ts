import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Crash, ended, exported, leftovers, loseEngine, type Point } from "../harness/crash";
import { Lab } from "../harness/lab";
import { run, until } from "../harness/shell";
import { type Declared, messages, Workspace } from "../harness/workspace";

// One interface in each of many namespaces: the provider works on all of them at once, each on a thread of its
// own, and every thread is held at another step. Then one kill hits all steps.
type Step = [Point["phase"], string];

/** What the provider does for one new interface, in this order; from `lasts` on it outlives the provider. */
const creating: Step[] = [
  ["before", "open-tun"],
  ["after", "open-tun"],
  ["before", "tunsetiff"],
  ["after", "tunsetiff"],
  ["after", "index"],
  ["before", "newlinkprop"],
  ["after", "newlinkprop"],
  ["after", "owner"],
  ["after", "group-id"],
  ["before", "persist"],
  ["after", "persist"],
  ["after", "close-tun"],
  ["before", "persist>getlink"],
  ["after", "persist>getlink"],
  ["after", "persist>getaddr"],
  ["before", "persist>mtu"],
  ["after", "persist>up"],
  ["after", "up>getlink"],
  ["after", "up>getaddr"],
];
const lasts = 10;

/** Deletes; those of `together` are of four interfaces, of which two at least go as one group, mostly all but the first. */
const together: Step[] = [
  ["before", "group"],
  ["after", "group"],
  ["before", "dellink-group"],
  ["after", "dellink-group"],
];
const deleting: Step[] = [
  ...together,
  ["before", "dellink"],
  ["after", "dellink"],
  ["after", "dellink>getlink"],
];
/** How many of the interfaces are left, at least and at most. */
const left: [number, number][] = [
  [2, 4],
  [2, 4],
  [2, 4],
  [0, 2],
  [1, 1],
  [0, 0],
  [0, 0],
];
const siblings = ["b0", "c0", "d0"];

const desired = {
  owner: "nobody",
  group: "daemon",
  mtu: 1400,
  address: "192.0.2.1/24",
  addresses: ["2001:db8::1/64"],
};

let crash: Crash;
beforeAll(async () => {
  crash = await Crash.open();
});
afterAll(() => crash.close());

for (const victim of ["provider", "engine"] as const) {
  describe(`kill -9 of the ${victim}`, () => {
    const labs: Lab[] = [];
    let workspace: Workspace;

    beforeAll(async () => {
      for (const _ of creating) labs.push(await Lab.open());
      workspace = new Workspace();
      workspace.declare(...program());
    });
    afterAll(async () => {
      workspace.close();
      for (const lab of labs) await lab.close();
    });

    const namesIn = (position: number) => (position < together.length ? ["a0", ...siblings] : ["a0"]);

    function program(): Declared[] {
      return labs.flatMap(({ name: namespace }, position) =>
        namesIn(position).map((name) => ({
          kind: "TunInterface" as const,
          name: `${name}-${position}`,
          args: { ...desired, name, namespace },
        })),
      );
    }

    function points(steps: Step[]): Point[] {
      return steps.map(([phase, names], position) => ({
        namespace: (labs[position] as Lab).name,
        phase,
        action: "hold",
        steps: names,
      }));
    }

    /** Starts a command, waits until every step is reached, kills, and gives the command's end. */
    async function interrupt(command: "up" | "down", steps: Step[], letGo: (position: number) => boolean) {
      const all = points(steps);
      const gather = (steps === deleting ? all.slice(0, together.length) : []).map((point) => ({
        ...point,
        phase: "before" as const,
        action: "delay" as const,
        steps: "getlink",
      }));
      crash.arm(...gather, ...all);
      workspace.environment = crash.environment;
      const { finished } = workspace.start(command);
      workspace.environment = {};
      const provider = await crash.held(...all.map(({ namespace }) => namespace)).catch((error) => {
        crash.arm();
        throw error;
      });
      if (victim === "provider") process.kill(provider, "SIGKILL");
      const lost = victim === "engine" ? loseEngine(provider) : undefined;
      crash.release(...all.filter((_, position) => letGo(position)).map(({ namespace }) => namespace));
      const milliseconds = lost ? (await lost).milliseconds : await ended(provider);
      return { milliseconds, ...(await finished) };
    }

    async function mustBeRight(): Promise<void> {
      for (const [position, lab] of labs.entries()) {
        const links = await lab.links();
        expect(links.map(({ ifname }) => ifname).sort()).toEqual(namesIn(position));
        for (const link of links) {
          expect(link).toMatchObject({
            mtu: 1400,
            flags: expect.arrayContaining(["UP"]),
            altnames: [expect.stringMatching(/^tuntap-0-[0-9a-f]{32}$/)],
            linkinfo: { info_data: { type: "tap", persist: true, user: "nobody", group: "daemon" } },
          });
          expect(await lab.addresses(link.ifname)).toEqual(["192.0.2.1/24", "2001:db8::1/64"]);
        }
      }
    }

    test("at each step of a create: one up ends right", async () => {
      // Half of the threads may go on after the engine is dead, until the provider ends.
      const letGo = (position: number) => victim === "engine" && position % 2 === 1;
      const { milliseconds, code, report } = await interrupt("up", creating, letGo);
      expect(milliseconds).toBeLessThan(2000);
      expect(code).toBe(1);
      expect(report.result).toBe("failed");
      expect(messages(report)).not.toBe("");

      for (const [position, lab] of labs.entries()) {
        const step = creating[position]?.join(" ");
        const one = async () => (await lab.links()).find(({ ifname }) => ifname === "a0");
        if (position < lasts && !letGo(position))
          await until(`no link after ${step}`, async () => !(await one()));
        const orphan = await one();
        if (position >= lasts) expect(orphan, step).toBeDefined();
        if (orphan) expect(orphan.altnames, step).toEqual([expect.stringMatching(/^tuntap-0-[0-9a-f]{32}$/)]);
      }

      const before = leftovers(workspace);
      expect(before.locks).toHaveLength(victim === "engine" ? 1 : 0);
      const again = await workspace.run("up");
      expect(again.code, again.stderr).toBe(0);
      if (victim === "engine") expect(again.stderr).toMatch(/removed the lock of process \d+, which is dead/);
      if (before.pending.length > 0)
        expect(again.stderr).toContain("cleared creates that a crash left pending");
      await mustBeRight();
      expect(leftovers(workspace)).toMatchObject({ locks: [], pending: [] });
      if (victim === "provider") await workspace.succeed("up", "--expect-no-changes");
    });

    test(`at each step of a delete: ${victim === "provider" ? "one up ends right" : "one down leaves nothing"}`, async () => {
      const { milliseconds, code } = await interrupt("down", deleting, () => false);
      expect(milliseconds).toBeLessThan(2000);
      expect(code).toBe(1);
      for (const [position, lab] of labs.slice(0, deleting.length).entries()) {
        const count = (await lab.links()).length;
        const [least, most] = left[position] as [number, number];
        expect(count, deleting[position]?.join(" ")).toBeGreaterThanOrEqual(least);
        expect(count, deleting[position]?.join(" ")).toBeLessThanOrEqual(most);
      }
      if (victim === "provider") {
        const again = await workspace.run("up");
        expect(again.code, again.stderr).toBe(0);
        await mustBeRight();
      }
      await workspace.succeed("down");
      for (const lab of labs) expect(await lab.links()).toEqual([]);
      expect(leftovers(workspace)).toMatchObject({ locks: [], pending: [], resources: 0 });
      expect(await exported(workspace)).toEqual({ pending: 0, resources: 0 });
      expect(await run("ip", "-j", "link")).not.toContain("tuntap-0-");
    });
  });
}

/** The part of the contract about links that live as long as a process keeps them. */

import type { ChildProcess } from "node:child_process";
import { readlinkSync } from "node:fs";
import { constants } from "node:os";
import { describe, expect, test } from "vitest";
import type { HoldStart, Kernel } from "../../provider/kernel/kernel";
import { run, until } from "../harness/shell";
import { addAltname, deleteLink, touchLink } from "./messages";
import { attachment, IFF_MULTI_QUEUE, IFF_NO_PI, IFF_TAP, IFF_TUN, tap } from "./operations";
import { dropNamespace, link } from "./witness";

const { errno } = constants;
const flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE;
const nobody = 65534;

/** A program that takes a queue of the link, as its unprivileged owner, and lives until it is killed. */
const consumer = (name: string) => `
import ctypes, fcntl, os, struct, time
os.setgroups([]); os.setresgid(${nobody}, ${nobody}, ${nobody}); os.setresuid(${nobody}, ${nobody}, ${nobody})
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH22x", b"${name}", ${flags}))
time.sleep(1000)
`;

export function holdContract(
  open: () => Kernel,
  freshNamespace: () => Promise<string>,
  startInside: (namespace: string, ...command: string[]) => ChildProcess,
): void {
  describe("hold", () => {
    const create = async (namespace: string, name: string) => {
      const [created] = await open().tun(namespace, [
        tap(name, { flags, owner: nobody, message: addAltname(0, `lease-of-${name}`) }),
      ]);
      expect(created).toMatchObject({ errno: 0 });
      return created!.ifindex!;
    };
    const start = (name: string, ifindex: number, more: Partial<HoldStart> = {}): HoldStart => ({
      operation: "start",
      name,
      ifindex,
      flags,
      lease: `lease-of-${name}`,
      ...more,
    });
    /** Makes a link that lives by its keeper alone, as the provider does; gives the link's index and the keeper's pid. */
    const hold = async (namespace: string, name: string) => {
      const ifindex = await create(namespace, name);
      const [held] = await open().hold(namespace, [start(name, ifindex)]);
      expect(held).toEqual({ errno: 0, pid: expect.any(Number) });
      const drop = attachment(name, ifindex, { flags, persist: false });
      expect(await open().tun(namespace, [drop])).toEqual([{ errno: 0, ifindex }]);
      return { ifindex, pid: held!.pid! };
    };
    /** Whether it executes something: what has ended waits a while for init to take note. */
    const isRunning = (pid: number) => {
      try {
        return readlinkSync(`/proc/${pid}/exe`) !== "";
      } catch {
        return false;
      }
    };
    const keepers = async (namespace: string) =>
      (await open().holders(namespace)).filter((holder) => holder.keeper).map((holder) => holder.pid);
    const hasCarrier = async (namespace: string, name: string) => {
      const shown = await link(namespace, name);
      return shown?.flags.includes("LOWER_UP") && !shown.flags.includes("NO-CARRIER");
    };
    const carrierChanges = async (namespace: string, name: string) => {
      const file = `/sys/class/net/${name}/carrier_changes`;
      return Number(await run("ip", "netns", "exec", namespace, "cat", file));
    };

    test("keeps a link and its carrier while consumers come and go, and no longer", async () => {
      const namespace = await freshNamespace();
      const { pid } = await hold(namespace, "tap0");
      await run("ip", "-n", namespace, "link", "set", "tap0", "up");
      expect((await link(namespace, "tap0"))?.linkinfo?.info_data).toMatchObject({
        persist: false,
        numqueues: 0,
        numdisabled: 1,
      });
      expect(await hasCarrier(namespace, "tap0")).toBe(true);
      const changes = await carrierChanges(namespace, "tap0");
      expect(await open().holders(namespace)).toEqual([
        {
          link: "tap0",
          pid,
          command: "tuntap-helper hold tap0 lease-of-tap0",
          uid: 0,
          detached: true,
          keeper: true,
          lease: "lease-of-tap0",
        },
      ]);
      // The keeper itself lives outside of it; others may look into it for a moment.
      const inside = await open().namespaceProcesses(namespace);
      expect(inside.map((process) => process.pid)).not.toContain(pid);

      for (let round = 0; round < 2; round++) {
        // A node of its own that everybody may open, as udev would make it.
        const node = "mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200";
        const child = startInside(
          namespace,
          "unshare",
          "--mount",
          "sh",
          "-c",
          `${node} && exec python3 -c "$1"`,
          "sh",
          consumer("tap0"),
        );
        const found = await until("a consumer", async () =>
          (await open().holders(namespace)).find((holder) => !holder.keeper),
        );
        expect(found).toMatchObject({ pid: child.pid, uid: nobody, detached: false, keeper: false });
        expect(found).not.toHaveProperty("lease");
        expect(await hasCarrier(namespace, "tap0")).toBe(true);
        child.kill("SIGKILL");
        await until("no consumer", async () => (await open().holders(namespace)).length === 1);
        expect(await hasCarrier(namespace, "tap0")).toBe(true);
      }
      expect(await carrierChanges(namespace, "tap0")).toBe(changes);

      process.kill(pid, "SIGKILL");
      await until("the link gone", async () => (await link(namespace, "tap0")) === undefined);
    });

    test("ends with the link", async () => {
      const namespace = await freshNamespace();
      const { pid } = await hold(namespace, "tap0");
      expect(await open().request(namespace, [deleteLink("tap0")])).toEqual([{ errno: 0 }]);
      await until("the keeper gone", () => !isRunning(pid));
    });

    test("goes on for a link that is renamed and moved, and ends with its namespace", async () => {
      const from = await freshNamespace();
      const to = await freshNamespace();
      const { ifindex, pid } = await hold(from, "tap0");
      await run("ip", "-n", from, "link", "set", "tap0", "name", "renamed");
      expect(await open().move(from, to, [touchLink(ifindex)])).toEqual([{ errno: 0 }]);
      expect(await keepers(from)).toEqual([]);
      expect(await keepers(to)).toEqual([pid]);
      expect(await open().hold(to, [start("renamed", ifindex)])).toEqual([{ errno: 0, pid }]);
      await dropNamespace(from);
      expect((await link(to, "renamed"))?.ifindex).toBe(ifindex);
      expect(await keepers(to)).toEqual([pid]);
      await dropNamespace(to);
      await until("the keeper gone", () => !isRunning(pid));
    });

    test("starts no second keeper, one after the other or at once", async () => {
      const namespace = await freshNamespace();
      const ifindex = await create(namespace, "tap0");
      const together = await Promise.all(
        Array.from({ length: 5 }, () => open().hold(namespace, [start("tap0", ifindex)])),
      );
      const pids = together.flat().map((result) => result.pid);
      expect(pids).toEqual(Array(5).fill(expect.any(Number)));
      expect(new Set(pids).size).toBe(1);
      expect(await open().hold(namespace, [start("tap0", ifindex)])).toEqual([{ errno: 0, pid: pids[0] }]);
      expect(await keepers(namespace)).toEqual([pids[0]]);
    });

    test("ends keepers when told to, and only theirs of the links it was told", async () => {
      const namespace = await freshNamespace();
      const kept = await hold(namespace, "kept");
      const ended = await hold(namespace, "ended");
      const lasting = await create(namespace, "lasting");
      const [started] = await open().hold(namespace, [start("lasting", lasting)]);
      const results = await open().hold(namespace, [
        { operation: "end", name: "ended", ifindex: ended.ifindex },
        { operation: "end", name: "lasting", ifindex: lasting },
        { operation: "end", name: "lasting", ifindex: lasting },
        { operation: "end", name: "kept", ifindex: kept.ifindex + 100 },
        { operation: "end", name: "ended", ifindex: ended.ifindex },
      ]);
      expect(results).toEqual([
        { errno: 0, pid: ended.pid },
        { errno: 0, pid: started!.pid },
        { errno: 0 },
        { errno: errno.ENODEV, step: "SIOCGIFINDEX" },
        { errno: errno.ENODEV, step: "SIOCGIFINDEX" },
      ]);
      // Not "soon": the call has waited for it.
      expect([ended.pid, started!.pid!, kept.pid].map(isRunning)).toEqual([false, false, true]);
      expect(await link(namespace, "ended")).toBeUndefined();
      expect((await link(namespace, "lasting"))?.linkinfo?.info_data?.persist).toBe(true);
      expect(await keepers(namespace)).toEqual([kept.pid]);
    });

    test("refuses what cannot be held, and leaves it as it is", async () => {
      const namespace = await freshNamespace();
      const [single] = await open().tun(namespace, [tap("single")]);
      const multi = await create(namespace, "multi");
      const results = await open().hold(namespace, [
        start("single", single!.ifindex!),
        start("single", single!.ifindex!, { flags: IFF_TAP }),
        start("multi", multi + 1),
        start("missing", multi),
        start("multi", multi, { flags: IFF_TUN | IFF_MULTI_QUEUE }),
        start("multi", multi, { lease: "" }),
        start("multi", multi, { lease: "x".repeat(128) }),
        start("multi", multi, { lease: "a\0b" }),
      ]);
      expect(results).toEqual([
        { errno: errno.EINVAL, step: "TUNSETIFF" },
        { errno: errno.EINVAL, step: "TUNSETIFF" },
        { errno: errno.ENODEV, step: "TUNSETIFF" },
        { errno: errno.ENODEV, step: "TUNSETIFF" },
        { errno: errno.EINVAL, step: "TUNSETIFF" },
        { errno: errno.EINVAL, step: "lease" },
        { errno: errno.EINVAL, step: "lease" },
        { errno: errno.EINVAL, step: "lease" },
      ]);
      expect(await open().holders(namespace)).toEqual([]);
      expect((await link(namespace, "single"))?.linkinfo?.info_data?.pi).toBe(false);
    });

    test("keeps many links, each by a process of its own", async () => {
      const namespace = await freshNamespace();
      const names = Array.from({ length: 40 }, (_, i) => `t${i}`);
      const created = await open().tun(
        namespace,
        names.map((name) => tap(name, { flags })),
      );
      const held = await open().hold(
        namespace,
        names.map((name, i) => start(name, created[i]!.ifindex!)),
      );
      expect(held.filter((result) => result.errno !== 0)).toEqual([]);
      const found = await open().holders(namespace);
      expect(found.map((holder) => holder.pid).sort()).toEqual(held.map((result) => result.pid).sort());
      expect(new Set(found.map((holder) => holder.lease)).size).toBe(40);
      await dropNamespace(namespace);
      await until("all keepers gone", () => !held.some((result) => isRunning(result.pid!)));
    });
  });
}

/** What every transport to a kernel must do. Run on a real kernel as root, in namespaces made for it. */

import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Holder, Kernel, TunAttach } from "../../provider/kernel/kernel";
import { until } from "../harness/shell";
import { holdContract } from "./hold-contract";
import {
  addAltname,
  deleteLink,
  getLinks,
  headers,
  newLink,
  setMtu,
  setShortMtu,
  touchLink,
} from "./messages";
import { moduleContract } from "./module-contract";
import { moveContract } from "./move-contract";
import { nftContract } from "./nft-contract";
import { attachment, IFF_MULTI_QUEUE, IFF_NO_PI, IFF_TAP, IFF_TUN, IFF_VNET_HDR, tap } from "./operations";
import { sysctlContract } from "./sysctl-contract";
import { dropNamespace, link, links, namespaces, randomName } from "./witness";

const { errno } = constants;
export function kernelContract(transport: string, open: () => Kernel | Promise<Kernel>): void {
  describe(`the kernel through ${transport}`, () => {
    const made: string[] = [];
    const started: ChildProcess[] = [];
    let kernel: Kernel;

    const freshName = () => {
      const name = randomName();
      made.push(name);
      return name;
    };
    const freshNamespace = async () => {
      const name = freshName();
      await kernel.addNamespace(name);
      return name;
    };
    const startInside = (namespace: string, ...command: string[]) => {
      const child = spawn("ip", ["netns", "exec", namespace, ...command], { stdio: "ignore" });
      started.push(child);
      return child;
    };

    beforeAll(async () => {
      kernel = await open();
    });
    afterAll(async () => {
      for (const child of started) child.kill("SIGKILL");
      for (const name of made) await dropNamespace(name);
    });

    describe("namespaces", () => {
      test("are made, marked, listed and removed as ip netns does", async () => {
        const name = freshName();
        await kernel.addNamespace(name, addAltname(0, "lease-of-this"));
        expect(await namespaces()).toContain(name);
        const [lo, ...others] = await links(name);
        expect(others).toEqual([]);
        expect(lo).toMatchObject({ ifname: "lo", altnames: ["lease-of-this"] });
        const inode = statSync(`/run/netns/${name}`).ino;
        expect(await kernel.listNamespaces()).toContainEqual({ name, mounted: true, inode });
        await kernel.removeNamespace(name);
        expect(await namespaces()).not.toContain(name);
        expect((await kernel.listNamespaces()).map((entry) => entry.name)).not.toContain(name);
        expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(name);
      });

      test("of a taken name are refused, files without a namespace taken over", async () => {
        const name = await freshNamespace();
        await expect(kernel.addNamespace(name)).rejects.toMatchObject({
          code: "KERNEL_REFUSED",
          errno: errno.EEXIST,
        });
        const left = freshName();
        writeFileSync(`/run/netns/${left}`, "");
        expect(await kernel.listNamespaces()).toContainEqual({ name: left, mounted: false, inode: 0 });
        await expect(kernel.dump(left, getLinks())).rejects.toMatchObject({ code: "NAMESPACE_MISSING" });
        await kernel.addNamespace(left);
        expect(await links(left)).toHaveLength(1);
      });

      test("that cannot be marked leave no entry", async () => {
        const name = freshName();
        await expect(kernel.addNamespace(name, addAltname(0, "lo"))).rejects.toMatchObject({
          code: "KERNEL_REFUSED",
          errno: errno.EEXIST,
          operation: "message",
        });
        expect((await kernel.listNamespaces()).map((entry) => entry.name)).not.toContain(name);
      });

      test("many at once", async () => {
        const names = Array.from({ length: 20 }, freshName);
        await Promise.all(names.map((name) => kernel.addNamespace(name)));
        expect(await namespaces()).toEqual(expect.arrayContaining(names));
        await Promise.all(names.map((name) => kernel.removeNamespace(name)));
        const left = await namespaces();
        expect(names.filter((name) => left.includes(name))).toEqual([]);
      });

      test.each([
        ["dump", () => kernel.dump("tt-missing", getLinks())],
        ["request", () => kernel.request("tt-missing", [setMtu("lo", 1500)])],
        ["move from", () => kernel.move("tt-missing", undefined, [touchLink(1)])],
        ["move to", () => kernel.move(undefined, "tt-missing", [touchLink(1)])],
        ["tun", () => kernel.tun("tt-missing", [tap("tap0")])],
        ["hold", () => kernel.hold("tt-missing", [{ operation: "end", name: "tap0", ifindex: 1 }])],
        ["holders", () => kernel.holders("tt-missing")],
        ["sysctl", () => kernel.sysctl("tt-missing", "kernel.ostype")],
        ["nft", () => kernel.nft("tt-missing", "{}")],
        ["namespaceProcesses", () => kernel.namespaceProcesses("tt-missing")],
        ["removeNamespace", () => kernel.removeNamespace("tt-missing")],
      ])("that are missing are named by %s", async (_verb, call) => {
        await expect(call()).rejects.toMatchObject({
          name: "TuntapError",
          code: "NAMESPACE_MISSING",
          errno: errno.ENOENT,
          message: expect.stringContaining("tt-missing"),
        });
      });

      test.each(["", ".", "..", "a/b", "../x", "a\0b"])("of the name %j are refused", async (name) => {
        const refused = { code: "INVALID_INPUT", errno: errno.EINVAL };
        await expect(kernel.addNamespace(name)).rejects.toMatchObject(refused);
        await expect(kernel.removeNamespace(name)).rejects.toMatchObject(refused);
        await expect(kernel.dump(name, getLinks())).rejects.toMatchObject(refused);
      });

      test("tell the processes inside", async () => {
        const name = await freshNamespace();
        // Others may look into it for a moment.
        const before = await kernel.namespaceProcesses(name);
        expect(before.map(({ command }) => command)).not.toContain("sleep 1000");
        const child = startInside(name, "sleep", "1000");
        const found = await until("sleep in the namespace", async () =>
          (await kernel.namespaceProcesses(name)).find((process) => process.command === "sleep 1000"),
        );
        expect(found).toEqual({ pid: child.pid, command: "sleep 1000", uid: 0 });
      });
    });

    describe("request", () => {
      test("gives one reply per message, and one failing does not stop the rest", async () => {
        const namespace = await freshNamespace();
        const replies = await kernel.request(namespace, [
          newLink("bridge", "a"),
          newLink("nosuchkind", "b"),
          setShortMtu("a"),
          newLink("bridge", "c"),
        ]);
        expect(replies[0]).toEqual({ errno: 0 });
        expect(replies[1]).toMatchObject({ errno: errno.EOPNOTSUPP, extack: "Unknown device type" });
        expect(replies[2]).toMatchObject({ errno: errno.ERANGE, offset: 40 });
        expect(replies[3]).toEqual({ errno: 0 });
        expect((await links(namespace)).map((found) => found.ifname)).toEqual(["lo", "a", "c"]);
      });

      test("acknowledges thousands of messages in order", async () => {
        const namespace = await freshNamespace();
        const messages = Array.from({ length: 3000 }, (_, i) => setMtu("lo", 1000 + i));
        const replies = await kernel.request(namespace, messages);
        expect(replies).toHaveLength(3000);
        expect(replies.filter((reply) => reply.errno !== 0)).toEqual([]);
        expect((await link(namespace, "lo"))?.mtu).toBe(3999);
      });

      test("refuses what is no message, and does not touch the caller's buffers", async () => {
        const namespace = await freshNamespace();
        const message = setMtu("lo", 1234);
        const before = Buffer.from(message);
        const replies = await kernel.request(namespace, [Buffer.alloc(3), message]);
        expect(replies).toEqual([{ errno: errno.EINVAL }, { errno: 0 }]);
        expect(message).toEqual(before);
        expect(await kernel.request(namespace, [])).toEqual([]);
      });

      test("waits for a slow kernel without blocking the event loop", async () => {
        const namespace = await freshNamespace();
        const names = Array.from({ length: 30 }, (_, i) => `b${i}`);
        await kernel.request(
          namespace,
          names.map((name) => newLink("bridge", name)),
        );
        let longest = 0;
        let last = performance.now();
        const timer = setInterval(() => {
          longest = Math.max(longest, performance.now() - last);
          last = performance.now();
        }, 5);
        const begin = performance.now();
        // Each delete waits for a grace period of the kernel.
        await kernel.request(namespace, names.map(deleteLink));
        const duration = performance.now() - begin;
        clearInterval(timer);
        expect(await links(namespace)).toHaveLength(1);
        expect(duration).toBeGreaterThan(100);
        expect(longest).toBeLessThan(duration / 2);
      });

      test("works in many namespaces at once", async () => {
        const places = await Promise.all(Array.from({ length: 8 }, freshNamespace));
        await Promise.all(
          places.flatMap((place, i) =>
            [1, 2, 3].map((n) => kernel.request(place, [newLink("bridge", `in${i}-${n}`)])),
          ),
        );
        for (const [i, place] of places.entries()) {
          const names = (await links(place)).map((found) => found.ifname).sort();
          expect(names).toEqual([`in${i}-1`, `in${i}-2`, `in${i}-3`, "lo"]);
        }
      });
    });

    describe("dump", () => {
      test("gives every object once, without the end mark", async () => {
        const namespace = await freshNamespace();
        const create = Array.from({ length: 300 }, (_, i) => newLink("bridge", `b${i}`));
        await kernel.request(namespace, create);
        const dump = await kernel.dump(namespace, getLinks());
        expect(dump.interrupted).toBe(false);
        const found = headers(dump.bytes);
        expect(found).toHaveLength(301);
        expect(new Set(found.map((header) => header.type))).toEqual(new Set([16]));
        expect(found.reduce((sum, header) => sum + header.length, 0)).toBe(dump.bytes.length);
      });

      test("works in the process's own namespace", async () => {
        const { bytes } = await kernel.dump(undefined, getLinks());
        expect(headers(bytes).length).toBeGreaterThan(0);
      });

      test("ends while links come and go", async () => {
        const namespace = await freshNamespace();
        let done = false;
        const changing = (async () => {
          while (!done) {
            await kernel.request(namespace, [newLink("bridge", "x"), newLink("bridge", "y")]);
            await kernel.request(namespace, [deleteLink("x"), deleteLink("y")]);
          }
        })();
        for (let i = 0; i < 100; i++) await kernel.dump(namespace, getLinks());
        done = true;
        await changing;
        expect(headers((await kernel.dump(namespace, getLinks())).bytes)).toHaveLength(1);
      });

      test("that the kernel refuses carries errno and the kernel's sentence", async () => {
        const namespace = await freshNamespace();
        await expect(kernel.dump(namespace, getLinks(1))).rejects.toMatchObject({
          name: "TuntapError",
          code: "KERNEL_REFUSED",
          errno: errno.EINVAL,
          operation: "dump",
          extack: expect.stringMatching(/.+/),
        });
        await expect(kernel.dump(namespace, setMtu("lo", 1000))).rejects.toMatchObject({
          errno: errno.EINVAL,
        });
        expect((await link(namespace, "lo"))?.mtu).not.toBe(1000);
      });
    });

    describe("tun", () => {
      test("creates persistent interfaces with owner, group and lease", async () => {
        const namespace = await freshNamespace();
        const results = await kernel.tun(namespace, [
          tap("tap0", { owner: 12345, group: 23456, message: addAltname(0, "lease-0") }),
          tap("tun0", { flags: IFF_TUN | IFF_NO_PI }),
          tap("tap1", { flags: IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE | IFF_VNET_HDR, owner: 0 }),
        ]);
        expect(results.map((result) => result.errno)).toEqual([0, 0, 0]);
        const tap0 = await link(namespace, "tap0");
        expect(tap0).toMatchObject({ ifindex: results[0]!.ifindex, altnames: ["lease-0"] });
        const data = (found: Awaited<ReturnType<typeof link>>) => found?.linkinfo?.info_data;
        expect(data(tap0)).toMatchObject({ type: "tap", persist: true, pi: false });
        expect([data(tap0)?.user, data(tap0)?.group].map(String)).toEqual(["12345", "23456"]);
        const tun0 = data(await link(namespace, "tun0"));
        expect(tun0).toMatchObject({ type: "tun", persist: true });
        expect(tun0).not.toHaveProperty("user");
        expect(tun0).not.toHaveProperty("group");
        expect(data(await link(namespace, "tap1"))).toMatchObject({
          multi_queue: true,
          vnet_hdr: true,
          user: "root",
        });
      });

      test("never takes an existing link, and a failed create leaves none", async () => {
        const namespace = await freshNamespace();
        await kernel.request(namespace, [newLink("bridge", "br0")]);
        const results = await kernel.tun(namespace, [
          tap("good"),
          tap("br0", { owner: 5 }),
          tap("good", { owner: 5 }),
          tap("sixteen-bytes-xx"),
          tap("tap%d"),
          tap("lease-taken", { message: addAltname(0, "lo") }),
          tap("no-owner", { owner: 0xffffffff }),
        ]);
        expect(results.map((result) => [result.errno, result.step])).toEqual([
          [0, undefined],
          [errno.EBUSY, "TUNSETIFF"],
          [errno.EBUSY, "TUNSETIFF"],
          [errno.EINVAL, "TUNSETIFF"],
          [errno.EINVAL, "TUNSETIFF"],
          [errno.EEXIST, "message"],
          [errno.EINVAL, "TUNSETOWNER"],
        ]);
        expect(results.filter((result) => result.ifindex !== undefined)).toEqual([results[0]]);
        expect((await links(namespace)).map((found) => found.ifname)).toEqual(["lo", "br0", "good"]);
      });

      test("creates more at once than descriptors may be open", async () => {
        const namespace = await freshNamespace();
        const results = await kernel.tun(
          namespace,
          Array.from({ length: 600 }, (_, i) => tap(`t${i}`, { message: addAltname(0, `lease-${i}`) })),
        );
        expect(results.filter((result) => result.errno !== 0)).toEqual([]);
        expect(await links(namespace)).toHaveLength(601);
      });

      test("attaches to change owner, group and persistence, to no other link", async () => {
        const namespace = await freshNamespace();
        const [{ ifindex } = {}] = await kernel.tun(namespace, [tap("tap0")]);
        const attach = (more: Partial<TunAttach>) =>
          kernel.tun(namespace, [attachment("tap0", ifindex!, more)]);
        // Other flags than the link's own: even they stay as they are.
        expect(await attach({ ifindex: ifindex! + 1, owner: 99, flags: IFF_TAP })).toMatchObject([
          { errno: errno.ENODEV },
        ]);
        expect((await link(namespace, "tap0"))?.linkinfo?.info_data?.pi).toBe(false);
        expect((await link(namespace, "tap0"))?.linkinfo?.info_data).not.toHaveProperty("user");
        expect(await attach({ owner: 54321, group: 0 })).toEqual([{ errno: 0, ifindex }]);
        expect(String((await link(namespace, "tap0"))?.linkinfo?.info_data?.user)).toBe("54321");
        expect(await attach({ persist: false })).toMatchObject([{ errno: 0 }]);
        expect(await link(namespace, "tap0")).toBeUndefined();
        expect(await attach({ persist: true })).toMatchObject([{ errno: errno.ENODEV }]);
        expect(await links(namespace)).toHaveLength(1);
      });
    });

    describe("holders", () => {
      test("names the process that holds an interface, in its namespace alone", async () => {
        const namespace = await freshNamespace();
        const other = await freshNamespace();
        const [{ ifindex } = {}] = await kernel.tun(namespace, [tap("tap0"), tap("tap1")]);
        await kernel.tun(other, [tap("tap0")]);
        expect(await kernel.holders(namespace)).toEqual([]);
        const child = startInside(
          namespace,
          "socat",
          "-u",
          "TUN,tun-name=tap0,tun-type=tap,iff-no-pi",
          "OPEN:/dev/null",
        );
        let found: Holder[] = [];
        await until("socat at tap0", async () => {
          found = await kernel.holders(namespace);
          return found.length > 0;
        });
        const [holder, ...more] = found;
        expect(more).toEqual([]);
        expect(holder).toEqual({
          link: "tap0",
          pid: child.pid,
          command: expect.stringMatching(/^socat -u TUN,/),
          uid: 0,
          detached: false,
          keeper: false,
        });
        expect(await kernel.holders(other)).toEqual([]);
        expect(await kernel.tun(namespace, [attachment("tap0", ifindex!, { owner: 1 })])).toMatchObject([
          { errno: errno.EBUSY, step: "TUNSETIFF" },
        ]);
      });

      test("does not name what this program is doing itself", async () => {
        const namespace = await freshNamespace();
        const creating = kernel.tun(
          namespace,
          Array.from({ length: 400 }, (_, i) => tap(`t${i}`)),
        );
        const looks = [];
        for (let i = 0; i < 20; i++) looks.push(kernel.holders(namespace));
        expect((await Promise.all(looks)).flat()).toEqual([]);
        await creating;
      });
    });

    moveContract(() => kernel, freshName, freshNamespace);
    holdContract(() => kernel, freshNamespace, startInside);
    sysctlContract(() => kernel, freshNamespace);
    nftContract(() => kernel, freshNamespace);
    moduleContract(() => kernel);

    describe("account", () => {
      test("resolves accounts by name and id", async () => {
        expect(await kernel.account("user", "root")).toEqual({ id: 0, name: "root" });
        expect(await kernel.account("group", 0)).toEqual({ id: 0, name: "root" });
        expect(await kernel.account("user", "no-such-user")).toBeUndefined();
        expect(await kernel.account("group", 4123456789)).toBeUndefined();
      });
    });

    test("leaves no descriptor and no thread behind", async () => {
      const namespace = await freshNamespace();
      const work = async () => {
        await kernel.tun(namespace, [tap("tap0"), tap("lo")]);
        await kernel.request(namespace, [deleteLink("tap0"), deleteLink("nosuchlink")]);
        await kernel.dump(namespace, getLinks());
        await kernel.holders(namespace);
        const flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE;
        const [{ ifindex } = {}] = await kernel.tun(namespace, [tap("held", { flags })]);
        const held = { name: "held", ifindex: ifindex! };
        await kernel.hold(namespace, [{ operation: "start", ...held, flags, lease: "lease" }]);
        await kernel.hold(namespace, [{ operation: "end", ...held }]);
        await kernel.move(namespace, namespace, [touchLink(ifindex!)]);
        await kernel.request(namespace, [deleteLink("held")]);
        await kernel.dump("tt-missing", getLinks()).catch(() => {});
        await kernel.nft(namespace, '{"nftables":[{"list":{"tables":null}}]}');
      };
      const count = () => ({
        descriptors: readdirSync("/proc/self/fd").length,
        threads: readdirSync("/proc/self/task").length,
      });
      await work();
      const before = count();
      for (let i = 0; i < 20; i++) await work();
      // The runner's own come and go by one or two; a leak would be 20 or more.
      await until(`as before: ${JSON.stringify(before)}`, () => {
        const now = count();
        return now.descriptors <= before.descriptors + 3 && now.threads <= before.threads + 3;
      });
    });
  });
}

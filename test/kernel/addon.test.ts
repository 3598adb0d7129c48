import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { constants, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errorTable } from "../../provider/errors";
import { loadAddon, makeError } from "../../provider/kernel/addon";
import { systemFailureCode } from "../../provider/kernel/failures";
import { openKernel } from "../../provider/kernel/open";
import { attempt, until } from "../harness/shell";
import { kernelContract } from "./contract";
import { getLinks } from "./messages";
import { dropNamespace, randomName } from "./witness";

const { errno } = constants;
const addonPath = resolve(__dirname, "../../native/build/tuntap.node");
const helperPath = resolve(__dirname, "../../native/build/tuntap-helper");

describe("the addon", () => {
  test("is loaded once", () => {
    expect(openKernel()).toBe(openKernel());
  });

  test("refuses arguments of the wrong type with a rejection", async () => {
    const kernel = openKernel();
    const wrong = (value: unknown) => value as never;
    await expect(kernel.request(undefined, wrong("x"))).rejects.toThrow(TypeError);
    await expect(kernel.request(undefined, [wrong("x")])).rejects.toThrow(TypeError);
    await expect(kernel.dump(wrong(7), getLinks())).rejects.toThrow(TypeError);
    await expect(kernel.tun(undefined, [wrong({ operation: "destroy" })])).rejects.toThrow(TypeError);
    await expect(kernel.hold(undefined, [wrong({ operation: "keep" })])).rejects.toThrow(TypeError);
    const lack = { operation: "start", name: "x", ifindex: 1, flags: 0 };
    await expect(kernel.hold(undefined, [wrong(lack)])).rejects.toThrow(TypeError);
    await expect(kernel.move(undefined, undefined, wrong("x"))).rejects.toThrow(TypeError);
    await expect(kernel.nft(undefined, wrong({}))).rejects.toThrow(TypeError);
    await expect(kernel.legacyTables(undefined, wrong("x"))).rejects.toThrow(TypeError);
    await expect(kernel.module("x", wrong({ operation: "insert" }))).rejects.toThrow(TypeError);
    await expect(kernel.module("x", wrong({ operation: "load" }))).rejects.toThrow(TypeError);
    await expect(kernel.account(wrong("host"), "x")).rejects.toThrow(TypeError);
    await expect(kernel.account("user", -1)).rejects.toThrow(TypeError);
    await expect(kernel.account("user", 2 ** 32)).rejects.toThrow(TypeError);
    await expect(kernel.account("user", 1.5)).rejects.toThrow(TypeError);
  });
});

describe("the helper", () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), "tuntap-addon-"));
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  test("is looked for beside the addon, and only when something is to be held", async () => {
    const folder = join(root, "native", "build");
    const helper = join(folder, "tuntap-helper");
    mkdirSync(folder, { recursive: true });
    copyFileSync(addonPath, join(folder, "tuntap.node"));
    const kernel = loadAddon([root]);
    const flags = 0x1102;
    const namespace = randomName();
    await kernel.addNamespace(namespace);
    try {
      const [{ ifindex } = {}] = await kernel.tun(namespace, [
        { operation: "create", name: "tap0", flags, persist: true },
      ]);
      const link = { name: "tap0", ifindex: ifindex! };
      const start = () => kernel.hold(namespace, [{ operation: "start", ...link, flags, lease: "lease" }]);
      expect(await kernel.hold(namespace, [{ operation: "end", ...link }])).toEqual([{ errno: 0 }]);
      await expect(start()).rejects.toMatchObject({
        code: "HELPER_MISSING",
        errno: errno.ENOENT,
        message: expect.stringContaining(helper),
        remedy: errorTable.HELPER_MISSING.remedy,
      });
      writeFileSync(helper, "no program", { mode: 0o755 });
      const [broken] = await start();
      expect(broken).toEqual({ errno: errno.ENOEXEC, step: "posix_spawn" });
      writeFileSync(helper, "#!/bin/sh\nkill -KILL $$\n");
      const [killed] = await start();
      expect(killed).toEqual({ errno: errno.EPIPE, step: "tuntap-helper", status: 137 });
      rmSync(helper);
      copyFileSync(helperPath, helper);
      const [held] = await start();
      expect(held).toEqual({ errno: 0, pid: expect.any(Number) });
      // An upgrade replaces the file while keepers of the old one go on.
      rmSync(helper);
      expect(readlinkSync(`/proc/${held!.pid}/exe`)).toMatch(/ \(deleted\)$/);
      expect(await kernel.hold(namespace, [{ operation: "end", ...link }])).toEqual([held]);
    } finally {
      await dropNamespace(namespace);
    }
  });
});

/** Programs that use the addon in a process of their own, as they end it or change what it sees. */
describe("a process with the addon", () => {
  const preamble = `
    const addon = require(${JSON.stringify(addonPath)});
    addon.initialize((failure) => Object.assign(new Error(failure.operation), { failure }));
    const report = (promise) => promise.then((value) => console.log(JSON.stringify(value)),
      (error) => console.log(JSON.stringify(error.failure)));
    const tap = (more) => ({ operation: "create", name: "tt-tap", flags: 0x1002, persist: true, ...more });
  `;
  const run = async (program: string, ...wrapper: string[]) => {
    const [command, ...rest] = [...wrapper, process.execPath, "-e", preamble + program];
    const { code, output } = await attempt(command!, ...rest);
    expect({ code, output }).toEqual({ code: 0, output: expect.anything() });
    return output.trim();
  };

  test("stays alive for a call under way, and ends after it", async () => {
    expect(await run(`addon.holders(undefined).then(() => console.log("done"));`)).toBe("done");
    expect(await run("")).toBe("");
  });

  test("may exit in the middle of calls", async () => {
    for (let i = 0; i < 10; i++) {
      await run(`
        for (let n = 0; n < 20; n++) addon.holders(undefined), addon.account("user", "root");
        setTimeout(() => process.exit(0), ${i});
      `);
    }
  });

  test("may end workers in the middle of calls", async () => {
    const worker = `
      ${preamble}
      for (let n = 0; n < 20; n++) addon.holders(undefined), addon.account("user", "root");
      require("node:worker_threads").parentPort.postMessage("running");
    `;
    const program = `
      const { Worker } = require("node:worker_threads");
      (async () => {
        for (let i = 0; i < 10; i++) {
          const worker = new Worker(${JSON.stringify(worker)}, { eval: true });
          await new Promise((resolve) => worker.once("message", resolve));
          await worker.terminate();
        }
        console.log((await addon.account("user", 0)).name);
      })();
    `;
    expect(await run(program)).toBe("root");
  });

  test("is outlived by what it holds, and has no child left", async () => {
    const namespace = randomName();
    await openKernel().addNamespace(namespace);
    try {
      const program = `
        const helper = ${JSON.stringify(helperPath)};
        addon.initialize((failure) => Object.assign(new Error(failure.operation), { failure }), helper);
        const { readdirSync, readFileSync } = require("node:fs");
        (async () => {
          const flags = 0x1102;
          const [{ ifindex }] = await addon.tun(undefined, [tap({ flags })]);
          const lease = "lease";
          const [{ pid }] = await addon.hold(undefined, [{ operation: "start", name: "tt-tap", ifindex, flags, lease }]);
          const childrenOf = (thread) => {
            try {
              return readFileSync("/proc/self/task/" + thread + "/children", "utf8");
            } catch (error) {
              // The thread has ended since it was listed.
              if (error.code === "ENOENT" || error.code === "ESRCH") return "";
              throw error;
            }
          };
          const children = readdirSync("/proc/self/task").map(childrenOf);
          console.log(JSON.stringify({ pid, children: children.join("") }));
          process.kill(0, "SIGKILL");
        })();
      `;
      const command = ["netns", "exec", namespace, process.execPath, "-e", preamble + program];
      // A session and a process group of its own, all of which is killed.
      const ended = await attempt("setsid", "--wait", "ip", ...command);
      const { pid, children } = JSON.parse(ended.output);
      expect(children).toBe("");
      const [keeper] = await openKernel().holders(namespace);
      expect(keeper).toMatchObject({ pid, keeper: true, lease: "lease" });
      process.kill(pid, "SIGTERM");
      await until("the keeper gone", async () => (await openKernel().holders(namespace)).length === 0);
    } finally {
      await dropNamespace(namespace);
    }
  });

  test("that may not, is told so by errno and operation", async () => {
    const drop = "process.setgroups([]); process.setgid(65534); process.setuid(65534);";
    const failure = async (program: string) => JSON.parse(await run(`${drop} ${program}`));
    const entering = await failure(`report(addon.addNamespace("tt-forbidden"));`);
    expect([errno.EPERM, errno.EACCES]).toContain(entering.errno);
    expect(systemFailureCode(entering)).toBe("PERMISSION_DENIED");
    expect(existsSync("/run/netns/tt-forbidden")).toBe(false);
    const [creating] = await failure("report(addon.tun(undefined, [tap()]));");
    expect([errno.EPERM, errno.EACCES]).toContain(creating.errno);
    const holding = await failure("report(addon.hold(undefined, []));");
    expect(systemFailureCode(holding)).toBe("PERMISSION_DENIED");
    const [changing] = await failure(
      `const b = Buffer.alloc(32); b[0] = 32; b[4] = 17; b[20] = 1; report(addon.request(undefined, [b]));`,
    );
    expect(changing.errno).toBe(errno.EPERM);
  });

  test("without nft is told so, with the places where it was looked for", async () => {
    const script = 'mount -t tmpfs none /usr/sbin && exec "$@"';
    const wrapper = ["unshare", "--mount", "--net", "sh", "-c", script, "sh"];
    const missing = JSON.parse(await run('report(addon.nft(undefined, "{}"));', ...wrapper));
    expect(missing).toMatchObject({ errno: errno.ENOENT, operation: "nft" });
    expect(missing.path).toMatch(/^\/usr\/sbin\/nft, \/sbin\/nft, /);
    expect(systemFailureCode(missing)).toBe("NFT_MISSING");
  });

  test("without modprobe is told so", async () => {
    const script = 'mount -t tmpfs none /usr/sbin && exec "$@"';
    const wrapper = ["unshare", "--mount", "--net", "sh", "-c", script, "sh"];
    const missing = JSON.parse(await run('report(addon.module("x", { operation: "unload" }));', ...wrapper));
    expect(missing).toMatchObject({ errno: errno.ENOENT, operation: "modprobe" });
    expect(systemFailureCode(missing)).toBe("KMOD_MISSING");
  });

  test.each([
    ["without the node /dev/net/tun", ":", errno.ENOENT, "TUN_NODE_MISSING"],
    ["without a driver behind it", "mknod /dev/net/tun c 10 251", errno.ENODEV, "TUN_MODULE_MISSING"],
  ])("%s is told so", async (_what, prepare, number, code) => {
    const script = `mount -t tmpfs none /dev/net && ${prepare} && exec "$@"`;
    const wrapper = ["unshare", "--mount", "--net", "sh", "-c", script, "sh"];
    const [result] = JSON.parse(await run("report(addon.tun(undefined, [tap()]));", ...wrapper));
    expect(result).toEqual({ errno: number, step: "open" });
    expect(systemFailureCode({ errno: result.errno, operation: result.step })).toBe(code);
  });
});

test.each([
  [errno.ENOENT, "open", "/dev/net/tun", "TUN_NODE_MISSING"],
  [errno.ENXIO, "open", "/dev/net/tun", "TUN_MODULE_MISSING"],
  [errno.EACCES, "open", "/dev/net/tun", "PERMISSION_DENIED"],
  [errno.ENODEV, "TUNSETIFF", undefined, "KERNEL_REFUSED"],
  [errno.ENOENT, "open", "/run/netns/blue", "NAMESPACE_MISSING"],
  [errno.EINVAL, "setns", "/run/netns/blue", "NAMESPACE_MISSING"],
  [errno.ETIMEDOUT, "flock", "/run/netns", "NAMESPACES_LOCKED"],
  [errno.ENOENT, "open", "/proc/sys/net/x", "KERNEL_REFUSED"],
  [errno.EPERM, "setns", "/run/netns/blue", "PERMISSION_DENIED"],
  [errno.EINVAL, "namespace name", "../x", "INVALID_INPUT"],
  [errno.EACCES, "posix_spawn", "/opt/tuntap-helper", "HELPER_MISSING"],
  [errno.ENOEXEC, "posix_spawn", undefined, "HELPER_MISSING"],
  [errno.EPIPE, "tuntap-helper", undefined, "HELPER_MISSING"],
  [errno.ENOENT, "modprobe", "/usr/sbin/modprobe", "KMOD_MISSING"],
  [errno.EINVAL, "module name", "../x", "INVALID_INPUT"],
  [errno.EINVAL, "module parameter", "x", "INVALID_INPUT"],
  [errno.EINVAL, "nft input", "flush", "INVALID_INPUT"],
  [errno.ENOENT, "nft", "/usr/sbin/nft, /sbin/nft", "NFT_MISSING"],
  [errno.EACCES, "nft", "/usr/sbin/nft", "NFT_MISSING"],
  [errno.ETIMEDOUT, "nft", undefined, "KERNEL_REFUSED"],
  [errno.ENOSYS, "pidfd_getfd", undefined, "NOT_SUPPORTED"],
  [errno.ENOBUFS, "recvfrom", undefined, "RECEIVE_OVERFLOW"],
  [errno.ENOMEM, "TUNSETIFF", undefined, "OUT_OF_MEMORY"],
  [errno.EBUSY, "TUNSETIFF", undefined, "KERNEL_REFUSED"],
] as const)("errno %i of %s %s is %s", (number, operation, path, code) => {
  expect(systemFailureCode({ errno: number, operation, path })).toBe(code);
});

test("a lock on /run/netns that is not let go of is told with the process that has it", () => {
  const failure = { errno: errno.ETIMEDOUT, operation: "flock", path: "/run/netns" };
  expect(makeError({ ...failure, pid: 4711 }).message).toMatch(
    /^Process 4711 holds the lock on \/run\/netns .* \[NAMESPACES_LOCKED, flock, ETIMEDOUT \(110\)\] See what/,
  );
  expect(makeError(failure).message).toMatch(/^Another process holds the lock on \/run\/netns /);
});

// Last, as the kernel takes its time to clean up after it, which delays whoever makes a namespace.
kernelContract("the addon", openKernel);

/** Reading and writing sysctls, as part of the contract. */

import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { describe, expect, test } from "vitest";
import type { Kernel } from "../../provider/kernel/kernel";
import { run } from "../harness/shell";

const { errno } = constants;

export function sysctlContract(kernelOf: () => Kernel, freshNamespace: () => Promise<string>): void {
  /** What procps reads inside: the outside witness. */
  const witness = async (namespace: string, name: string) =>
    (await run("ip", "netns", "exec", namespace, "sysctl", "-n", name)).trim();

  describe("sysctl", () => {
    test("reads that of the namespace asked about", async () => {
      const kernel = kernelOf();
      const namespace = await freshNamespace();
      await run("ip", "netns", "exec", namespace, "sysctl", "-w", "net.ipv4.ip_default_ttl=7");
      expect(await kernel.sysctl(namespace, "net.ipv4.ip_default_ttl")).toBe("7");
      expect(await kernel.sysctl(await freshNamespace(), "net.ipv4.ip_default_ttl")).toBe("64");
      const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
      expect(await kernel.sysctl(undefined, "kernel.random.boot_id")).toBe(bootId);
    });

    test.each([
      ["net.ipv4.ip_forward", "1", "1"],
      ["net.ipv4.ip_local_port_range", "20000 30000", "20000\t30000"],
      // The kernel takes the first word without a complaint.
      ["net.ipv4.ip_default_ttl", "70 80", "70"],
      ["net.ipv4.tcp_congestion_control", "reno", "reno"],
      ["net.ipv4.ip_local_reserved_ports", "8080,9000-9010", "8080,9000-9010"],
    ])("writes %s, and only in that namespace", async (name, value, read) => {
      const kernel = kernelOf();
      const namespace = await freshNamespace();
      const other = await freshNamespace();
      const before = await witness(other, name);
      expect(await kernel.sysctl(namespace, name, value)).toBe(read);
      expect(await witness(namespace, name)).toBe(read);
      expect(await witness(other, name)).toBe(before);
    });

    test("writes an empty value", async () => {
      const kernel = kernelOf();
      const namespace = await freshNamespace();
      await kernel.sysctl(namespace, "net.ipv4.ip_local_reserved_ports", "8080");
      expect(await kernel.sysctl(namespace, "net.ipv4.ip_local_reserved_ports", "")).toBe("");
      expect(await witness(namespace, "net.ipv4.ip_local_reserved_ports")).toBe("");
    });

    test("knows an interface whose name has dots, written with slashes", async () => {
      const kernel = kernelOf();
      const namespace = await freshNamespace();
      await run("ip", "-n", namespace, "link", "add", "br.0.1", "type", "bridge");
      expect(await kernel.sysctl(namespace, "net.ipv4.conf.br/0/1.forwarding", "1")).toBe("1");
      expect(await witness(namespace, "net/ipv4/conf/br.0.1/forwarding")).toBe("1");
      expect(await witness(namespace, "net.ipv4.conf.default.forwarding")).toBe("0");
    });

    test.each<[string, string, string, object]>([
      ["a name that is not there", "net.ipv4.nosuch", "1", { code: "KERNEL_REFUSED", errno: errno.ENOENT }],
      ["a folder", "net.ipv4", "1", { code: "KERNEL_REFUSED", errno: errno.EISDIR }],
      ["one that can only be read", "kernel.ostype", "x", { errno: errno.EACCES, operation: "open" }],
      [
        "what is no value of it",
        "net.ipv4.ip_default_ttl",
        "many",
        { errno: errno.EINVAL, operation: "write" },
      ],
      ["a value out of range", "net.ipv4.ip_default_ttl", "256", { errno: errno.EINVAL, operation: "write" }],
      ["a value with NUL", "net.ipv4.ip_default_ttl", "70\0", { code: "INVALID_INPUT", errno: errno.EINVAL }],
    ])("refuses %s", async (_, name, value, refusal) => {
      await expect(kernelOf().sysctl(await freshNamespace(), name, value)).rejects.toMatchObject(refusal);
    });

    test("names a namespace that is missing", async () => {
      await expect(kernelOf().sysctl("tt-missing", "net.ipv4.ip_forward", "1")).rejects.toMatchObject({
        code: "NAMESPACE_MISSING",
        message: expect.stringContaining("tt-missing"),
      });
    });

    // The first two would be /proc/sys/net/../../version and /proc/version, which exist.
    test.each(["net.//.//.version", "//.version", "", ".", "net..ipv4", "net.ipv4.", "net./.ipv4", "a\0b"])(
      "refuses the name %j before anything is opened",
      async (name) => {
        const refused = { code: "INVALID_INPUT", errno: errno.EINVAL, operation: "sysctl name" };
        await expect(kernelOf().sysctl(undefined, name)).rejects.toMatchObject(refused);
        await expect(kernelOf().sysctl(undefined, name, "1")).rejects.toMatchObject(refused);
      },
    );
  });
}

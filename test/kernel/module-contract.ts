/** Modules of the kernel, as part of the contract. */

import { existsSync, readFileSync } from "node:fs";
import { constants, release } from "node:os";
import { describe, expect, test } from "vitest";
import type { Kernel } from "../../provider/kernel/kernel";

const { errno } = constants;

export function moduleContract(kernelOf: () => Kernel): void {
  describe("module", () => {
    test("tells what /sys and /lib/modules say", async () => {
      const facts = await kernelOf().module("vxlan");
      expect(facts.release).toBe(release());
      expect(facts.modular).toBe(existsSync("/proc/modules"));
      expect(facts.present).toBe(existsSync("/sys/module/vxlan"));
      expect(facts.parameters.udp_port).toBe(
        readFileSync("/sys/module/vxlan/parameters/udp_port", "utf8").trim(),
      );
      expect(await kernelOf().module("tt_nosuch")).toMatchObject({
        present: false,
        builtIn: false,
        available: false,
        initialised: false,
        parameters: {},
        users: [],
      });
    });

    test.each(["load", "unload"] as const)("gives modprobe's words where it cannot %s", async (operation) => {
      const change = operation === "load" ? { operation, parameters: ["a=1"] } : { operation };
      const { change: ended } = await kernelOf().module("tt_nosuch", change);
      expect(ended?.status).toBe(1);
      expect(ended?.errors).toMatch(/tt_nosuch/);
    });

    test.each(["", "-r", "../x", "a b", "a.ko", "a\0b", "a".repeat(56)])(
      "refuses the name %j",
      async (name) => {
        const refused = { code: "INVALID_INPUT", errno: errno.EINVAL, operation: "module name" };
        await expect(kernelOf().module(name)).rejects.toMatchObject(refused);
        await expect(kernelOf().module(name, { operation: "unload" })).rejects.toMatchObject(refused);
      },
    );

    test.each(["x", "-C=/x", "a=b c", 'a="b'])("refuses the parameter %j", async (parameter) => {
      const change = { operation: "load", parameters: [parameter] } as const;
      await expect(kernelOf().module("tt_nosuch", change)).rejects.toMatchObject({
        code: "INVALID_INPUT",
        operation: "module parameter",
      });
    });
  });
}

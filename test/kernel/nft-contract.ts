/** nftables, as part of the contract. */

import { constants } from "node:os";
import { describe, expect, test } from "vitest";
import type { Kernel } from "../../provider/kernel/kernel";
import { run } from "../harness/shell";

const { errno } = constants;

const json = (...commands: object[]) => JSON.stringify({ nftables: commands });
const table = (name: string) => ({ table: { family: "inet", name } });

export function nftContract(kernelOf: () => Kernel, freshNamespace: () => Promise<string>): void {
  /** What nft itself shows inside: the outside witness. */
  const witness = (namespace: string) => run("ip", "netns", "exec", namespace, "nft", "list", "tables");

  describe("nft", () => {
    test("writes in the namespace asked about, and in no other", async () => {
      const namespace = await freshNamespace();
      const other = await freshNamespace();
      expect(await kernelOf().nft(namespace, json({ add: table("one") }))).toEqual({
        status: 0,
        output: "",
        errors: "",
      });
      expect(await witness(namespace)).toBe("table inet one\n");
      expect(await witness(other)).toBe("");
    });

    test("gives for each listing a line of JSON", async () => {
      const namespace = await freshNamespace();
      await kernelOf().nft(namespace, json({ add: table("one") }));
      const { status, output } = await kernelOf().nft(
        namespace,
        json({ list: { tables: null } }, { list: { chains: null } }),
      );
      expect(status).toBe(0);
      const lines = output.trim().split("\n");
      expect(lines).toHaveLength(2);
      expect(JSON.parse(lines[0] as string).nftables).toContainEqual({
        table: { family: "inet", name: "one", handle: expect.any(Number) },
      });
    });

    test("does all of it or nothing, and says why", async () => {
      const namespace = await freshNamespace();
      const { status, errors } = await kernelOf().nft(
        namespace,
        json({ add: table("one") }, { delete: table("two") }),
      );
      expect(status).toBe(1);
      expect(errors).toMatch(/No such file or directory/);
      expect(await witness(namespace)).toBe("");
    });

    // nft would take it for its own language, in which files can be named.
    test.each(["", "nonsense", 'include "/etc/passwd"', "flush ruleset", '{"a":"\\""}'])(
      "refuses what is no plain JSON before anything runs: %j",
      async (text) => {
        const namespace = await freshNamespace();
        await kernelOf().nft(namespace, json({ add: table("one") }));
        await expect(kernelOf().nft(namespace, text)).rejects.toMatchObject({
          code: "INVALID_INPUT",
          errno: errno.EINVAL,
          operation: "nft input",
        });
        expect(await witness(namespace)).toBe("table inet one\n");
      },
    );

    test("takes and gives much", async () => {
      const namespace = await freshNamespace();
      const rules = Array.from({ length: 3000 }, (_, index) => ({
        add: {
          rule: {
            family: "inet",
            table: "one",
            chain: "c",
            expr: [
              {
                match: {
                  op: "==",
                  left: { payload: { protocol: "tcp", field: "dport" } },
                  right: index + 1,
                },
              },
              { accept: null },
            ],
          },
        },
      }));
      const chain = { chain: { family: "inet", table: "one", name: "c" } };
      const written = await kernelOf().nft(namespace, json({ add: table("one") }, { add: chain }, ...rules));
      expect(written).toEqual({ status: 0, output: "", errors: "" });
      const { output } = await kernelOf().nft(namespace, json({ list: table("one") }));
      expect(JSON.parse(output).nftables).toHaveLength(3 + 3000);
      expect(output.length).toBeGreaterThan(256 * 1024);
    });

    test("works for many at once", async () => {
      const namespace = await freshNamespace();
      const names = Array.from({ length: 20 }, (_, index) => `t${index}`);
      const done = await Promise.all(
        names.map((name) => kernelOf().nft(namespace, json({ add: table(name) }))),
      );
      expect(done.map(({ status }) => status)).toEqual(names.map(() => 0));
      expect((await witness(namespace)).trim().split("\n")).toHaveLength(20);
    });

    test("refuses what is too large before it begins", async () => {
      const refused = { errno: errno.E2BIG, operation: "nft" };
      const large = `{${" ".repeat(16 * 1024 * 1024)}}`;
      await expect(kernelOf().nft(undefined, large)).rejects.toMatchObject(refused);
    });

    test("names a namespace that is missing", async () => {
      await expect(kernelOf().nft("tt-missing", json({ list: { tables: null } }))).rejects.toMatchObject({
        code: "NAMESPACE_MISSING",
        message: expect.stringContaining("tt-missing"),
      });
    });
  });
}

/** The part of the contract about links that go from one namespace to another. */

import { writeFileSync } from "node:fs";
import { constants } from "node:os";
import { describe, expect, test } from "vitest";
import { createLink } from "../../provider/host/links";
import type { Kernel } from "../../provider/kernel/kernel";
import { addAltname, deleteLink, touchLink } from "./messages";
import { tap } from "./operations";
import { link, links } from "./witness";

const { errno } = constants;

export function moveContract(
  open: () => Kernel,
  freshName: () => string,
  freshNamespace: () => Promise<string>,
): void {
  describe("move", () => {
    test("takes links to another namespace, there and back, each with its reply", async () => {
      const from = await freshNamespace();
      const to = await freshNamespace();
      await open().tun(from, [tap("tap0", { owner: 12345, message: addAltname(0, "lease-0") }), tap("tap1")]);
      const found = (await link(from, "tap0"))!;
      const message = touchLink(found.ifindex);
      const before = Buffer.from(message);
      await open().tun(to, [tap("tap1")]);
      const replies = await open().move(from, to, [
        touchLink(9999),
        message,
        deleteLink("tap1"),
        touchLink((await link(from, "tap1"))!.ifindex),
        Buffer.alloc(5),
      ]);
      expect(replies.map((reply) => reply.errno)).toEqual([
        errno.ENODEV,
        0,
        errno.EINVAL,
        errno.EEXIST,
        errno.EINVAL,
      ]);
      expect(message).toEqual(before);
      expect((await links(from)).map((each) => each.ifname)).toEqual(["lo", "tap1"]);
      const moved = (await link(to, "tap0"))!;
      expect(moved).toMatchObject({ altnames: ["lease-0"], address: found.address });
      expect(String(moved.linkinfo?.info_data?.user)).toBe("12345");
      expect(await open().move(to, from, [touchLink(moved.ifindex)])).toEqual([{ errno: 0 }]);
      expect(await link(from, "tap0")).toBeDefined();
      expect(await open().move(from, to, [])).toEqual([]);
    });

    test("makes a link there, and the other end of a veth where the message is sent", async () => {
      const from = await freshNamespace();
      const to = await freshNamespace();
      const message = createLink("va", "veth", {}, { peer: { ifname: "vb" } });
      expect(await open().move(from, to, [message, message])).toEqual([
        { errno: 0 },
        expect.objectContaining({ errno: errno.EEXIST }),
      ]);
      expect((await links(to)).map((each) => each.ifname)).toEqual(["lo", "va"]);
      expect((await links(from)).map((each) => each.ifname)).toEqual(["lo", "vb"]);
    });

    test("refuses a file without a namespace behind it", async () => {
      const from = await freshNamespace();
      const left = freshName();
      writeFileSync(`/run/netns/${left}`, "");
      await expect(open().move(from, left, [touchLink(1)])).rejects.toMatchObject({
        code: "NAMESPACE_MISSING",
      });
    });
  });
}

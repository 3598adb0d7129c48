import { constants } from "node:os";
import { expect, test } from "vitest";
import { Host } from "../../provider/host/host";
import type { Link } from "../../provider/host/links";
import { renameLink } from "../../provider/host/names";
import { decodeLink, IFF } from "../../provider/netlink/link";
import { ScriptedKernel } from "../harness/scripted-kernel";

const link = { ifindex: 7, name: "br0" } as Link;
const lease = `tuntap-0-${"0".repeat(32)}`;

/** A kernel before Linux 6.2: what is up keeps its name (dev_change_name, EBUSY). */
function olderKernel(refusing = 0) {
  const kernel = new ScriptedKernel();
  const state = { up: true, name: link.name };
  kernel.answer = (messages) =>
    messages.map((message) => {
      const { header, attributes } = decodeLink(message);
      if (attributes.ifname !== undefined && state.up) return { errno: constants.errno.EBUSY };
      if (attributes.ifname !== undefined && refusing !== 0) return { errno: refusing };
      if (attributes.ifname !== undefined) state.name = attributes.ifname;
      if (header.change & IFF.UP) state.up = (header.flags & IFF.UP) !== 0;
      return { errno: 0 };
    });
  return { kernel, state };
}

test("an interface that must be down to be renamed is down for that long only", async () => {
  const { kernel, state } = olderKernel();
  await renameLink(new Host(kernel), undefined, link, lease, "br1");
  expect(state).toEqual({ up: true, name: "br1" });
  expect(kernel.requests.map(({ messages }) => messages.length)).toEqual([1, 3]);
});

test("it is up again also where the name is refused all the same", async () => {
  const { kernel, state } = olderKernel(constants.errno.EEXIST);
  await expect(renameLink(new Host(kernel), undefined, link, lease, "br1")).rejects.toMatchObject({
    property: "name",
    message: expect.stringContaining("br0 could not be renamed to br1"),
  });
  expect(state).toEqual({ up: true, name: "br0" });
});

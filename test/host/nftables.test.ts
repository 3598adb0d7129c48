import { expect, test } from "vitest";
import { Host } from "../../provider/host/host";
import { ScriptedKernel } from "../harness/scripted-kernel";

/** A table as nft lists it, with more in its object. */
const listing = (more: object) =>
  JSON.stringify({ nftables: [{ table: { family: "inet", name: "guests", handle: 1, ...more } }] });

function contents(output: string, status = 0, errors = "") {
  const kernel = new ScriptedKernel();
  kernel.nft = async () => ({ status, output, errors });
  const table = { family: "inet", name: "guests", handle: 1, chains: [], leases: [] };
  return new Host(kernel).nftables.contents(undefined, table);
}

test.each([
  [{}, []],
  [{ flags: "dormant" }, ["dormant"]],
  [{ flags: ["persist", "dormant"] }, ["persist, dormant"]],
  // What nft 1.0.6 prints for it.
  [{ flags: "Lester Gooch #5" }, ["dormant"]],
])("flags of a table, as %j, are something in it: %j", async (more, names) => {
  const { things } = (await contents(listing(more))) ?? {};
  expect(things).toEqual(names.map((name) => ({ type: "flags", name })));
});

test.each([
  [listing({ flags: "\u0001" }).replace("\\u0001", "\u0001"), 0, ""],
  ["", 134, "corrupted double-linked list\n"],
])("nft 1.0.6 cannot list one with flags, and the remedy is for that: %j", async (output, status, errors) => {
  await expect(contents(output, status, errors)).rejects.toMatchObject({
    code: "NFT_REFUSED",
    remedy: expect.stringMatching(/nft 1\.0\.6 and older.*`flags owner`.*`flags dormant`.*Update nftables/),
  });
});

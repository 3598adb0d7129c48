/** What the kernel refuses of each kind of interface, and of a table, is said in its own words. */

import { constants } from "node:os";
import { describe, expect, test } from "vitest";
import { until } from "../harness/shell";
import { lab, program, useTunLab } from "./tun-lab";

useTunLab();

const addresses = ["2001:db8::1/64"];
const place = () => ({ namespace: lab.name });
const kinds: [string, (more: object) => Record<string, unknown>][] = [
  ["Bridge", (more) => ({ ...place(), ...more })],
  ["TunInterface", (more) => ({ ...place(), owner: 0, ...more })],
  ["TunPool", (more) => ({ ...place(), owner: 0, count: 2, ...more })],
  ["VethPair", (more) => ({ ends: [{ ...place() }, { ...place(), ...more }] })],
  ["Vxlan", (more) => ({ ...place(), vni: 7, ...more })],
];

describe.each(kinds)("%s", (kind, inputs) => {
  test("an IPv6 address where the namespace has no IPv6", async () => {
    await lab.exec("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1");
    try {
      const refused = await program.declare(kind, "dev0", inputs({ addresses })).catch((error) => error);
      expect(refused).toMatchObject({
        operation: "rtnetlink",
        errno: constants.errno.EACCES,
        property: expect.stringMatching(/addresses$/),
        extack: expect.stringMatching(/IPv6 is disabled/),
        message: expect.stringContaining("2001:db8::1/64"),
        remedy: expect.stringMatching(/net\.ipv6\.conf\.NAME\.disable_ipv6/),
      });
      expect(refused.message).toContain(`kernel: "${refused.extack}"`);
      expect(await lab.links()).toEqual([]);
    } finally {
      await lab.exec("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=0");
    }
  });
});

describe("each in a way of its own", () => {
  const names = async () => (await lab.links()).map(({ ifname }) => ifname).sort();

  test("a bridge: an IPv6 address where a port leaves no room for IPv6", async () => {
    await program.declare("Bridge", "dev0", place());
    await lab.ip("link", "add", "name", "x0", "mtu", "1000", "type", "veth", "peer", "name", "x1");
    await lab.ip("link", "set", "x0", "master", "dev0");
    await expect(program.declare("Bridge", "dev0", { ...place(), addresses })).rejects.toMatchObject({
      errno: constants.errno.EINVAL,
      property: "addresses",
      message: expect.stringMatching(/2001:db8::1\/64 .*EINVAL \(22\).*below 1280 bytes/),
    });
    expect(await names()).toEqual(["dev0", "x0", "x1"]);
  });

  // Whoever owns a table is alone in it. nft 1.0.6 may already fail to list it.
  test("a table of nftables: one that a process owns", async () => {
    const owner = await lab.start("begun", "sh", "-c", ownTable("dev0"));
    await until("the table is there", async () => (await tables()).includes("dev0"));
    const inputs = { ...place(), source: ["192.0.2.0/24"], adopt: true };
    const refused = await program.declare("Nat", "dev0", inputs).catch((error) => error);
    expect(refused).toMatchObject({ code: "NFT_REFUSED", operation: "nft" });
    expect(refused.message).toMatch(/Operation not permitted|is no JSON: .*flags owner/);
    await lab.release(owner);
    await until("the table went with its owner", async () => !(await tables()).includes("dev0"));
    expect((await program.declare("Nat", "dev0", inputs)).operation).toBe("create");
    await program.remove("dev0");
  });
});

const tables = () => lab.exec("nft", "list", "tables");

/** A shell command whose nft owns that table as long as it runs. */
function ownTable(name: string): string {
  return `exec 3>&1; (echo 'add table inet ${name} { flags owner; }'; echo begun >&3; exec sleep 600) | nft -i >/dev/null`;
}

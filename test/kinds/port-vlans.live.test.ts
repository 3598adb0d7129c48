/** VLANs of a bridge's ports, on a kernel with VLAN filtering and on one without. */

import { beforeEach, describe, expect, test } from "vitest";
import { attempt } from "../harness/shell";
import { describeRows } from "./rows";
import { kind, lab, program, useTunLab } from "./tun-lab";

useTunLab();

beforeEach(async () => {
  for (const name of ["br0", "br1"]) await lab.ip("link", "add", name, "type", "bridge");
});

const vlans = [{ id: 10, pvid: true, untagged: true }, { id: "20-30" }];
const plain = () => ({ owner: 1, namespace: lab.name, bridge: "br0" });
const base = () => ({ ...plain(), port: { vlans } });

/** What `bridge vlan` shows of it, in its words. */
async function shown(name = "dev0"): Promise<string[]> {
  const output = await lab.exec("bridge", "-j", "-compressvlans", "vlan", "show", "dev", name);
  const found = JSON.parse(output) as { vlans: { vlan: number; vlanEnd?: number; flags?: string[] }[] }[];
  return (found[0]?.vlans ?? []).map(({ vlan, vlanEnd, flags = [] }) =>
    [vlanEnd === undefined ? vlan : `${vlan}-${vlanEnd}`, ...flags].join(" "),
  );
}

const asDeclared = ["10 PVID Egress Untagged", "20-30"];
const asTheBridgeHasIt = ["1 PVID Egress Untagged"];

describe("as the kernel has it", async () => {
  const filtering = await canFilter();

  describe.skipIf(filtering)("on a kernel without VLAN filtering", () => {
    test.each<[string, string, () => Record<string, unknown>, string]>([
      ["port.vlans of a TAP", kind, base, "port.vlans"],
      [
        "port.vlans of a VXLAN interface",
        "Vxlan",
        () => ({ namespace: lab.name, vni: 1, bridge: "br0", port: { vlans } }),
        "port.vlans",
      ],
      [
        "vlanFiltering of a bridge",
        "Bridge",
        () => ({ namespace: lab.name, vlanFiltering: true }),
        "vlanFiltering",
      ],
      [
        "a bridge's default",
        "Bridge",
        () => ({ namespace: lab.name, vlanDefaultPvid: 5 }),
        "vlanDefaultPvid",
      ],
    ])("%s is refused in the plan, and nothing is made", async (_, of, inputs, field) => {
      const before = await lab.snapshot();
      const { problems } = await program.check(of, "dev0", inputs());
      expect(problems).toEqual([
        {
          property: field.split(".")[0],
          code: "NOT_SUPPORTED",
          message: expect.stringMatching(
            new RegExp(
              `^${field} is given, and this host's kernel was built without VLAN filtering .*; take it out`,
            ),
          ),
        },
      ]);
      expect(await lab.snapshot()).toBe(before);
      await expect(program.declare(of, "dev0", inputs())).rejects.toThrow(/NOT_SUPPORTED/);
      expect(await lab.snapshot()).toBe(before);
    });

    test("nothing of it is said where none are declared", async () => {
      expect(
        (await program.check("Bridge", "dev0", { namespace: lab.name, vlanFiltering: false })).problems,
      ).toEqual([]);
      expect((await program.check(kind, "dev1", { ...plain(), port: { isolated: true } })).problems).toEqual(
        [],
      );
    });
  });

  describe.skipIf(!filtering)("on a kernel with VLAN filtering (needs VLAN filtering)", () => {
    beforeEach(async () => {
      for (const name of ["br0", "br1"])
        await lab.ip("link", "set", name, "type", "bridge", "vlan_filtering", "1");
    });

    describeRows(base, [
      {
        name: "vlans",
        change: { port: { vlans: [{ id: 11, pvid: true, untagged: true }, { id: "25-35" }] } },
        byHand: () => lab.exec("bridge", "vlan", "add", "dev", "dev0", "vid", "99"),
        drift: /port\.vlans: 10 pvid untagged, 20-30, 99 on the host, 10 pvid untagged, 20-30/,
        read: () => shown(),
        original: asDeclared,
        changed: ["11 PVID Egress Untagged", "25-35"],
      },
    ]);

    test("they are the port's only ones, and again after every re-attach", async () => {
      const { outputs } = await program.declare(kind, "dev0", base());
      expect(outputs.port).toEqual({ vlans });
      expect(await shown()).toEqual(asDeclared);
      await lab.ip("link", "set", "dev0", "nomaster");
      await lab.ip("link", "set", "dev0", "master", "br0");
      expect(await shown()).toEqual(asTheBridgeHasIt);
      await program.newRun().declare(kind, "dev0", base());
      expect(await shown()).toEqual(asDeclared);
      await program.declare(kind, "dev0", { ...base(), bridge: "br1" });
      expect(await shown()).toEqual(asDeclared);
      expect((await program.newRun().declare(kind, "dev0", { ...base(), bridge: "br1" })).operation).toBe(
        "same",
      );
    });

    test("no longer declared, the port has the bridge's default again", async () => {
      await program.declare(kind, "dev0", base());
      const { notices } = await program.declare(kind, "dev0", plain());
      expect(notices).toEqual([]);
      expect(await shown()).toEqual(asTheBridgeHasIt);
      expect((await program.newRun().declare(kind, "dev0", plain())).operation).toBe("same");
    });

    test("an interface of others has those that it had, when it is back where it was", async () => {
      await lab.ip("link", "add", "nic0", "type", "veth", "peer", "name", "peer0");
      await lab.ip("link", "set", "nic0", "master", "br1");
      const by = (...words: string[]) => lab.exec("bridge", "vlan", ...words);
      await by("del", "dev", "nic0", "vid", "1");
      await by("add", "dev", "nic0", "vid", "10", "pvid", "untagged");
      await by("add", "dev", "nic0", "vid", "20-30");
      await by("add", "dev", "nic0", "vid", "40", "untagged");
      const before = await shown("nic0");
      const declared = { interface: "nic0", bridge: "br0", adopt: true, namespace: lab.name };
      await program.declare("BridgePort", "uplink", { ...declared, port: { vlans: [{ id: 99 }] } });
      expect(await shown("nic0")).toEqual(["99"]);
      await program.newRun().refresh("uplink");
      await program.newRun().remove("uplink");
      expect((await lab.mustHave("nic0")).master).toBe("br1");
      expect(await shown("nic0")).toEqual(before);
    });

    test("on a bridge that does not filter they are warned of", async () => {
      await lab.ip("link", "set", "br0", "type", "bridge", "vlan_filtering", "0");
      const { notices } = await program.check(kind, "dev0", base());
      expect(notices.map(({ message }) => message).join()).toMatch(/bridge "br0" does not filter VLANs now/);
    });
  });
});

/** Whether a bridge of this kernel can filter VLANs: tried, in a namespace that ends with the command. */
async function canFilter(): Promise<boolean> {
  const script = "ip link add br0 type bridge && ip link set br0 type bridge vlan_filtering 1";
  return (await attempt("unshare", "--net", "sh", "-c", script)).code === 0;
}

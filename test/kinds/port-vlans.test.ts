/**
 * The VLANs of a bridge's port: what is compared, and what is sent, against a model of what the kernel makes of it
 * (br_process_vlan_info() in net/bridge/br_netlink.c). On a kernel with VLAN filtering, port-vlans.live.test.ts tries the
 * same for real.
 */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LinkTable } from "../../provider/host/links";
import { addVlans, type PortVlans, removeVlans, type VlanFlags } from "../../provider/host/vlans";
import type { Inputs } from "../../provider/kinds/kind";
import type { ObservedLink } from "../../provider/kinds/parts/link";
import { type DeclaredVlan, presentVlans, vlansProperty } from "../../provider/kinds/parts/port-vlans";
import { decodeBridgeLink, VLAN_INFO } from "../../provider/netlink/bridge-link";
import { RTM } from "../../provider/netlink/message";
import { anonymous, forwardingRequests } from "../netlink/fixtures";

const bridgeIndex = 4;
const portIndex = 5;

/** A port of a bridge, as it is seen on a kernel with VLAN filtering. */
function port(vlans: PortVlans | undefined, defaultPvid = 1, isPort = true): ObservedLink {
  const plain = { leases: [], alternativeNames: [] };
  const bridge = {
    ...plain,
    ifindex: bridgeIndex,
    name: "br0",
    kind: "bridge",
    bridge: { vlanDefaultPvid: defaultPvid },
  };
  const link = {
    ...plain,
    ifindex: portIndex,
    name: "vx0",
    master: isPort ? bridgeIndex : 0,
    ...(isPort && { port: {} }),
  };
  return {
    link,
    ifindex: portIndex,
    vlans,
    neighbours: new LinkTable([bridge, link] as never),
  } as unknown as ObservedLink;
}

const recorded = (vlans: DeclaredVlan[]): Inputs => ({ port: { vlans } });

function compare(observed: ObservedLink, vlans: DeclaredVlan[] | undefined, before?: Inputs) {
  const desired = { port: vlans && { vlans }, bridge: "br0" };
  const want = vlansProperty.want(desired, before);
  return { want, is: vlansProperty.is(observed, desired, before) };
}

function send(observed: ObservedLink, vlans: DeclaredVlan[] | undefined, before?: Inputs): Buffer[] {
  const desired = { port: vlans && { vlans }, bridge: "br0" };
  const { want, is } = compare(observed, vlans, before);
  const target = { lease: "", namespace: undefined, name: "vx0", recorded: before };
  const difference = { property: vlansProperty, want: want ?? [], is, desired, observed, target };
  return (vlansProperty.messages?.(difference) ?? []).map(({ bytes }) => bytes);
}

/** What the kernel has afterwards. It refuses a range with a pvid, or what ends before it begins. */
function applied(before: PortVlans, messages: Buffer[]): Map<number, VlanFlags> {
  const vlans = new Map(before);
  for (const message of messages) {
    const { type, header, attributes } = decodeBridgeLink(message);
    expect(header).toMatchObject({ family: 7, index: portIndex });
    let begin: number | undefined;
    for (const { flags, vid } of attributes.afSpec?.vlanInfo ?? []) {
      expect(vid).toBeGreaterThan(0);
      expect(vid).toBeLessThan(4095);
      if (flags & VLAN_INFO.RANGE_BEGIN) {
        expect(flags & VLAN_INFO.PVID).toBe(0);
        expect(begin).toBeUndefined();
        begin = vid;
        continue;
      }
      if (flags & VLAN_INFO.RANGE_END) expect(begin).toBeLessThan(vid);
      else expect(begin).toBeUndefined();
      for (let id = begin ?? vid; id <= vid; id++) {
        if (type === RTM.DELLINK) {
          expect(vlans.has(id)).toBe(true);
          vlans.delete(id);
          continue;
        }
        const pvid = (flags & VLAN_INFO.PVID) !== 0;
        if (pvid) for (const [other, was] of vlans) vlans.set(other, { ...was, pvid: false });
        vlans.set(id, { pvid, untagged: (flags & VLAN_INFO.UNTAGGED) !== 0 });
      }
      begin = undefined;
    }
    expect(begin).toBeUndefined();
  }
  return vlans;
}

const own = new Map([[1, { pvid: true, untagged: true }]]);
const tagged = { pvid: false, untagged: false };

describe("what is sent", () => {
  test.each<[string, Buffer]>([
    ["bridge vlan add dev vx0 vid 10", addVlans(portIndex, new Map([[10, tagged]]))],
    [
      "bridge vlan add dev vx0 vid 20 pvid untagged",
      addVlans(portIndex, new Map([[20, { pvid: true, untagged: true }]])),
    ],
    [
      "bridge vlan add dev vx0 vid 50-60 untagged",
      addVlans(portIndex, new Map(range(50, 60).map((id) => [id, { pvid: false, untagged: true }]))),
    ],
    [
      "bridge vlan add dev vx0 vid 30-40",
      addVlans(portIndex, new Map(range(30, 40).map((id) => [id, tagged]))),
    ],
    ["bridge vlan del dev vx0 vid 10", removeVlans(portIndex, [10])],
    ["bridge vlan del dev vx0 vid 30-40", removeVlans(portIndex, range(30, 40).reverse())],
  ])("as %s", (command, ours) => {
    const theirs = anonymous(forwardingRequests.get(command)!.at(-1)!);
    expect(ours.toString("hex")).toBe(theirs.toString("hex"));
  });

  test("leads from any VLANs to those that are declared, and then nothing differs", () => {
    const some = fc.uniqueArray(
      fc.record({ id: fc.integer({ min: 1, max: 4094 }), untagged: fc.boolean() }),
      { selector: ({ id }) => id, maxLength: 60 },
    );
    const near = fc.uniqueArray(fc.record({ id: fc.integer({ min: 1, max: 12 }), untagged: fc.boolean() }), {
      selector: ({ id }) => id,
    });
    const vlans = fc
      .tuple(fc.oneof(some, near), fc.option(fc.nat()))
      .map(([list, of]): DeclaredVlan[] =>
        list.map((vlan, position) => ({ ...vlan, pvid: of !== null && position === of % list.length })),
      );
    fc.assert(
      fc.property(vlans, vlans, (before, after) => {
        const there = applied(new Map(), send(port(new Map()), before));
        expect(compare(port(there), before)).toSatisfy(({ want, is }) => want.join() === is.join());
        const then = applied(there, send(port(there), after));
        const { want, is } = compare(port(then), after);
        expect(is).toEqual(want);
        expect([...then.keys()].sort()).toEqual(after.map(({ id }) => id).sort());
        expect(send(port(then), after)).toEqual([]);
        // And back to what the bridge gives.
        const back = applied(then, send(port(then), undefined, recorded(after)));
        expect(back).toEqual(own);
      }),
      { numRuns: 300 },
    );
  });

  test("is in two messages at most, the missing first", () => {
    const [first, second, ...more] = send(port(own), [
      { id: 10, pvid: true, untagged: true },
      { id: "20-4094" },
    ]);
    expect(more).toEqual([]);
    expect(decodeBridgeLink(first!).attributes.afSpec?.vlanInfo).toEqual([
      { flags: VLAN_INFO.PVID | VLAN_INFO.UNTAGGED, vid: 10 },
      { flags: VLAN_INFO.RANGE_BEGIN, vid: 20 },
      { flags: VLAN_INFO.RANGE_END, vid: 4094 },
    ]);
    expect(decodeBridgeLink(second!)).toMatchObject({ type: RTM.DELLINK });
    expect(decodeBridgeLink(second!).attributes.afSpec?.vlanInfo).toEqual([{ flags: 0, vid: 1 }]);
  });
});

describe("what is compared", () => {
  const declared: DeclaredVlan[] = [{ id: "30-40" }, { id: 10, pvid: true, untagged: true }, { id: 29 }];

  test("whole sets, whatever their order and however runs are cut", () => {
    const { want, is } = compare(port(own), declared);
    expect(want).toEqual(["10 pvid untagged", "29-40"]);
    expect(is).toEqual(["1 pvid untagged"]);
    expect(compare(port(own), [{ id: "29-40" }, { id: "10", pvid: true, untagged: true }]).want).toEqual(
      want,
    );
  });

  test("none are declared as none", () => {
    expect(compare(port(own), [])).toEqual({ want: [], is: ["1 pvid untagged"] });
    expect(applied(own, send(port(own), []))).toEqual(new Map());
    expect(vlansProperty.show?.([])).toBe("no VLAN");
  });

  test("what was never declared is not managed", () => {
    expect(compare(port(own), undefined).want).toBeUndefined();
  });

  test("what is no longer declared goes back, if it is still what was written", () => {
    const written = applied(own, send(port(own), declared));
    const { want, is } = compare(port(written), undefined, recorded(declared));
    expect(is).not.toEqual(want);
    expect(applied(written, send(port(written), undefined, recorded(declared)))).toEqual(own);
    // To the bridge's own default, or to none.
    expect(applied(written, send(port(written, 5), undefined, recorded(declared)))).toEqual(
      new Map([[5, { pvid: true, untagged: true }]]),
    );
    expect(applied(written, send(port(written, 0), undefined, recorded(declared)))).toEqual(new Map());
    const changed = compare(port(new Map([[77, tagged]])), undefined, recorded(declared));
    expect(changed.is).toEqual(changed.want);
    const back = compare(port(own), undefined, recorded([{ id: 1, pvid: true, untagged: true }]));
    expect(back.is).toEqual(back.want);
  });

  test("what is no port has none, and what the kernel does not tell is said", () => {
    expect(compare(port(undefined, 1, false), declared).is).toEqual(["no port of a bridge"]);
    expect(compare(port(undefined), declared).is).toEqual(["unknown to this kernel"]);
  });

  test("they are shown in the program's words where they are equal, else in the kernel's", () => {
    const written = applied(own, send(port(own), declared));
    expect(presentVlans(port(written), { port: { vlans: declared } })).toEqual({ vlans: declared });
    expect(presentVlans(port(own), { port: { vlans: declared } })).toEqual({
      vlans: [{ id: 1, pvid: true, untagged: true }],
    });
    const run = new Map(range(2, 5).map((id) => [id, tagged]));
    expect(presentVlans(port(run), { port: { vlans: declared } })).toEqual({ vlans: [{ id: "2-5" }] });
    expect(presentVlans(port(undefined), { port: { vlans: declared } })).toEqual({});
    expect(presentVlans(port(own), { port: {} })).toEqual({});
  });
});

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, position) => first + position);
}

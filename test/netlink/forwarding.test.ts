/** VXLAN interfaces, forwarding entries and VLANs of ports: our codec beside `ip` and `bridge`. */

import { describe, expect, test } from "vitest";
import {
  decodeBridgeLink,
  encodeBridgeLink,
  RTEXT_FILTER_BRVLAN_COMPRESSED,
  VLAN_INFO,
} from "../../provider/netlink/bridge-link";
import { attributeAt, explain } from "../../provider/netlink/explain";
import { decodeLink, encodeLink } from "../../provider/netlink/link";
import { AF, NLM_F, RTM } from "../../provider/netlink/message";
import {
  decodeNeighbour,
  encodeNeighbour,
  type NeighbourAttributes,
  NTF,
  NUD,
} from "../../provider/netlink/neighbour";
import type { VxlanData } from "../../provider/netlink/vxlan";
import {
  anonymous,
  forwardingRequests,
  neighbourMessages,
  shownEntries,
  shownVlans,
  shownVxlans,
  vlanMessages,
  vxlanMessages,
} from "./fixtures";

/** ifindexes as they were in the capture. */
const under0 = 3;
const vx0 = 5;
const vx1 = 6;

const write = NLM_F.REQUEST | NLM_F.ACK;
const make = write | NLM_F.CREATE | NLM_F.EXCL;
const flood = "00:00:00:00:00:00";

const added = (ifname: string, data: VxlanData) =>
  encodeLink(RTM.NEWLINK, make, {}, { ifname, linkinfo: { kind: "vxlan", data } });
const entry = (
  type: number,
  flags: number,
  index: number,
  attributes: Partial<NeighbourAttributes>,
  state: number = NUD.PERMANENT | NUD.NOARP,
) => encodeNeighbour(type, write | flags, { family: AF.BRIDGE, index, state, flags: NTF.SELF }, attributes);
const appended = (index: number, attributes: Partial<NeighbourAttributes>) =>
  entry(RTM.NEWNEIGH, NLM_F.CREATE | NLM_F.APPEND, index, attributes);
const vlans = (type: number, ...vlanInfo: { flags: number; vid: number }[]) =>
  encodeBridgeLink(type, write, { family: AF.BRIDGE, index: vx0 }, { afSpec: { vlanInfo } });

/** The last message of each command; those before look names up. */
const expected: Record<string, Buffer> = {
  "ip link add vx0 type vxlan id 42 local 192.0.2.1 remote 192.0.2.9 dev under0 dstport 4789 ttl 5 nolearning ageing 100":
    added("vx0", {
      link: under0,
      ttl: 5,
      learning: 0,
      ageing: 100,
      id: 42,
      local: "192.0.2.1",
      group: "192.0.2.9",
      port: 4789,
    }),
  "ip link add vx1 type vxlan id 43 local 2001:db8::1 group ff05::1 dev under0 dstport 8472 srcport 1000 2000":
    added("vx1", {
      link: under0,
      portRange: { low: 1000, high: 2000 },
      id: 43,
      local6: "2001:db8::1",
      group6: "ff05::1",
      learning: 1,
      port: 8472,
    }),
  "ip link set vx0 type vxlan remote 192.0.2.8": encodeLink(
    RTM.NEWLINK,
    write,
    { index: vx0 },
    { linkinfo: { kind: "vxlan", data: { group: "192.0.2.8" } } },
  ),
  "bridge fdb append 00:00:00:00:00:00 dev vx0 dst 192.0.2.10": appended(vx0, {
    linkAddress: flood,
    destination: "192.0.2.10",
  }),
  "bridge fdb append 00:00:00:00:00:00 dev vx0 dst 192.0.2.11 port 8472 vni 7 via under0": appended(vx0, {
    linkAddress: flood,
    destination: "192.0.2.11",
    port: 8472,
    vni: 7,
    interface: under0,
  }),
  "bridge fdb replace 52:54:00:00:00:01 dev vx0 dst 192.0.2.10": entry(
    RTM.NEWNEIGH,
    NLM_F.CREATE | NLM_F.REPLACE,
    vx0,
    { linkAddress: "52:54:00:00:00:01", destination: "192.0.2.10" },
  ),
  "bridge fdb append 00:00:00:00:00:00 dev vx1 dst 2001:db8::10": appended(vx1, {
    linkAddress: flood,
    destination: "2001:db8::10",
  }),
  "bridge fdb append 00:00:00:00:00:00 dev vx0 dst 192.0.2.12": appended(vx0, {
    linkAddress: flood,
    destination: "192.0.2.12",
  }),
  "bridge fdb del 00:00:00:00:00:00 dev vx0 dst 192.0.2.12": entry(RTM.DELNEIGH, 0, vx0, {
    linkAddress: flood,
    destination: "192.0.2.12",
  }),
  "bridge fdb add 52:54:00:00:00:02 dev vx0 dst 192.0.2.10 dynamic": entry(
    RTM.NEWNEIGH,
    NLM_F.CREATE | NLM_F.EXCL,
    vx0,
    { linkAddress: "52:54:00:00:00:02", destination: "192.0.2.10" },
    NUD.REACHABLE,
  ),
  "bridge fdb show": encodeNeighbour(RTM.GETNEIGH, NLM_F.REQUEST | NLM_F.DUMP, { family: AF.BRIDGE }),
  "bridge vlan add dev vx0 vid 10": vlans(RTM.SETLINK, { flags: 0, vid: 10 }),
  "bridge vlan add dev vx0 vid 20 pvid untagged": vlans(RTM.SETLINK, {
    flags: VLAN_INFO.PVID | VLAN_INFO.UNTAGGED,
    vid: 20,
  }),
  "bridge vlan add dev vx0 vid 30-40": vlans(
    RTM.SETLINK,
    { flags: VLAN_INFO.RANGE_BEGIN, vid: 30 },
    { flags: VLAN_INFO.RANGE_END, vid: 40 },
  ),
  "bridge vlan add dev vx0 vid 50-60 untagged": vlans(
    RTM.SETLINK,
    { flags: VLAN_INFO.RANGE_BEGIN | VLAN_INFO.UNTAGGED, vid: 50 },
    { flags: VLAN_INFO.RANGE_END | VLAN_INFO.UNTAGGED, vid: 60 },
  ),
  "bridge vlan del dev vx0 vid 10": vlans(RTM.DELLINK, { flags: 0, vid: 10 }),
  "bridge vlan del dev vx0 vid 30-40": vlans(
    RTM.DELLINK,
    { flags: VLAN_INFO.RANGE_BEGIN, vid: 30 },
    { flags: VLAN_INFO.RANGE_END, vid: 40 },
  ),
  // The uncompressed form: each VLAN by itself.
  "bridge -c vlan show": encodeBridgeLink(
    RTM.GETLINK,
    NLM_F.REQUEST | NLM_F.DUMP,
    { family: AF.BRIDGE },
    { extMask: RTEXT_FILTER_BRVLAN_COMPRESSED / 2 },
  ),
};

const hex = (bytes: Buffer) => bytes.toString("hex");

describe("what ip and bridge send", () => {
  test("every captured command has its counterpart here", () => {
    expect(Object.keys(expected)).toEqual([...forwardingRequests.keys()]);
  });

  test.each([...forwardingRequests])("%s", (command, messages) => {
    const theirs = anonymous(messages.at(-1)!);
    const ours = expected[command]!;
    // `ip` sends a kind without its NUL: then what it means is compared.
    if (command.startsWith("ip ")) {
      expect(decodeLink(ours).attributes).toEqual(decodeLink(theirs).attributes);
      expect({ ...decodeLink(ours), attributes: {} }).toEqual({ ...decodeLink(theirs), attributes: {} });
    } else expect(hex(ours)).toBe(hex(theirs));
  });
});

describe("what the kernel answers", () => {
  // biome-ignore lint/suspicious/noExplicitAny: the witness's JSON has no types
  type Shown = any;

  test("every forwarding entry that bridge showed, as it showed it, and nothing of it is unknown", () => {
    const names = new Map(
      vxlanMessages.map(decodeLink).map(({ header, attributes }) => [header.index, attributes]),
    );
    const ours = neighbourMessages.map(decodeNeighbour);
    expect(ours.flatMap(({ unknown }) => unknown)).toEqual([]);
    expect(ours.length).toBe(shownEntries.length);
    const ofVxlan = (ifname: string | undefined) => ifname?.startsWith("vx") === true;
    const told = ours.map(({ header, attributes }) => ({
      ifname: names.get(header.index)?.ifname,
      mac: attributes.linkAddress,
      dst: attributes.destination,
      port: attributes.port,
      vni: attributes.vni,
      viaIf: attributes.interface === under0 ? "under0" : undefined,
      state: header.state & NUD.PERMANENT ? "permanent" : "",
      self: (header.flags & NTF.SELF) !== 0,
      ofBridge: attributes.master !== undefined,
    }));
    const theirs = shownEntries.map((shown: Shown) => ({
      ifname: shown.ifname,
      mac: shown.mac,
      dst: shown.dst,
      port: shown.port,
      vni: shown.vni,
      viaIf: shown.viaIf,
      state: shown.state,
      self: shown.flags.includes("self"),
      ofBridge: shown.master !== undefined,
    }));
    expect(told.filter(({ ifname }) => ofVxlan(ifname))).toEqual(
      theirs.filter(({ ifname }) => ofVxlan(ifname)),
    );
    expect(told.filter(({ ifname }) => ofVxlan(ifname)).length).toBeGreaterThan(6);
  });

  test("forwarding entries encode to the bytes they came from", () => {
    for (const message of neighbourMessages) {
      const { type, flags, header, attributes } = decodeNeighbour(message);
      expect(hex(encodeNeighbour(type, flags, header, attributes))).toBe(hex(anonymous(message)));
    }
  });

  test.each(vxlanMessages.map((message, position) => [position, message] as const))(
    "VXLAN interface %s as ip showed it, to the byte",
    (position, message) => {
      const { type, flags, header, attributes } = decodeLink(message);
      const data = attributes.linkinfo?.data as VxlanData;
      expect(data.unknown).toBeUndefined();
      const { info_data } = (shownVxlans[position] as Shown).linkinfo;
      expect({
        id: data.id,
        remote: data.group,
        group6: data.group6,
        local: data.local,
        local6: data.local6,
        port: data.port,
        port_range: data.portRange,
        ttl: data.ttl,
        learning: data.learning === 1,
        ageing: data.ageing,
        link: data.link === under0 ? "under0" : undefined,
      }).toEqual({
        id: info_data.id,
        remote: info_data.remote,
        group6: info_data.group6,
        local: info_data.local,
        local6: info_data.local6,
        port: info_data.port,
        port_range: info_data.port_range,
        ttl: info_data.ttl,
        learning: info_data.learning,
        ageing: info_data.ageing,
        link: info_data.link,
      });
      expect(hex(encodeLink(type, flags, header, attributes))).toBe(hex(anonymous(message)));
    },
  );
});

describe("VLANs in a dump of a kernel that has VLAN filtering", () => {
  const ports = vlanMessages.map(decodeBridgeLink);

  test("as bridge showed them", () => {
    const told = ports.map(({ attributes }) => ({
      ifname: attributes.ifname,
      vlans: (attributes.afSpec?.vlanInfo ?? []).map(({ flags, vid }) => [
        vid,
        ...(flags & VLAN_INFO.PVID ? ["PVID"] : []),
        ...(flags & VLAN_INFO.UNTAGGED ? ["Egress Untagged"] : []),
      ]),
    }));
    // biome-ignore lint/suspicious/noExplicitAny: the witness's JSON has no types
    const theirs = shownVlans.map(({ ifname, vlans }: any) => ({
      ifname,
      // biome-ignore lint/suspicious/noExplicitAny: as above
      vlans: vlans.flatMap(({ vlan, vlanEnd, flags = [] }: any) => [
        [vlan, ...flags],
        ...(vlanEnd === undefined ? [] : [[vlanEnd, ...flags]]),
      ]),
    }));
    // It shows no port without any.
    expect(told.filter(({ vlans }) => vlans.length > 0)).toEqual(theirs);
    expect(told.map(({ ifname }) => ifname)).toEqual(["br0", "vx1", "vx0"]);
  });

  test("nothing of it is unknown, and it encodes to what means the same", () => {
    for (const { type, flags, header, attributes, unknown } of ports) {
      expect(unknown).toEqual([]);
      const again = decodeBridgeLink(encodeBridgeLink(type, flags, header, attributes));
      expect(again).toMatchObject({ header, attributes });
    }
  });

  test("runs are cut at their two ends", () => {
    const { vlanInfo } = ports.at(-1)?.attributes.afSpec ?? {};
    expect(vlanInfo?.filter(({ vid }) => [30, 40].includes(vid))).toEqual([
      { flags: VLAN_INFO.RANGE_BEGIN, vid: 30 },
      { flags: VLAN_INFO.RANGE_END, vid: 40 },
    ]);
  });
});

test("a forwarding entry and VLANs are explained in words, and an offset leads to its attribute", () => {
  const message = appended(vx0, { linkAddress: flood, destination: "192.0.2.10" });
  expect(explain(message).split("\n")).toEqual([
    "RTM_NEWNEIGH REQUEST|ACK|CREATE|APPEND sequence 0 port 0",
    "  header family 7 index 5 state 192 flags 0x2 type 0",
    `  linkAddress ${flood}`,
    "  destination 192.0.2.10",
  ]);
  expect(attributeAt(message, 28)).toBe("linkAddress");
  const vlan = vlans(RTM.SETLINK, { flags: 2, vid: 10 });
  expect(explain(vlan).split("\n").slice(2)).toEqual(["  afSpec", "    vlanInfo flags 2 vid 10"]);
  expect(attributeAt(vlan, 36)).toBe("afSpec.vlanInfo");
});

/** Our encoder against what `ip` sent for the same request. */

import { describe, expect, test } from "vitest";
import { addressFamily, decodeAddress, encodeAddress, IFA_F } from "../../provider/netlink/address";
import type { Family } from "../../provider/netlink/family";
import { decodeLink, encodeLink, IFF, type LinkAttributes } from "../../provider/netlink/link";
import { NLM_F, RTM } from "../../provider/netlink/message";
import {
  decodeRoute,
  encodeRoute,
  type RouteAttributes,
  type RouteHeader,
  RT_SCOPE,
  RTN,
  RTNH_F,
  routeFamily,
} from "../../provider/netlink/route";
import { anonymous, requests } from "./fixtures";

/** ifindexes and descriptors as they were in the capture. */
const tap0 = 2;
const tap2 = 3;
const br0 = 5;
const descriptor = 4;

const write = NLM_F.REQUEST | NLM_F.ACK;
const create = write | NLM_F.CREATE | NLM_F.EXCL;
const dump = NLM_F.REQUEST | NLM_F.DUMP;
const [inet, inet6] = [2, 10];
/** `ip link show` asks for family 17 (AF_PACKET); the kernel has no dump of its own for it and gives all links. */
const packet = 17;

const lookup = (ifname: string) => encodeLink(RTM.GETLINK, NLM_F.REQUEST, {}, { extMask: 9, ifname });
const set = (attributes: Partial<LinkAttributes>) => [
  lookup("tap0"),
  encodeLink(RTM.NEWLINK, write, { index: tap0 }, attributes),
];
const setFlags = (flags: number, change: number) => [
  lookup("tap0"),
  encodeLink(RTM.NEWLINK, write, { index: tap0, flags, change }),
];
const address = (...parameters: Parameters<typeof encodeAddress>) => [
  lookup("tap0"),
  encodeAddress(...parameters),
];

/** In the main table, as of this package. */
const route = (header: Partial<RouteHeader>, attributes: Partial<RouteAttributes>, flags = create) =>
  encodeRoute(
    RTM.NEWROUTE,
    flags,
    { family: inet, table: 254, protocol: 116, type: RTN.UNICAST, ...header },
    attributes,
  );
const routeGone = (header: Partial<RouteHeader>, attributes: Partial<RouteAttributes>) =>
  encodeRoute(RTM.DELROUTE, write, { table: 254, protocol: 116, ...header }, attributes);

const expected: Record<string, Buffer[]> = {
  "ip link add name br0 type bridge stp_state 0 forward_delay 1500": [
    encodeLink(
      RTM.NEWLINK,
      create,
      {},
      { ifname: "br0", linkinfo: { kind: "bridge", data: { stpState: 0, forwardDelay: 1500 } } },
    ),
  ],
  "ip link add name veth0 type veth peer name veth1": [
    encodeLink(
      RTM.NEWLINK,
      create,
      {},
      { ifname: "veth0", linkinfo: { kind: "veth", data: { peer: { ifname: "veth1" } } } },
    ),
  ],
  "ip link add name veth2 mtu 1400 type veth peer name veth3 address 02:00:00:00:00:03 netns OTHER": [
    encodeLink(
      RTM.NEWLINK,
      create,
      {},
      {
        mtu: 1400,
        ifname: "veth2",
        linkinfo: {
          kind: "veth",
          data: {
            peer: { address: "02:00:00:00:00:03", netNsFd: descriptor, ifname: "veth3" },
          },
        },
      },
    ),
  ],
  "ip link set dev tap0 mtu 1400": set({ mtu: 1400 }),
  "ip link set dev tap0 txqueuelen 77": set({ txqlen: 77 }),
  "ip link set dev tap0 address 02:00:00:00:00:01": [
    lookup("tap0"),
    encodeLink(RTM.GETLINK, NLM_F.REQUEST, { index: tap0 }),
    encodeLink(RTM.NEWLINK, write, { index: tap0 }, { address: "02:00:00:00:00:01" }),
  ],
  'ip link set dev tap0 alias "a link"': set({ ifalias: "a link" }),
  'ip link set dev tap0 alias ""': set({ ifalias: "" }),
  "ip link set dev tap0 name tap1": set({ ifname: "tap1" }),
  "ip link set dev tap1 name tap0": [
    lookup("tap1"),
    encodeLink(RTM.NEWLINK, write, { index: tap0 }, { ifname: "tap0" }),
  ],
  "ip link set dev tap0 master br0": [lookup("br0"), ...set({ master: br0 })],
  "ip link set dev tap0 nomaster": set({ master: 0 }),
  "ip link set dev tap0 promisc on": setFlags(IFF.PROMISC, IFF.PROMISC),
  "ip link set dev tap0 promisc off": setFlags(0, IFF.PROMISC),
  "ip link set dev tap0 group 7": set({ group: 7 }),
  "ip link set dev tap0 up": setFlags(IFF.UP, IFF.UP),
  "ip link set dev tap0 down": setFlags(0, IFF.UP),
  "ip link property add dev tap0 altname first altname second": [
    lookup("tap0"),
    encodeLink(
      RTM.NEWLINKPROP,
      create | NLM_F.APPEND,
      { index: tap0 },
      { propList: { altIfname: ["first", "second"] } },
    ),
  ],
  "ip link property del dev tap0 altname first": [
    lookup("tap0"),
    encodeLink(RTM.DELLINKPROP, write, { index: tap0 }, { propList: { altIfname: ["first"] } }),
  ],
  "ip addr add 192.0.2.1/24 brd + dev tap0": address(
    RTM.NEWADDR,
    create,
    { family: inet, prefixLength: 24, index: tap0 },
    { local: "192.0.2.1", address: "192.0.2.1", broadcast: "192.0.2.255" },
  ),
  "ip addr add 192.0.2.10 peer 192.0.2.11/32 dev tap0": address(
    RTM.NEWADDR,
    create,
    { family: inet, prefixLength: 32, index: tap0 },
    { local: "192.0.2.10", address: "192.0.2.11" },
  ),
  "ip addr add 198.51.100.1/24 dev tap0 label tap0:x metric 300 noprefixroute": address(
    RTM.NEWADDR,
    create,
    { family: inet, prefixLength: 24, index: tap0 },
    {
      local: "198.51.100.1",
      label: "tap0:x",
      routePriority: 300,
      flags: IFA_F.NOPREFIXROUTE,
      address: "198.51.100.1",
    },
  ),
  "ip addr add 2001:db8::1/64 dev tap0 nodad": address(
    RTM.NEWADDR,
    create,
    { family: inet6, prefixLength: 64, index: tap0, flags: IFA_F.NODAD },
    { local: "2001:db8::1", address: "2001:DB8:0::1" },
  ),
  "ip addr add 2001:db8::2/64 dev tap0 valid_lft 600 preferred_lft 300": address(
    RTM.NEWADDR,
    create,
    { family: inet6, prefixLength: 64, index: tap0 },
    {
      local: "2001:db8::2",
      address: "2001:db8::2",
      cacheinfo: { preferred: 300, valid: 600, created: 0, updated: 0 },
    },
  ),
  "ip addr del 192.0.2.1/24 dev tap0": address(
    RTM.DELADDR,
    write,
    { family: inet, prefixLength: 24, index: tap0 },
    { local: "192.0.2.1", address: "192.0.2.1" },
  ),
  "ip route add 203.0.113.0/24 via 192.0.2.11 dev tap0 proto 116 metric 7": [
    lookup("tap0"),
    route(
      { destinationLength: 24 },
      { destination: "203.0.113.0", gateway: "192.0.2.11", priority: 7, outInterface: tap0 },
    ),
  ],
  "ip route replace 203.0.113.0/24 via 192.0.2.11 dev tap0 proto 116 metric 7 mtu 1300 src 192.0.2.10": [
    lookup("tap0"),
    route(
      { destinationLength: 24 },
      {
        destination: "203.0.113.0",
        gateway: "192.0.2.11",
        priority: 7,
        preferredSource: "192.0.2.10",
        outInterface: tap0,
        metrics: { mtu: 1300 },
      },
      write | NLM_F.CREATE | NLM_F.REPLACE,
    ),
  ],
  "ip route add default dev tap0 proto 116 table 1000": [
    lookup("tap0"),
    route({ table: 0, scope: RT_SCOPE.LINK }, { table: 1000, outInterface: tap0 }),
  ],
  "ip route add 10.9.0.0/16 via 172.16.0.1 dev tap0 onlink proto 116": [
    lookup("tap0"),
    route(
      { destinationLength: 16, flags: RTNH_F.ONLINK },
      { destination: "10.9.0.0", gateway: "172.16.0.1", outInterface: tap0 },
    ),
  ],
  "ip route add blackhole 10.8.0.0/16 proto 116": [
    route({ destinationLength: 16, type: RTN.BLACKHOLE }, { destination: "10.8.0.0" }),
  ],
  "ip route del 203.0.113.0/24 proto 116 metric 7": [
    routeGone(
      { family: inet, destinationLength: 24, scope: RT_SCOPE.NOWHERE },
      { destination: "203.0.113.0", priority: 7 },
    ),
  ],
  "ip -6 route add 2001:db8:1::/48 via 2001:db8::9 proto 116 metric 5 mtu 1300": [
    route(
      { family: inet6, destinationLength: 48 },
      { destination: "2001:db8:1::", gateway: "2001:db8::9", priority: 5, metrics: { mtu: 1300 } },
    ),
  ],
  "ip -6 route add default via fe80::9 dev tap0 proto 116": [
    lookup("tap0"),
    route({ family: inet6 }, { destination: "::", gateway: "fe80::9", outInterface: tap0 }),
  ],
  "ip -6 route add unreachable 2001:db8:2::/48 proto 116": [
    route({ family: inet6, destinationLength: 48, type: RTN.UNREACHABLE }, { destination: "2001:db8:2::" }),
  ],
  "ip -6 route del 2001:db8:1::/48 proto 116 metric 5": [
    routeGone({ family: inet6, destinationLength: 48 }, { destination: "2001:db8:1::", priority: 5 }),
  ],
  "ip route show": [
    encodeRoute(RTM.GETROUTE, dump, { family: inet }, { table: 254 }),
    encodeLink(RTM.GETLINK, NLM_F.REQUEST, { index: tap0 }, { extMask: 9 }),
  ],
  "ip link show": [encodeLink(RTM.GETLINK, dump, { family: packet }, { extMask: 1 })],
  "ip link show type tun": [
    encodeLink(RTM.GETLINK, dump, { family: packet }, { extMask: 1, linkinfo: { kind: "tun" } }),
  ],
  "ip addr show": [encodeLink(RTM.GETLINK, dump, {}, { extMask: 1 }), encodeAddress(RTM.GETADDR, dump, {})],
  "ip link set dev tap2 netns OTHER": [
    lookup("tap2"),
    encodeLink(RTM.NEWLINK, write, { index: tap2 }, { netNsFd: descriptor }),
  ],
  "ip link del dev tap0": [lookup("tap0"), encodeLink(RTM.DELLINK, write, { index: tap0 })],
  "ip link del group 9": [encodeLink(RTM.DELLINK, write, {}, { group: 9 })],
};

/** Message without what differs harmlessly: sequence, port, and the length, which a NUL more or less changes. */
function meaning(message: Buffer) {
  const type = message.readUInt16LE(4);
  const isOf = (family: Family) => family.types.includes(type);
  const decode = isOf(addressFamily) ? decodeAddress : isOf(routeFamily) ? decodeRoute : decodeLink;
  return { ...decode(message), sequence: 0, port: 0 };
}

const hex = (bytes: Buffer) => bytes.toString("hex");

describe("what ip sends", () => {
  test("every captured command has its counterpart here", () => {
    expect(Object.keys(expected).sort()).toEqual([...requests.keys()].sort());
  });

  test.each([...requests])("%s", (command, messages) => {
    const ours = expected[command] ?? [];
    expect(ours.map(meaning)).toStrictEqual(messages.map(meaning));
    // `ip` sends a kind without its NUL; all else is the same to the byte.
    if (!/ type /.test(command)) expect(ours.map(hex)).toEqual(messages.map(anonymous).map(hex));
  });
});

/** Our decoder against what `ip -j -d` showed of the same answers of a real kernel. */

import { describe, expect, test } from "vitest";
import { type AddressAttributes, decodeAddress, encodeAddress } from "../../provider/netlink/address";
import type { BridgeData, BridgePortData } from "../../provider/netlink/bridge";
import { eachAttribute } from "../../provider/netlink/decode";
import { attributesStart } from "../../provider/netlink/family";
import {
  decodeLink,
  encodeLink,
  IFF,
  type LinkAttributes,
  type LinkHeader,
  linkDecoder,
  linkFamily,
} from "../../provider/netlink/link";
import type { TunData } from "../../provider/netlink/tun";
import { addressMessages, anonymous, linkMessages, shown } from "./fixtures";

const links = linkMessages.map(decodeLink);
const addresses = addressMessages.map(decodeAddress);

// biome-ignore lint/suspicious/noExplicitAny: the witness's JSON has no types
type Shown = any;

const operstates = ["UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP"];

/** The flags as `ip` prints them; NO-CARRIER is its own conclusion. */
function flagNames(flags: number): string[] {
  const names = Object.entries(IFF).filter(([, bit]) => flags & bit);
  const rest = names.map(([name]) => name).filter((name) => name !== "RUNNING");
  return flags & IFF.UP && !(flags & IFF.RUNNING) ? ["NO-CARRIER", ...rest] : rest;
}

/** A decoded link in the words of `ip`. */
function inWordsOfIp(header: LinkHeader, attributes: LinkAttributes): Shown {
  const named = (index: number) => links.find((link) => link.header.index === index)?.attributes.ifname;
  const elsewhere = attributes.linkNetnsid !== undefined;
  return {
    ifindex: header.index,
    ifname: attributes.ifname,
    flags: flagNames(header.flags).sort(),
    mtu: attributes.mtu,
    qdisc: attributes.qdisc,
    operstate: operstates[attributes.operstate!],
    group: String(attributes.group),
    txqlen: attributes.txqlen,
    link_type: `[${header.type}]`,
    address: attributes.address,
    broadcast: attributes.broadcast,
    promiscuity: attributes.promiscuity,
    allmulti: attributes.allmulti,
    min_mtu: attributes.minMtu,
    max_mtu: attributes.maxMtu,
    num_tx_queues: attributes.numTxQueues,
    num_rx_queues: attributes.numRxQueues,
    gso_max_size: attributes.gsoMaxSize,
    gso_max_segs: attributes.gsoMaxSegs,
    tso_max_size: attributes.tsoMaxSize,
    tso_max_segs: attributes.tsoMaxSegs,
    gro_max_size: attributes.groMaxSize,
    master: attributes.master === undefined ? undefined : named(attributes.master),
    link: attributes.link === undefined || elsewhere ? undefined : named(attributes.link),
    link_index: elsewhere ? attributes.link : undefined,
    link_netnsid: attributes.linkNetnsid,
    ifalias: attributes.ifalias,
    altnames: attributes.propList?.altIfname,
    info_kind: attributes.linkinfo?.kind,
    info_slave_kind: attributes.linkinfo?.slaveKind,
  };
}

/** What of the witness's JSON is compared, with the same names. */
function fromIp({ linkinfo, flags, ...link }: Shown, names: string[]): Shown {
  const flat: Shown = { ...link, ...linkinfo, flags: [...flags].sort() };
  return Object.fromEntries(names.map((name) => [name, flat[name]]));
}

const byName = (name: string) => links.find((link) => link.attributes.ifname === name)!.attributes;
const shownByName = (name: string): Shown => shown.find((link) => link.ifname === name);

/**
 * The attributes of a link message as `number hex`. The kernel reports an alias with a NUL, but would take that NUL as
 * a part of it, so we send none.
 */
function parts(message: Buffer): string[] {
  const walked = eachAttribute(linkFamily.attributes, message, attributesStart(linkFamily), message.length);
  return [...walked].map(({ type, row, start, end }) => {
    const payload = message.toString("hex", start, end);
    return `${type} ${row?.name === "ifalias" ? payload.replace(/00$/, "") : payload}`;
  });
}

describe("links", () => {
  test("all kinds that the capture made are there", () => {
    const kinds = new Set(links.map((link) => link.attributes.linkinfo?.kind));
    expect([...kinds].sort()).toEqual(["bridge", "macvlan", "tun", "veth", "vxlan", undefined]);
    expect(links.length).toBe(shown.length);
  });

  test.each(links.map((link) => [link.attributes.ifname!, link] as const))(
    "%s",
    (name, { header, attributes }) => {
      const ours = inWordsOfIp(header, attributes);
      expect(ours).toEqual(fromIp(shownByName(name), Object.keys(ours)));
    },
  );

  test.each(linkMessages.map((message) => [decodeLink(message).attributes.ifname, message] as const))(
    "%s encodes to the bytes it came from, and nothing in it is unknown",
    (_, message) => {
      const { type, flags, header, attributes, unknown } = decodeLink(message);
      expect(unknown).toEqual([]);
      const again = encodeLink(type, flags, header, attributes);
      expect(parts(again)).toEqual(parts(message));
      if (attributes.ifalias === undefined) expect(again.equals(anonymous(message))).toBe(true);
    },
  );
});

test("a decoder of some attributes gives them as the whole one does, and nothing else", () => {
  const decode = linkDecoder(["mtu", "linkinfo", "propList"], ["cost", "guard"]);
  let ports = 0;
  for (const message of linkMessages) {
    const { attributes, ...rest } = decodeLink(message);
    const { mtu, linkinfo, propList } = attributes;
    const found = decode(message);
    if (linkinfo?.slaveKind === "bridge") {
      const { cost, guard } = linkinfo.slaveData as BridgePortData;
      linkinfo.slaveData = { cost, guard };
      ports += 1;
    }
    expect(found).toEqual({ ...rest, unknown: [], attributes: { mtu, linkinfo, propList } });
    expect(Object.keys(found.attributes)).not.toContain("ifname");
  }
  expect(linkMessages.length).toBeGreaterThan(3);
  expect(ports).toBeGreaterThan(0);
});

describe("data of kinds", () => {
  test.each(["tap0", "tap1", "tun0"])("tun: %s", (name) => {
    const data = byName(name).linkinfo!.data as TunData;
    const info = shownByName(name).linkinfo.info_data;
    expect({
      type: data.type === 2 ? "tap" : "tun",
      pi: data.pi === 1,
      vnet_hdr: data.vnetHdr === 1,
      multi_queue: data.multiQueue === 1,
      persist: data.persist === 1,
      user: data.owner,
      group: data.group,
      numqueues: data.numQueues,
      numdisabled: data.numDisabledQueues,
    }).toEqual({ user: undefined, group: undefined, numqueues: undefined, numdisabled: undefined, ...info });
  });

  test("bridge", () => {
    const data = byName("br0").linkinfo!.data as BridgeData;
    expect(shownByName("br0").linkinfo.info_data).toMatchObject({
      forward_delay: data.forwardDelay,
      hello_time: data.helloTime,
      max_age: data.maxAge,
      ageing_time: data.ageingTime,
      stp_state: data.stpState,
      priority: data.priority,
      vlan_filtering: data.vlanFiltering,
      bridge_id: id(data.bridgeId!),
      root_port: data.rootPort,
      gc_timer: Number(data.gcTimer) / 100,
      group_addr: data.groupAddress,
      mcast_snooping: data.mcastSnooping,
      mcast_router: data.mcastRouter,
      mcast_hash_max: data.mcastHashMax,
      mcast_querier_intvl: Number(data.mcastQuerierInterval),
      mcast_startup_query_intvl: Number(data.mcastStartupQueryInterval),
      mcast_igmp_version: data.mcastIgmpVersion,
      nf_call_iptables: data.nfCallIptables,
    });
  });

  test("bridge port", () => {
    const data = byName("tap0").linkinfo!.slaveData as BridgePortData;
    expect(shownByName("tap0").linkinfo.info_slave_data).toMatchObject({
      priority: data.priority,
      cost: data.cost,
      hairpin: data.mode === 1,
      guard: data.guard === 1,
      root_block: data.protect === 1,
      fastleave: data.fastLeave === 1,
      learning: data.learning === 1,
      flood: data.unicastFlood === 1,
      id: `0x${data.id!.toString(16)}`,
      no: `0x${data.number!.toString(16)}`,
      designated_port: data.designatedPort,
      bridge_id: id(data.bridgeId!),
      multicast_router: data.multicastRouter,
      mcast_flood: data.mcastFlood === 1,
      bcast_flood: data.bcastFlood === 1,
      mcast_to_unicast: data.mcastToUnicast === 1,
      neigh_suppress: data.neighSuppress === 1,
      isolated: data.isolated === 1,
      locked: data.locked === 1,
    });
  });

  test("kinds without a table keep their bytes", () => {
    expect(byName("macvlan0").linkinfo!.data).toBeInstanceOf(Buffer);
  });
});

/** struct ifla_bridge_id as `ip` prints it, without leading zeros. */
function id(bytes: Buffer): string {
  return `${bytes.toString("hex", 0, 2)}.${[...bytes.subarray(2)].map((byte) => byte.toString(16)).join(":")}`;
}

describe("addresses", () => {
  const families: Record<number, string> = { 2: "inet", 10: "inet6" };

  function inWordsOfIp(index: number): Shown[] {
    return addresses
      .filter(({ header }) => header.index === index)
      .map(({ header, attributes }) => ({
        family: families[header.family],
        local: attributes.local ?? attributes.address,
        address: peer(attributes),
        broadcast: attributes.broadcast,
        prefixlen: header.prefixLength,
        scope: String(header.scope),
        label: attributes.label,
        valid_life_time: attributes.cacheinfo?.valid,
        preferred_life_time: attributes.cacheinfo?.preferred,
      }));
  }

  /** `ip` shows the prefix's address only where it is another. */
  function peer({ address, local }: AddressAttributes): string | undefined {
    return local !== undefined && address !== local ? address : undefined;
  }

  test.each(shown.map((link: Shown) => [link.ifname as string, link] as const))("of %s", (_, link) => {
    const ours = inWordsOfIp(link.ifindex);
    const names = ["family", "local", "address", "broadcast", "prefixlen", "scope", "label"];
    const times = ["valid_life_time", "preferred_life_time"];
    const theirs = link.addr_info.map((entry: Shown) =>
      Object.fromEntries([...names, ...times].map((name) => [name, entry[name]])),
    );
    expect(ours).toEqual(theirs);
  });

  test("encode to the bytes they came from", () => {
    for (const message of addressMessages) {
      const { type, flags, header, attributes, unknown } = decodeAddress(message);
      expect(unknown).toEqual([]);
      expect(encodeAddress(type, flags, header, attributes).equals(anonymous(message))).toBe(true);
    }
  });
});

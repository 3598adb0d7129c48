/** The limits that are declared are those of the kernel: each beside what its headers, sources and man pages say. */

import { expect, test } from "vitest";
import { formats } from "../provider/formats";
import { kinds } from "../provider/kinds";
import { placesOf } from "./harness/inputs";

const u32 = 2 ** 32 - 1;

/** Where the kernel has the limit, what it is of, and the limit. */
const ranges: [source: string, of: RegExp, minimum: number, maximum: number][] = [
  ["ETH_MIN_MTU and ETH_MAX_MTU, linux/if_ether.h", /^(?!Route).* (ends\[0\]\.)?mtu$/, 68, 65535],
  ["ip_metrics_convert, net/ipv4/metrics.c: 65535 less 15", /^Route mtu$/, 68, 65520],
  ["(uid_t) -1 is none: credentials(7), TUNSETOWNER", /^Tun\w+ (owner|group)$/, -1, u32 - 1],
  ["MAX_TAP_QUEUES, drivers/net/tun.c", /^Tun\w+ queues$/, 1, 256],
  ["path_cost of `ip link … type bridge_slave`, ip-link(8)", / (ends\[0\]\.)?port\.cost$/, 1, 65535],
  ["priority of `ip link … type bridge_slave`, ip-link(8)", / (ends\[0\]\.)?port\.priority$/, 0, 63],
  ["12 bits of which 0 and 4095 are reserved, IEEE 802.1Q", / (ends\[0\]\.)?port\.vlans\[0\]\.id$/, 1, 4094],
  ["the same, and 0 for none, ip-link(8)", /^Bridge vlanDefaultPvid$/, 0, 4094],
  ["16 bits, ip-link(8)", /^Bridge priority$/, 0, 65535],
  ["16 bits, ip-link(8)", /^Bridge groupForwardMask$/, 0, 65535],
  ["BR_MAX_FORWARD_DELAY, net/bridge/br_private_stp.h", /^Bridge forwardDelay$/, 0, 30],
  ["BR_MIN_HELLO_TIME and BR_MAX_HELLO_TIME", /^Bridge helloTime$/, 1, 10],
  ["BR_MIN_MAX_AGE and BR_MAX_MAX_AGE", /^Bridge maxAge$/, 6, 40],
  ["IFLA_BR_AGEING_TIME: 32 bits of hundredths", /^Bridge ageingTime$/, 0, Math.floor(u32 / 100)],
  ["VXLAN_N_VID, net/vxlan.h: 24 bits", /^Vxlan vni$/, 0, 2 ** 24 - 1],
  ["ports of UDP and TCP", /^(Vxlan destinationPort|Nat forwards\[0\]\.(port|toPort))$/, 1, 65535],
  ["TTL of IPv4: 8 bits", /^Vxlan ttl$/, 0, 255],
  ["IFLA_VXLAN_AGEING: 32 bits of seconds", /^Vxlan ageingTime$/, 1, u32],
  ["RTA_PRIORITY: 32 bits", /^Route metric$/, 0, u32],
  ["RTA_TABLE: 32 bits, and RT_TABLE_UNSPEC is 0", /^Route table$/, 1, u32],
];

/** What is limited by this project alone, or by how much memory the kernel gets. */
const own = /^(TunPool count|TunPool addressPlan\.first|Tun\w+ (txQueueLength|busyTimeoutSeconds))$/;

const limited = Object.values(kinds).flatMap((kind) =>
  placesOf(kind)
    .filter(({ schema }) => schema.minimum !== undefined || schema.maximum !== undefined)
    .map(({ path, schema }) => ({ name: `${kind.name} ${path}`, schema })),
);

test.each(ranges)("%s: %s", (_source, of, minimum, maximum) => {
  const found = limited.filter(({ name }) => of.test(name));
  expect(found).not.toEqual([]);
  for (const { name, schema } of found)
    expect({ name, minimum: schema.minimum, maximum: schema.maximum }).toEqual({ name, minimum, maximum });
});

test("every range is among them, or is this project's own", () => {
  const known = [own, ...ranges.map(([, of]) => of)];
  expect(limited.filter(({ name }) => known.filter((of) => of.test(name)).length !== 1)).toEqual([]);
});

/** How many bytes a text of a format may have. */
test.each<[source: string, format: string, bytes: number]>([
  ["IFNAMSIZ - 1, linux/if.h", "link-name", 15],
  ["IFALIASZ - 1, linux/if.h", "alias", 255],
  ["NAME_MAX, linux/limits.h", "namespace-name", 255],
  ["NFT_NAME_MAXLEN - 1, linux/netfilter/nf_tables.h", "table-name", 255],
  ["MODULE_NAME_LEN - 1, linux/module.h, on 64 bits", "module-name", 55],
])("%s: %s of %i bytes", (_source, format, bytes) => {
  expect(formats[format]?.("n".repeat(bytes))).toBeUndefined();
  expect(formats[format]?.("n".repeat(bytes + 1))).toContain(String(bytes));
});

/** What a bridge's settings are written as, also those that this machine's kernel does not have. */

import { describe, expect, test } from "vitest";
import { differences } from "../../provider/differences";
import type { Host } from "../../provider/host/host";
import { kinds } from "../../provider/kinds";
import type { Inputs, Kind, Target } from "../../provider/kinds/kind";
import { decodeLink } from "../../provider/netlink/link";

const bridge = kinds.Bridge as Kind;
const target = { lease: "", namespace: undefined, name: "br0" } as Target;

/** IFLA_INFO_DATA of each message that makes a bridge of those attributes as declared. */
async function written(attributes: Record<string, number>, declared: Inputs): Promise<unknown[]> {
  const desired = await bridge.desire({ name: "br0", ...declared }, {} as Host);
  const observed = { ifindex: 7, addresses: [], link: { name: "br0", up: true, bridge: attributes } };
  const messages = differences(bridge, target, desired, observed).flatMap(
    (difference) => difference.property.messages?.(difference) ?? [],
  );
  return messages.map(({ bytes }) => {
    const { header, attributes } = decodeLink(bytes);
    expect(header.index).toBe(7);
    expect(attributes.linkinfo?.kind).toBe("bridge");
    return attributes.linkinfo?.data;
  });
}

describe("VLANs", () => {
  test("filtering is one attribute", async () => {
    expect(await written({ vlanFiltering: 0 }, { vlanFiltering: true })).toEqual([{ vlanFiltering: 1 }]);
    expect(await written({ vlanFiltering: 1 }, { vlanFiltering: true })).toEqual([]);
  });

  test("the default VLAN is written while nothing is filtered", async () => {
    const both = { vlanFiltering: true, vlanDefaultPvid: 5 };
    expect(await written({ vlanFiltering: 0, vlanDefaultPvid: 1 }, both)).toEqual([
      { vlanDefaultPvid: 5 },
      { vlanFiltering: 1 },
    ]);
    expect(await written({ vlanFiltering: 1, vlanDefaultPvid: 1 }, both)).toEqual([
      { vlanFiltering: 0 },
      { vlanDefaultPvid: 5 },
      { vlanFiltering: 1 },
    ]);
    expect(await written({ vlanFiltering: 1, vlanDefaultPvid: 1 }, { vlanDefaultPvid: 0 })).toEqual([
      { vlanFiltering: 0 },
      { vlanDefaultPvid: 0 },
      { vlanFiltering: 1 },
    ]);
  });

  test("a kernel that does not show the default VLAN does not have it", async () => {
    await expect(written({ vlanFiltering: 0 }, { vlanDefaultPvid: 5 })).rejects.toMatchObject({
      code: "NOT_SUPPORTED",
      property: "vlanDefaultPvid",
    });
  });
});

test("times are hundredths of a second, without the errors of binary fractions", async () => {
  for (const [seconds, hundredths] of [
    [0.1, 10],
    [0.3, 30],
    [1.1, 110],
    [29.9, 2990],
  ] as const) {
    expect(await written({ forwardDelay: 0 }, { forwardDelay: seconds })).toEqual([
      { forwardDelay: hundredths },
    ]);
    expect(await written({ forwardDelay: hundredths }, { forwardDelay: seconds })).toEqual([]);
  }
});

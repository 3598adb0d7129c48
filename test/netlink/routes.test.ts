/** Our decoder against what `ip -N -j -d route show table all` showed of the same answers of a real kernel. */

import { describe, expect, test } from "vitest";
import { attributeAt, explain } from "../../provider/netlink/explain";
import { NLM_F, RTM } from "../../provider/netlink/message";
import { decodeRoute, encodeRoute, RTN, RTNH_F, routeDecoder } from "../../provider/netlink/route";
import { anonymous, routeMessages, shownRoutes } from "./fixtures";

const routes = routeMessages.map(decodeRoute);

/** A decoded route in the words of `ip`. */
function words({ header, attributes }: (typeof routes)[number]) {
  const { destination, gateway, priority, preferredSource, metrics, table, outInterface } = attributes;
  const whole = header.family === 2 ? 32 : 128;
  const length = header.destinationLength === whole ? "" : `/${header.destinationLength}`;
  return {
    type: String(header.type),
    dst: destination === undefined ? "default" : `${destination}${length}`,
    gateway,
    hasInterface: outInterface !== undefined,
    table: String(table),
    protocol: String(header.protocol),
    scope: String(header.scope),
    metric: priority,
    prefsrc: preferredSource,
    onlink: (header.flags & RTNH_F.ONLINK) !== 0,
    mtu: metrics?.mtu,
    advmss: metrics?.advmss,
    severalHops: attributes.multipath !== undefined,
  };
}

describe("what the kernel answers", () => {
  test("every route that ip showed, as ip showed it", () => {
    expect(routes.length).toBe(shownRoutes.length);
    expect(routes.map(words)).toEqual(
      // biome-ignore lint/suspicious/noExplicitAny: the witness's JSON has no types
      shownRoutes.map((shown: any) => ({
        type: shown.type,
        dst: shown.dst,
        gateway: shown.gateway,
        hasInterface: shown.dev !== undefined,
        table: shown.table,
        protocol: shown.protocol,
        scope: shown.scope,
        metric: shown.metric,
        prefsrc: shown.prefsrc,
        onlink: shown.flags.includes("onlink"),
        mtu: shown.metrics?.[0].mtu,
        advmss: shown.metrics?.[0].advmss,
        severalHops: shown.nexthops !== undefined,
      })),
    );
  });

  test("nothing of it is unknown, and it encodes to what means the same", () => {
    for (const [index, { type, flags, header, attributes, unknown }] of routes.entries()) {
      expect(unknown).toEqual([]);
      const again = encodeRoute(type, flags, header, attributes);
      expect(decodeRoute(again)).toMatchObject({ header, attributes });
      expect(again.length).toBe(anonymous(routeMessages[index]!).length);
    }
  });

  test("a partial decoder gives the same of what it reads", () => {
    const partial = routeDecoder("destination", "metrics");
    for (const [index, message] of routeMessages.entries()) {
      const { destination, metrics } = routes[index]!.attributes;
      expect(partial(message).attributes).toEqual({
        ...(destination && { destination }),
        ...(metrics && { metrics }),
      });
    }
  });
});

test("a route is explained in words, and an offset leads to its attribute", () => {
  const message = encodeRoute(
    RTM.NEWROUTE,
    NLM_F.REQUEST | NLM_F.CREATE,
    { family: 2, type: RTN.UNICAST },
    { gateway: "192.0.2.9", metrics: { mtu: 1300 } },
  );
  expect(explain(message).split("\n")).toEqual([
    "RTM_NEWROUTE REQUEST|CREATE sequence 0 port 0",
    expect.stringMatching(/^ {2}header family 2 .*type 1 flags 0x0$/),
    "  gateway 192.0.2.9",
    "  metrics",
    "    mtu 1300",
  ]);
  expect(attributeAt(message, 28)).toBe("gateway");
  expect(attributeAt(message, 40)).toBe("metrics.mtu");
});

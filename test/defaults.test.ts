import { expect, test } from "vitest";
import { withDefaults, withoutDefaults } from "../provider/defaults";
import { check } from "../provider/dynamic";
import { kinds } from "../provider/kinds";
import type { AnyKind } from "../provider/kinds/kind";

const kind = kinds.TunInterface as AnyKind;
const none = new Set<string>();
const whole = { name: "tap0", mode: "tap", up: true, adopt: false, mtu: 1400 };
const spare = { name: "tap0", mtu: 1400 };

test("what nobody has said is left out, and is there again", () => {
  expect(withoutDefaults(kind, whole, {}, {})).toEqual(spare);
  expect(withDefaults(kind, spare, none)).toMatchObject({ ...whole, persistence: "runtime", onBusy: "fail" });
  expect(withDefaults(kind, { ...spare, mode: "tun", up: false }, none)).toMatchObject({
    mode: "tun",
    up: false,
  });
});

test("what the program says stays, and what the record says otherwise", () => {
  expect(withoutDefaults(kind, whole, { mode: "tap" }, {})).toEqual({ ...spare, mode: "tap" });
  expect(withoutDefaults(kind, whole, {}, { up: false, mode: "tap" })).toEqual({ ...spare, up: true });
});

test("what is not known yet gets no default", () => {
  expect(withDefaults(kind, spare, new Set(["mode"]))).not.toHaveProperty("mode");
});

test("a check gives back no more than what was said, and the name", async () => {
  const __tuntap = JSON.stringify({
    urn: "urn:pulumi:dev::lab::pulumi-nodejs:dynamic/tuntap:TunInterface::spare0",
  });
  const { inputs, failures } = await check("TunInterface", {}, { mtu: 1400, mode: "tap", __tuntap });
  expect(failures).toEqual([]);
  expect(inputs).toEqual({ mtu: 1400, mode: "tap", name: "spare0", __tuntap });
});

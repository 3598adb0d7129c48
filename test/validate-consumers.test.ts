/** What is declared of whom an interface is for, against what that program opens. */

import { describe, expect, test } from "vitest";
import { kinds } from "../provider/kinds";
import type { Inputs, Kind } from "../provider/kinds/kind";
import { validate } from "../provider/validate";

const tun = kinds.TunInterface as Kind;
const messages = (inputs: Inputs, unknown: string[] = []) =>
  validate(tun, { name: "tap0", owner: 0, ...inputs }, new Set(unknown)).problems.map(
    ({ message }) => message,
  );
const warnings = (inputs: Inputs) =>
  (tun.warnings?.({ name: "tap0", owner: 0, ...inputs }) ?? []).map(({ message }) => message);

const several = ["qemu", "libvirt", "cloud-hypervisor"] as const;

test.each<[string, Inputs, RegExp]>([
  ["queues -1", { queues: -1 }, /^queues -1 is below the limit; give a number from 1 to 256$/],
  ["queues 0", { queues: 0 }, /^queues 0 is below the limit; give a number from 1 to 256$/],
  [
    "queues 257",
    { queues: 257, multiQueue: true },
    /^queues 257 is above the limit; give a number from 1 to 256$/,
  ],
  ["queues 1.5", { queues: 1.5 }, /^queues 1\.5 is no whole number; give a whole number from 1 to 256/],
  ["queues as text", { queues: "2" }, /^queues "2" is a string; give a whole number from 1 to 256, without/],
  ["another consumer", { consumer: "bhyve" }, /^consumer "bhyve" is not one of "qemu", "libvirt", "fire/],
  ["a MAC address of letters", { guestMacAddress: "guest" }, /^guestMacAddress "guest" is no MAC address/],
  [
    "a multicast MAC address",
    { guestMacAddress: "53:54:00:00:00:01" },
    /^guestMacAddress "53:54:00:00:00:01" is a multicast address/,
  ],
  [
    "no MAC address at all",
    { guestMacAddress: "00:00:00:00:00:00" },
    /^guestMacAddress "00:00:00:00:00:00" is all zeros/,
  ],
])("refused: %s", (_, inputs, expected) => {
  expect(messages({ consumer: "qemu", ...inputs })).toEqual([expect.stringMatching(expected)]);
});

describe.each(several)("%s", (consumer) => {
  test("one queue of an interface with one, and any number of one with several", () => {
    expect(messages({ consumer })).toEqual([]);
    expect(messages({ consumer, queues: 1, multiQueue: false })).toEqual([]);
    for (const queues of [2, 256]) expect(messages({ consumer, queues, multiQueue: true })).toEqual([]);
  });

  test("all queues but that of the process that keeps the interface", () => {
    const kept = { consumer, multiQueue: true, persistence: "process" };
    expect(messages({ ...kept, queues: 255 })).toEqual([]);
    expect(messages({ ...kept, queues: 256 })).toEqual([
      expect.stringMatching(
        /^queues 256: the kernel has 256 .* with `persistence` "process" one .* at most 255$/,
      ),
    ]);
    expect(messages({ ...kept, queues: 256 }, ["persistence"])).toEqual([]);
  });

  test("several queues of an interface with one: what it opens, what is there, and what to do", () => {
    const expected = new RegExp(
      `^queues 4: \`consumer\` "${consumer}" opens each of them with IFF_MULTI_QUEUE, and the interface has a single queue \\(\`multiQueue\` is not true\\), so it would .*; set multiQueue to true, or take queues out$`,
    );
    expect(messages({ consumer, queues: 4 })).toEqual([expect.stringMatching(expected)]);
    expect(messages({ consumer, queues: 4 }, ["multiQueue"])).toEqual([]);
  });

  test("one queue of an interface with several", () => {
    const expected = new RegExp(
      `^multiQueue true: \`consumer\` "${consumer}" opens one queue, without IFF_MULTI_QUEUE, and the interface has several, so it would .*; take multiQueue out, or say how many it opens \\(\`queues\`, 2 or more\\)$`,
    );
    expect(messages({ consumer, multiQueue: true })).toEqual([expect.stringMatching(expected)]);
    expect(messages({ consumer, multiQueue: true, queues: 1 })).toEqual([expect.stringMatching(expected)]);
    expect(messages({ consumer, multiQueue: true }, ["queues"])).toEqual([]);
  });
});

test("firecracker never opens several queues", () => {
  const consumer = "firecracker";
  expect(messages({ consumer })).toEqual([]);
  expect(messages({ consumer, queues: 1 })).toEqual([]);
  const more =
    /^queues 2 is more than `consumer` "firecracker" opens: Firecracker attaches once, never with IFF_MULTI_QUEUE; take queues out$/;
  expect(messages({ consumer, queues: 2 })).toEqual([expect.stringMatching(more)]);
  expect(messages({ consumer, queues: 2, multiQueue: true })).toEqual([expect.stringMatching(more)]);
  const mismatch =
    /^multiQueue true: `consumer` "firecracker" opens one queue, .* so it would get "Invalid argument" \(EINVAL\); take multiQueue out$/;
  expect(messages({ consumer, multiQueue: true })).toEqual([expect.stringMatching(mismatch)]);
  // However many queues it turns out to be, they are too many.
  expect(messages({ consumer, multiQueue: true }, ["queues"])).toHaveLength(1);
  const kept = /take multiQueue and persistence "process" out$/;
  expect(messages({ consumer, multiQueue: true, persistence: "process" })).toEqual([
    expect.stringMatching(kept),
  ]);
});

test.each([...several, "firecracker"])("%s opens no TUN", (consumer) => {
  const expected = new RegExp(
    `^consumer "${consumer}" opens a TAP \\(IFF_TAP\\), and \`mode\` is "tun".*use mode "tap", or take consumer out$`,
  );
  expect(messages({ consumer, mode: "tun" })).toEqual([expect.stringMatching(expected)]);
  expect(messages({ consumer, mode: "tun" }, ["mode"])).toEqual([]);
  expect(messages({ consumer: consumer, mode: "tun" }, ["consumer"])).toEqual([]);
});

test("the guest's MAC address is not the interface's own, however it is written", () => {
  const macAddress = "52:54:00:AB:CD:EF";
  const same =
    /^guestMacAddress "52-54-00-ab-cd-ef" is the interface's own `macAddress` too: .*choose another/;
  const guestMacAddress = "52-54-00-ab-cd-ef";
  expect(messages({ consumer: "qemu", macAddress, guestMacAddress })).toEqual([expect.stringMatching(same)]);
  expect(messages({ consumer: "qemu", macAddress, guestMacAddress }, ["macAddress"])).toEqual([]);
  expect(messages({ consumer: "qemu", macAddress, guestMacAddress: "52:54:00:ab:cd:ee" })).toEqual([]);
});

describe("warnings", () => {
  test("none of what is sound", () => {
    for (const consumer of [...several, "firecracker"]) expect(warnings({ consumer, up: true })).toEqual([]);
    expect(warnings({})).toEqual([]);
  });

  test("what has no effect without a consumer", () => {
    expect(warnings({ queues: 2, guestMacAddress: "52:54:00:00:00:01" })).toEqual([
      expect.stringMatching(/^queues 2 has no effect without `consumer`; say which program attaches/),
      expect.stringMatching(/^guestMacAddress "52:54:00:00:00:01" has no effect without `consumer`/),
    ]);
  });

  test("an interface that is down", () => {
    expect(warnings({ consumer: "qemu", up: false })).toEqual([
      "up is false: QEMU does not set it up, so no frame passes; take `up` out",
    ]);
    expect(warnings({ consumer: "cloud-hypervisor", up: false })).toEqual([
      expect.stringMatching(/^up is false: .* sets it up itself, which fails without CAP_NET_ADMIN; take/),
    ]);
  });

  test("names that libvirt takes for its own, or not at all", () => {
    for (const name of ["vnet0", "vif1", "macvtap0", "macvlan7"]) {
      expect(warnings({ consumer: "libvirt", name })).toEqual([
        expect.stringMatching(/^name ".*" begins with ".*", as the names that libvirt gives itself/),
      ]);
      expect(warnings({ consumer: "qemu", name })).toEqual([]);
    }
    expect(warnings({ consumer: "libvirt", name: "vm,0" })).toEqual([
      expect.stringMatching(/^name "vm,0" has characters that libvirt's schema has not/),
    ]);
    expect(warnings({ consumer: "libvirt", name: "my-vnet_0.1" })).toEqual([]);
  });

  test("both an owner and a group", () => {
    expect(warnings({ owner: 1000, group: 36 })).toEqual([
      expect.stringMatching(/^both `owner` and `group` are set, and a process needs both/),
    ]);
    expect(warnings({ owner: 1000, group: -1 })).toEqual([]);
    expect(warnings({ owner: -1, group: 36 })).toEqual([]);
  });
});

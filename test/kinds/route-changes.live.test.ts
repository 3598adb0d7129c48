/** What becomes of a route when what it depends on is another one. */

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Lab } from "../harness/lab";
import { Program } from "../harness/program";

const kind = "Route";
let lab: Lab;
let program: Program;

async function makeTap(): Promise<void> {
  await lab.ip("tuntap", "add", "dev", "tap0", "mode", "tap");
  await lab.ip("addr", "add", "192.0.2.1/24", "dev", "tap0");
  await lab.ip("addr", "add", "2001:db8::1/64", "dev", "tap0", "nodad");
  await lab.ip("link", "set", "tap0", "up");
}

beforeEach(async () => {
  lab = await Lab.open();
  program = new Program();
  await makeTap();
});
afterEach(() => lab.close());

/** The only one of our protocol, in ip's words. */
async function only(): Promise<string> {
  const both = await Promise.all(
    ["-4", "-6"].map((family) => lab.ip(family, "route", "show", "proto", "116")),
  );
  return both
    .join("")
    .replace(/ linkdown| pref medium/g, "")
    .replace(/\s+/g, " ")
    .trim();
}

const over = () => ({ interface: "tap0", namespace: lab.name });

describe("another family", () => {
  const four = () => ({ ...over(), destination: "203.0.113.0/24", source: "192.0.2.1", mtu: 1000 });
  const six = () => ({ ...over(), destination: "2001:db8:9::/48", source: "2001:db8::1", mtu: 1300 });

  test.each([
    ["IPv4 to IPv6", four, "2001:db8:9::/48", "2001:db8:9::/48 dev tap0 metric 1024"],
    ["IPv6 to IPv4", six, "203.0.113.0/24", "203.0.113.0/24 dev tap0 scope link"],
  ])(
    "%s: what was of the other one does not stay, and nobody is blamed",
    async (_, before, destination, shown) => {
      await program.declare(kind, "one", before());
      const { operation, notices } = await program.newRun().declare(kind, "one", { ...over(), destination });
      expect(operation).toBe("update");
      expect(notices.join("\n")).not.toMatch(/changed outside this program/);
      expect(await only()).toBe(shown);
      expect((await program.newRun().declare(kind, "one", { ...over(), destination })).operation).toBe(
        "same",
      );
    },
  );

  test("default by a gateway of IPv6, and then by one of IPv4", async () => {
    const by = (gateway: string) => ({ ...over(), destination: "default", gateway });
    await program.declare(kind, "one", by("fe80::9"));
    const { notices } = await program.declare(kind, "one", by("192.0.2.9"));
    expect(notices).toEqual([]);
    expect(await only()).toBe("default via 192.0.2.9 dev tap0");
  });
});

test("an interface that has no IPv6 is named, with the sysctl that gives it", async () => {
  await lab.exec("sysctl", "-q", "-w", "net.ipv6.conf.tap0.disable_ipv6=1");
  const refused = {
    code: "ROUTE_REFUSED",
    property: "interface",
    message: expect.stringMatching(/IPv6 is switched off on tap0.*net\.ipv6\.conf\.NAME\.disable_ipv6/),
  };
  for (const gateway of [undefined, "fe80::9"]) {
    const inputs = { ...over(), destination: "2001:db8:9::/48", gateway };
    await expect(program.declare(kind, "one", inputs)).rejects.toMatchObject(refused);
  }
});

test("an interface that was made anew took it away, not somebody else", async () => {
  const inputs = { ...over(), destination: "203.0.113.0/24" };
  await program.declare(kind, "one", inputs);
  await lab.ip("link", "del", "tap0");
  await makeTap();
  const { notices } = await program.newRun().declare(kind, "one", inputs);
  expect(notices.join("\n")).toMatch(
    /^203\.0\.113\.0\/24 in namespace \S+ no longer exists \(its interface tap0 was made anew, which takes routes away\)/,
  );
  await lab.ip("route", "del", "203.0.113.0/24");
  expect((await program.newRun().declare(kind, "one", inputs)).notices.join("\n")).toMatch(
    /no longer exists \(it was deleted outside this program\)/,
  );
});

test("another logical name in a run that fails before the old resource goes: in the next run it stays, too", async () => {
  const inputs = { ...over(), destination: "203.0.113.0/24" };
  await program.declare(kind, "old", inputs);
  await program.newRun().declare(kind, "new", inputs);
  const next = program.newRun();
  expect((await next.declare(kind, "new", inputs)).operation).toBe("same");
  await next.remove("old");
  expect(await only()).toBe("203.0.113.0/24 dev tap0 scope link");
  await next.newRun().remove("new");
  expect(await only()).toBe("");
});

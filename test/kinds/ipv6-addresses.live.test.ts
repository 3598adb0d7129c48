/** IPv6 addresses: an interface has each once, whatever its prefix length, so one with another length is in the way. */

import { expect, test } from "vitest";
import { lab, program, useTunLab } from "./tun-lab";

useTunLab();

const addresses = ["192.0.2.1/24", "2001:db8::1/64", "2001:db8:1::1/64"];

/** How another hand gives an address another prefix length. */
async function shorten(device: string) {
  await lab.ip("addr", "del", "2001:db8::1/64", "dev", device);
  await lab.ip("addr", "add", "2001:db8::1/128", "dev", device);
}

test.each<[string, string, () => Record<string, unknown>]>([
  ["TunInterface", "dev0", () => ({ name: "dev0", owner: "nobody", addresses, namespace: lab.name })],
  ["Bridge", "dev0", () => ({ name: "dev0", addresses, namespace: lab.name })],
  [
    "VethPair",
    "dev1",
    () => ({ ends: ["dev0", "dev1"].map((name) => ({ name, addresses, namespace: lab.name })) }),
  ],
  ["TunPool", "dev1", () => ({ count: 2, namePattern: "dev%d", owner: 0, addresses, namespace: lab.name })],
])("on a %s it is drift, shown with both lengths, and set back", async (kind, device, inputs) => {
  await program.declare(kind, "it", inputs());
  await shorten(device);
  const plan = await program.newRun().plan(kind, "it", inputs());
  expect(plan.notices.map(({ message }) => message).join()).toMatch(
    /addresses: .*2001:db8::1\/128.* on the host, .*2001:db8::1\/64/,
  );
  expect((await program.declare(kind, "it", inputs())).operation).toBe("update");
  expect(await lab.addresses(device)).toEqual([...addresses].sort());
  expect((await program.newRun().declare(kind, "it", inputs())).operation).toBe("same");
});

test("a refresh shows the length that it has", async () => {
  const inputs = { owner: "nobody", addresses, namespace: lab.name };
  await program.declare("TunInterface", "dev0", inputs);
  await shorten("dev0");
  const refreshed = await program.refresh("dev0");
  expect(refreshed?.outputs.addresses).toEqual(["192.0.2.1/24", "2001:db8:1::1/64", "2001:db8::1/128"]);
  expect((await program.declare("TunInterface", "dev0", inputs)).operation).toBe("update");
  expect(await lab.addresses("dev0")).toEqual([...addresses].sort());
});

test("what is taken over gets the declared length", async () => {
  await lab.ip("link", "add", "dev0", "type", "bridge");
  await lab.ip("link", "set", "dev0", "up");
  await lab.ip("addr", "add", "2001:db8::1/128", "dev", "dev0");
  await program.declare("Bridge", "dev0", { addresses, adopt: true, namespace: lab.name });
  expect(await lab.addresses("dev0")).toEqual([...addresses].sort());
});

test("one that is no longer declared is left where others gave it another length", async () => {
  const inputs = { owner: "nobody", addresses, namespace: lab.name };
  await program.declare("TunInterface", "dev0", inputs);
  await shorten("dev0");
  await program.declare("TunInterface", "dev0", { ...inputs, addresses: addresses.slice(0, 1) });
  expect(await lab.addresses("dev0")).toEqual(["192.0.2.1/24", "2001:db8::1/128"]);
});

test("the length is changed by the program", async () => {
  const inputs = { owner: "nobody", namespace: lab.name };
  await program.declare("TunInterface", "dev0", { ...inputs, addresses: ["2001:db8::1/64"] });
  await program.declare("TunInterface", "dev0", { ...inputs, addresses: ["2001:db8::1/128"] });
  expect(await lab.addresses("dev0")).toEqual(["2001:db8::1/128"]);
});

test("one that ends as an IPv4 address is the one that ip makes of it", async () => {
  const inputs = {
    owner: "nobody",
    addresses: ["::192.0.2.5/128", "::ffff:192.0.2.5/128"],
    namespace: lab.name,
  };
  await program.declare("TunInterface", "dev0", inputs);
  await lab.ip("addr", "del", "::192.0.2.5/128", "dev", "dev0");
  await lab.ip("addr", "del", "::ffff:192.0.2.5/128", "dev", "dev0");
  expect(await lab.addresses("dev0")).toEqual([]);
  for (const address of inputs.addresses) await lab.ip("addr", "add", address, "dev", "dev0");
  expect((await program.newRun().declare("TunInterface", "dev0", inputs)).operation).toBe("same");
});

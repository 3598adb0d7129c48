/** Interfaces of others on which the reach of the host depends: not put on a bridge, nor taken off one, unasked. */

import { describe, expect, test } from "vitest";
import { kind, master, port, useNicLab } from "./nic-lab";
import { lab, program, said } from "./tun-lab";

useNicLab();

describe("a lockout", () => {
  const route = (...words: string[]) => lab.ip("route", "add", ...words);
  const addresses = async (device: string) => {
    await lab.ip("addr", "add", "192.0.2.9/24", "dev", device);
    await lab.ip("addr", "add", "2001:db8::9/64", "dev", device, "nodad");
  };
  const ways: [string, () => Promise<unknown>, RegExp][] = [
    [
      "the default route of IPv4",
      () => route("default", "via", "192.0.2.1"),
      /default route default via 192\.0\.2\.1 dev nic0/,
    ],
    [
      "one without a gateway, of any metric",
      () => route("default", "dev", "nic0", "metric", "5000"),
      /default dev nic0 metric 5000/,
    ],
    [
      "the default route of IPv6",
      () => lab.ip("-6", "route", "add", "default", "via", "2001:db8::1"),
      /route ::\/0 via 2001:db8::1 dev nic0/,
    ],
    [
      "that of IPv4 in two halves",
      async () => {
        await route("0.0.0.0/1", "via", "192.0.2.1");
        await route("128.0.0.0/1", "via", "192.0.2.1");
      },
      /on the way of the default route 0\.0\.0\.0\/1 via 192\.0\.2\.1 dev nic0/,
    ],
    [
      "that of IPv6 in two halves, one of them elsewhere",
      async () => {
        await lab.ip("link", "set", "br1", "up");
        await lab.ip("-6", "route", "add", "::/1", "dev", "br1");
        await lab.ip("-6", "route", "add", "8000::/1", "via", "2001:db8::1");
      },
      /on the way of the default route 8000::\/1 via 2001:db8::1 dev nic0/,
    ],
    [
      "one of several next hops",
      () => route("default", "nexthop", "via", "192.0.2.1", "nexthop", "via", "192.0.2.2"),
      /it may be on the way of the default route default via several next hops/,
    ],
  ];

  test.each(ways)(
    "by %s is refused before anything is changed, in a plan and at once",
    async (_, prepare, why) => {
      await addresses("nic0");
      await prepare();
      const before = await lab.snapshot();
      const { problems } = await program.check(kind, "uplink", port());
      expect(problems).toEqual([
        expect.objectContaining({
          code: "LOCKOUT",
          property: "interface",
          message: expect.stringMatching(
            /interface "nic0" cannot be put on a bridge: it is in use: .*`allowLockout: true`/,
          ),
        }),
      ]);
      expect(problems[0]?.message).toMatch(why);
      await expect(program.declare(kind, "uplink", port())).rejects.toThrow(/LOCKOUT/);
      expect(await lab.snapshot()).toBe(before);
      expect((await program.declare(kind, "uplink", port({ allowLockout: true }))).operation).toBe("create");
      expect(await master()).toBe("br0");
      expect((await program.newRun().declare(kind, "uplink", port({ allowLockout: true }))).operation).toBe(
        "same",
      );
    },
  );

  test.each([
    [
      "of another interface",
      async () => {
        await addresses("br1");
        await lab.ip("link", "set", "br1", "up");
        await route("default", "via", "192.0.2.1");
      },
    ],
    [
      "of another table",
      async () => {
        await addresses("nic0");
        await route("default", "via", "192.0.2.1", "table", "100");
      },
    ],
    [
      "to a network",
      async () => {
        await addresses("nic0");
        await route("198.51.100.0/24", "via", "192.0.2.1");
      },
    ],
    [
      "to a half of all",
      async () => {
        await addresses("nic0");
        await route("128.0.0.0/1", "via", "192.0.2.1");
      },
    ],
    ["that goes nowhere", () => route("blackhole", "default")],
  ])("is none by a route %s", async (_, prepare) => {
    await prepare();
    expect((await program.declare(kind, "uplink", port())).operation).toBe("create");
  });

  test.each(["192.0.2.9", "2001:db8::9", "2001:DB8:0::9%nic0"])(
    "by the ssh connection to %s",
    async (address) => {
      await addresses("nic0");
      const before = process.env.SSH_CONNECTION;
      process.env.SSH_CONNECTION = `198.51.100.7 50000 ${address} 22`;
      try {
        await expect(program.declare(kind, "uplink", port())).rejects.toThrow(
          /the ssh connection of this run comes in at (192\.0\.2\.9\/24|2001:db8::9\/64) on nic0.*LOCKOUT/,
        );
        expect(await master()).toBeUndefined();
        process.env.SSH_CONNECTION = "198.51.100.7 50000 192.0.2.10 22";
        expect((await program.declare(kind, "uplink", port())).operation).toBe("create");
      } finally {
        if (before === undefined) delete process.env.SSH_CONNECTION;
        else process.env.SSH_CONNECTION = before;
      }
    },
  );

  describe("by the way to the client of the ssh connection, whatever has this host's address", () => {
    const connected = async (client: string, work: () => Promise<void>) => {
      const before = process.env.SSH_CONNECTION;
      const server = client.includes(":") ? "2001:db8:5::5" : "203.0.113.5";
      process.env.SSH_CONNECTION = `${client} 50000 ${server} 22`;
      try {
        await work();
      } finally {
        if (before === undefined) delete process.env.SSH_CONNECTION;
        else process.env.SSH_CONNECTION = before;
      }
    };
    /** The address of this host is on the loopback interface, as routers have it. */
    const onLoopback = async () => {
      await lab.ip("addr", "replace", "203.0.113.5/32", "dev", "lo");
      await lab.ip("addr", "replace", "2001:db8:5::5/128", "dev", "lo", "nodad");
      await addresses("nic0");
      await lab.ip("link", "set", "br1", "up");
    };
    const refused = (why: RegExp) => async () => {
      const { problems } = await program.check(kind, "uplink", port());
      expect(problems.map(({ message }) => message).join()).toMatch(why);
      await expect(program.declare(kind, "uplink", port())).rejects.toThrow(/LOCKOUT/);
      expect(await master()).toBeUndefined();
    };
    const made = async () => {
      expect((await program.declare(kind, "uplink", port())).operation).toBe("create");
    };

    test("of a subnet of the interface", async () => {
      await onLoopback();
      await connected(
        "192.0.2.77",
        refused(/the ssh connection of this run, from 192\.0\.2\.77: route 192\.0\.2\.0\/24 dev nic0/),
      );
      await connected("2001:db8::77", refused(/from 2001:db8::77: route 2001:db8::\/64 dev nic0/));
    });

    test("behind a router", async () => {
      await onLoopback();
      await route("198.51.0.0/16", "via", "192.0.2.1");
      await route("198.51.100.0/24", "dev", "br1", "metric", "9");
      await connected("198.51.7.7", refused(/from 198\.51\.7\.7: route 198\.51\.0\.0\/16 via 192\.0\.2\.1/));
      await connected("198.51.100.7", made);
    });

    test("by the lowest metric of several", async () => {
      await onLoopback();
      await route("198.51.100.0/24", "via", "192.0.2.1", "metric", "5");
      await route("198.51.100.0/24", "dev", "br1", "metric", "9");
      await connected("198.51.100.7", refused(/198\.51\.100\.0\/24 via 192\.0\.2\.1 dev nic0 metric 5/));
      await route("198.51.100.0/24", "dev", "br1", "metric", "1");
      await connected("198.51.100.7", made);
    });

    test("not of a connection that ends in another namespace", async () => {
      await lab.ip("addr", "flush", "dev", "lo", "scope", "global");
      await addresses("nic0");
      await connected("192.0.2.77", made);
    });
  });

  test("is none where its bridge gets another name; as long as that is not there, the plan says what may be", async () => {
    const named = (name: string) => ({ namespace: lab.name, name });
    await program.declare("Bridge", "lan", named("lan0"));
    await program.declare(kind, "uplink", port({ bridge: "lan0" }));
    await addresses("lan0");
    await lab.ip("link", "set", "lan0", "up");
    await route("default", "via", "192.0.2.1");
    const told =
      /bridge "lan1" is not there yet: unless the one that interface "nic0" is on gets that name, this will be refused, as it is in use: .*default/;
    const { bridge, ...known } = port();
    for (const plan of [
      await program.newRun().plan(kind, "uplink", port({ bridge: "lan1" })),
      await program.plan(kind, "uplink", known, ["bridge"]),
    ])
      expect(said(plan)).not.toMatch(/LOCKOUT/);
    const { problems, notices } = await program.check(kind, "uplink", port({ bridge: "lan1" }));
    expect(problems).toEqual([]);
    expect(said({ notices })).toMatch(told);
    await program.declare("Bridge", "lan", named("lan1"));
    expect((await program.declare(kind, "uplink", port({ bridge: "lan1" }))).notices).toEqual([]);
    expect(await master()).toBe("lan1");
    await expect(program.declare(kind, "uplink", port({ bridge: "br1" }))).rejects.toThrow(/LOCKOUT/);
  });

  test("by a drift that is repaired is refused, too, and so is leaving a bridge with the default route", async () => {
    await program.declare(kind, "uplink", port());
    await lab.ip("link", "set", "nic0", "nomaster");
    await addresses("nic0");
    await route("default", "via", "192.0.2.1");
    await expect(program.newRun().declare(kind, "uplink", port())).rejects.toThrow(/LOCKOUT/);
    expect(await master()).toBeUndefined();
    await lab.ip("addr", "flush", "dev", "nic0");
    await program.newRun().declare(kind, "uplink", port());

    await addresses("br0");
    await route("default", "via", "192.0.2.1");
    await expect(program.newRun().declare(kind, "uplink", port({ bridge: "br1" }))).rejects.toThrow(
      /default via 192\.0\.2\.1 dev br0.*LOCKOUT/,
    );
    await expect(program.remove("uplink")).rejects.toMatchObject({
      code: "LOCKOUT",
      message: expect.stringMatching(
        /veth "nic0" .* is left as it is: it is in use: it is on the way of the default/,
      ),
    });
    expect(await master()).toBe("br0");
    expect((await program.declare(kind, "uplink", port({ allowLockout: true }))).operation).toBe("update");
    await program.remove("uplink");
    expect(await master()).toBeUndefined();
  });

  test("by a route of this package does not hinder the end of both", async () => {
    await program.declare(kind, "uplink", port());
    await addresses("br0");
    await program.declare("Route", "out", {
      destination: "default",
      gateway: "192.0.2.1",
      interface: "br0",
      namespace: lab.name,
    });
    await program.remove("uplink");
    expect(await master()).toBeUndefined();
  });
});

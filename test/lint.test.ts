/** What only the whole program shows: each rule speaks where it should, once, in whatever order, and is silent else. */

import { describe, expect, test } from "vitest";
import { Host } from "../provider/host/host";
import type { Inputs } from "../provider/kinds/kind";
import { Lint } from "../provider/lint";
import type { Company } from "../provider/lint/passing";
import { ScriptedKernel } from "./harness/scripted-kernel";

type Declared = [kind: string, logicalName: string, inputs: Inputs];

const urn = (kind: string, logicalName: string) =>
  `urn:pulumi:dev::lab::pulumi-nodejs:dynamic/tuntap:${kind}::${logicalName}`;

/** A host on which those sysctls are 1, and all others 0; without any namespace but its own. */
class LintKernel extends ScriptedKernel {
  asked = 0;
  on: string[] = [];

  override async sysctl(_namespace?: string, name = ""): Promise<string> {
    this.asked += 1;
    return this.on.includes(name) ? "1" : "0";
  }
}

function run(kernel = new LintKernel()) {
  const lint = new Lint(new Host(kernel));
  /** What is told, by the logical name of the resource that it is told on. */
  const see = async ([kind, name, inputs]: Declared, hidden: string[] = [], company?: Company) => {
    const members = inputs.members as Inputs[] | undefined;
    const passing = { kind, urn: urn(kind, name), inputs: { name, ...inputs }, hidden, members, company };
    const told = await lint.see(passing);
    return told.map(({ on, message }): [string, string] => [on.split("::").pop() as string, message]);
  };
  /** What is told of a whole program. */
  const all = async (program: readonly Declared[]) => {
    const told: [string, string][] = [];
    for (const declared of program) told.push(...(await see(declared)));
    return told;
  };
  return { see, all, kernel };
}

function* orders<T>(items: readonly T[]): Generator<T[]> {
  if (items.length <= 1) yield [...items];
  for (const [at, item] of items.entries())
    for (const rest of orders(items.filter((_, other) => other !== at))) yield [item, ...rest];
}

/** In every order: this on that resource, and nothing else; and nothing more when all of them pass again. */
async function toldOnce(program: readonly Declared[], on: string, text: RegExp) {
  for (const order of orders(program)) {
    const { all } = run();
    expect(await all(order)).toEqual([[on, expect.stringMatching(text)]]);
    expect(await all(order)).toEqual([]);
  }
}

async function silent(...program: Declared[]) {
  for (const order of orders(program)) expect(await run().all(order)).toEqual([]);
}

const tap = (name: string, inputs: Inputs = {}): Declared => ["TunInterface", name, inputs];
const bridge = (name: string, inputs: Inputs = {}): Declared => ["Bridge", name, inputs];

describe("overlapping subnets", () => {
  test.each<[string, Inputs, Inputs]>([
    ["the same", { address: "192.0.2.1/24" }, { address: "192.0.2.2", netmask: "255.255.255.0" }],
    ["one within the other", { address: "10.1.2.3/8" }, { addresses: ["198.51.100.1/24", "10.9.9.9/30"] }],
    ["of IPv6", { addresses: ["2001:db8::1/32"] }, { addresses: ["2001:DB8:0:1::1/64"] }],
    [
      "behind a peer",
      { mode: "tun", address: "192.0.2.1", peerAddress: "203.0.113.9", netmask: 24 },
      { address: "203.0.113.1/24" },
    ],
    ["all there is", { address: "192.0.2.1/0" }, { address: "203.0.113.1/24" }],
  ])("%s", async (_, one, other) => {
    const program = [
      tap("one", one),
      bridge("other", other),
      tap("apart", { address: "172.16.0.1/12", namespace: "blue" }),
    ];
    await toldOnce(program, "one", /^its subnet \S+ overlaps that of \w+ "\w+" \(\S+\): what is sent/);
  });

  test("none of what lies beside", () =>
    silent(
      tap("one", { address: "192.0.2.1/25", addresses: ["2001:db8::1/64", "fe80::1/64"] }),
      tap("two", { address: "192.0.2.129/25", addresses: ["2001:db8:0:1::1/64", "fe80::1/64"] }),
      bridge("three", { address: "192.0.3.1/24" }),
      tap("four", { address: "192.0.1.255/24" }),
    ));

  test("none in another namespace, of a single address, of what is down, of a bridge's port", () =>
    silent(
      bridge("one", { address: "192.0.2.1/24", addresses: ["2001:db8::1/64"] }),
      tap("two", { address: "192.0.2.1/24", namespace: "blue" }),
      tap("three", { addresses: ["192.0.2.7/32", "2001:db8::7/128"] }),
      tap("four", { address: "192.0.2.1/24", up: false }),
      tap("five", { address: "192.0.2.1/24", bridge: "one" }),
    ));

  test("point-to-point links may have one address, and one peer more each", () =>
    silent(
      tap("one", { mode: "tun", address: "192.0.2.1", peerAddress: "192.0.2.2" }),
      tap("two", { mode: "tun", address: "192.0.2.1", peerAddress: "192.0.2.3" }),
    ));

  test("however many it overlaps, a resource is told once", async () => {
    const taps = Array.from({ length: 9 }, (_, at) => tap(`tap${at}`, { address: `10.0.${at}.1/24` }));
    const { all, see } = run();
    expect(await all(taps)).toEqual([]);
    expect(await see(tap("wide", { address: "10.0.0.1/8" }))).toEqual([
      ["wide", expect.stringMatching(/^its subnet 10\.0\.0\.0\/8 overlaps that of TunInterface "tap0" /)],
    ]);
    const same = Array.from({ length: 9 }, (_, at) => tap(`same${at}`, { address: "192.0.2.1/24" }));
    expect((await run().all(same)).map(([on]) => on)).toEqual(same.slice(1).map(([, name]) => name));
  });

  test("a resource that passes again has only what it says then", async () => {
    const { see } = run();
    await see(tap("one", { address: "192.0.2.1/24" }));
    await see(tap("one", { address: "198.51.100.1/24" }));
    expect(await see(tap("two", { address: "192.0.2.1/24" }))).toEqual([]);
    expect(await see(tap("three", { address: "198.51.100.2/24" }))).toHaveLength(1);
  });

  test("what is not known, or a secret, is not told on another resource", async () => {
    const { see } = run();
    await see(tap("one", { address: "192.0.2.1/24" }), ["address"]);
    await see(tap("two", { address: "192.0.2.1/24" }), ["namespace"]);
    await see(tap("three", { addresses: ["192.0.2.1/24"] }), ["bridge"]);
    for (const hidden of ["netmask", "addresses", "peerAddress", "up"])
      await see(tap(hidden, { address: "192.0.2.1/24" }), [hidden]);
    expect(await see(tap("four", { address: "192.0.2.1/24" }))).toEqual([]);
  });

  test("what else is not known, or a secret, does not matter", async () => {
    const { see } = run();
    await see(tap("one", { address: "192.0.2.1/24" }), ["mtu"]);
    expect(await see(tap("two", { address: "192.0.2.2/24" }))).toHaveLength(1);
  });

  test("several addresses of one link may be in one subnet", () =>
    silent(tap("one", { address: "192.0.2.1/24", addresses: ["192.0.2.7/24", "192.0.2.129/25"] })));

  test("the ends of a pair in one namespace", async () => {
    const ends = (other: Inputs) => ({
      ends: [
        { name: "a", address: "192.0.2.1/24" },
        { name: "b", ...other },
      ],
    });
    await toldOnce(
      [["VethPair", "pair", ends({ address: "192.0.2.2/24" })]],
      "pair",
      /^its interfaces a and b are both in the subnet 192\.0\.2\.0\/24: .*give each a subnet or a namespace/,
    );
    await toldOnce(
      [["VethPair", "pair", ends({ address: "192.0.2.129/25", namespace: undefined })]],
      "pair",
      /^its interfaces a and b overlap \(192\.0\.2\.0\/24, 192\.0\.2\.128\/25\): /,
    );
    for (const other of [
      { address: "198.51.100.1/24" },
      { address: "192.0.2.2/24", namespace: "blue" },
      { address: "192.0.2.2/32" },
      { address: "192.0.2.2/24", up: false },
    ])
      await silent(["VethPair", "pair", ends(other)]);
  });

  test("both ends of a pair are looked at, and in two namespaces not compared with each other", async () => {
    const ends = [
      { name: "a", address: "192.0.2.1/24" },
      { name: "b", address: "192.0.2.2/24", namespace: "blue" },
    ];
    await silent(["VethPair", "pair", { ends }], tap("one", { address: "198.51.100.1/24" }));
    await toldOnce(
      [["VethPair", "pair", { ends }], tap("one", { address: "192.0.2.9/24", namespace: "blue" })],
      "pair",
      /overlaps that of .* in namespace blue: /,
    );
  });
});

describe("STP on a bridge of machines", () => {
  test.each<[string, Inputs, number]>([
    ["with what the kernel starts with", { stp: true }, 30],
    ["with a delay", { stp: true, forwardDelay: 2.5 }, 5],
  ])("%s", async (_, inputs, seconds) => {
    const text = new RegExp(
      `^it runs STP, .*: a port forwards nothing for its first ${seconds} seconds \\(twice \`forwardDelay\`\\).* leave \`stp\` off`,
    );
    const program = [bridge("br0", inputs), tap("vm0", { bridge: "br0" }), tap("vm1", { bridge: "br1" })];
    await toldOnce(program, "br0", text);
  });

  test("is told once of a bridge, however many ports it has", async () => {
    const ports = ["vm0", "vm1", "vm2", "vm3"].map((name) => tap(name, { bridge: "br0" }));
    await toldOnce([bridge("br0", { stp: true }), ...ports], "br0", /runs STP/);
  });

  test.each(["stp", "forwardDelay"])("none where `%s` is not known, or a secret", async (hidden) => {
    const { see } = run();
    await see(bridge("br0", { stp: true, forwardDelay: 15 }), [hidden]);
    expect(await see(tap("vm0", { bridge: "br0" }))).toEqual([]);
  });

  test("none without STP, with the least delay, without machines, in another namespace", () =>
    silent(
      bridge("br0", { stp: false }),
      bridge("br1", { stp: true, forwardDelay: 2 }),
      bridge("br2", { stp: true }),
      tap("vm0", { bridge: "br0" }),
      tap("vm1", { bridge: "br1" }),
      tap("vm2", { bridge: "br2", namespace: "blue" }),
    ));
});

describe("VLANs of a port", () => {
  const port = { vlans: [{ id: 10 }] };

  test("are told of where the bridge declares that it filters none", () =>
    toldOnce(
      [
        bridge("br0", { vlanFiltering: false }),
        tap("vm0", { bridge: "br0", port }),
        tap("vm1", { bridge: "br0", port: { isolated: true } }),
      ],
      "vm0",
      /^port\.vlans have no effect, as Bridge "br0" declares `vlanFiltering` false: .*; set it to true/,
    ));

  test("are not where it filters, or says nothing, or is another one", () =>
    silent(
      bridge("br0", { vlanFiltering: true }),
      bridge("br1"),
      bridge("br2", { vlanFiltering: false }),
      tap("vm0", { bridge: "br0", port }),
      tap("vm1", { bridge: "br1", port }),
      tap("vm2", { bridge: "br2", namespace: "blue", port }),
    ));
});

describe("an mtu above its bridge's", () => {
  test("is told", () =>
    toldOnce(
      [
        bridge("br0", { mtu: 1500 }),
        tap("vm0", { bridge: "br0", mtu: 9000 }),
        tap("vm1", { bridge: "br0", mtu: 1500 }),
      ],
      "vm0",
      /^mtu 9000 is above the 1500 of its bridge, Bridge "br0": what is on one bridge must agree on it/,
    ));

  test("is not one that is lower, or not declared, or of another bridge", () =>
    silent(
      bridge("br0", { mtu: 1500 }),
      bridge("br1"),
      tap("vm0", { bridge: "br0", mtu: 1400 }),
      tap("vm1", { bridge: "br0" }),
      tap("vm2", { bridge: "br1", mtu: 9000 }),
    ));
});

describe("a tunnel's mtu above that of its device", () => {
  const vxlan = (mtu: number, inputs: Inputs = {}): Declared => [
    "Vxlan",
    "vx0",
    { device: "under0", local: "192.0.2.1", mtu, ...inputs },
  ];

  test.each<[string, Declared, number, number]>([
    ["over IPv4", vxlan(1451), 50, 1450],
    ["over IPv6", vxlan(1431, { local: undefined, remote: "2001:db8::1" }), 70, 1430],
    ["with a group of IPv6", vxlan(1431, { local: undefined, group: "ff02::1" }), 70, 1430],
  ])("is told: %s", async (_, tunnel, headers, most) => {
    await toldOnce(
      [tap("under0", { mtu: 1500 }), tunnel],
      "vx0",
      new RegExp(
        `^mtu \\d+ and ${headers} bytes of headers are above the 1500 of its device, TunInterface "under0": .*lower the mtu to ${most},`,
      ),
    );
  });

  test("is not one that fits, of a device that is not declared, or whose mtu is not", () =>
    silent(
      tap("under0", { mtu: 1500 }),
      tap("under1"),
      vxlan(1450),
      ["Vxlan", "vx1", { device: "under1", mtu: 9000 }],
      ["Vxlan", "vx2", { device: "eth0", mtu: 9000 }],
    ));
});

describe("a tunnel without a device", () => {
  const vxlan = (inputs: Inputs = {}): Declared => ["Vxlan", "vx0", { local: "192.0.2.1", ...inputs }];

  test.each<[string, Declared, RegExp]>([
    [
      "an mtu that is declared",
      vxlan({ mtu: 1480 }),
      /^mtu 1480 and 50 bytes of headers are above the 1500 of Bridge "under0", which has its `local` address: .*lower the mtu to 1450, or raise that one's$/,
    ],
    [
      "the one that the kernel starts with",
      vxlan(),
      /^its mtu, which is not declared and so 1500, and 50 bytes .*; declare the mtu 1450, or raise/,
    ],
    [
      "over IPv6",
      vxlan({ local: "2001:DB8:0::1", mtu: 1431 }),
      /^mtu 1431 and 70 bytes .*lower the mtu to 1430/,
    ],
  ])("is told of by who has its address: %s", (_, tunnel, text) => {
    const under = bridge("under0", { address: "192.0.2.1/24", addresses: ["2001:db8::1/64"], mtu: 1500 });
    return toldOnce([under, tunnel, tap("other0", { address: "203.0.113.1/24", mtu: 1280 })], "vx0", text);
  });

  test("is not, where it fits, where that is elsewhere, or not known", async () => {
    const under = (inputs: Inputs = {}) => tap("under0", { address: "192.0.2.1/24", mtu: 1500, ...inputs });
    await silent(under(), vxlan({ mtu: 1450 }));
    await silent(under({ mtu: 1550 }), vxlan());
    await silent(under({ namespace: "blue" }), vxlan());
    await silent(under({ address: "192.0.2.2/24" }), vxlan());
    await silent(under(), vxlan({ device: "eth0" }));
    for (const hidden of ["mtu", "device", "local"]) {
      const { see } = run();
      await see(under());
      expect(await see(vxlan(), [hidden])).toEqual([]);
    }
    for (const hidden of ["address", "netmask", "addresses", "peerAddress"]) {
      const { see } = run();
      await see(under(), [hidden]);
      expect(await see(vxlan())).toEqual([]);
    }
  });
});

describe("a tunnel on a bridge of ports that carry more", () => {
  const vxlan = (inputs: Inputs = {}): Declared => ["Vxlan", "vx0", { bridge: "br0", mtu: 1450, ...inputs }];
  const text =
    /^its mtu is 1450, and that of TunInterface "vm0", a port of the same bridge \(br0\), is 1500: .*declare the mtu 1450 on all ports/;

  test.each<[string, Inputs]>([
    ["declared", { mtu: 1500 }],
    ["as the kernel starts with", {}],
  ])("is told of: %s", (_, inputs) =>
    toldOnce([vxlan(), tap("vm0", { bridge: "br0", ...inputs }), tap("vm1", { bridge: "br1" })], "vx0", text),
  );

  test("is told of once, however many there are", async () => {
    const ports = ["vm0", "vm1", "vm2"].map((name) => tap(name, { bridge: "br0" }));
    await toldOnce([vxlan(), ...ports], "vx0", /^its mtu is 1450, and that of TunInterface "vm\d"/);
    await toldOnce(
      [vxlan(), ["TunPool", "vm", { members: ports.map(([, , inputs]) => inputs) }]],
      "vx0",
      /"vm"/,
    );
  });

  test("is not, where they carry as much or less, on another bridge, or without a tunnel", async () => {
    await silent(vxlan(), tap("vm0", { bridge: "br0", mtu: 1450 }), tap("vm1", { bridge: "br0", mtu: 1400 }));
    await silent(vxlan(), tap("vm0", { bridge: "br0", namespace: "blue" }), tap("vm1", { bridge: "br1" }));
    await silent(tap("vm0", { bridge: "br0" }), tap("vm1", { bridge: "br0", mtu: 9000 }));
    await silent(vxlan({ mtu: undefined }), tap("vm0", { bridge: "br0" }));
    const { see } = run();
    await see(vxlan());
    expect(await see(tap("vm0", { bridge: "br0" }), ["mtu"])).toEqual([]);
  });
});

describe("NAT without forwarding", () => {
  const nat = (inputs: Inputs = {}): Declared => ["Nat", "nat0", { source: ["192.0.2.0/24"], ...inputs }];
  const sysctl = (name: string, value: unknown, inputs: Inputs = {}): Declared => [
    "Sysctl",
    "forward",
    { name, value, ...inputs },
  ];

  test("nobody turns it on, and it is off on the host", async () => {
    const { all, kernel } = run();
    const off = "it needs forwarding, and net.ipv4.ip_forward is 0";
    expect(await all([nat(), nat()])).toEqual([["nat0", expect.stringContaining(`${off}: nothing`)]]);
    expect(kernel.asked).toBeGreaterThan(0);
    const blue = await run().all([sysctl("net.ipv4.ip_forward", 1), nat({ namespace: "blue" })]);
    expect(blue).toEqual([["nat0", expect.stringContaining(`${off} in namespace blue: `)]]);
    const wide = await run().all([sysctl("net.ipv4.ip_forward", 1), nat({ source: ["2001:db8::/64"] })]);
    expect(wide).toEqual([["nat0", expect.stringContaining("net.ipv6.conf.all.forwarding is 0: ")]]);
  });

  test.each(["net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"])("a Sysctl turns %s on", async (name) => {
    for (const value of [1, "1"]) expect(await run().all([sysctl(name, value), nat()])).toEqual([]);
    const inBlue = { namespace: "blue" };
    expect(await run().all([sysctl(name, 1, inBlue), nat(inBlue)])).toEqual([]);
  });

  test("it is on already", async () => {
    const kernel = new LintKernel();
    kernel.on = ["net.ipv4.ip_forward"];
    expect(await run(kernel).all([nat(), sysctl("net.ipv4.ip_default_ttl", 0)])).toEqual([]);
  });

  test("a Sysctl turns it off", async () => {
    for (const order of orders([sysctl("net.ipv4.ip_forward", 0), nat()])) {
      const kernel = new LintKernel();
      kernel.on = ["net.ipv4.ip_forward"];
      const { all } = run(kernel);
      expect(await all([...order, ...order])).toEqual([
        ["nat0", 'it needs forwarding, which Sysctl "forward" turns off; set that to 1'],
      ]);
    }
  });

  test("who passes before a Sysctl of the program is judged when the last of them has", async () => {
    const ttl: Declared = ["Sysctl", "ttl", { name: "net.ipv4.ip_default_ttl", value: 9 }];
    const off = [["nat0", expect.stringMatching(/: nothing reaches it/)]];
    for (const [later, told] of [
      [sysctl("net.ipv4.ip_forward", 1), []],
      [sysctl("net.ipv4.ip_forward", 0), [["nat0", expect.stringMatching(/turns off/)]]],
      [sysctl("net.ipv4.ip_forward", 1, { namespace: "blue" }), off],
    ] as const) {
      const { see, all } = run();
      expect(await see(nat(), [], { Sysctl: 2, Nat: 1 })).toEqual([]);
      expect(await see(ttl)).toEqual([]);
      // One that passes again is not another one.
      expect(await see(ttl)).toEqual([]);
      expect(await see(later)).toEqual(told);
      expect(await all([nat(), ttl, later])).toEqual([]);
    }
  });

  test("what cannot be read, or is not known yet, is no reason", async () => {
    const { see, kernel } = run();
    expect(await see(nat(), ["namespace"])).toEqual([]);
    expect(await see(nat(), ["source"])).toEqual([]);
    expect(kernel.asked).toBe(0);
  });
});

describe("the members of a pool", () => {
  const pool = (...members: Inputs[]): Declared => ["TunPool", "fc", { members }];

  test("are looked at like interfaces", async () => {
    const members = [{ address: "192.0.2.1/30" }, { address: "192.0.2.5/30" }, { address: "10.0.0.1/30" }];
    await silent(pool(...members), bridge("br0", { address: "10.0.0.5/30" }));
    await toldOnce(
      [pool(...members), bridge("br0", { address: "10.0.0.2/30" })],
      "fc",
      /^its subnet 10\.0\.0\.0\/30 overlaps that of Bridge "br0"/,
    );
  });

  test("that share a subnet are told of once, unless they are on a bridge", async () => {
    const addresses = ["192.0.2.1/24", "192.0.2.2/24", "192.0.2.3/24"];
    const members = addresses.map((address, at) => ({ name: `fc${at}`, address }));
    await toldOnce(
      [pool(...members)],
      "fc",
      /^its interfaces fc0 and fc1 are both in the subnet 192\.0\.2\.0\/24: .*give each a subnet \(`addressPlan\.each` "\/30"/,
    );
    await silent(pool(...members.map((member) => ({ ...member, bridge: "br0" }))));
    await silent(pool(...members.map((member) => ({ ...member, up: false }))));
    const { see } = run();
    expect(await see(pool(...members), ["address", "netmask"])).toEqual([]);
  });

  test("are told once for all of them", async () => {
    const members = [0, 1, 2].map((at) => ({ name: `fc${at}`, bridge: "br0", mtu: 9000 }));
    await toldOnce([pool(...members), bridge("br0", { mtu: 1500 })], "fc", /^mtu 9000 is above the 1500 of/);
    await toldOnce([pool(...members), bridge("br0", { stp: true })], "br0", /^it runs STP, and TAPs are its/);
  });

  test("may be in several namespaces", () =>
    silent(
      pool({ address: "192.0.2.1/24", namespace: "a" }, { address: "192.0.2.1/24", namespace: "b" }),
      tap("one", { address: "192.0.2.1/24" }),
    ));
});

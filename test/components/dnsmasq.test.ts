/** What the files of dnsmasq cannot hold is refused before a command is made of it. */

import { expect, test } from "vitest";
import { type DnsmasqSettings, dnsmasqCommands } from "../../sdk/components/dnsmasq";

const web = { name: "web", address: "10.20.0.7", macAddress: "52:54:00:00:00:07" };
const settings: DnsmasqSettings = {
  folder: "/run/tuntap/x",
  bridge: "br0",
  namespace: "lab",
  address: "10.20.0.1",
  network: "10.20.0.0",
  netmask: "255.255.255.0",
  domain: "lab.internal",
  leaseSeconds: 3600,
  mtu: undefined,
  upstream: ["9.9.9.9", "2620:fe::fe#53", "192.0.2.1#65535", "fe80::1%eth0"],
  hosts: [web],
  generation: "first",
};

test.each<[string, Partial<DnsmasqSettings>, RegExp]>([
  [
    "a relative folder",
    { folder: "state" },
    /^dhcp\.stateDirectory "state" does not suit dnsmasq; give an absolute/,
  ],
  ["a comma in a folder", { folder: "/run/a,b" }, /dhcp\.stateDirectory "\/run\/a,b"/],
  [
    "a bridge's name",
    { bridge: "br0,lo" },
    /^the bridge's name "br0,lo" does not suit dnsmasq; with `dhcp` it/,
  ],
  ["a domain", { domain: "Lab internal" }, /^dhcp\.domain "Lab internal" .* give one as "lab\.internal"/],
  ["a domain too long", { domain: "a".repeat(64) }, /^dhcp\.domain/],
  [
    "a lease too short",
    { leaseSeconds: 119 },
    /^dhcp\.leaseSeconds 119 .* from 120 \(two minutes\) to 4294967294/,
  ],
  ["a lease too long", { leaseSeconds: 4294967295 }, /^dhcp\.leaseSeconds 4294967295/],
  ["a lease with a fraction", { leaseSeconds: 300.5 }, /^dhcp\.leaseSeconds 300\.5/],
  ...["999.1.1.1", "abc", "1.1.1", "1.1.1.1#99999", "1.1.1.1#0", "1.1.1.1#", "1.1.1.1#53#53", "1.1.1.1 "].map(
    (server): [string, Partial<DnsmasqSettings>, RegExp] => [
      `the resolver ${JSON.stringify(server)}`,
      { upstream: ["9.9.9.9", server] },
      new RegExp(
        `^dhcp\\.upstream "${server}" does not suit .* give addresses, with \`#PORT\` \\(1 to 65535\\)`,
      ),
    ],
  ),
  ["a resolver by name", { upstream: ["dns.example"] }, /^dhcp\.upstream "dns\.example" .* give addresses/],
  ["a VM's name", { hosts: [{ ...web, name: "a,b" }] }, /^the VM name "a,b"/],
])("%s is refused", (_, more, message) => {
  expect(() => dnsmasqCommands(settings)).not.toThrow();
  expect(() => dnsmasqCommands({ ...settings, ...more })).toThrow(message);
});

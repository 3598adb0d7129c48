import * as pulumi from "@pulumi/pulumi";
import * as tuntap from "pulumi-tuntap";

const config = new pulumi.Config();
const prefix = config.get("prefix") ?? "host";
const numbers = config.getObject<number[]>("hosts") ?? [1, 2, 3];

// What lies between hosts: a switch, and a cable from each to it. Real hosts have it already.
const wire = new tuntap.Namespace(`${prefix}-wire`);
const trunk = new tuntap.Bridge("switch", { namespace: wire.name });

const hosts = numbers.map((number) => {
  const place = new tuntap.Namespace(`${prefix}-${number}`);
  const cable = new tuntap.VethPair(`cable${number}`, {
    ends: [
      { name: "under0", namespace: place.name, address: `192.0.2.${number}/24` },
      { name: `to${number}`, namespace: wire.name, bridge: trunk.name },
    ],
  });
  return { number, place, device: cable.ends.apply(([end]) => end?.name ?? "") };
});

const segment = new tuntap.Segment<string>("segment", {
  vni: 42,
  // The cables carry 1500 bytes; the tunnel's own headers take 50.
  mtu: 1450,
  hosts: Object.fromEntries(
    hosts.map(({ number, place, device }) => [
      `host${number}`,
      {
        namespace: place.name,
        local: `192.0.2.${number}`,
        newBridge: { name: "lan", address: `10.30.0.${number}/24` },
        vxlan: { device },
      },
    ]),
  ),
});

export const namespaces = hosts.map(({ place }) => place.name);
export const tunnels = Object.values(segment.vxlans).map((vxlan) => vxlan.name);

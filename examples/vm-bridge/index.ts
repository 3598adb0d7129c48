import * as pulumi from "@pulumi/pulumi";
import * as tuntap from "pulumi-tuntap";

const config = new pulumi.Config();

// On the host itself, unless a namespace is given; that is made, and taken away with the bridge.
const namespace = config.get("namespace");
const place = namespace === undefined ? undefined : new tuntap.Namespace(namespace).name;

const lab = new tuntap.VmBridge("lab", {
  subnet: "10.20.0.0/24",
  namespace: place,
  // The user that may attach: qemu needs no other privilege for it.
  owner: config.get("user") ?? "nobody",
  // Without an uplink, which a namespace that was just made does not have, they reach one another and the bridge.
  outInterface: config.get("uplink"),
  consumer: "qemu",
  dhcp: config.getBoolean("dhcp"),
  vms: { web: {}, db: { address: "10.20.0.10" } },
});

// What each machine is started with, and the address that is meant for it.
export const machines = Object.entries(lab.vms).map(([name, { address, prefixLength }]) => ({
  name,
  address: `${address}/${prefixLength}`,
  card: lab.taps[name as "web" | "db"].qemuArguments.apply((words) => words?.join(" ")),
}));

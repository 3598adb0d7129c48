import * as pulumi from "@pulumi/pulumi";
import * as tuntap from "pulumi-tuntap";

const config = new pulumi.Config();

// On the host itself, unless an existing namespace is given.
const namespace = config.get("namespace");

// Room for 256 VMs: a network of four addresses each, the host's and the guest's among them.
const subnet = "172.16.0.0/22";

const pool = new tuntap.TunPool("fc", {
  count: config.getNumber("count") ?? 64,
  // The user that Firecracker runs as.
  owner: config.get("user") ?? "nobody",
  addressPlan: { subnet, each: "/30" },
  consumer: "firecracker",
  namespace,
});

const forwarding = new tuntap.Sysctl("forwarding", { name: "net.ipv4.ip_forward", value: 1, namespace });

new tuntap.Nat(
  "guests",
  { source: [subnet], outInterface: config.get("outInterface") ?? "eth0", namespace },
  { dependsOn: forwarding },
);

// By VM: the body for PUT /network-interfaces/{iface_id}, and what the guest itself is to have.
export const vms = pool.members.apply((members) =>
  members.map(({ firecracker, peerAddress, address }) => ({
    networkInterface: firecracker,
    guestAddress: peerAddress,
    gateway: address?.split("/")[0],
  })),
);

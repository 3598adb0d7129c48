import * as pulumi from "@pulumi/pulumi";
import * as tuntap from "pulumi-tuntap";

const config = new pulumi.Config();

// Where the uplink is: on the host itself, unless an existing namespace is given.
const namespace = config.get("namespace");
/** Networks behind the other end. */
const branches = config.getObject<string[]>("branches") ?? ["10.9.0.0/24"];

const tunnel = new tuntap.TunInterface("vpn0", {
  mode: "tun",
  // The user that may attach: openvpn needs no other privilege for it.
  owner: config.get("user") ?? "nobody",
  address: "10.8.0.1",
  peerAddress: "10.8.0.2",
  netmask: "255.255.255.255",
  // Leaves room for what openvpn puts around a packet.
  mtu: 1400,
  namespace,
});

const routes = branches.map(
  (destination, index) =>
    new tuntap.Route(`branch${index}`, { destination, interface: tunnel.name, namespace }),
);

const forwarding = new tuntap.Sysctl("forwarding", { name: "net.ipv4.ip_forward", value: 1, namespace });

const nat = new tuntap.Nat(
  "vpn-nat",
  { source: ["10.8.0.2/32", ...branches], outInterface: config.get("uplink") ?? "eth0", namespace },
  { dependsOn: forwarding },
);

export const device = tunnel.name;
export const table = nat.name;
export const reachable = routes.map(({ destination }) => destination);

import * as pulumi from "@pulumi/pulumi";
import * as tuntap from "pulumi-tuntap";

const config = new pulumi.Config();

// On the host itself, unless a namespace is given; that is made, and taken away with the tunnel.
const namespace = config.get("namespace");
const place = namespace === undefined ? undefined : new tuntap.Namespace(namespace).name;

const tunnel = new tuntap.TunInterface("vpn0", {
  mode: "tun",
  // The user that may attach: openvpn needs no other privilege for it.
  owner: config.get("user") ?? "nobody",
  address: config.get("address") ?? "10.8.0.1",
  peerAddress: config.get("peer") ?? "10.8.0.2",
  netmask: "255.255.255.255",
  // Leaves room for what openvpn puts around a packet.
  mtu: 1400,
  namespace: place,
});

export const device = tunnel.name;

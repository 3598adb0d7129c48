import * as pulumi from "@pulumi/pulumi";
import * as tuntap from "pulumi-tuntap";

// Where the script made them: on the host itself, unless an existing namespace is given.
const namespace = new pulumi.Config().get("namespace");

// Every value that the script set is declared; what is not declared stays as it is.
const scripted = { owner: "nobody", adopt: true, namespace };

const first = new tuntap.TunInterface("tap0", {
  ...scripted,
  address: "192.0.2.1",
  netmask: "255.255.255.0",
});

const second = new tuntap.TunInterface("tap1", {
  ...scripted,
  address: "198.51.100.1/24",
  mtu: 1400,
});

const tunnel = new tuntap.TunInterface("tun0", {
  ...scripted,
  mode: "tun",
  address: "10.9.0.1/24",
});

export const interfaces = [first.name, second.name, tunnel.name];

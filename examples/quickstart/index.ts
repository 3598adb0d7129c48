import * as tuntap from "pulumi-tuntap";

// Everything lives in a namespace of its own, so trying it changes nothing on the host.
const lab = new tuntap.Namespace("tuntap-lab");

const vpn = new tuntap.TunInterface("vpn0", {
  mode: "tun",
  owner: "nobody",
  address: "10.99.0.1",
  netmask: "255.255.255.0",
  mtu: 1400,
  namespace: lab.name,
});

const web = new tuntap.TunInterface("web0", {
  owner: "daemon",
  address: "192.0.2.1",
  netmask: "255.255.255.128",
  mtu: 1500,
  namespace: lab.name,
});

const db = new tuntap.TunInterface("db0", {
  owner: 1000,
  address: "198.51.100.1/26",
  addresses: ["2001:db8:db::1/64"],
  namespace: lab.name,
});

export const namespace = lab.name;
export const interfaces = [vpn.name, web.name, db.name];

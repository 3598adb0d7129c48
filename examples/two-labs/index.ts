import * as pulumi from "@pulumi/pulumi";
import * as tuntap from "pulumi-tuntap";

const config = new pulumi.Config();

// The only thing in which the labs differ; all names and addresses in it are the same.
const place = new tuntap.Namespace(`${config.get("prefix") ?? "lab"}-${pulumi.getStack()}`);

const lab = new tuntap.VmBridge("lab", {
  subnet: "10.20.0.0/24",
  namespace: place.name,
  owner: config.get("user") ?? "nobody",
  isolated: config.getBoolean("isolated"),
  vms: { web: {}, db: {} },
});

export const namespace = place.name;
export const addresses = Object.values(lab.vms).map(({ address }) => address);

/** The DHCP server and resolver of a bridge: a dnsmasq, run through `@pulumi/command`. */

import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import type { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { type DnsmasqHost, dnsmasqCommands, dnsmasqFiles } from "./dnsmasq";

/** Settings of the DHCP server and resolver of a `VmBridge`. */
export interface DhcpArgs {
  /**
   * Domain of the VMs' names: `web` is also `web.DOMAIN`. In lower case. Default: the component's name, then
   * `.internal`.
   */
  domain?: string;

  /** How long an address is lent, in seconds: 120 to 4294967294. Default: 43200 (12 hours). */
  leaseSeconds?: number;

  /**
   * Resolvers that are asked for all other names, by address (`9.9.9.9`, `192.0.2.1#5353`). Default: those of
   * /etc/resolv.conf, in a namespace of /etc/netns/NAME/resolv.conf where that exists.
   */
  upstream?: string[];

  /**
   * Folder of the configuration, the list of VMs, the leases, the log and the pid; absolute. It is made where it is
   * missing, and the user that dnsmasq runs as must be able to read it. Default: one in /run/tuntap that belongs to
   * this component of this stack.
   */
  stateDirectory?: string;
}

/** What it serves, and where. */
export interface DhcpPlace {
  bridge: pulumi.Input<string>;
  namespace: pulumi.Input<string> | undefined;
  address: string;
  network: string;
  netmask: string;
  mtu: pulumi.Input<number> | undefined;
  hosts: readonly DnsmasqHost[];
  /** Index of the bridge: another one means that it was made anew, and nobody listens on it. */
  ifindex: pulumi.Input<number>;
}

/**
 * Makes the command resource. `@pulumi/command` is loaded here, so that programs without a server load neither it nor
 * its plugin.
 */
export function runDhcp(
  component: string,
  settings: DhcpArgs,
  place: DhcpPlace,
  options: pulumi.CustomResourceOptions,
): local.Command {
  const folder = settings.stateDirectory ?? defaultFolder(component);
  const generation = generationOf(folder);
  const { address, network, netmask, hosts } = place;
  const commands = pulumi
    .all([place.bridge, place.namespace, place.mtu] as const)
    .apply(([bridge, namespace, mtu]) =>
      dnsmasqCommands({
        folder,
        bridge,
        namespace,
        address,
        network,
        netmask,
        mtu,
        hosts,
        generation,
        domain: settings.domain ?? defaultDomain(component),
        leaseSeconds: settings.leaseSeconds ?? 43200,
        upstream: settings.upstream,
      }),
    );
  const { Command } = (require("@pulumi/command") as typeof import("@pulumi/command")).local;
  return new Command(
    `${component}-dhcp`,
    {
      create: commands.create,
      delete: commands.delete,
      stdin: commands.stdin,
      // Only so that the command runs when the bridge was made anew.
      environment: { TUNTAP_BRIDGE_IFINDEX: pulumi.output(place.ifindex).apply(String) },
      addPreviousOutputInEnv: false,
    },
    // One folder has one server: made before the old one is stopped, a new one would be that.
    { ...options, deleteBeforeReplace: true },
  );
}

/** `/run` is empty after the host restarts, as the bridge is gone then. */
function defaultFolder(component: string): string {
  const owner = [
    new pulumi.Config("tuntap").get("instance") ?? process.env.TUNTAP_INSTANCE ?? "",
    pulumi.getProject(),
    pulumi.getStack(),
    component,
  ];
  const digest = createHash("sha256").update(JSON.stringify(owner)).digest("hex").slice(0, 8);
  return `/run/tuntap/${component.replace(/[^\w.-]+/g, "-").slice(0, 64)}-${digest}`;
}

function defaultDomain(component: string): string {
  const label = component
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");
  return label === "" ? "internal" : `${label}.internal`;
}

/**
 * The engine never asks whether a command's process still runs, so the program does: while it runs this is what the
 * command noted last, so nothing differs; else it is new, and the command runs again.
 */
function generationOf(folder: string): string {
  try {
    const pid = readFileSync(`${folder}/${dnsmasqFiles.pid}`, "utf8").trim();
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    if (/^\d+$/.test(pid) && words.includes(`--conf-file=${folder}/${dnsmasqFiles.configuration}`)) {
      return readFileSync(`${folder}/${dnsmasqFiles.generation}`, "utf8").trim();
    }
  } catch {
    // One of the files is missing: it does not run.
  }
  return randomBytes(8).toString("hex");
}

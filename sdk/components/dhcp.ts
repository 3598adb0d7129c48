/** The DHCP server and resolver of a bridge: a dnsmasq, run through `@pulumi/command`. */

import { createHash, randomBytes } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import type { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { checkDnsmasq, type DnsmasqHost, dnsmasqCommands, dnsmasqFiles } from "./dnsmasq";

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
   * this bridge. With another one the server is ended, and started anew.
   */
  stateDirectory?: string;
}

/** What it serves, and where. */
export interface DhcpPlace {
  bridge: pulumi.Input<string>;
  /** As the program calls it; known also while it is only planned. */
  declaredBridge: pulumi.Input<string>;
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
  const { address, network, netmask, hosts } = place;
  const folder =
    settings.stateDirectory ??
    pulumi.all([place.declaredBridge, place.namespace] as const).apply((names) => defaultFolder(...names));
  const commands = pulumi
    .all([folder, place.bridge, place.namespace, place.mtu] as const)
    .apply(([folder, bridge, namespace, mtu]) =>
      dnsmasqCommands({
        folder,
        bridge,
        namespace,
        address,
        network,
        netmask,
        mtu,
        hosts,
        generation: generationOf(folder),
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
      // A server is found by its folder: in another one a new server would meet the old, so that is ended first, by the
      // recorded command, which an update does not run.
      triggers: [folder],
    },
    // @pulumi/command names the elements only, and a state of before has none.
    { ...options, deleteBeforeReplace: true, replaceOnChanges: ["triggers"] },
  );
}

/**
 * Before anything is registered: what is an output is looked at when it is known.
 * Errors: a setting that dnsmasq cannot take.
 */
export function checkDhcp(settings: DhcpArgs, bridge: pulumi.Input<string>): void {
  const { stateDirectory: folder, ...more } = settings;
  checkDnsmasq({ ...more, folder, bridge: typeof bridge === "string" ? bridge : undefined });
}

/**
 * Of the bridge alone, as a bridge has one server, whichever instance or stack declares it. `/run` is empty after the
 * host restarts, as the bridge is gone then.
 */
function defaultFolder(bridge: string, namespace: string | undefined): string {
  // Without a name it is the one that the program runs in.
  const place = namespace ?? statSync("/proc/self/ns/net").ino;
  const digest = createHash("sha256")
    .update(JSON.stringify([place, bridge]))
    .digest("hex")
    .slice(0, 8);
  return `/run/tuntap/${bridge.replace(/[^\w.-]+/g, "-").slice(0, 64)}-${digest}`;
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

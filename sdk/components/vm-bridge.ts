import type { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { Bridge } from "../resources/bridge";
import { Nat } from "../resources/nat";
import { Sysctl } from "../resources/sysctl";
import { TunInterface } from "../resources/tun-interface";
import { networkOf } from "./address-plan";
import { runDhcp } from "./dhcp";
import { given } from "./inputs";
import { bridgeName, planOf, type VmBridgeArgs } from "./vm-bridge-args";

/** What a VM of a `VmBridge` is to be started with. */
export interface Vm {
  /** Name of its tap. */
  tap: pulumi.Output<string>;

  /** MAC address that its network card shall have. */
  macAddress: string;

  /** Its IPv4 address. */
  address: string;

  /** Prefix length of the subnet. */
  prefixLength: number;

  /** The bridge's address. */
  gateway: string;
}

/**
 * A network for VMs: a bridge with a subnet, and for every VM a tap, a MAC address and an address that stay its own.
 * All parts are resources of this package, reachable as properties; what no input of the component sets can be set
 * by `bridge`, `tap`, or Pulumi's `transforms`.
 *
 * ```ts
 * const lab = new tuntap.VmBridge("lab", {
 *   subnet: "10.20.0.0/24",
 *   owner: "nobody",
 *   vms: { web: {}, db: { address: "10.20.0.10" } },
 * });
 *
 * export const web = lab.vms.web;
 * ```
 *
 * Errors: thrown when the program declares it, with the input and what to do; those of the parts as theirs.
 */
export class VmBridge<Name extends string = string> extends pulumi.ComponentResource {
  /** The bridge. */
  readonly bridge: Bridge;

  /** The taps by VM name. */
  readonly taps: Readonly<Record<Name, TunInterface>>;

  /** What to start each VM with, by name. */
  readonly vms: Readonly<Record<Name, Vm>>;

  /** The setting that has packets forwarded; where `forwarding` is wanted. */
  readonly forwarding: Sysctl | undefined;

  /** The translation of addresses; where there is an `outInterface`. */
  readonly nat: Nat | undefined;

  /** The command that runs dnsmasq; where `dhcp` is wanted. */
  readonly dhcp: local.Command | undefined;

  /** @param name the logical name; the bridge is called so, and the taps by it and the VM's name. */
  constructor(name: string, args: VmBridgeArgs<Name>, options?: pulumi.ComponentResourceOptions) {
    // Before anything is registered.
    const { names, subnet, gateway, addresses, macs } = planOf(name, args);
    super("tuntap:components:VmBridge", name, {}, options);
    const { namespace, onBusy } = args;
    const mtu = args.bridge?.mtu ?? args.mtu;

    this.bridge = new Bridge(
      name,
      { address: gateway, netmask: subnet.netmask, namespace, onBusy, ...given(args.bridge), mtu },
      { parent: this },
    );
    const { outInterface, forwarding = outInterface !== undefined } = args;
    this.forwarding = forwarding
      ? new Sysctl(
          `${name}-forwarding`,
          { name: "net.ipv4.ip_forward", value: 1, namespace },
          { parent: this },
        )
      : undefined;
    const forwards = names.flatMap((each) =>
      (args.vms[each].forwards ?? []).map((forward) => ({ ...forward, to: addresses[each] })),
    );
    this.nat =
      outInterface === undefined
        ? undefined
        : new Nat(
            `${name}-nat`,
            {
              source: [subnet.text],
              outInterface,
              forwards: forwards.length > 0 ? forwards : undefined,
              allowForwarding: args.allowForwarding,
              namespace,
            },
            { parent: this, dependsOn: this.forwarding },
          );
    this.dhcp = args.dhcp
      ? runDhcp(
          name,
          args.dhcp === true ? {} : args.dhcp,
          {
            bridge: this.bridge.name,
            declaredBridge: bridgeName(name, args),
            ifindex: this.bridge.ifindex,
            namespace,
            mtu,
            address: gateway,
            network: networkOf(subnet),
            netmask: subnet.netmask,
            hosts: names.map((each) => ({
              name: each,
              address: addresses[each],
              macAddress: macs[each],
            })),
          },
          { parent: this },
        )
      : undefined;

    // The taps come last and go first: a VM that holds one stops a `down` before its network is taken away.
    const services = [this.forwarding, this.nat, this.dhcp].filter((each) => each !== undefined);
    const isolation = args.isolated === undefined ? undefined : { isolated: args.isolated };
    const tapOf = (each: Name) => {
      const { owner = args.owner, group = args.group, tap } = args.vms[each];
      const port =
        isolation || tap?.port
          ? pulumi.output(tap?.port).apply((more) => ({ ...isolation, ...given(more) }))
          : undefined;
      const consumer = tap?.consumer ?? args.consumer;
      const guestMacAddress = consumer === undefined ? undefined : macs[each];
      return new TunInterface(
        `${name}-${each}`,
        {
          ...{ owner, group, mtu, onBusy, consumer },
          ...given(tap),
          ...{ port, guestMacAddress, namespace, bridge: this.bridge.name },
        },
        { parent: this, dependsOn: services },
      );
    };
    this.taps = Object.fromEntries(names.map((each) => [each, tapOf(each)])) as Record<Name, TunInterface>;
    this.vms = Object.fromEntries(
      names.map((each) => [
        each,
        {
          tap: this.taps[each].name,
          macAddress: macs[each],
          address: addresses[each],
          prefixLength: subnet.prefixLength,
          gateway,
        },
      ]),
    ) as Record<Name, Vm>;
    this.registerOutputs({ vms: this.vms });
  }
}

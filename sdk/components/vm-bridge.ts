import type { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { Bridge, type BridgeArgs } from "../resources/bridge";
import { Sysctl } from "../resources/sysctl";
import { TunInterface, type TunInterfaceArgs } from "../resources/tun-interface";
import { gatewayOf, macFor, networkOf, parseSubnet, planAddresses } from "./address-plan";
import { type DhcpArgs, runDhcp } from "./dhcp";

/** A VM of a `VmBridge`. */
export interface VmArgs {
  /**
   * IPv4 address of the VM, in the bridge's subnet. Default: one that follows from the VM's name, so that it stays
   * the same whatever other VMs come and go.
   */
  address?: string;

  /**
   * MAC address that the VM's network card shall have. Default: one that follows from the names of project, stack,
   * component and VM. The tap on the host has another one, of its own.
   */
  macAddress?: string;

  /** User that may attach to this VM's tap. Default: `owner` of the component. */
  owner?: pulumi.Input<string | number>;

  /** Group that may attach to this VM's tap. Default: `group` of the component. */
  group?: pulumi.Input<string | number>;

  /** More inputs of its tap, such as `name`, `multiQueue` or `port`; they win over the component's. */
  tap?: Omit<TunInterfaceArgs, "bridge" | "namespace">;
}

/** Inputs of a `VmBridge`. */
export interface VmBridgeArgs<Name extends string = string> {
  /** IPv4 subnet of the bridge and its VMs, with a prefix length of 8 to 30: `10.20.0.0/24`. */
  subnet: string;

  /** The VMs by name; a name is a host name in lower case, at most 63 characters. */
  vms: Record<Name, VmArgs>;

  /** The bridge's own address in the subnet: the VMs' gateway. Default: the first of the subnet. */
  address?: string;

  /**
   * Network namespace that all of it lives in, by its name in /run/netns. Default: the host's. Pass the `.name` of a
   * `Namespace` resource, so that it is made first.
   */
  namespace?: pulumi.Input<string>;

  /** User that may attach to the taps, by name or uid: whoever runs the VMs. Default: none, which the plan warns of. */
  owner?: pulumi.Input<string | number>;

  /** Group that may attach to the taps, by name or gid. Default: none. */
  group?: pulumi.Input<string | number>;

  /** Largest packet of bridge and taps, in bytes; with `dhcp` the VMs are told. Default: not managed. */
  mtu?: pulumi.Input<number>;

  /**
   * Whether the VMs reach only the bridge and what is behind it, and not one another (isolated ports).
   * Default: `false`.
   */
  isolated?: pulumi.Input<boolean>;

  /**
   * Whether packets are forwarded between the namespace's interfaces (net.ipv4.ip_forward). `false` leaves that as it
   * is: one `VmBridge` of a namespace can set it for all. Default: `false`.
   */
  forwarding?: boolean;

  /**
   * Whether dnsmasq, bound to this bridge alone, serves the VMs' addresses and names and a resolver; with settings
   * where the defaults do not do. It needs dnsmasq on the host, and Pulumi's plugin `command`. Default: `false`.
   */
  dhcp?: boolean | DhcpArgs;

  /**
   * What to do when a process holds a tap, or others' ports are on the bridge, and it must be deleted or made anew:
   * `fail`, `wait` or `force`, as `onBusy` of `TunInterface` and `Bridge`. Default: `"fail"`.
   */
  onBusy?: pulumi.Input<"fail" | "wait" | "force">;

  /** More inputs of the bridge, such as `name`, `stp` or `multicastSnooping`; they win over the component's. */
  bridge?: Omit<BridgeArgs, "address" | "netmask" | "namespace">;
}

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

  /** The command that runs dnsmasq; where `dhcp` is wanted. */
  readonly dhcp: local.Command | undefined;

  /** @param name the logical name; the bridge is called so, and the taps by it and the VM's name. */
  constructor(name: string, args: VmBridgeArgs<Name>, options?: pulumi.ComponentResourceOptions) {
    // Before anything is registered.
    const { names, subnet, gateway, addresses, macs } = planOf(name, args);
    super("tuntap:components:VmBridge", name, {}, options);
    const { namespace, mtu, onBusy } = args;

    this.bridge = new Bridge(
      name,
      { address: gateway, netmask: subnet.netmask, namespace, mtu, onBusy, ...args.bridge },
      { parent: this },
    );
    this.forwarding = args.forwarding
      ? new Sysctl(
          `${name}-forwarding`,
          { name: "net.ipv4.ip_forward", value: 1, namespace },
          { parent: this },
        )
      : undefined;
    this.dhcp = args.dhcp
      ? runDhcp(
          name,
          args.dhcp === true ? {} : args.dhcp,
          {
            bridge: this.bridge.name,
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
    const services = [this.forwarding, this.dhcp].filter((each) => each !== undefined);
    const isolation = args.isolated === undefined ? undefined : { isolated: args.isolated };
    const tapOf = (each: Name) => {
      const { owner = args.owner, group = args.group, tap } = args.vms[each];
      const port =
        isolation || tap?.port
          ? pulumi.output(tap?.port).apply((more) => ({ ...isolation, ...more }))
          : undefined;
      return new TunInterface(
        `${name}-${each}`,
        { owner, group, mtu, onBusy, ...tap, port, namespace, bridge: this.bridge.name },
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

/** Who has which address, from the inputs alone. Errors: as the component's. */
function planOf<Name extends string>(component: string, args: VmBridgeArgs<Name>) {
  const names = Object.keys(args.vms) as Name[];
  for (const each of names) checkName(each);
  const subnet = parseSubnet(args.subnet, "subnet");
  const gateway = gatewayOf(subnet, args.address);
  const given = Object.fromEntries(names.map((each) => [each, args.vms[each].address]));
  const addresses = planAddresses(subnet, gateway, given) as Record<Name, string>;
  return { names, subnet, gateway, addresses, macs: macAddresses(component, args.vms) };
}

/** The names of hosts, as DHCP and resolvers take them (RFC 1123). */
function checkName(name: string): void {
  if (/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) return;
  throw new Error(
    `vms has the name ${JSON.stringify(name)}, which is no host name; use lower-case letters, digits and hyphens, at most 63, with no hyphen at an end.`,
  );
}

function macAddresses<Name extends string>(
  component: string,
  vms: Record<Name, VmArgs>,
): Record<Name, string> {
  const taken = new Map<string, string>();
  const found = Object.entries<VmArgs>(vms).map(([name, { macAddress }]) => {
    const mac = macAddress?.toLowerCase() ?? macFor(pulumi.getProject(), pulumi.getStack(), component, name);
    if (!/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/.test(mac) || mac === "00:00:00:00:00:00") {
      throw new Error(
        `vms.${name}.macAddress ${JSON.stringify(macAddress)} is no unicast MAC address; write one as "52:54:00:12:34:56", its first byte even.`,
      );
    }
    const other = taken.get(mac);
    if (other !== undefined) {
      throw new Error(
        `vms.${other} and vms.${name} have the same MAC address ${mac}; give one of them another.`,
      );
    }
    taken.set(mac, name);
    return [name, mac];
  });
  return Object.fromEntries(found) as Record<Name, string>;
}

/** What a VmBridge is made of, and what follows from it before anything is registered. */

import * as pulumi from "@pulumi/pulumi";
import { automaticName, linkNameBytes, linkNameProblem } from "../../provider/kinds/parts/names";
import type { BridgeArgs } from "../resources/bridge";
import type { NatForwardArgs } from "../resources/nat";
import type { TunInterfaceArgs } from "../resources/tun-interface";
import { gatewayOf, macFor, parseSubnet, planAddresses } from "./address-plan";
import { checkDhcp, type DhcpArgs } from "./dhcp";
import { checkInputs } from "./inputs";
import { VmBridge as validator } from "./validators/vm-bridge";

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

  /**
   * Ports of the host that are forwarded to this VM: what comes in by `outInterface` for `port` goes to `toPort` of the
   * VM. Default: none.
   */
  forwards?: Omit<NatForwardArgs, "to">[];

  /** More inputs of its tap, such as `name`, `multiQueue` or `port`; they win over the component's. */
  tap?: Omit<TunInterfaceArgs, "bridge" | "namespace" | "guestMacAddress">;
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

  /**
   * Largest packet of bridge and taps, in bytes; with `dhcp` the VMs are told. `mtu` of `bridge` is the same setting.
   * Default: not managed.
   */
  mtu?: pulumi.Input<number>;

  /**
   * Whether the VMs reach only the bridge and what is behind it, and not one another (isolated ports).
   * Default: `false`.
   */
  isolated?: pulumi.Input<boolean>;

  /**
   * Interface to the outside, by name, in the same namespace: what the VMs send by it gets its address (a `Nat`), and
   * `forwarding` is on. Default: none; the VMs reach one another and the bridge.
   */
  outInterface?: pulumi.Input<string>;

  /**
   * Whether the table of the `Nat` shows what is meant to be forwarded for the VMs, as `allowForwarding` of `Nat`: by
   * itself that changes nothing, and overrules no chain of another table that drops it. Default: `false`.
   */
  allowForwarding?: pulumi.Input<boolean>;

  /**
   * Whether packets are forwarded between the namespace's interfaces (net.ipv4.ip_forward). `false` leaves that as it
   * is: only one of a namespace's may set it, or a `Sysctl` beside them. Default: whether there is an `outInterface`.
   */
  forwarding?: boolean;

  /**
   * The program that runs the VMs: their taps then have its configuration as an output (`qemuArguments`, `libvirtXml`
   * …), with the VM's MAC address. Default: none is assumed.
   */
  consumer?: TunInterfaceArgs["consumer"];

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

  /**
   * More inputs of the bridge, such as `name`, `stp` or `multicastSnooping`; they win over the component's. An `mtu` here
   * is that of the taps and VMs too, as what is on one bridge must agree on it.
   */
  bridge?: Omit<BridgeArgs, "address" | "netmask" | "namespace">;
}

/** Who has which address, from the inputs alone. Errors: as the component's. */
export function planOf<Name extends string>(component: string, args: VmBridgeArgs<Name>) {
  checkInputs("VmBridge", validator, args);
  const names = Object.keys(args.vms) as Name[];
  for (const each of names) {
    checkName(each);
    if (args.vms[each].forwards !== undefined && args.outInterface === undefined) {
      throw new Error(`vms.${each}.forwards need an outInterface: what comes in by it is forwarded.`);
    }
  }
  if (args.dhcp) checkDhcp(args.dhcp === true ? {} : args.dhcp, bridgeName(component, args));
  const subnet = parseSubnet(args.subnet, "subnet");
  const gateway = gatewayOf(subnet, args.address);
  const given = Object.fromEntries(names.map((each) => [each, args.vms[each].address]));
  const addresses = planAddresses(subnet, gateway, given) as Record<Name, string>;
  return { names, subnet, gateway, addresses, macs: macAddresses(component, args.vms) };
}

/** What the bridge is called, known also while it is only planned. */
export function bridgeName(
  component: string,
  { bridge }: Pick<VmBridgeArgs, "bridge">,
): pulumi.Input<string> {
  return bridge?.name ?? automaticName(component, linkNameBytes, linkNameProblem);
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

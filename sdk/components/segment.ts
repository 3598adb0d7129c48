import * as pulumi from "@pulumi/pulumi";
import { Bridge, type BridgeArgs } from "../resources/bridge";
import { Vxlan, type VxlanArgs } from "../resources/vxlan";
import { checkInputs, given } from "./inputs";
import { Segment as validator } from "./validators/segment";

/** A host of a `Segment`. */
export interface SegmentHostArgs {
  /** Address of the host in the network that carries the tunnels, IPv4 or IPv6; all hosts of one family. */
  local: pulumi.Input<string>;

  /**
   * Network namespace of this host's part, by its name in /run/netns. Default: the host's own. Pass the `.name` of a
   * `Namespace` resource, so that it is made first.
   */
  namespace?: pulumi.Input<string>;

  /**
   * Bridge that is joined, by name, in the same namespace: the `bridge.name` of a `VmBridge`, for one. Default: one is
   * made.
   */
  bridge?: pulumi.Input<string>;

  /** Inputs of the bridge that is made, such as `address`, `name` or `stp`; not together with `bridge`. */
  newBridge?: Omit<BridgeArgs, "namespace">;

  /** More inputs of this host's VXLAN interface, such as `device`; they win over the component's. */
  vxlan?: Omit<VxlanArgs, "vni" | "local" | "peers" | "bridge" | "namespace">;
}

/** Inputs of a `Segment`. */
export interface SegmentArgs<Name extends string = string> {
  /** Number of the network (VXLAN network identifier): 0 to 16777215. No other segment of these hosts may have it. */
  vni: number;

  /** The hosts by name. */
  hosts: Record<Name, SegmentHostArgs>;

  /** UDP port of the tunnels. Default: 4789. */
  destinationPort?: pulumi.Input<number>;

  /**
   * Largest packet inside, in bytes, of the VXLAN interfaces and of the bridges that are made: at most that of the
   * network between the hosts less 50 (70 with IPv6). Default: not managed.
   */
  mtu?: pulumi.Input<number>;
}

/**
 * One Ethernet network over several hosts: a bridge on each, joined by VXLAN tunnels from every host to every other.
 * The ends are declared (no multicast group, no controller); which MAC address is where is learned.
 *
 * ```ts
 * const segment = new tuntap.Segment("lab", {
 *   vni: 42,
 *   hosts: {
 *     one: { namespace: "one", local: "192.0.2.1", newBridge: { address: "10.30.0.1/24" } },
 *     two: { namespace: "two", local: "192.0.2.2", newBridge: { address: "10.30.0.2/24" } },
 *   },
 * });
 *
 * export const bridge = segment.bridges.one?.name;
 * ```
 *
 * Errors: thrown when the program declares it, with the input and what to do; those of the parts as theirs.
 */
export class Segment<Name extends string = string> extends pulumi.ComponentResource {
  /** The bridges that were made, by host. */
  readonly bridges: Readonly<Partial<Record<Name, Bridge>>>;

  /** The VXLAN interfaces by host. */
  readonly vxlans: Readonly<Record<Name, Vxlan>>;

  /**
   * @param name the logical name; a bridge that is made is called by it and the host's name, and a VXLAN interface
   * `vxlan` and the number of the network.
   */
  constructor(name: string, args: SegmentArgs<Name>, options?: pulumi.ComponentResourceOptions) {
    checkInputs("Segment", validator, args);
    const names = Object.keys(args.hosts) as Name[];
    for (const each of names) checkHost(each, args.hosts[each]);
    checkAddresses(args.hosts);
    super("tuntap:components:Segment", name, {}, options);
    const { vni, destinationPort, mtu } = args;

    const bridges: Partial<Record<Name, Bridge>> = {};
    const vxlans: Partial<Record<Name, Vxlan>> = {};
    for (const each of names) {
      const { local, namespace, bridge, newBridge, vxlan } = args.hosts[each];
      if (bridge === undefined) {
        bridges[each] = new Bridge(
          `${name}-${each}`,
          { mtu, ...given(newBridge), namespace },
          { parent: this },
        );
      }
      const others = names.filter((other) => other !== each).map((other) => args.hosts[other].local);
      vxlans[each] = new Vxlan(
        `${name}-${each}-vxlan`,
        {
          name: `vxlan${vni}`,
          destinationPort,
          mtu,
          ...given(vxlan),
          vni,
          local,
          peers: others.map((address) => ({ address })),
          namespace,
          bridge: bridge ?? bridges[each]?.name,
        },
        { parent: this },
      );
    }
    this.bridges = bridges;
    this.vxlans = vxlans as Record<Name, Vxlan>;
    this.registerOutputs({});
  }
}

function checkHost(name: string, { bridge, newBridge }: SegmentHostArgs): void {
  if (bridge === undefined || newBridge === undefined) return;
  throw new Error(
    `hosts.${name} has both bridge and newBridge; leave out newBridge to join that bridge, or bridge to have one made.`,
  );
}

/** As far as addresses are known when the program runs. */
function checkAddresses(hosts: Record<string, SegmentHostArgs>): void {
  const taken = new Map<string, string>();
  for (const [name, { local }] of Object.entries(hosts)) {
    if (typeof local !== "string") continue;
    const other = taken.get(local);
    if (other !== undefined) {
      throw new Error(
        `hosts.${other} and hosts.${name} have the same address ${local} (local); a host has one of its own.`,
      );
    }
    taken.set(local, name);
  }
}

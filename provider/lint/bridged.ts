import { isTuntapError } from "../errors";
import type { Host } from "../host/host";
import { desiredAddresses } from "../kinds/parts/addresses";
import {
  bridgedDrop,
  bridgedLegacy,
  bridgedSysctls,
  type ForwardChain,
  forwardChains,
  legacyVersions,
  type Version,
} from "../kinds/parts/forward-drops";
import {
  entryOf,
  type Finding,
  known,
  nothing,
  type Passing,
  type PassingLink,
  type Rule,
  together,
} from "./passing";
import { DeclaredSysctls } from "./sysctls";

/**
 * A bridge whose ports do not reach one another: br_netfilter shows its packets to the forward chains of iptables and
 * nftables, and one of them drops what is forwarded, as Docker's does.
 */
export function bridgedDrops(): Rule {
  const sysctls = new DeclaredSysctls(Object.fromEntries(bridgedSysctls.map((name) => [name, name])));
  const bridges = new Map<string, Passing>();
  const looks = new Map<string, Look>();

  const judge = async (passing: Passing, link: PassingLink, host: Host): Promise<Finding[]> => {
    const { urn, inputs } = passing;
    const name = known<string>(passing, link, "name");
    if (name === undefined) return [];
    // In one that is not there yet nothing drops anything.
    if (!looks.has(link.place) && !(await host.namespaces.exists(link.namespace))) return [];
    const look = entryOf(looks, link.place, () => new Look(host, link.namespace));
    const isOn = async (sysctl: string) => {
      const declared = [...sysctls.of(sysctl, inputs).values()];
      return declared.length > 0 ? declared.some((value) => value !== "0") : look.isOn(sysctl);
    };
    const on: string[] = [];
    for (const sysctl of bridgedSysctls) if (await isOn(sysctl)) on.push(sysctl);
    if (on.length === 0) return [];
    const traffic = { name, networks: networksOf(passing, link), sysctls: on };
    const legacy = bridgedLegacy(await look.legacy(), traffic).map((told): Finding => ({ on: urn, ...told }));
    const found = (await look.forwarding()).flatMap((forwarding): Finding[] => {
      const { contents, chain } = forwarding;
      const message = bridgedDrop(forwarding, traffic);
      const about = `${contents.family} ${contents.name} ${chain.name}`;
      return message === undefined ? [] : [{ on: urn, about, message }];
    });
    return [...found, ...legacy];
  };

  return (passing, host) => {
    const { kind, urn, inputs } = passing;
    if (kind === "Bridge") {
      bridges.set(urn, passing);
      sysctls.wait(passing);
    } else if (kind !== "Sysctl") return nothing;
    const concerned = new Set<Passing>();
    const seen = kind === "Sysctl" ? sysctls.see(passing) : undefined;
    // One that nobody waited for turns it on.
    if (seen && seen.value !== "0")
      for (const bridge of bridges.values())
        if (bridge.inputs.namespace === inputs.namespace) concerned.add(bridge);
    for (const bridge of sysctls.ready()) concerned.add(bridge);
    return together(
      [...concerned].flatMap((bridge) => bridge.links.map((link) => judge(bridge, link, host))),
    );
  };
}

function networksOf({ hidden }: Passing, { inputs }: PassingLink): string[] {
  if (["address", "netmask", "addresses"].some((name) => hidden.has(name))) return [];
  return (desiredAddresses(inputs)?.all ?? []).map(({ cidr }) => cidr);
}

/** What there is in a namespace, looked at once in a run, and only as far as it is asked for. */
class Look {
  private readonly values = new Map<string, Promise<boolean>>();
  private versions: Promise<readonly Version[]> | undefined;
  private chains: Promise<ForwardChain[]> | undefined;

  constructor(
    private readonly host: Host,
    private readonly namespace: string | undefined,
  ) {}

  /** Not where it cannot be read, or br_netfilter is not there. */
  isOn(sysctl: string): Promise<boolean> {
    const value =
      this.values.get(sysctl) ??
      readable(this.host.sysctls.find(this.namespace, sysctl)).then((text) => text === "1");
    this.values.set(sysctl, value);
    return value;
  }

  /** None where that cannot be read. */
  legacy(): Promise<readonly Version[]> {
    this.versions ??= readable(legacyVersions(this.namespace, this.host)).then((found) => found ?? []);
    return this.versions;
  }

  /** None where nft is not there, or cannot be asked. */
  forwarding(): Promise<ForwardChain[]> {
    this.chains ??= readable(forwardChains(this.namespace, this.host)).then((chains) => chains ?? []);
    return this.chains;
  }
}

async function readable<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (isTuntapError(error)) return undefined;
    throw error;
  }
}

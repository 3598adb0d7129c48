import { canonicalAddress, splitCidr } from "../host/addresses";
import type { Host } from "../host/host";
import { labelOf } from "../host/leases";
import type { Link } from "../host/links";
import type { Scene } from "../host/scenes";
import { desiredAddresses } from "../kinds/parts/addresses";
import {
  type DeclaredLinks,
  Facts,
  type Finding,
  isOurs,
  known,
  linkOf,
  type Passing,
  type PassingLink,
  type Rule,
  seenAround,
  together,
} from "./passing";

/** Ethernet, IP, UDP and VXLAN headers (RFC 7348), in bytes. */
const overhead = { ipv4: 50, ipv6: 70 };

/** What the kernel starts with, of a tunnel without a `device` too. */
const usualMtu = 1500;

function headersOf(passing: Passing, link: PassingLink): number {
  const ends = ["remote", "local", "group"].map((end) => known<string>(passing, link, end));
  return ends.some((end) => end?.includes(":")) ? overhead.ipv6 : overhead.ipv4;
}

/** A link that is declared, as a resource declares it. */
interface Declared {
  passing: Passing;
  link: PassingLink;
}

/** One that a tunnel's packets leave by: by its name, or by an address. */
interface Underlay {
  key: string;
  device: string | undefined;
  local: string | undefined;
}

/** undefined where neither is declared: then the route decides. */
function underlayOf(passing: Passing, link: PassingLink): Underlay | undefined {
  if (passing.kind !== "Vxlan" || passing.hidden.has("device")) return undefined;
  const device = known<string>(passing, link, "device");
  if (device !== undefined) return { key: `${link.place}=${device}`, device, local: undefined };
  const local = canonicalAddress(known<string>(passing, link, "local") ?? "");
  return local === undefined ? undefined : { key: `${link.place}@${local}`, device, local };
}

/** What an underlay is looked for by. */
function underlayKeys(passing: Passing, link: PassingLink): string[] {
  const name = known<string>(passing, link, "name");
  const keys = name === undefined ? [] : [`${link.place}=${name}`];
  if (["address", "netmask", "addresses", "peerAddress"].some((input) => passing.hidden.has(input)))
    return keys;
  const addresses = desiredAddresses(link.inputs)?.all ?? [];
  return [...keys, ...addresses.map(({ cidr }) => `${link.place}@${splitCidr(cidr).address}`)];
}

function ownerOf(scene: Scene | undefined, { device, local }: Underlay): Link | undefined {
  if (device !== undefined) return scene?.links.named(device);
  for (const [ifindex, addresses] of scene?.addresses ?? [])
    if (addresses.some(({ cidr }) => splitCidr(cidr).address === local)) return scene?.links.at(ifindex);
  return undefined;
}

/** As declared, else as it is; undefined where it is neither, or not known yet. */
function mtuOf({ passing, link }: Declared, scene: Scene | undefined): number | undefined {
  if (passing.hidden.has("mtu")) return undefined;
  const name = known<string>(passing, link, "name");
  const seen = name === undefined ? undefined : scene?.links.named(name);
  return known<number>(passing, link, "mtu") ?? seen?.mtu;
}

/** As `mtuOf`, and else what the kernel will start with: a tunnel fits the `device` that it has, if it has one. */
function tunnelMtu(tunnel: Declared, scene: Scene | undefined): number | undefined {
  const { passing, link } = tunnel;
  const isFree = !passing.hidden.has("mtu") && known<string>(passing, link, "device") === undefined;
  return mtuOf(tunnel, scene) ?? (isFree && !passing.hidden.has("device") ? usualMtu : undefined);
}

/**
 * A tunnel whose packets, with their headers, do not fit into those of the interface that carries them: its `device`, or
 * that which has its `local` address, of the program or of the host.
 */
export function mtuAboveUnderlay(): Rule {
  const carriers = new Facts<Declared>();
  const tunnels = new Facts<Declared & { under: Underlay }>();
  return (passing, host) => {
    const { urn } = passing;
    carriers.forget(urn);
    tunnels.forget(urn);
    const later: Promise<Finding[]>[] = [];
    for (const link of passing.links) {
      for (const key of underlayKeys(passing, link)) {
        carriers.add(key, urn, { passing, link });
        for (const tunnel of tunnels.of(key)?.values() ?? [])
          later.push(judge(tunnel, tunnel.under, host, { passing, link }));
      }
      const under = underlayOf(passing, link);
      if (under === undefined) continue;
      tunnels.add(under.key, urn, { passing, link, under });
      const declared = [...(carriers.of(under.key)?.values() ?? [])];
      for (const carrier of declared) later.push(judge({ passing, link }, under, host, carrier));
      if (declared.length === 0) later.push(judge({ passing, link }, under, host));
    }
    return together(later);
  };
}

/** @param carrier what is declared of the underlay; without it, it is looked for on the host. */
async function judge(tunnel: Declared, under: Underlay, host: Host, carrier?: Declared): Promise<Finding[]> {
  const { passing, link } = tunnel;
  const scene = await seenAround(link, host);
  const owner = carrier ? undefined : ownerOf(scene, under);
  // One of ours passes by itself.
  const of = carrier ? mtuOf(carrier, scene) : owner && !isOurs(passing, owner) ? owner.mtu : undefined;
  const mtu = tunnelMtu(tunnel, scene);
  const headers = headersOf(passing, link);
  if (of === undefined || mtu === undefined || mtu + headers <= of) return [];
  const isDeclared = known<number>(passing, link, "mtu") !== undefined;
  const what = isDeclared ? `mtu ${mtu}` : `its mtu, which is not declared and so ${mtu},`;
  const label = carrier ? labelOf(carrier.passing.urn) : owner?.name;
  const whose =
    under.device === undefined ? `${label}, which has its \`local\` address` : `its device, ${label}`;
  return [
    {
      on: passing.urn,
      about: "",
      message: `${what} and ${headers} bytes of headers are above the ${of} of ${whose}: long packets are lost or sent in pieces; ${isDeclared ? "lower the mtu to" : "declare the mtu"} ${of - headers}, or raise that one's`,
    },
  ];
}

/** A tunnel on a bridge with a port whose frames do not fit into it. One that carries more than other ports does no harm. */
export function tunnelBelowPorts(): Rule {
  const ports = new Facts<Declared>();
  return (passing, host, declared) => {
    const { urn, kind } = passing;
    ports.forget(urn);
    const later: Promise<Finding[]>[] = [];
    for (const link of portsOf(passing)) {
      const bridge = known<string>(passing, link, "bridge");
      if (bridge === undefined) continue;
      const key = link.place + bridge;
      // The members of a pool are alike.
      if (ports.of(key)?.has(urn)) continue;
      const port = { passing, link };
      for (const other of ports.of(key)?.values() ?? []) {
        if (kind === "Vxlan") later.push(below(port, other, bridge, host));
        if (other.passing.kind === "Vxlan") later.push(below(other, port, bridge, host));
      }
      ports.add(key, urn, port);
      if (kind === "Vxlan") later.push(belowOthers(port, bridge, host, declared));
    }
    return together(later);
  };
}

/** Interfaces that are put on a bridge are not the program's, but they have an mtu all the same. */
function portsOf(passing: Passing): readonly PassingLink[] {
  const { kind, inputs, hidden, links } = passing;
  if (kind !== "BridgePort") return links;
  if (hidden.has("interface") || hidden.has("namespace")) return [];
  const { interface: name, bridge, namespace } = inputs;
  return [linkOf({ name, bridge, namespace })];
}

async function below(tunnel: Declared, port: Declared, bridge: string, host: Host): Promise<Finding[]> {
  const { kind, urn, hidden } = port.passing;
  const scene = await seenAround(tunnel.link, host);
  const usual = kind === "BridgePort" || hidden.has("mtu") ? undefined : usualMtu;
  const mtu = kind === "Vxlan" ? tunnelMtu(port, scene) : (mtuOf(port, scene) ?? usual);
  return belowText(tunnel, tunnelMtu(tunnel, scene), labelOf(urn), mtu, bridge);
}

async function belowOthers(
  tunnel: Declared,
  bridge: string,
  host: Host,
  declared: DeclaredLinks,
): Promise<Finding[]> {
  const scene = await seenAround(tunnel.link, host);
  const master = scene?.links.named(bridge)?.ifindex;
  if (!scene || master === undefined) return [];
  const others = scene.links.all.filter(
    (link) => link.master === master && !isOurs(tunnel.passing, link) && !declared.have(tunnel.link, link),
  );
  const mtu = tunnelMtu(tunnel, scene);
  return others.flatMap((port) => belowText(tunnel, mtu, port.name, port.mtu, bridge)).slice(0, 1);
}

function belowText(
  { passing }: Declared,
  mtu: number | undefined,
  port: string,
  of: number | undefined,
  bridge: string,
): Finding[] {
  if (mtu === undefined || of === undefined || of <= mtu) return [];
  return [
    {
      on: passing.urn,
      about: bridge,
      message: `its mtu is ${mtu}, and that of ${port}, a port of the same bridge (${bridge}), is ${of}: the longest frames from there do not fit into the tunnel and are dropped without a word; declare the mtu ${mtu} on all ports, and in the machines, or raise that of the tunnel and of what carries it`,
    },
  ];
}

import type { Inputs } from "../kinds/kind";
import { Facts, type Finding, known, labelOf, type Passing, type PassingLink, type Rule } from "./passing";

/** What the kernel starts with (net/bridge/br_device.c), in seconds. */
const usualForwardDelay = 15;
/** The least with STP, which nobody waits for in vain. */
const leastForwardDelay = 2;

const taps: ReadonlySet<string> = new Set(["TunInterface", "TunPool"]);

/**
 * A rule about two resources, one of which names a link of the other, in the same namespace.
 * @param named what is noted of a link, to be found by its name.
 * @param naming what is noted of a link that names another one.
 * @param finding what the two make together.
 */
function pairs<Named, Naming>(
  named: (passing: Passing, link: PassingLink) => Named | undefined,
  naming: (passing: Passing, link: PassingLink) => { name: string; fact: Naming } | undefined,
  finding: (named: [urn: string, Named], naming: [urn: string, Naming]) => Finding | undefined,
): Rule {
  const all = { named: new Facts<Named>(), naming: new Facts<Naming>() };
  return (passing) => {
    const { urn } = passing;
    all.named.forget(urn);
    all.naming.forget(urn);
    const findings: Finding[] = [];
    const add = (found: Finding | undefined) => found && findings.push(found);
    for (const link of passing.links) {
      const name = known<string>(passing, link, "name");
      const own = name === undefined ? undefined : named(passing, link);
      if (own !== undefined) {
        const key = link.place + name;
        all.named.add(key, urn, own);
        for (const other of all.naming.of(key) ?? []) add(finding([urn, own], other));
      }
      const other = naming(passing, link);
      if (other === undefined) continue;
      const key = link.place + other.name;
      all.naming.add(key, urn, other.fact);
      for (const one of all.named.of(key) ?? []) add(finding(one, [urn, other.fact]));
    }
    return findings;
  };
}

/** A bridge with STP keeps new ports from forwarding, and a machine that boots asks for its address meanwhile. */
export function listeningDelay(): Rule {
  return pairs<number, true>(
    (passing, link) => {
      if (passing.kind !== "Bridge" || known(passing, link, "stp") !== true) return undefined;
      if (passing.hidden.has("forwardDelay")) return undefined;
      const delay = known<number>(passing, link, "forwardDelay") ?? usualForwardDelay;
      return delay > leastForwardDelay ? delay : undefined;
    },
    (passing, link) => {
      const name = known<string>(passing, link, "bridge");
      return taps.has(passing.kind) && name !== undefined ? { name, fact: true } : undefined;
    },
    // On the bridge, however many ports it has.
    ([bridge, delay]) => ({
      on: bridge,
      about: "",
      message: `it runs STP, and TAPs are its ports: a port forwards nothing for its first ${2 * delay} seconds (twice \`forwardDelay\`), so a machine that asks for its address when it boots may get none; leave \`stp\` off where no other bridge closes a circle, or set \`forwardDelay\` to ${leastForwardDelay}`,
    }),
  );
}

/** A port whose mtu is above its bridge's. */
export function mtuAboveBridge(): Rule {
  return pairs<number, number>(
    (passing, link) => (passing.kind === "Bridge" ? known<number>(passing, link, "mtu") : undefined),
    (passing, link) => {
      const name = known<string>(passing, link, "bridge");
      const mtu = known<number>(passing, link, "mtu");
      return name === undefined || mtu === undefined ? undefined : { name, fact: mtu };
    },
    ([bridge, of], [port, mtu]) => {
      if (mtu <= of) return undefined;
      return {
        on: port,
        about: bridge,
        message: `mtu ${mtu} is above the ${of} of its bridge, ${labelOf(bridge)}: what is on one bridge must agree on it, as frames that are too long for a port are dropped without a word; declare the same mtu`,
      };
    },
  );
}

/** VLANs of a port whose bridge is declared not to filter them. */
export function unfilteredVlans(): Rule {
  return pairs<true, true>(
    (passing, link) =>
      passing.kind === "Bridge" && known(passing, link, "vlanFiltering") === false ? true : undefined,
    (passing, link) => {
      const name = known<string>(passing, link, "bridge");
      const port = passing.hidden.has("port") ? undefined : (link.inputs.port as Inputs | undefined);
      return name === undefined || port?.vlans === undefined ? undefined : { name, fact: true };
    },
    ([bridge], [port]) => ({
      on: port,
      about: bridge,
      message: `port.vlans have no effect, as ${labelOf(bridge)} declares \`vlanFiltering\` false: every port gets every frame; set it to true, or take the VLANs out`,
    }),
  );
}

/** Ethernet, IP, UDP and VXLAN headers (RFC 7348), in bytes. */
const overhead = { ipv4: 50, ipv6: 70 };

/** A tunnel whose packets, with their headers, do not fit into those of the interface that carries them. */
export function mtuAboveUnderlay(): Rule {
  return pairs<number, { mtu: number; headers: number }>(
    (passing, link) => known<number>(passing, link, "mtu"),
    (passing, link) => {
      const name = known<string>(passing, link, "device");
      const mtu = known<number>(passing, link, "mtu");
      if (passing.kind !== "Vxlan" || name === undefined || mtu === undefined) return undefined;
      const ends = ["remote", "local", "group"].map((end) => known<string>(passing, link, end));
      const wide = ends.some((end) => end?.includes(":"));
      return { name, fact: { mtu, headers: wide ? overhead.ipv6 : overhead.ipv4 } };
    },
    ([device, of], [tunnel, { mtu, headers }]) => {
      if (mtu + headers <= of) return undefined;
      return {
        on: tunnel,
        about: device,
        message: `mtu ${mtu} and ${headers} bytes of headers are above the ${of} of its device, ${labelOf(device)}: long packets are lost or sent in pieces; lower the mtu to ${of - headers}, or raise the device's`,
      };
    },
  );
}

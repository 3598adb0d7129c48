import type { Host } from "../host/host";
import { labelOf } from "../host/leases";
import type { Link } from "../host/links";
import type { Inputs } from "../kinds/kind";
import {
  Facts,
  type Finding,
  isOurs,
  known,
  type Passing,
  type PassingLink,
  type Rule,
  seenAround,
  together,
} from "./passing";

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

/**
 * A bridge with STP keeps new ports from forwarding, and a machine that boots asks for its address meanwhile. What is not
 * declared of a bridge is looked up; of one that is not declared at all, all is.
 */
export function listeningDelay(): Rule {
  const bridges = new Facts<{ passing: Passing; link: PassingLink }>();
  const ports = new Facts<true>();
  return (passing, host) => {
    const { kind, urn } = passing;
    bridges.forget(urn);
    ports.forget(urn);
    const later: Promise<Finding[]>[] = [];
    for (const link of passing.links) {
      const named = known<string>(passing, link, kind === "Bridge" ? "name" : "bridge");
      if (named === undefined) continue;
      const key = link.place + named;
      if (kind === "Bridge") {
        bridges.add(key, urn, { passing, link });
        if (ports.of(key)?.size) later.push(ofDeclared(passing, link, named, host));
      } else if (taps.has(kind) && !ports.of(key)?.has(urn)) {
        ports.add(key, urn, true);
        const declared = [...(bridges.of(key)?.values() ?? [])];
        for (const bridge of declared) later.push(ofDeclared(bridge.passing, bridge.link, named, host));
        if (declared.length === 0) later.push(ofOthers(passing, link, named, host));
      }
    }
    return together(later);
  };
}

/** On the bridge, however many ports it has. */
async function ofDeclared(passing: Passing, link: PassingLink, name: string, host: Host): Promise<Finding[]> {
  if (passing.hidden.has("stp") || passing.hidden.has("forwardDelay")) return [];
  const declared = {
    stp: known<boolean>(passing, link, "stp"),
    delay: known<number>(passing, link, "forwardDelay"),
  };
  if (declared.stp === false) return [];
  const isComplete = declared.stp !== undefined && declared.delay !== undefined;
  const seen = isComplete ? undefined : stpOf((await seenAround(link, host))?.links.named(name));
  const delay = declared.delay ?? seen?.delay ?? usualForwardDelay;
  if (!(declared.stp ?? seen?.stp) || delay <= leastForwardDelay) return [];
  return [
    {
      on: passing.urn,
      about: "",
      message: `it runs STP, and TAPs are its ports: ${waitText(delay)} (twice \`forwardDelay\`), so a machine that asks for its address when it boots may get none; ${declared.stp ? "leave `stp` off" : "set `stp` to false"} where no other bridge closes a circle, or set \`forwardDelay\` to ${leastForwardDelay}`,
    },
  ];
}

/** On the port, as nothing else of the program is concerned. */
async function ofOthers(passing: Passing, link: PassingLink, name: string, host: Host): Promise<Finding[]> {
  const bridge = (await seenAround(link, host))?.links.named(name);
  const seen = stpOf(bridge);
  if (!bridge || !seen?.stp || seen.delay <= leastForwardDelay || isOurs(passing, bridge)) return [];
  return [
    {
      on: passing.urn,
      about: "",
      message: `bridge ${name}, which this program did not make, runs STP: ${waitText(seen.delay)} (twice the bridge's forward delay), so a machine that asks for its address when it boots may get none; where no other bridge closes a circle, turn it off there (\`ip link set ${name} type bridge stp_state 0\`), or lower the delay (\`forward_delay ${leastForwardDelay * hundredths}\`)`,
    },
  ];
}

function waitText(delay: number): string {
  return `a port forwards nothing for its first ${2 * delay} seconds`;
}

/** The kernel has times in hundredths of a second. */
const hundredths = 100;

/** Of the kernel's own STP; with that of a program, the program decides. */
function stpOf(link: Link | undefined): { stp: boolean; delay: number } | undefined {
  if (link?.bridge === undefined) return undefined;
  const { stpState, forwardDelay = usualForwardDelay * hundredths } = link.bridge;
  return { stp: stpState === 1, delay: forwardDelay / hundredths };
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

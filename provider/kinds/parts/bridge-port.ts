import { TuntapError } from "../../errors";
import type { Host } from "../../host/host";
import { describeLink, type Link, type LinkTable, noteCarrier, setLink } from "../../host/links";
import type { InputSchema, Inputs, Problem, Property } from "../kind";
import { linkMissing, linksToCheck, type ObservedLink } from "./link";
import { live } from "./verdicts";

export const bridgeInput = {
  type: "string",
  format: "link-name",
  change: "live",
  description:
    "Bridge that the interface is a port of, by name, in the same namespace; on a TAP only. Pass the `.name` of the resource that makes the bridge, or the name of one that exists. Default: none.",
} as const satisfies InputSchema;

interface WithBridge {
  bridge: string | undefined;
}

/** BR_MAX_PORTS - 1 (net/bridge/br_private.h): ports are numbered from 1, in 10 bits. */
export const mostPorts = 1023;

/** In no bridge. Not a name that a link can have. */
const noBridge = "";

/**
 * The row of `bridge`. Written only where it differs: leaving and joining resets the port's settings. Leaving touches no
 * other port.
 */
export const bridgeProperty: Property<WithBridge, ObservedLink, string> = {
  name: "bridge",
  inputs: ["bridge"],
  verdict: live,
  // One that the program no longer declares is left, if the port is still in it; any other is somebody else's affair.
  want: (desired, recorded) => desired.bridge ?? (recorded?.bridge === undefined ? undefined : noBridge),
  is: (observed, desired, recorded) => {
    const is = masterName(observed, desired.bridge ?? (recorded?.bridge as string | undefined));
    return desired.bridge === undefined && is !== recorded?.bridge ? noBridge : is;
  },
  show: (bridge) => (bridge === noBridge ? "no bridge" : bridge),
  messages: ({ want, observed: { ifindex, neighbours } }) =>
    want === noBridge
      ? [{ bytes: setLink(ifindex, { master: 0 }), what: "leaving the bridge" }]
      : [
          { bytes: noteCarrier(ifindex), what: "a look at its carrier" },
          {
            bytes: setLink(ifindex, { master: bridgeIndex(neighbours, want) }),
            what: `joining bridge ${want}`,
          },
        ],
};

/** The name of the link that this one is a port of, as the program calls it where it means that one. */
function masterName({ link, neighbours }: ObservedLink, wanted: string | undefined): string {
  if (link.master === 0) return noBridge;
  if (wanted !== undefined && neighbours.named(wanted)?.ifindex === link.master) return wanted;
  return neighbours.at(link.master)?.name ?? `ifindex ${link.master}`;
}

/** `bridge` as observed, if it is declared: a port that others put somewhere is not managed. */
export function presentBridge(
  observed: ObservedLink,
  { bridge }: WithBridge,
): Record<string, string | undefined> {
  return { bridge: bridge === undefined ? undefined : masterName(observed, bridge) || undefined };
}

/** Errors: BRIDGE_MISSING, NOT_A_BRIDGE. */
export function bridgeNamed(links: LinkTable, name: string): Link {
  const bridge = links.named(name);
  if (bridge?.kind === "bridge") return bridge;
  throw bridge
    ? new TuntapError("NOT_A_BRIDGE", { message: notABridge(name, bridge), property: "bridge" })
    : new TuntapError("BRIDGE_MISSING", { message: `there is no bridge ${name}`, property: "bridge" });
}

/** Errors: BRIDGE_MISSING, NOT_A_BRIDGE. */
export function bridgeIndex(links: LinkTable, name: string): number {
  return bridgeNamed(links, name).ifindex;
}

function notABridge(name: string, other: Link): string {
  return `bridge ${JSON.stringify(name)} is ${describeLink(other)}, which is no bridge`;
}

/**
 * What the host says of a declared bridge. One that does not exist yet may be made by this very program.
 * @param ports the names of the interfaces that shall be its ports; undefined for one whose name is not known yet.
 */
export async function bridgeProblems(
  inputs: Inputs,
  unknown: ReadonlySet<string>,
  host: Host,
  ports: readonly (string | undefined)[] = [unknown.has("name") ? undefined : (inputs.name as string)],
): Promise<Problem[]> {
  const { bridge, namespace } = inputs;
  const links = typeof bridge === "string" ? await linksToCheck(inputs, unknown, host) : undefined;
  if (typeof bridge !== "string" || links === undefined) return [];
  const found = links.named(bridge);
  if (found?.kind === "bridge") return roomProblems(found, links, ports);
  if (found) {
    const message = `${notABridge(bridge, found)}; give the name of a bridge`;
    return [{ property: "bridge", code: "NOT_A_BRIDGE", message }];
  }
  return [linkMissing("bridge", bridge, namespace, "BRIDGE_MISSING")];
}

/** Whether there is room for the ports beside those of others. */
function roomProblems(bridge: Link, { all }: LinkTable, ports: readonly (string | undefined)[]): Problem[] {
  // Mostly there are not so many links.
  if (all.length + ports.length <= mostPorts) return [];
  const own = new Set(ports);
  const others = all.filter(
    ({ master, name, alternativeNames }) =>
      master === bridge.ifindex && ![name, ...alternativeNames].some((each) => own.has(each)),
  );
  if (others.length + ports.length <= mostPorts) return [];
  const code = "BRIDGE_FULL";
  const more = ports.length === 1 ? "this one" : `these ${ports.length}`;
  const message = `bridge ${JSON.stringify(bridge.name)} has ${others.length} ports beside ${more}, and a Linux bridge has ${mostPorts} at most`;
  // Whoever has a lease may be about to leave in this very run; a stranger is not.
  const strangers = others.filter(({ leases }) => leases.length === 0);
  if (strangers.length + ports.length > mostPorts) {
    const { remedy } = new TuntapError(code, { message });
    return [{ property: "bridge", code, message: `${message}. ${remedy}` }];
  }
  const later = `${message}: this will be refused unless some leave before`;
  return [{ property: "bridge", code, message: later, warning: true }];
}

/** What is allowed of a port but probably not meant, and what is not allowed. */
export function bridgeRules({ bridge, mode }: Inputs): Problem[] {
  if (bridge === undefined || mode !== "tun") return [];
  return [
    {
      property: "bridge",
      message: `bridge ${JSON.stringify(bridge)} is for a TAP only, and \`mode\` is "tun", which carries no Ethernet frames; take it out, or use mode "tap"`,
    },
  ];
}

export function bridgeWarnings({ bridge, address, addresses }: Inputs): Problem[] {
  const some = address !== undefined || (Array.isArray(addresses) && addresses.length > 0);
  if (bridge === undefined || !some) return [];
  return [
    {
      property: "bridge",
      message:
        "it is a bridge's port and has addresses: the host does not answer to addresses of a port; give them to the bridge",
    },
  ];
}

import { constants } from "node:os";
import type { Host } from "../../host/host";
import {
  addVlans,
  type PortVlans,
  removeVlans,
  type VlanFlags,
  type VlanRun,
  vlanRuns,
} from "../../host/vlans";
import type { Difference, FieldSchema, Inputs, Problem, Property, Write } from "../kind";
import { linksToCheck, type ObservedLink } from "./link";
import { live } from "./verdicts";

const highestId = 4094;

export const vlansField = {
  type: "array",
  items: {
    type: "object",
    properties: {
      id: {
        type: ["integer", "string"],
        format: "vlan-range",
        minimum: 1,
        maximum: highestId,
        required: true,
        description: `Number of the VLAN, 1 to ${highestId}, or the first and the last of several (\`"2-10"\`).`,
      },
      pvid: {
        type: "boolean",
        description: "Whether untagged frames that come in are of this VLAN; of one at most. Default: no.",
      },
      untagged: {
        type: "boolean",
        description: "Whether frames of it go out without a tag. Default: no.",
      },
    },
  },
  description:
    "The VLANs of the port, all of them, in any order: others are taken off it, also the one that the bridge gives to new ports. They count while the bridge has `vlanFiltering`. Needs a kernel with VLAN filtering (CONFIG_BRIDGE_VLAN_FILTERING). When it is no longer declared, the port has that of the bridge alone (`vlanDefaultPvid`) again.",
} as const satisfies FieldSchema;

/** As the program gives it. */
export interface DeclaredVlan {
  id: number | string;
  pvid?: boolean;
  untagged?: boolean;
}

interface WithVlans {
  port: { vlans?: DeclaredVlan[] } | undefined;
  bridge?: string | undefined;
}

/** Why a text is no VLAN, and no range of them; undefined if it is one. */
export function vlanRangeProblem(text: string): string | undefined {
  const match = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(text);
  if (!match) return 'is neither a number nor a range of VLANs; write it as 10, or as "2-10"';
  const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
  if (first < 1 || last < 1 || first > highestId || last > highestId)
    return `is outside of the VLANs that there are; give numbers from 1 to ${highestId}`;
  return first > last ? `begins with the higher number; write it as "${last}-${first}"` : undefined;
}

function rangeOf({ id }: DeclaredVlan): { first: number; last: number } {
  const [first, last] = String(id).split("-").map(Number);
  return { first: first as number, last: last ?? (first as number) };
}

/** By number. */
function vlansOf(declared: readonly DeclaredVlan[]): Map<number, VlanFlags> {
  const vlans = new Map<number, VlanFlags>();
  for (const vlan of declared) {
    const { first, last } = rangeOf(vlan);
    const flags = { pvid: vlan.pvid === true, untagged: vlan.untagged === true };
    for (let id = first; id <= last; id++) vlans.set(id, flags);
  }
  return vlans;
}

export function vlanRules({ port }: Inputs): Problem[] {
  const declared = (port as WithVlans["port"])?.vlans ?? [];
  const problems: Problem[] = [];
  const add = (message: string) => problems.push({ property: "port", message });
  const before: { position: number; first: number; last: number }[] = [];
  for (const [position, vlan] of declared.entries()) {
    const { first, last } = rangeOf(vlan);
    const field = `port.vlans[${position}].id ${JSON.stringify(vlan.id)}`;
    const other = before.find((range) => range.first <= last && first <= range.last);
    if (other) add(`${field} overlaps port.vlans[${other.position}]; give each VLAN once`);
    if (vlan.pvid === true && first !== last)
      add(`${field} is a range and has pvid, which one VLAN alone can have; give that one by itself`);
    before.push({ position, first, last });
  }
  const defaults = declared.flatMap(({ pvid }, position) =>
    pvid === true ? [`port.vlans[${position}]`] : [],
  );
  if (defaults.length > 1)
    add(`${defaults.join(" and ")} have pvid, and untagged frames are of one VLAN only; leave it at one`);
  return problems;
}

const needsKernel =
  "this host's kernel was built without VLAN filtering (CONFIG_BRIDGE_VLAN_FILTERING); take it out, or use a kernel that has it";

/** What the host says of settings that need VLAN filtering. @param fields those that are declared, for messages. */
export async function filteringProblems(
  property: string,
  fields: readonly string[],
  host: Host,
): Promise<Problem[]> {
  if (fields.length === 0 || (await host.vlans.supported()) !== false) return [];
  return fields.map((field) => ({
    property: property === "" ? field : property,
    code: "NOT_SUPPORTED",
    message: `${field} is given, and ${needsKernel}`,
  }));
}

export async function vlanProblems(
  inputs: Inputs,
  unknown: ReadonlySet<string>,
  host: Host,
): Promise<Problem[]> {
  const { port, bridge } = inputs as Inputs & WithVlans;
  if (port?.vlans === undefined) return [];
  const problems = await filteringProblems("port", ["port.vlans"], host);
  if (problems.length > 0 || bridge === undefined) return problems;
  const found = (await linksToCheck(inputs, unknown, host))?.named(bridge);
  if (found?.bridge === undefined || found.bridge.vlanFiltering !== 0) return [];
  const message = `port.vlans is given, and bridge ${JSON.stringify(bridge)} does not filter VLANs now: unless this program sets its \`vlanFiltering\` to true, they have no effect`;
  return [{ property: "port", message, warning: true }];
}

/** Stands for the VLANs that a port has by itself. */
const asTheBridgeHasIt = ["as the bridge has it"];

function runText({ first, last, pvid, untagged }: VlanRun): string {
  const words = [...(pvid ? ["pvid"] : []), ...(untagged ? ["untagged"] : [])];
  return [first === last ? first : `${first}-${last}`, ...words].join(" ");
}

function texts(vlans: PortVlans): string[] {
  return vlanRuns(vlans).map(runText);
}

function defaultVlans({ link, neighbours }: ObservedLink): Map<number, VlanFlags> {
  const id = neighbours.at(link.master)?.bridge?.vlanDefaultPvid ?? 0;
  return new Map(id === 0 ? [] : [[id, { pvid: true, untagged: true }]]);
}

function recordedVlans(recorded: Inputs | undefined): string[] | undefined {
  const declared = (recorded?.port as WithVlans["port"])?.vlans;
  return declared && texts(vlansOf(declared));
}

function same(one: readonly string[], other: readonly string[] | undefined): boolean {
  return other !== undefined && one.join() === other.join();
}

/** The row of `port.vlans`, behind `bridge`: whoever joins one starts with its default. */
export const vlansProperty: Property<WithVlans, ObservedLink, readonly string[]> = {
  name: "port.vlans",
  inputs: ["port.vlans"],
  endsWith: "bridge",
  verdict: live,
  // What the program no longer declares is taken back, if it is still what was written.
  want: ({ port }, recorded) => {
    if (port?.vlans) return texts(vlansOf(port.vlans));
    return recordedVlans(recorded) && asTheBridgeHasIt;
  },
  is: (observed, { port, bridge }, recorded) => {
    const is = observed.vlans && texts(observed.vlans);
    if (port?.vlans) return is ?? [observed.link.port ? "unknown to this kernel" : "no port of a bridge"];
    const isOurs = bridge !== undefined && is !== undefined && same(is, recordedVlans(recorded));
    return isOurs && !same(is, texts(defaultVlans(observed))) ? is : asTheBridgeHasIt;
  },
  show: (vlans) => (vlans.length === 0 ? "no VLAN" : vlans.join(", ")),
  explain: (errno) =>
    errno === constants.errno.EOPNOTSUPP
      ? "Take `port.vlans` out, or use a kernel that was built with VLAN filtering (CONFIG_BRIDGE_VLAN_FILTERING)."
      : undefined,
  messages: vlanMessages,
};

function vlanMessages({
  observed,
  desired,
}: Difference<WithVlans, ObservedLink, readonly string[]>): Write[] {
  const { ifindex, vlans = new Map() } = observed;
  const declared = desired.port?.vlans;
  return vlanWrites(ifindex, vlans, declared ? vlansOf(declared) : defaultVlans(observed));
}

/** First what is missing, then what is too much, so that there is no moment without any. */
export function vlanWrites(ifindex: number, is: PortVlans, wanted: PortVlans): Write[] {
  const missing = [...wanted].filter(([id, { pvid, untagged }]) => {
    const there = is.get(id);
    return there?.pvid !== pvid || there.untagged !== untagged;
  });
  const surplus = [...is.keys()].filter((id) => !wanted.has(id));
  return [
    ...(missing.length > 0 ? [{ bytes: addVlans(ifindex, new Map(missing)) }] : []),
    ...(surplus.length > 0
      ? [{ bytes: removeVlans(ifindex, surplus), alreadySo: constants.errno.ENOENT }]
      : []),
  ];
}

/** `port.vlans` as observed, where it is declared: in the program's words where they are equal. */
export function presentVlans(observed: ObservedLink, { port }: WithVlans): { vlans?: DeclaredVlan[] } {
  if (port?.vlans === undefined || observed.vlans === undefined) return {};
  if (same(texts(observed.vlans), texts(vlansOf(port.vlans)))) return { vlans: port.vlans };
  return {
    vlans: vlanRuns(observed.vlans).map(({ first, last, pvid, untagged }) => ({
      id: first === last ? first : `${first}-${last}`,
      ...(pvid && { pvid }),
      ...(untagged && { untagged }),
    })),
  };
}

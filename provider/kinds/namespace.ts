import { setTimeout } from "node:timers/promises";
import { TuntapError } from "../errors";
import type { Host } from "../host/host";
import { sameStack } from "../host/leases";
import { describeLeases, describeLink, type Link, setLinkUp } from "../host/links";
import { loopbackIndex } from "../host/namespaces";
import type { ProcessInfo } from "../kernel/kernel";
import type { InputSchema, Inputs, Kind, Property, Sighting, Target } from "./kind";
import { takeOverLink } from "./parts/link";
import { namespaceNameBytes, namespaceNameProblem, namespaceSpace } from "./parts/names";
import { live } from "./parts/verdicts";

interface Desired {
  loopbackUp: boolean | undefined;
}

interface Observed {
  name: string;
  inode: number;
  bootId: string;
  loopback: Link;
}

const inputs = {
  name: {
    type: "string",
    format: "namespace-name",
    change: "replace",
    observed: true,
    description: "Name in /run/netns, as `ip netns` shows it. Default: the logical name.",
  },
  loopbackUp: {
    type: "boolean",
    default: true,
    change: "live",
    description: "Whether `lo` is up inside; the kernel makes it down.",
  },
  force: {
    type: "boolean",
    default: false,
    change: "control",
    description:
      "Remove the namespace also while it holds links or processes that are not of this program. The links are destroyed; the processes go on without a name for their namespace.",
  },
} as const satisfies Record<string, InputSchema>;

/**
 * Links that the kernel itself puts into a new namespace, one per tunnel module that is loaded. They belong to
 * nobody.
 */
const fallbackLinks = new Set([
  "tunl0",
  "sit0",
  "gre0",
  "gretap0",
  "erspan0",
  "ip_vti0",
  "ip6tnl0",
  "ip6gre0",
  "ip6_vti0",
]);

const loopbackUp: Property<Desired, Observed, boolean> = {
  name: "loopbackUp",
  inputs: ["loopbackUp"],
  verdict: live,
  want: (desired) => desired.loopbackUp,
  is: ({ loopback }) => loopback.up,
  show: (up) => (up ? "up" : "down"),
  messages: ({ want }) => [{ bytes: setLinkUp(loopbackIndex, want) }],
};

/** Nothing can take its place while it is there, and it goes last in a run. */
function siblings(observed: Observed): string {
  return `${describe(observed)} is another resource's of this stack`;
}

function describe({ name, loopback }: Observed): string {
  return `network namespace "${name}" (${describeLeases(loopback.leases)})`;
}

async function sight(target: Target, host: Host): Promise<Sighting<Observed>> {
  const entry = await host.namespaces.find(target.name);
  if (!entry) return {};
  const [table, bootId] = await Promise.all([host.links.table(target.name), host.bootId()]);
  // Every namespace has one.
  const loopback = table.at(loopbackIndex) as Link;
  const object = { name: target.name, inode: entry.inode, bootId, loopback };
  const { leases } = loopback;
  if (leases.includes(target.lease)) return { object, leaseLost: false };
  const { recorded } = target;
  const isOfStack = leases.some((lease) => sameStack(lease, target.lease));
  if (leases.length === 0 && recorded?.__inode === entry.inode && recorded.__bootId === bootId) {
    return { object, leaseLost: true };
  }
  return {
    obstacle: { object, sameStack: isOfStack, leased: leases.length > 0 },
    ...(isOfStack && { caution: `${siblings(object)}: this will be refused unless that goes before` }),
  };
}

const looks = 3;
const betweenLooksMilliseconds = 150;

/**
 * The processes inside that stay there. Who reads a namespace, as `nft` and `ip` do, for this program or another, is there
 * for a moment only.
 */
async function processesInside(name: string, host: Host): Promise<ProcessInfo[]> {
  let found = await host.namespaces.processes(name);
  for (let look = 1; look < looks && found.length > 0; look++) {
    await setTimeout(betweenLooksMilliseconds);
    const still = new Set((await host.namespaces.processes(name)).map(({ pid }) => pid));
    found = found.filter(({ pid }) => still.has(pid));
  }
  return found;
}

/** The links of this stack inside, which end with it. */
async function losesWith(target: Target, observed: Observed, host: Host): Promise<string[]> {
  const { all } = await host.links.table(observed.name);
  const own = all.filter(({ ifindex, leases }) => ifindex !== loopbackIndex && isOurs(leases, target));
  return own.map(({ name }) => name);
}

function isOurs(leases: readonly string[], { lease }: Target): boolean {
  return leases.some((other) => sameStack(other, lease));
}

/** Links and processes inside that are not of this stack, and holders of links that are. */
async function inUse(target: Target, observed: Observed, host: Host): Promise<string | undefined> {
  const [table, processes] = await Promise.all([
    host.links.table(observed.name),
    processesInside(observed.name, host),
  ]);
  const reasons: string[] = [];
  for (const link of table.all) {
    if (link.ifindex === loopbackIndex || fallbackLinks.has(link.name)) continue;
    if (!isOurs(link.leases, target)) reasons.push(describeLink(link));
    else if (link.tun) {
      const holders = await host.consumers(observed.name, link.name);
      if (holders.length > 0) reasons.push(`${link.name} held by ${await host.describeHolders(holders)}`);
    }
  }
  if (processes.length > 0) reasons.push(await host.describeHolders(processes));
  return reasons.length > 0 ? `holding ${reasons.join("; ")}` : undefined;
}

export const namespace: Kind<Desired, Observed> = {
  name: "Namespace",
  description:
    "A named network namespace, made as `ip netns add` makes it and visible to `ip netns`. It is removed only if this program made it, and only when nothing of others is in it.",
  example: `const blue = new tuntap.Namespace("blue");
const tap = new tuntap.TunInterface("vmtap0", { namespace: blue.name, owner: "nobody" });

export const where = [blue.name, tap.name];`,
  inputs,
  outputs: {},
  naming: { bytes: namespaceNameBytes, problem: namespaceNameProblem, space: () => namespaceSpace },
  // Its properties are those of the links inside it.
  inside: (target) => target.name,
  async desire(values: Inputs) {
    return { loopbackUp: values.loopbackUp as boolean | undefined };
  },
  sight,
  describe,
  properties: [loopbackUp as Property<Desired, Observed, never>],
  async create(target, _desired, host) {
    const { obstacle } = await sight(target, host);
    if (obstacle) {
      const { object, sameStack: isOfStack } = obstacle;
      throw new TuntapError("NAMESPACE_FOREIGN", {
        message: isOfStack ? siblings(object) : `namespace ${target.name} exists`,
        property: "name",
        remedy: isOfStack
          ? "Where it is this resource under its former logical name, give that as one of its `aliases`, and it keeps its namespace; else choose another `name`."
          : undefined,
      });
    }
    await host.namespaces.add(target.name, target.lease);
  },
  takeOver: (target, { name, loopback }, host) =>
    takeOverLink(target, { link: loopback, namespace: name, ifindex: loopbackIndex }, host),
  inUse,
  losesWith,
  async whereabouts(_target, { name }, host) {
    return { namespace: name, processes: await processesInside(name, host) };
  },
  codes: { inUse: "NAMESPACE_IN_USE", foreign: "NAMESPACE_FOREIGN" },
  otherHands: "Look for what else makes or deletes the namespace (`ip netns`, a container engine).",
  onBusy: (values) => ({ mode: values.force === true ? "force" : "fail", seconds: 0 }),
  remove: (_target, observed, host) => host.namespaces.remove(observed.name),
  present: ({ name, loopback }) => ({ name, loopbackUp: loopback.up }),
  remember: ({ inode, bootId }) => ({ __inode: inode, __bootId: bootId }),
};

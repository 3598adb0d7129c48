import { TuntapError } from "../errors";
import type { Host } from "../host/host";
import { placeText } from "../host/namespaces";
import { canonicalValue, missingSysctl } from "../host/sysctls";
import type { InputSchema, Inputs, Kind, Problem, Property, Sighting, Target } from "./kind";
import {
  isForwarding,
  type Setting,
  stillAlong,
  tablesOfOthers,
  writtenAlong,
} from "./parts/forwarding-switch";
import { linkClaim } from "./parts/names";
import { isSameValue, linkSetting, settingOf, sysctlRules } from "./parts/sysctl-checks";
import { live } from "./parts/verdicts";

interface Desired {
  /** Canonical. */
  value: string | undefined;
}

interface Observed {
  name: string;
  /** Canonical. */
  value: string;
  bootId: string;
}

const settingSpace = (namespace: string | undefined) => `sysctl:${namespace ?? ""}`;

const otherHands =
  "Declare the value as the kernel shows it, where it takes another than the one that was written. Otherwise look for what else sets it (files of sysctl.d that are loaded just then, systemd-networkd's IPForward= or IPv4Forwarding=, Docker or another container engine) and turn that off.";

const inputs = {
  name: {
    type: "string",
    format: "sysctl-name",
    change: "replace",
    required: true,
    description:
      "Dotted name, as sysctl(8) takes it: `net.ipv4.ip_forward`. A dot inside a part, as in the name of an interface, is written as a slash: `net.ipv4.conf.eth0/1.forwarding` is that of `eth0.1`.",
  },
  value: {
    type: ["string", "integer"],
    format: "sysctl-value",
    change: "live",
    required: true,
    description:
      "Its value. Several values are separated by blanks; how many blanks or tabs there are makes no difference, nor how a number is written (256 and 0x100; as in C, 010 is 8).",
  },
  namespace: {
    type: "string",
    format: "namespace-name",
    change: "replace",
    description:
      "Network namespace whose setting it is, by its name in /run/netns; for names that begin with `net.`. Default: the host's. Pass the `.name` of a `Namespace` resource, so that it is made first.",
  },
} as const satisfies Record<string, InputSchema>;

const value: Property<Desired, Observed, string> = {
  name: "value",
  inputs: ["value"],
  verdict: live,
  want: (desired) => desired.value,
  /** In the words of the program where they say the same. */
  is: ({ value: is }, desired) =>
    desired.value !== undefined && isSameValue(desired.value, is) ? desired.value : is,
  show: (text) => JSON.stringify(text),
  async apply({ want, observed, target }, host) {
    const { namespace, name } = target;
    const { bootId, value: is } = observed;
    if (!isWritten(target, bootId)) {
      // Another stack had turned it on, and off again since it was found.
      const isOffAgain = isForwarding(name) && is === "0";
      const found = isOffAgain ? is : foundValue(target, bootId);
      target.made = {
        __found: found,
        __along: await writtenAlong(namespace, name, is, host),
        __written: true,
      };
    }
    await host.sysctls.write(namespace, name, want);
  },
};

/** Whether this resource wrote it since the host was started: not as long as it had the declared value anyway. */
function isWritten({ made, recorded }: Target, bootId: string): boolean {
  if (made) return made.__written === true;
  if (recorded?.__bootId !== bootId) return false;
  // Absent in what was recorded before it was noted.
  return (recorded.__written ?? recorded.__found !== canonicalValue(String(recorded.value))) === true;
}

/** The value found before the first write since the host was started. */
function foundValue({ recorded, made }: Target, bootId: string): string | undefined {
  const kept = recorded?.__bootId === bootId ? recorded.__found : undefined;
  return (made?.__found ?? kept) as string | undefined;
}

/** What the first write changed along, as it was. */
function foundAlong({ recorded, made }: Target, bootId: string): readonly Setting[] {
  const kept = recorded?.__bootId === bootId ? recorded.__along : undefined;
  return (made?.__along ?? kept ?? []) as readonly Setting[];
}

/** It is this resource's from the first write on: before, and again after a restart, it is the host's. */
async function sight(target: Target, host: Host): Promise<Sighting<Observed>> {
  const { namespace, name } = target;
  if (!(await host.namespaces.exists(namespace))) return { namespaceMissing: namespace };
  const bootId = await host.bootId();
  if (foundValue(target, bootId) === undefined) return {};
  const is = await host.sysctls.find(namespace, name);
  return is === undefined ? {} : { object: { name, value: is, bootId } };
}

/** Puts back what it wrote over; but does not cut off what other stacks translate. */
async function remove(
  target: Target,
  { name, value: is, bootId }: Observed,
  host: Host,
): Promise<string | undefined> {
  const found = foundValue(target, bootId);
  if (found === undefined || !isWritten(target, bootId)) return undefined;
  const others =
    is !== found && found === "0" && isForwarding(name)
      ? await tablesOfOthers(target.namespace, target.lease, host)
      : [];
  if (others.length > 0) {
    return `${name} is left at ${is}${placeText(target.namespace)}, and not put back to the ${found} that was found: other stacks need forwarding there (${others.map((table) => `table ${table}`).join(", ")}). When they are gone, set it by hand`;
  }
  const along = await stillAlong(target.namespace, foundAlong(target, bootId), is, host);
  for (const setting of [[name, found] as const, ...along]) await putBack(target.namespace, setting, host);
  return undefined;
}

/** What is gone, with its interface, needs nothing. */
async function putBack(namespace: string | undefined, [name, found]: Setting, host: Host): Promise<void> {
  const is = await host.sysctls.find(namespace, name);
  if (is === undefined || is === found) return;
  await host.sysctls.write(namespace, name, found);
  const left = await host.sysctls.find(namespace, name);
  if (left === undefined || left === found) return;
  throw new TuntapError("VERIFY_FAILED", {
    message: `after writing the value of ${name} found before, ${JSON.stringify(found)}, it is ${JSON.stringify(left)}`,
    property: "value",
    remedy: otherHands,
  });
}

/**
 * One that does not exist yet may be that of an interface, or of a namespace, which this very program makes. One
 * that has its value already is not written.
 */
async function hostRules(
  { name, value: wanted, namespace }: Inputs,
  unknown: ReadonlySet<string>,
  host: Host,
  isNew?: boolean,
): Promise<Problem[]> {
  if (typeof name !== "string" || unknown.has("namespace")) return [];
  const place = namespace as string | undefined;
  if (!(await host.namespaces.exists(place))) return [];
  const is = await host.sysctls.find(place, name);
  if (is !== undefined) {
    if (!isNew || wanted === undefined || !isSameValue(canonicalValue(String(wanted)), is)) return [];
    const message = `${name} is ${JSON.stringify(is)} already, by default or set by somebody else: nothing is written, and nothing is put back when this resource goes`;
    return [{ property: "value", message, warning: true, info: true }];
  }
  const { code, facts, remedy } = missingSysctl(place, name);
  const its = linkSetting(name);
  // It comes with an interface that this program makes, if interfaces have such a setting at all.
  const comes = its !== undefined && (await host.sysctls.find(place, its.ofAny)) !== undefined;
  const unless = comes ? [linkClaim(its.link, { namespace })] : [];
  return [{ property: "name", code, message: `${facts.message}. ${remedy}`, warning: true, unless }];
}

export const sysctl: Kind<Desired, Observed> = {
  name: "Sysctl",
  description:
    "A setting of the kernel in /proc/sys, of the host or of one network namespace. The value found before it was first written since the host was started is put back when the resource goes; nothing is, where it had the declared value all the time. Forwarding is not turned off while a `Nat` of another stack is in the namespace: the value stays then, with a warning. One that switches something for all interfaces (net.ipv4.ip_forward; forwarding, disable_ipv6, addr_gen_mode and ignore_routes_with_linkdown of net.ipv6.conf.all) writes that of each interface along; those that had another value have it again afterwards, too.",
  example: `const lab = new tuntap.Namespace("lab");
const forwarding = new tuntap.Sysctl("forwarding", {
  name: "net.ipv4.ip_forward",
  value: 1,
  namespace: lab.name,
});

export const forwards = forwarding.value;`,
  inputs,
  outputs: {},
  naming: {
    of: (values, unknown) => (unknown?.has("name") ? undefined : (values.name as string | undefined)),
    property: "name",
    form: "`NAME`, or `NAMESPACE/NAME` in a namespace: `net.ipv4.ip_forward`, `blue/net.ipv4.ip_forward`.",
    space: settingSpace,
  },
  claims: ({ name, namespace }) => [
    { space: settingSpace(namespace as string | undefined), name: settingOf(String(name)) },
  ],
  unleased: true,
  permanent: true,
  inherited: true,
  inside: (target) => target.namespace,
  rules: sysctlRules,
  hostRules,
  async desire(values: Inputs) {
    return { value: values.value === undefined ? undefined : canonicalValue(String(values.value)) };
  },
  sight,
  describe: ({ name, value: is }) => `sysctl ${name} (value ${JSON.stringify(is)})`,
  properties: [value as Property<Desired, Observed, never>],
  async create(target, _desired, host) {
    const __found = await host.sysctls.find(target.namespace, target.name);
    if (__found === undefined) throw missingSysctl(target.namespace, target.name);
    return { __found };
  },
  async takeOver() {},
  async inUse() {
    return undefined;
  },
  async whereabouts(target) {
    return { namespace: target.namespace, processes: [] };
  },
  async explainLoss() {
    return "its interface or module is gone";
  },
  codes: { inUse: "SYSCTL_REFUSED", foreign: "SYSCTL_REFUSED" },
  otherHands,
  onBusy: () => ({ mode: "fail", seconds: 0 }),
  remove,
  present: ({ name, value: is }, desired, declared) => ({
    name,
    value: desired.value !== undefined && isSameValue(desired.value, is) ? declared.value : is,
  }),
  remember({ bootId }, target) {
    const along = foundAlong(target, bootId);
    return {
      __bootId: bootId,
      __found: foundValue(target, bootId),
      __written: isWritten(target, bootId),
      ...(along.length > 0 && { __along: along }),
    };
  },
};

import { isTuntapError } from "../errors";
import type { Host } from "../host/host";
import { canonicalValue } from "../host/sysctls";
import type { Inputs } from "../kinds/kind";
import { Facts, type Finding, labelOf, nothing, type Passing, placeText, type Rule } from "./passing";

/** One setting has two names (net/ipv4/devinet.c). */
const settings: Readonly<Record<string, "ipv4" | "ipv6">> = {
  "net.ipv4.ip_forward": "ipv4",
  "net.ipv4.conf.all.forwarding": "ipv4",
  "net.ipv6.conf.all.forwarding": "ipv6",
};
const nameOf = { ipv4: "net.ipv4.ip_forward", ipv6: "net.ipv6.conf.all.forwarding" };
type Family = keyof typeof nameOf;

/**
 * NAT where the kernel forwards nothing: a Sysctl says so, or none says otherwise and it is so on the host.
 * @param patience how long to wait for a Sysctl that may pass behind it, in milliseconds.
 */
export function forwardingOff(patience: number): Rule {
  const sysctls = new Facts<string>();
  const nats = new Facts<true>();
  return (passing, host) => {
    const { kind, urn, inputs, hidden } = passing;
    if (kind === "Sysctl") {
      sysctls.forget(urn);
      const family = hidden.size > 0 ? undefined : settings[String(inputs.name)];
      if (family === undefined) return nothing;
      const key = keyOf(family, inputs);
      const value = canonicalValue(String(inputs.value));
      sysctls.add(key, urn, value);
      return value === "0"
        ? [...(nats.of(key)?.keys() ?? [])].map((nat) => turnedOff(nat, urn, passing))
        : nothing;
    }
    if (kind !== "Nat") return nothing;
    nats.forget(urn);
    const families = familiesOf(passing);
    for (const family of families) nats.add(keyOf(family, inputs), urn, true);
    return families.length > 0 ? seeNat(passing, families, sysctls, host, patience) : nothing;
  };
}

function keyOf(family: Family, { namespace }: Inputs): string {
  return `${namespace ?? ""}\0${family}`;
}

function familiesOf({ inputs, hidden }: Passing): Family[] {
  if (hidden.has("namespace")) return [];
  const listed = <T>(name: string) => (hidden.has(name) ? [] : ((inputs[name] ?? []) as T[]));
  const ends = [...listed<string>("source"), ...listed<{ to: string }>("forwards").map(({ to }) => to)];
  return [...new Set(ends.map((end): Family => (String(end).includes(":") ? "ipv6" : "ipv4")))];
}

/** Gives another resource, which may be behind this one, a moment to pass. */
async function company(there: () => boolean, patience: number): Promise<void> {
  const until = performance.now() + patience;
  while (!there() && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** What is not declared is looked up. */
async function seeNat(
  passing: Passing,
  families: readonly Family[],
  sysctls: Facts<string>,
  host: Host,
  patience: number,
): Promise<readonly Finding[]> {
  const { urn, inputs } = passing;
  const namespace = inputs.namespace as string | undefined;
  const see = async (family: Family): Promise<Finding[]> => {
    const declared = () => [...(sysctls.of(keyOf(family, inputs)) ?? [])];
    if (declared().length === 0) {
      if (!(await isOff(host, namespace, nameOf[family]))) return [];
      await company(() => declared().length > 0, patience);
    }
    const off = declared().find(([, value]) => value === "0");
    if (off) return [turnedOff(urn, off[0], passing)];
    if (declared().length > 0) return [];
    return [
      {
        on: urn,
        about: family,
        message: `it needs forwarding, and ${nameOf[family]} is 0${placeText(namespace)}: nothing reaches it from other hosts. Declare a Sysctl that sets it to 1, and let this resource depend on that one (\`dependsOn\`), so that it is seen here`,
      },
    ];
  };
  return (await Promise.all(families.map(see))).flat();
}

function turnedOff(nat: string, sysctl: string, { inputs }: Passing): Finding {
  return {
    on: nat,
    about: sysctl,
    message: `it needs forwarding, which ${labelOf(sysctl)} turns off${placeText(inputs.namespace as string | undefined)}; set that to 1`,
  };
}

/** A namespace that does not exist yet will be as the host's is, or off. What cannot be read is not known to be off. */
async function isOff(host: Host, namespace: string | undefined, name: string): Promise<boolean> {
  try {
    const place = (await host.namespaces.exists(namespace)) ? namespace : undefined;
    return (await host.sysctls.find(place, name)) === "0";
  } catch (error) {
    if (isTuntapError(error)) return false;
    throw error;
  }
}

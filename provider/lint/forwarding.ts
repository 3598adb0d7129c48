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
 * NAT where the kernel forwards nothing: a Sysctl says so, or none says otherwise and it is so on the host. The engine
 * checks one resource after the other, those that do not depend on one another in any order, so that who comes before a
 * Sysctl is judged when the last one has passed.
 */
export function forwardingOff(): Rule {
  const sysctls = new Facts<string>();
  const nats = new Facts<true>();
  const passed = new Set<string>();
  /** Those that were checked before all Sysctls were that the program declares. */
  let waiting: Passing[] = [];

  const seeSysctl = (passing: Passing): readonly Finding[] => {
    const { urn, inputs, hidden } = passing;
    passed.add(urn);
    sysctls.forget(urn);
    const family = hidden.size > 0 ? undefined : settings[String(inputs.name)];
    if (family === undefined) return nothing;
    const key = keyOf(family, inputs);
    const value = canonicalValue(String(inputs.value));
    sysctls.add(key, urn, value);
    if (value !== "0") return nothing;
    return [...(nats.of(key)?.keys() ?? [])].map((nat) => turnedOff(nat, urn, passing));
  };

  const seeNat = (passing: Passing): void => {
    const { urn, inputs } = passing;
    nats.forget(urn);
    for (const family of familiesOf(passing)) nats.add(keyOf(family, inputs), urn, true);
    waiting = [...waiting.filter((other) => other.urn !== urn), passing];
  };

  return (passing, host) => {
    let found = nothing;
    if (passing.kind === "Sysctl") found = seeSysctl(passing);
    else if (passing.kind === "Nat") seeNat(passing);
    else return nothing;
    const complete = waiting.filter(({ company }) => (company?.Sysctl ?? 0) <= passed.size);
    if (complete.length === 0) return found;
    waiting = waiting.filter((nat) => !complete.includes(nat));
    const judged = complete.map((nat) => judge(nat, sysctls, host));
    return Promise.all(judged).then((more) => [...found, ...more.flat()]);
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

/** What is not declared is looked up. */
async function judge(passing: Passing, sysctls: Facts<string>, host: Host): Promise<readonly Finding[]> {
  const { urn, inputs } = passing;
  const namespace = inputs.namespace as string | undefined;
  const see = async (family: Family): Promise<Finding[]> => {
    const declared = [...(sysctls.of(keyOf(family, inputs)) ?? [])];
    const off = declared.find(([, value]) => value === "0");
    if (off) return [turnedOff(urn, off[0], passing)];
    if (declared.length > 0 || !(await isOff(host, namespace, nameOf[family]))) return [];
    return [
      {
        on: urn,
        about: family,
        message: `it needs forwarding, and ${nameOf[family]} is 0${placeText(namespace)}: nothing reaches it from other hosts. Declare a Sysctl that sets it to 1; of one that is declared in a callback, let this resource depend (\`dependsOn\`), so that it is seen here`,
      },
    ];
  };
  return (await Promise.all(familiesOf(passing).map(see))).flat();
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

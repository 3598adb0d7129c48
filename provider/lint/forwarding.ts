import { isTuntapError } from "../errors";
import type { Host } from "../host/host";
import { labelOf } from "../host/leases";
import { placeText } from "../host/namespaces";
import { Facts, type Finding, nothing, type Passing, type Rule } from "./passing";
import { DeclaredSysctls, placed } from "./sysctls";

/** One setting has two names (net/ipv4/devinet.c). */
const settings: Readonly<Record<string, "ipv4" | "ipv6">> = {
  "net.ipv4.ip_forward": "ipv4",
  "net.ipv4.conf.all.forwarding": "ipv4",
  "net.ipv6.conf.all.forwarding": "ipv6",
};
const nameOf = { ipv4: "net.ipv4.ip_forward", ipv6: "net.ipv6.conf.all.forwarding" };
type Family = keyof typeof nameOf;

/** NAT where the kernel forwards nothing: a Sysctl says so, or none says otherwise and it is so on the host. */
export function forwardingOff(): Rule {
  const sysctls = new DeclaredSysctls<Family>(settings);
  const nats = new Facts<true>();

  const seeSysctl = (passing: Passing): readonly Finding[] => {
    const seen = sysctls.see(passing);
    if (seen?.value !== "0") return nothing;
    const concerned = nats.of(placed(seen.setting, passing.inputs))?.keys() ?? [];
    return [...concerned].map((nat) => turnedOff(nat, passing.urn, passing));
  };

  const seeNat = (passing: Passing): void => {
    const { urn, inputs } = passing;
    nats.forget(urn);
    for (const family of familiesOf(passing)) nats.add(placed(family, inputs), urn, true);
    sysctls.wait(passing);
  };

  return (passing, host) => {
    let found = nothing;
    if (passing.kind === "Sysctl") found = seeSysctl(passing);
    else if (passing.kind === "Nat") seeNat(passing);
    else return nothing;
    const judged = sysctls.ready().map((nat) => judge(nat, sysctls, host));
    return judged.length === 0 ? found : Promise.all(judged).then((more) => [...found, ...more.flat()]);
  };
}

function familiesOf({ inputs, hidden }: Passing): Family[] {
  if (hidden.has("namespace")) return [];
  const listed = <T>(name: string) => (hidden.has(name) ? [] : ((inputs[name] ?? []) as T[]));
  const ends = [...listed<string>("source"), ...listed<{ to: string }>("forwards").map(({ to }) => to)];
  return [...new Set(ends.map((end): Family => (String(end).includes(":") ? "ipv6" : "ipv4")))];
}

/** What is not declared is looked up. */
async function judge(
  passing: Passing,
  sysctls: DeclaredSysctls<Family>,
  host: Host,
): Promise<readonly Finding[]> {
  const { urn, inputs } = passing;
  const namespace = inputs.namespace as string | undefined;
  const see = async (family: Family): Promise<Finding[]> => {
    const declared = sysctls.of(family, inputs);
    const off = [...declared].find(([, value]) => value === "0");
    if (off) return [turnedOff(urn, off[0], passing)];
    if (declared.size > 0 || !(await isOff(host, namespace, nameOf[family]))) return [];
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

import { isTuntapError } from "../../errors";
import type { Host } from "../../host/host";
import { sameStack } from "../../host/leases";
import type { NamespaceName } from "../../kernel/kernel";

/** Whether a sysctl turns forwarding on and off, for all interfaces or one. */
export function isForwarding(name: string): boolean {
  return /^net\.(ipv4\.ip_forward|ipv[46]\.conf\.[^.]+\.forwarding)$/.test(name);
}

/** A setting of /proc/sys and its value. */
export type Setting = readonly [name: string, value: string];

/**
 * What a sysctl that switches forwarding for all interfaces (inet_forward_change in net/ipv4/devinet.c,
 * addrconf_fixup_forwarding in net/ipv6/addrconf.c) writes along, and would not have again when it is switched back:
 * forwarding of single interfaces, and of IPv4 whether redirects are accepted.
 * @param is its value, before it is written.
 */
export async function writtenAlong(
  namespace: NamespaceName,
  name: string,
  is: string,
  host: Host,
): Promise<Setting[]> {
  const version = /^net\.(?:(ipv4)\.ip_forward|(ipv[46])\.conf\.all\.forwarding)$/.exec(name);
  const folder = version && `net.${version[1] ?? version[2]}.conf`;
  if (!folder) return [];
  const { all } = await host.links.table(namespace);
  const places = ["default", ...all.map((link) => link.name.replaceAll(".", "/"))];
  const off = Number(is) === 0;
  const usual: Setting[] = [
    ...(folder.includes("ipv4") ? [[`${folder}.all.accept_redirects`, off ? "1" : "0"] as const] : []),
    ...places.map((place) => [`${folder}.${place}.forwarding`, off ? "0" : "1"] as const),
  ];
  const found = await Promise.all(
    usual.map(async ([setting, value]): Promise<Setting[]> => {
      const other = await host.sysctls.find(namespace, setting);
      return other === undefined || other === value ? [] : [[setting, other]];
    }),
  );
  return found.flat();
}

/**
 * The tables of NAT in a namespace that other stacks made, which need forwarding: their names.
 * @param lease of the one who asks.
 */
export async function tablesOfOthers(namespace: NamespaceName, lease: string, host: Host): Promise<string[]> {
  try {
    const tables = await host.nftables.tables(namespace);
    return tables
      .filter(({ leases }) => leases.some((other) => !sameStack(other, lease)))
      .map(({ family, name }) => `${family} ${name}`);
  } catch (error) {
    // Without nft, or nf_tables in the kernel, nobody has made one.
    if (isTuntapError(error) && (error.code === "NFT_MISSING" || error.code === "NFT_REFUSED")) return [];
    throw error;
  }
}

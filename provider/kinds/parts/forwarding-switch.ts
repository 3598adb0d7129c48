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

/** The folder of the interfaces' settings that a sysctl switches all together; undefined of any other. */
function folderOf(name: string): string | undefined {
  const version = /^net\.(?:(ipv4)\.ip_forward|(ipv[46])\.conf\.all\.forwarding)$/.exec(name);
  return version ? `net.${version[1] ?? version[2]}.conf` : undefined;
}

/** What a setting is that was written along with a switch. */
function asSwitched(setting: string, is: string): string {
  const off = Number(is) === 0;
  return off === setting.endsWith(".accept_redirects") ? "1" : "0";
}

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
  const folder = folderOf(name);
  if (folder === undefined) return [];
  const { all } = await host.links.table(namespace);
  const places = ["default", ...all.map((link) => link.name.replaceAll(".", "/"))];
  const settings = [
    ...(folder === "net.ipv4.conf" ? [`${folder}.all.accept_redirects`] : []),
    ...places.map((place) => `${folder}.${place}.forwarding`),
  ];
  const found = await Promise.all(
    settings.map(async (setting): Promise<Setting[]> => {
      const other = await host.sysctls.find(namespace, setting);
      return other === undefined || other === asSwitched(setting, is) ? [] : [[setting, other]];
    }),
  );
  return found.flat();
}

/**
 * Those that are still as they were written along; what somebody, perhaps another resource, has set since is not put
 * back to what it was before.
 * @param is the value of the switch.
 */
export async function stillAlong(
  namespace: NamespaceName,
  along: readonly Setting[],
  is: string,
  host: Host,
): Promise<Setting[]> {
  const seen = await Promise.all(along.map(([setting]) => host.sysctls.find(namespace, setting)));
  return along.filter(([setting], index) => seen[index] === asSwitched(setting, is));
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

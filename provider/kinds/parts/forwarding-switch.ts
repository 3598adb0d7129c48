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

/** The settings of interfaces that a sysctl switches all together, by their folder and name; undefined of any other. */
function switchedBy(name: string): { folder: string; leaf: string } | undefined {
  if (name === "net.ipv4.ip_forward") return { folder: "net.ipv4.conf", leaf: "forwarding" };
  const [, folder, leaf] =
    /^(net\.ipv[46]\.conf)\.all\.(forwarding)$/.exec(name) ??
    /^(net\.ipv6\.conf)\.all\.(disable_ipv6|addr_gen_mode|ignore_routes_with_linkdown)$/.exec(name) ??
    [];
  return folder && leaf ? { folder, leaf } : undefined;
}

/** What a setting is that was written along with a switch. */
function asSwitched(setting: string, is: string): string {
  if (!isForwarding(setting) && !setting.endsWith(".accept_redirects")) return is;
  const off = Number(is) === 0;
  return off === setting.endsWith(".accept_redirects") ? "1" : "0";
}

/**
 * What a sysctl that switches something for all interfaces (inet_forward_change in net/ipv4/devinet.c, sysctls of
 * addrconf_sysctl in net/ipv6/addrconf.c) writes along, and would not have again when it is switched back: that setting
 * of single interfaces, and with forwarding of IPv4 whether redirects are accepted.
 * @param is its value, before it is written.
 */
export async function writtenAlong(
  namespace: NamespaceName,
  name: string,
  is: string,
  host: Host,
): Promise<Setting[]> {
  const switched = switchedBy(name);
  if (switched === undefined) return [];
  const { folder, leaf } = switched;
  const { all } = await host.links.table(namespace);
  const places = ["default", ...all.map((link) => link.name.replaceAll(".", "/"))];
  const settings = [
    ...(folder === "net.ipv4.conf" ? [`${folder}.all.accept_redirects`] : []),
    ...places.map((place) => `${folder}.${place}.${leaf}`),
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

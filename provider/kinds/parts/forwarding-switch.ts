import { isTuntapError } from "../../errors";
import type { Host } from "../../host/host";
import { sameStack } from "../../host/leases";
import type { NamespaceName } from "../../kernel/kernel";

/** Whether a sysctl turns forwarding on and off, for all interfaces or one. */
export function isForwarding(name: string): boolean {
  return /^net\.(ipv4\.ip_forward|ipv[46]\.conf\.[^.]+\.forwarding)$/.test(name);
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

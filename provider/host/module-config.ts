import { gunzipSync } from "node:zlib";

/** Options of modules that are not called as their module is; by the module's name, or how it begins. */
const calledOtherwise: Readonly<Record<string, string>> = {
  "8021q": "VLAN_8021Q",
  af_packet: "PACKET",
  arp_tables: "IP_NF_ARPTABLES",
  br_netfilter: "BRIDGE_NETFILTER",
  ebtables: "BRIDGE_NF_EBTABLES",
  ip6_tables: "IP6_NF_IPTABLES",
  ip6table_filter: "IP6_NF_FILTER",
  ip6table_nat: "IP6_NF_NAT",
  ip_gre: "NET_IPGRE",
  ip_tables: "IP_NF_IPTABLES",
  ipip: "NET_IPIP",
  iptable_filter: "IP_NF_FILTER",
  iptable_nat: "IP_NF_NAT",
  loop: "BLK_DEV_LOOP",
  nft_chain_nat: "NFT_NAT",
  nft_fib_inet: "NFT_FIB_INET",
  ppp_generic: "PPP",
  sit: "IPV6_SIT",
  team: "NET_TEAM",
  vrf: "NET_VRF",
  x_tables: "NETFILTER_XTABLES",
};

const families: readonly (readonly [begins: string, options: readonly string[]])[] = [
  ["xt_", ["NETFILTER_XT_", "NETFILTER_XT_MATCH_", "NETFILTER_XT_TARGET_"]],
  ["sch_", ["NET_SCH_"]],
  ["cls_", ["NET_CLS_"]],
  ["act_", ["NET_ACT_"]],
  ["tcp_", ["TCP_CONG_"]],
];

/** The options of the kernel's configuration that a module may be built by; its own name says nothing of them. */
function optionsOf(module: string): string[] {
  const other = calledOtherwise[module];
  if (other !== undefined) return [other];
  const name = module.toUpperCase();
  const inFamily = families
    .filter(([begins]) => module.startsWith(begins))
    .flatMap(([begins, options]) => options.map((option) => option + name.slice(begins.length)));
  return [name, `${name}_FS`, ...inFamily];
}

/**
 * Whether a kernel's configuration says that a module is built in. That it does not proves nothing: an option may be
 * called otherwise than its module.
 * @param config the text, or gzip of it, as /proc/config.gz has it.
 * @param module with underscores.
 */
export function isConfigured(config: Buffer, module: string): boolean {
  const text = textOf(config);
  return optionsOf(module).some((option) => text.includes(`\nCONFIG_${option}=y\n`));
}

function textOf(config: Buffer): string {
  const isPacked = config[0] === 0x1f && config[1] === 0x8b;
  try {
    return `\n${(isPacked ? gunzipSync(config) : config).toString("latin1")}\n`;
  } catch {
    return "";
  }
}

import { existsSync } from "node:fs";
import type { Lab } from "./lab";

/** Whether this kernel has iptables-legacy's tables, of both versions. */
export const hasLegacyTables = ["ip_tables_names", "ip6_tables_names"].every((name) =>
  existsSync(`/proc/net/${name}`),
);

/** Asking for a table makes it (IPT_SO_GET_INFO), which is all that `iptables-legacy -L` does to that end. */
const script = `
import ctypes, socket, sys
family, level = (socket.AF_INET, socket.SOL_IP) if sys.argv[1] == "4" else (socket.AF_INET6, 41)
asker = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
name, size = ctypes.create_string_buffer(b"filter", 84), ctypes.c_int(84)
sys.exit(ctypes.CDLL(None).getsockopt(asker.fileno(), level, 64, name, ctypes.byref(size)))
`;

/** Makes the table filter of iptables-legacy or ip6tables-legacy, as that program would. */
export async function makeLegacyTable(lab: Lab, version: 4 | 6): Promise<void> {
  await lab.exec("python3", "-c", script, String(version));
}

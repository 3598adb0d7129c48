import { bridge } from "./bridge";
import type { AnyKind } from "./kind";
import { namespace } from "./namespace";
import { route } from "./route";
import { sysctl } from "./sysctl";
import { tunInterface } from "./tun-interface";
import { tunPool } from "./tun-pool";
import { vxlan } from "./vxlan";

/** Every resource kind, by its name. */
export const kinds: Readonly<Record<string, AnyKind>> = Object.fromEntries(
  [tunInterface, tunPool, bridge, namespace, route, sysctl, vxlan].map((kind) => [kind.name, kind]),
);

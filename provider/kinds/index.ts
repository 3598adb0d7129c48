import { bridge } from "./bridge";
import type { Kind } from "./kind";
import { namespace } from "./namespace";
import { route } from "./route";
import { sysctl } from "./sysctl";
import { tunInterface } from "./tun-interface";

/** Every resource kind, by its name. */
export const kinds: Readonly<Record<string, Kind>> = Object.fromEntries(
  [tunInterface, bridge, namespace, route, sysctl].map((kind) => [kind.name, kind]),
);

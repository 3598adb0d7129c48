import { bridge } from "./bridge";
import { bridgePort } from "./bridge-port";
import { kernelModule } from "./kernel-module";
import type { AnyKind } from "./kind";
import { namespace } from "./namespace";
import { nat } from "./nat";
import { route } from "./route";
import { sysctl } from "./sysctl";
import { tunInterface } from "./tun-interface";
import { tunPool } from "./tun-pool";
import { vethPair } from "./veth-pair";
import { vxlan } from "./vxlan";

const all: readonly AnyKind[] = [
  tunInterface,
  tunPool,
  bridge,
  bridgePort,
  vethPair,
  vxlan,
  namespace,
  route,
  nat,
  sysctl,
  kernelModule,
];

/** Every resource kind, by its name. */
export const kinds: Readonly<Record<string, AnyKind>> = Object.fromEntries(
  all.map((kind) => [kind.name, kind]),
);

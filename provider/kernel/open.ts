import { loadAddon } from "./addon";
import type { Kernel } from "./kernel";

let shared: Kernel | undefined;

/** The kernel of the host that this process runs on; one for the whole process. */
export function openKernel(): Kernel {
  shared ??= loadAddon();
  return shared;
}

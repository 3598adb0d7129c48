import { existsSync, readFileSync } from "node:fs";
import { attempt, run } from "./shell";

/** A module that makes no link when it is loaded, and whose parameter the kernel shows. */
export const loadable = {
  name: "vxlan",
  parameter: "udp_port",
  /** Not what it has where nothing is given. */
  otherValue: "4789",
  isLoaded: () => existsSync("/sys/module/vxlan"),
  value: () => readFileSync("/sys/module/vxlan/parameters/udp_port", "utf8").trim(),
  async unload(): Promise<void> {
    if (loadable.isLoaded()) await run("modprobe", "-r", loadable.name);
  },
};

/** Whether this kernel loads it, and it is not loaded: tried, and taken out again. */
export async function canLoad(): Promise<boolean> {
  if (loadable.isLoaded()) return false;
  return (await attempt("sh", "-c", "modprobe vxlan && modprobe -r vxlan")).code === 0;
}

import { attempt } from "./shell";

/**
 * A module that can be loaded here and is not, with a parameter that the kernel shows; undefined where there is none: tried,
 * and taken out again. With names of their own these make no link when they are loaded.
 */
export async function loadableModule(): Promise<{ name: string; parameter: string } | undefined> {
  for (const [name, parameter] of [
    ["vxlan", "udp_port"],
    ["geneve", "log_ecn_error"],
  ] as const) {
    const script = `! grep -q '^${name} ' /proc/modules && modprobe ${name} && test -e /sys/module/${name}/parameters/${parameter} && modprobe -r ${name}`;
    if ((await attempt("sh", "-c", `${script} && ! test -e /sys/module/${name}`)).code === 0)
      return { name, parameter };
  }
  return undefined;
}

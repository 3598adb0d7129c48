import { beforeEach } from "vitest";
import { lab, useTunLab } from "./tun-lab";

export const kind = "BridgePort";

/**
 * `nic0` is what would be a network card: one end of a veth, whose other end `peer0` is plugged in elsewhere; and there are
 * two bridges, `br0` and `br1`.
 */
export function useNicLab(): void {
  useTunLab();
  beforeEach(async () => {
    // What goes over no link outlives the links.
    await lab.ip("route", "flush", "type", "blackhole");
    await lab.ip("link", "add", "nic0", "type", "veth", "peer", "name", "peer0");
    for (const name of ["br0", "br1"]) await lab.ip("link", "add", name, "type", "bridge");
    for (const name of ["nic0", "peer0", "br0"]) await lab.ip("link", "set", name, "up");
  });
}

export const port = (more: Record<string, unknown> = {}) => ({
  interface: "nic0",
  bridge: "br0",
  namespace: lab.name,
  ...more,
});
export const master = async () => (await lab.mustHave("nic0")).master;
export const settings = async () => (await lab.mustHave("nic0")).linkinfo?.info_slave_data;
/** Which link is a port of which, and what it carries; a bridge's own address and features follow its ports. */
export const ports = async () =>
  (await lab.links()).map(({ ifname, master: of, altnames: names, flags, linkinfo }) => [
    ifname,
    of,
    names,
    flags.includes("UP"),
    // The cost goes by the speed, once there is one.
    { ...linkinfo?.info_slave_data, state: 0, cost: 0 },
  ]);
export const altnames = async () => (await lab.mustHave("nic0")).altnames ?? [];

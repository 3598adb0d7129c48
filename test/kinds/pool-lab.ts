import { lab } from "./tun-lab";

export const kind = "TunPool";
export const pool = (more: Record<string, unknown> = {}) => ({
  count: 4,
  namePattern: "fc%d",
  owner: "nobody",
  addressPlan: { subnet: "172.16.0.0/24", each: "/30" },
  mtu: 1400,
  namespace: lab.name,
  ...more,
});
export const names = (count: number) => Array.from({ length: count }, (_, number) => `fc${number}`);

interface Shown {
  name: string;
  namespace?: string;
  address?: string;
  peerAddress?: string;
  macAddress?: string;
  guestMacAddress?: string;
  bridge?: string;
  firecracker?: object;
}
export const membersOf = (outputs: Record<string, unknown>) => outputs.members as Shown[];

/** Of all links, by name. */
export async function indexes(): Promise<Record<string, number>> {
  return Object.fromEntries((await lab.links()).map(({ ifname, ifindex }) => [ifname, ifindex]));
}

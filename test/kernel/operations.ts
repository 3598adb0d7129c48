/** TUN operations of the contract, with what every test of it would repeat. */

import type { TunAttach, TunCreate } from "../../provider/kernel/kernel";

// linux/if_tun.h
export const IFF_TUN = 0x0001;
export const IFF_TAP = 0x0002;
export const IFF_MULTI_QUEUE = 0x0100;
export const IFF_NO_PI = 0x1000;
export const IFF_VNET_HDR = 0x4000;

export const tap = (name: string, more: Partial<TunCreate> = {}): TunCreate => ({
  operation: "create",
  name,
  flags: IFF_TAP | IFF_NO_PI,
  persist: true,
  ...more,
});

export const attachment = (name: string, ifindex: number, more: Partial<TunAttach> = {}): TunAttach => ({
  operation: "attach",
  name,
  ifindex,
  flags: IFF_TAP | IFF_NO_PI,
  ...more,
});

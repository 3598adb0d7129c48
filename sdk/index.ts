export type { DhcpArgs } from "./components/dhcp";
export { type Vm, type VmArgs, VmBridge, type VmBridgeArgs } from "./components/vm-bridge";
export * from "./resources";

export type { DhcpArgs } from "./components/dhcp";
export { Segment, type SegmentArgs, type SegmentHostArgs } from "./components/segment";
export { type Vm, type VmArgs, VmBridge, type VmBridgeArgs } from "./components/vm-bridge";
export * from "./resources";

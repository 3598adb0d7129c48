export type { DhcpArgs } from "./components/dhcp";
export { Segment, type SegmentArgs, type SegmentHostArgs } from "./components/segment";
export { type Vm, VmBridge } from "./components/vm-bridge";
export type { VmArgs, VmBridgeArgs } from "./components/vm-bridge-args";
export * from "./resources";

/**
 * What components check of their inputs before they register anything: the names of all properties, and the values that
 * must be plain, as JSON Schema (draft-07). What may be an output is checked by the resource that it goes to. Only
 * `npm run generate` reads this file; it writes validators/ of it.
 */

import { kinds } from "../../provider/kinds";
import type { NatForwardArgs } from "../resources/nat";
import type { DhcpArgs } from "./dhcp";
import type { Shape } from "./inputs";
import type { SegmentArgs, SegmentHostArgs } from "./segment";
import type { VmArgs, VmBridgeArgs } from "./vm-bridge-args";

/** What only messages are made of. */
export const spoken = ["because", "example", "set"] as const;

type Properties<Args> = Readonly<Record<keyof Args & string, Shape>>;

/** Anything, now or later. */
const input: Shape = {};

const object = <Args>(properties: Properties<Args>, more: Shape = {}): Shape => ({
  type: "object",
  properties,
  additionalProperties: false,
  ...more,
});

const mergedIn = "it is put together with other inputs (what is in it may be an output)";

/** More inputs of a part, but those that the component sets. */
function inputsOf(kind: string, ...set: string[]): Shape {
  const names = Object.keys(kinds[kind]!.inputs).filter((name) => !set.includes(name));
  return object(Object.fromEntries(names.map((name) => [name, input])), { because: mergedIn, set });
}

const plannedFrom = "what is made follows from it";
const addressedFrom = "the addresses follow from it";
const servedFrom = "it is checked before the server is told";

const dhcp = object<DhcpArgs>(
  {
    domain: { type: "string", because: servedFrom, example: '"lab.internal"' },
    leaseSeconds: { type: "number", because: servedFrom },
    upstream: {
      type: "array",
      items: { type: "string", because: servedFrom, example: '"9.9.9.9"' },
      because: servedFrom,
      example: '["9.9.9.9"]',
    },
    stateDirectory: { type: "string", because: servedFrom },
  },
  { type: ["boolean", "object"], because: plannedFrom },
);

const forward = object<Omit<NatForwardArgs, "to">>(
  { protocol: input, port: input, toPort: input },
  { because: mergedIn, set: ["to"] },
);

const vm = object<VmArgs>(
  {
    address: { type: "string", because: addressedFrom, example: '"10.20.0.10"' },
    macAddress: {
      type: "string",
      because: "no two VMs may have the same",
      example: '"52:54:00:12:34:56"',
    },
    owner: input,
    group: input,
    forwards: {
      type: "array",
      items: forward,
      because: mergedIn,
      example: '[{ protocol: "tcp", port: 8080, toPort: 80 }]',
    },
    tap: inputsOf("TunInterface", "bridge", "namespace", "guestMacAddress"),
  },
  { because: plannedFrom },
);

const vmBridge = object<VmBridgeArgs>(
  {
    subnet: { type: "string", because: addressedFrom, example: '"10.20.0.0/24"' },
    vms: { type: "object", additionalProperties: vm, because: plannedFrom, example: "{ web: {}, db: {} }" },
    address: { type: "string", because: addressedFrom, example: '"10.20.0.1"' },
    namespace: input,
    owner: input,
    group: input,
    mtu: input,
    isolated: input,
    outInterface: input,
    allowForwarding: input,
    forwarding: { type: "boolean", because: plannedFrom },
    consumer: input,
    dhcp,
    onBusy: input,
    bridge: inputsOf("Bridge", "address", "netmask", "namespace"),
  },
  { required: ["subnet", "vms"], because: plannedFrom },
);

const host = object<SegmentHostArgs>(
  {
    local: { example: '"192.0.2.1"' },
    namespace: input,
    bridge: input,
    newBridge: inputsOf("Bridge", "namespace"),
    vxlan: inputsOf("Vxlan", "vni", "local", "peers", "bridge", "namespace"),
  },
  { required: ["local"], because: plannedFrom },
);

const segment = object<SegmentArgs>(
  {
    vni: { type: "integer", because: "the interfaces are called by it", example: "42" },
    hosts: {
      type: "object",
      additionalProperties: host,
      because: plannedFrom,
      example: '{ one: { local: "192.0.2.1" }, two: { local: "192.0.2.2" } }',
    },
    destinationPort: input,
    mtu: input,
  },
  { required: ["vni", "hosts"], because: plannedFrom },
);

/** By component. */
export const shapes: Readonly<Record<string, Shape>> = { VmBridge: vmBridge, Segment: segment };

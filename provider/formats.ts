import {
  broadcastProblem,
  cidrProblem,
  ipv4Problem,
  netmaskProblem,
  peerProblem,
} from "./kinds/parts/address-checks";
import { groupForwardMaskProblem, tenthsProblem } from "./kinds/parts/bridge-settings";
import { aliasProblem, macProblem } from "./kinds/parts/link-settings";
import { ipv4SubnetProblem } from "./kinds/parts/member-plans";
import { moduleNameProblem, moduleParameterProblem } from "./kinds/parts/module-checks";
import { linkNameProblem, namespaceNameProblem } from "./kinds/parts/names";
import { portsProblem, tableNameProblem } from "./kinds/parts/nat-checks";
import { vlanRangeProblem } from "./kinds/parts/port-vlans";
import { destinationProblem, hopProblem, networkProblem } from "./kinds/parts/route-checks";
import { sysctlNameProblem, sysctlValueProblem } from "./kinds/parts/sysctl-checks";
import { forwardingMacProblem, groupProblem, tunnelEndProblem } from "./kinds/parts/vxlan-checks";

/** Checkers by format name; each says why a text is not of the format. */
export const formats: Readonly<Record<string, (text: string) => string | undefined>> = {
  "link-name": linkNameProblem,
  "namespace-name": namespaceNameProblem,
  ipv4: ipv4Problem,
  "ipv4-peer": peerProblem,
  "ipv4-broadcast": broadcastProblem,
  netmask: netmaskProblem,
  cidr: cidrProblem,
  "ipv4-subnet": ipv4SubnetProblem,
  mac: macProblem,
  alias: aliasProblem,
  destination: destinationProblem,
  hop: hopProblem,
  network: (text) => networkProblem(text),
  "table-name": tableNameProblem,
  ports: portsProblem,
  "module-name": moduleNameProblem,
  "module-parameter": moduleParameterProblem,
  "sysctl-name": sysctlNameProblem,
  "sysctl-value": sysctlValueProblem,
  "tunnel-end": tunnelEndProblem,
  "multicast-group": groupProblem,
  "forwarding-mac": forwardingMacProblem,
  "vlan-range": vlanRangeProblem,
};

/** What the schema of a number does not say by itself: a netmask as a number has a range of its own. */
export const numberFormats: Readonly<Record<string, (value: number) => string | undefined>> = {
  netmask: netmaskProblem,
  tenths: tenthsProblem,
  "group-forward-mask": groupForwardMaskProblem,
};

/** Whether a text is of a format; what the generated validators call. Numbers are looked at apart. */
export const accepts: Readonly<Record<string, (text: string) => boolean>> = Object.fromEntries(
  Object.entries(formats).map(([name, problem]) => [name, (text: string) => problem(text) === undefined]),
);

import type { Host } from "../../host/host";
import { type PortSettings, portWrites } from "../../host/ports";
import { accepted } from "../../host/refusals";
import { type VlanRun, vlanRuns } from "../../host/vlans";
import type { Reply } from "../../kernel/kernel";
import type { ObservedLink } from "./link";
import { vlanWrites } from "./port-vlans";

/** What an interface is as the port of a bridge, which the kernel forgets when it leaves. */
interface FormerPort extends PortSettings {
  /** Where the kernel has VLAN filtering. */
  vlans?: VlanRun[];
}

/** Its settings and VLANs as a port, as a text of JSON; undefined where it is none. */
export async function noteFormerPort(
  { link, namespace, ifindex, neighbours }: ObservedLink,
  host: Host,
): Promise<string | undefined> {
  const [settings, vlans] = await Promise.all([
    host.ports.settings(namespace, ifindex),
    host.vlans.ofPort(namespace, link, neighbours),
  ]);
  if (settings === undefined) return undefined;
  return JSON.stringify({ ...settings, ...(vlans && { vlans: vlanRuns(vlans) }) } satisfies FormerPort);
}

/** Makes it that again, now that it is on that bridge. @returns what was refused. */
export async function restoreFormerPort(
  note: string,
  { namespace, ifindex }: ObservedLink,
  host: Host,
): Promise<Reply[]> {
  const { vlans, ...then } = JSON.parse(note) as FormerPort;
  const [now, { links }] = await Promise.all([
    host.ports.settings(namespace, ifindex),
    host.scenes.now(namespace),
  ]);
  const link = links.at(ifindex);
  if (now === undefined || link === undefined) return [];
  // Known by its ifindex, which may be another link's by now: only a port of the same bridge can be it.
  if (then.backupPort && links.at(then.backupPort)?.master !== link.master) {
    delete then.backupPort;
    delete then.backupNexthopId;
  }
  const is = vlans && (await host.vlans.ofPort(namespace, link, links));
  const writes = [
    ...portWrites(ifindex, now, then).map((bytes) => ({ bytes, alreadySo: undefined })),
    ...(is ? vlanWrites(ifindex, is, vlansIn(vlans)) : []),
  ];
  const replies = await host.batch.send(
    namespace,
    writes.map(({ bytes }) => bytes),
  );
  return replies.filter((reply, position) => !accepted(reply, writes[position]?.alreadySo));
}

function vlansIn(runs: readonly VlanRun[]) {
  return new Map(
    runs.flatMap(({ first, last, pvid, untagged }) =>
      Array.from({ length: last - first + 1 }, (_, step) => [first + step, { pvid, untagged }] as const),
    ),
  );
}

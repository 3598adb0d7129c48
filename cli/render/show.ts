/** The answer of `tuntap show`, as a table and as one object. */
import type { NamedAccount, SurveyedTun } from "../../provider/host/survey";
import { type ExitCode, exitCode } from "../failure";
import type { Diagnostic } from "../plan";
import type { Terminal } from "../terminal";
import { holderLines, holderObjects } from "./holders";
import { drawTable, type Row } from "./table";

const columns = [
  "namespace",
  "name",
  "mode",
  "owner",
  "group",
  "addresses",
  "mtu",
  "up",
  "carrier",
  "queues",
  "persistent",
  "lease",
  "held by",
];

export function renderShow(
  links: readonly SurveyedTun[],
  namespace: string | undefined,
  terminal: Terminal,
): void {
  if (links.length) terminal.say(drawTable(columns, links.map(rowOf)));
  const where = namespace === undefined ? "on this host" : `in namespace ${namespace}`;
  const { length } = links;
  terminal.say(`${length || "no"} TUN or TAP interface${length === 1 ? "" : "s"} ${where}`);
}

function rowOf(tun: SurveyedTun): Row {
  const row: Row = {
    name: tun.name,
    mode: tun.mode,
    owner: nameOf(tun.owner),
    group: nameOf(tun.group),
    mtu: String(tun.mtu),
    up: yes(tun.up),
    carrier: tun.carrier ? "on" : "off",
    queues: queuesOf(tun),
    persistent: tun.keeper && !tun.persistent ? `by pid ${tun.keeper.pid}` : yes(tun.persistent),
  };
  if (tun.namespace !== undefined) row.namespace = tun.namespace;
  if (tun.addresses.length) row.addresses = tun.addresses.join("\n");
  if (tun.leases.length)
    row.lease = tun.leases.map(({ lease, user }) => `${lease}\nof ${nameOf(user)}`).join("\n");
  if (tun.holders.length) row["held by"] = holderLines(tun.holders);
  return row;
}

function queuesOf({ multiQueue, queues, detachedQueues }: SurveyedTun): string {
  if (!multiQueue) return "single";
  return `multi, ${queues ?? 0} in use${detachedQueues ? `, ${detachedQueues} detached` : ""}`;
}

function nameOf(account: NamedAccount | undefined): string {
  return account === undefined ? "none" : (account.name ?? String(account.id));
}

function yes(value: boolean): string {
  return value ? "yes" : "no";
}

/** The object of --json; what is not there is null. */
export function showObject(parts: {
  links: readonly SurveyedTun[];
  code: ExitCode;
  diagnostics: readonly Diagnostic[];
  durationMs: number;
}): object {
  const { links, code, diagnostics, durationMs } = parts;
  const account = (one: NamedAccount | undefined) => (one ? { id: one.id, name: one.name ?? null } : null);
  return {
    command: "show",
    result: code === exitCode.done ? "succeeded" : "failed",
    links: links.map((tun) => ({
      namespace: tun.namespace ?? null,
      name: tun.name,
      ifindex: tun.ifindex,
      mode: tun.mode,
      owner: account(tun.owner),
      group: account(tun.group),
      addresses: tun.addresses,
      macAddress: tun.macAddress ?? null,
      mtu: tun.mtu,
      up: tun.up,
      carrier: tun.carrier,
      multiQueue: tun.multiQueue,
      queues: tun.queues ?? null,
      detachedQueues: tun.detachedQueues,
      persistent: tun.persistent,
      packetInformation: tun.packetInformation,
      vnetHeader: tun.vnetHeader,
      alias: tun.alias ?? null,
      leases: tun.leases.map(({ lease, user }) => ({ lease, uid: user.id, user: user.name ?? null })),
      holders: holderObjects(tun.holders),
      keeper: holderObjects(tun.keeper ? [tun.keeper] : [])[0] ?? null,
    })),
    diagnostics: diagnostics.map(({ severity, message }) => ({ severity, message, urn: "" })),
    durationMs,
  };
}

/** The answer of `tuntap show`, as a table and as one object. */
import type { NamedAccount, SurveyedLink, SurveyedTun } from "../../provider/host/survey";
import { type ExitCode, exitCode } from "../failure";
import type { Diagnostic } from "../plan";
import type { Terminal } from "../terminal";
import { holderLines, holderObjects } from "./holders";
import { drawTable, type Row } from "./table";

const columns = [
  "namespace",
  "name",
  "kind",
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
  links: readonly SurveyedLink[],
  namespace: string | undefined,
  terminal: Terminal,
): void {
  if (links.length) terminal.say(drawTable(columns, links.map(rowOf)));
  const where = namespace === undefined ? "on this host" : `in namespace ${namespace}`;
  const tuns = links.filter(({ tun }) => tun).length;
  const others = links.length - tuns;
  const more = others ? `, and ${counted(others, "other link")} with a lease` : "";
  terminal.say(`${counted(tuns, "TUN or TAP interface")} ${where}${more}`);
}

function counted(count: number, what: string): string {
  return `${count || "no"} ${what}${count === 1 ? "" : "s"}`;
}

function rowOf(link: SurveyedLink): Row {
  const row: Row = {
    name: link.name,
    kind: link.kind,
    mtu: String(link.mtu),
    up: yes(link.up),
    carrier: link.carrier ? "on" : "off",
    ...(link.tun && tunCells(link.tun)),
  };
  if (link.namespace !== undefined) row.namespace = link.namespace;
  if (link.addresses.length) row.addresses = link.addresses.join("\n");
  if (link.leases.length)
    row.lease = link.leases.map(({ lease, user }) => `${lease}\nof ${nameOf(user)}`).join("\n");
  return row;
}

function tunCells(tun: SurveyedTun): Row {
  return {
    owner: nameOf(tun.owner),
    group: nameOf(tun.group),
    queues: queuesOf(tun),
    persistent: tun.keeper && !tun.persistent ? `by pid ${tun.keeper.pid}` : yes(tun.persistent),
    ...(tun.holders.length > 0 && { "held by": holderLines(tun.holders) }),
  };
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
  links: readonly SurveyedLink[];
  code: ExitCode;
  diagnostics: readonly Diagnostic[];
  durationMs: number;
}): object {
  const { links, code, diagnostics, durationMs } = parts;
  const account = (one: NamedAccount | undefined) => (one ? { id: one.id, name: one.name ?? null } : null);
  return {
    command: "show",
    result: code === exitCode.done ? "succeeded" : "failed",
    links: links.map(({ tun, ...link }) => ({
      namespace: link.namespace ?? null,
      name: link.name,
      ifindex: link.ifindex,
      kind: link.kind,
      mode: tun?.mode ?? null,
      owner: account(tun?.owner),
      group: account(tun?.group),
      addresses: link.addresses,
      macAddress: link.macAddress ?? null,
      mtu: link.mtu,
      up: link.up,
      carrier: link.carrier,
      multiQueue: tun?.multiQueue ?? null,
      queues: tun?.queues ?? null,
      detachedQueues: tun?.detachedQueues ?? null,
      persistent: tun?.persistent ?? null,
      packetInformation: tun?.packetInformation ?? null,
      vnetHeader: tun?.vnetHeader ?? null,
      alias: link.alias ?? null,
      leases: link.leases.map(({ lease, user }) => ({ lease, uid: user.id, user: user.name ?? null })),
      holders: holderObjects(tun?.holders ?? []),
      keeper: holderObjects(tun?.keeper ? [tun.keeper] : [])[0] ?? null,
    })),
    diagnostics: diagnostics.map(({ severity, message }) => ({ severity, message, urn: "" })),
    durationMs,
  };
}

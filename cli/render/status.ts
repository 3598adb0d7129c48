/** The answer of `tuntap status`, as tables and as one object. */
import type { Inspected, InspectedProperty, Inspection, Orphan } from "../../provider/inspect";
import { type ExitCode, exitCode } from "../failure";
import type { Diagnostic } from "../plan";
import { quote } from "../shell";
import type { Terminal } from "../terminal";
import { holderLines, holderObjects } from "./holders";
import { drawTable, type Row } from "./table";

interface Status {
  stack: string;
  created: boolean;
  found: Inspected;
}

const columns = ["resource", "property", "declared", "on the host", "drift", "carrier", "held by"];
const orphanColumns = ["left over", "namespace", "lease", "held by"];

export function renderStatus(status: Status & { diff: boolean }, terminal: Terminal): void {
  const { stack, created, found, diff } = status;
  const { resources, orphans } = found;
  if (!created) terminal.say(`Stack ${stack} was never brought up: there is no state of it.`);
  if (resources.length)
    terminal.say(
      drawTable(
        columns,
        resources.map((one) => resourceRow(one, diff, terminal)),
        true,
      ),
    );
  for (const { kind, logicalName, message } of resources) {
    if (message) terminal.say(`  ${terminal.paint("yellow", `${kind} ${logicalName}:`)} ${message}`);
  }
  if (orphans.length) {
    terminal.say("Left over: they carry leases of this stack, but its state does not know them.");
    terminal.say(drawTable(orphanColumns, orphans.map(orphanRow)));
    terminal.say("An up takes up those that the program declares; to remove them by hand, as root:");
    for (const orphan of orphans) terminal.say(`  ${command(orphan)}`);
  }
  if (created || orphans.length)
    terminal.say(terminal.paint("bold", `Status of ${stack}: ${summary(resources, orphans)}`));
}

function resourceRow(one: Inspection, diff: boolean, terminal: Terminal): Row {
  const shown = one.properties.filter(({ declared, drift }) => diff || drift || declared !== undefined);
  const lines = (line: (property: InspectedProperty) => string) =>
    shown
      .map((property) => (property.drift ? terminal.paint("yellow", line(property)) : line(property)))
      .join("\n");
  const row: Row = { resource: heading(one) };
  if (one.condition !== "present") row.drift = terminal.paint("red", one.condition);
  else if (shown.length > 0) {
    row.property = lines(({ name }) => name);
    row.declared = lines(({ shown: { declared } }) => declared || "-");
    row["on the host"] = lines(({ shown: { observed } }) => observed);
    row.drift = lines(({ drift }) => (drift ? "drift" : ""));
  }
  if (one.carrier !== undefined) row.carrier = one.carrier ? "on" : "off";
  if (one.holders.length) row["held by"] = holderLines(one.holders);
  return row;
}

function heading({ kind, logicalName, name, namespace, lease, leased, condition }: Inspection): string {
  const lines = [`${kind} ${logicalName}`];
  if (name !== undefined && name !== logicalName) lines.push(`named ${name}`);
  if (namespace !== undefined) lines.push(`in ${namespace}`);
  if (lease !== undefined) lines.push(condition === "present" && !leased ? `${lease} (lost)` : lease);
  return lines.join("\n");
}

function orphanRow({ kind, name, namespace, lease, holders }: Orphan): Row {
  const row: Row = { "left over": `${kind} ${name}`, lease };
  if (namespace !== undefined) row.namespace = namespace;
  if (holders.length) row["held by"] = holderLines(holders);
  return row;
}

function command({ removal }: Orphan): string {
  return removal.map(quote).join(" ");
}

function summary(resources: readonly Inspection[], orphans: readonly Orphan[]): string {
  const count = (condition: string) => resources.filter((one) => one.condition === condition).length;
  const differing = resources.filter(({ condition, drift }) => condition === "present" && drift).length;
  const { length } = resources;
  const parts = [`${length || "no"} resource${length === 1 ? "" : "s"}`];
  if (differing) parts.push(`${differing} with drift`);
  for (const condition of ["gone", "unfinished", "unreadable"])
    if (count(condition)) parts.push(`${count(condition)} ${condition}`);
  if (orphans.length) parts.push(`${orphans.length} left over`);
  if (parts.length === 1 && length > 0) parts.push("as declared");
  return parts.join(", ");
}

/** The object of --json; what is not there is null, so that every key is always there. */
export function statusObject(
  status: Status & { code: ExitCode; diagnostics: readonly Diagnostic[]; durationMs: number },
): object {
  const { stack, created, found, code, diagnostics, durationMs } = status;
  return {
    command: "status",
    stack,
    result: code === exitCode.done ? "succeeded" : "failed",
    created,
    resources: found.resources.map((one) => ({
      urn: one.urn,
      kind: one.kind,
      logicalName: one.logicalName,
      name: one.name ?? null,
      namespace: one.namespace ?? null,
      condition: one.condition,
      drift: one.drift,
      lease: one.lease ?? null,
      leased: one.leased,
      properties: one.properties.map(({ name, declared, observed, drift }) => ({
        name,
        declared: declared ?? null,
        observed: observed ?? null,
        drift,
      })),
      carrier: one.carrier ?? null,
      holders: holderObjects(one.holders),
      message: one.message ?? "",
    })),
    orphans: found.orphans.map((orphan) => ({
      kind: orphan.kind,
      name: orphan.name,
      namespace: orphan.namespace ?? null,
      lease: orphan.lease,
      description: orphan.description,
      holders: holderObjects(orphan.holders),
      command: command(orphan),
    })),
    diagnostics: diagnostics.map(({ severity, message }) => ({ severity, message, urn: "" })),
    durationMs,
  };
}

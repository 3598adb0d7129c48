/** The TUN and TAP interfaces of this host, whoever made them, and all links with a lease: needs no engine and no project, and starts fast. */
import { Host } from "../provider/host/host";
import { type SurveyedLink, survey } from "../provider/host/survey";
import { openKernel } from "../provider/kernel/open";
import { type ExitCode, exitCode, messageOf } from "./failure";
import { notSeen, sayDiagnostics, withoutRoot } from "./looking";
import type { Diagnostic } from "./plan";
import { renderShow, showObject } from "./render/show";
import { Terminal } from "./terminal";

export async function showHost(namespace: string | undefined, json: boolean): Promise<ExitCode> {
  const began = Date.now();
  const terminal = new Terminal(json);
  const diagnostics: Diagnostic[] = [];
  let links: SurveyedLink[] = [];
  let code: ExitCode = exitCode.done;
  try {
    const seen = await survey(new Host(openKernel()), namespace);
    links = seen.links;
    diagnostics.push(...notSeen(seen.unseen), ...withoutRoot());
    if (!json) renderShow(links, namespace, terminal);
  } catch (error) {
    code = exitCode.failed;
    diagnostics.push({ severity: "error", message: messageOf(error) });
  }
  sayDiagnostics(diagnostics, terminal);
  if (json) await terminal.object(showObject({ links, code, diagnostics, durationMs: Date.now() - began }));
  return code;
}

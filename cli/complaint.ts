/** What the engine says when it fails, in as few words as tell the reason. */
import { Failure, messageOf } from "./failure";
import type { Settings } from "./settings";
import type { State } from "./state";

interface Place {
  settings: Settings;
  state: State;
}

/** That it failed is known already. */
export function isEcho(message: string): boolean {
  return /^(update|preview|refresh|destroy) (failed|canceled|cancelled)$/.test(message);
}

/** The lines that the engine marks as errors, without its display of the run. */
export function reasons(error: unknown): string[] {
  const result = (error as { commandResult?: { stderr?: string; err?: { signal?: string } } }).commandResult;
  if (result?.err?.signal) return [`the engine was killed by ${result.err.signal}`];
  const text = result?.stderr ?? messageOf(error);
  const marked = [...text.matchAll(/^\s*error: (.*)$/gm)]
    .map((match) => match[1] ?? "")
    .filter((line) => !isEcho(line));
  return marked.length ? [...new Set(marked)] : [text.split("\n")[0] ?? text];
}

/** Adds the remedy where there is one of ours. */
export function explain(place: Place, text: string): string {
  // Plain `pulumi` knows neither the state of this folder nor whether the other run is alive.
  if (/currently locked by/.test(text))
    return `${text.replace(/ or delete the lock file with `pulumi cancel`\.?.*/, "")}, or run "tuntap cancel" (which asks it to end, or removes the lock)`;
  if (!/incorrect passphrase|passphrase must be set/.test(text)) return text;
  const { settings, state } = place;
  const cause = settings.secrets
    ? `${settings.committed} holds secrets that were encrypted with another passphrase`
    : `the secrets of the state in ${state.backend.url} were encrypted with another passphrase`;
  return `${cause}; set PULUMI_CONFIG_PASSPHRASE (or PULUMI_CONFIG_PASSPHRASE_FILE) to that one (${text})`;
}

/** An engine command that failed before any run began. */
export function complain(place: Place, error: unknown): unknown {
  if (!(error as { commandResult?: unknown }).commandResult) return error;
  return new Failure(
    reasons(error)
      .map((text) => explain(place, text))
      .join("\n"),
  );
}

/** Progress of a run: one live line on a terminal, a line per finished resource elsewhere. */
import type { Plan } from "../plan";
import { seconds, type Terminal } from "../terminal";
import { describeDone } from "./plan";
import { nameOf } from "./value";

const doing = {
  create: "creating",
  update: "updating",
  delete: "deleting",
  replace: "replacing",
  same: "checking",
};

/** Follows the plan until the function it gives is called. */
export function followProgress(title: string, plan: Plan, terminal: Terminal, total?: number): () => void {
  const began = Date.now();
  const announce = total !== undefined;
  const reported = new Set<string>();
  plan.onStep = (step) => {
    if (!announce || step.state !== "done" || step.operation === "same" || reported.has(step.urn)) return;
    reported.add(step.urn);
    terminal.say(`  ${describeDone(step, plan.kind)} (${seconds(Date.now() - step.began)})`);
  };
  terminal.status(() => {
    const steps = [...plan.steps.values()];
    const finished = steps.filter((step) => step.state !== "running").length;
    const running = steps.filter((step) => step.state === "running");
    const names = running.slice(0, 3).map((step) => `${doing[step.operation]} ${nameOf(step.urn).name}`);
    const refreshing = [...plan.refreshing].slice(0, 3).map((urn) => `reading ${nameOf(urn).name}`);
    const what = [...names, ...refreshing].slice(0, 3).join(", ") || "…";
    const more = running.length + plan.refreshing.size - 3;
    const counted = announce
      ? `${finished} of ${Math.max(total, steps.length)} done`
      : `${finished} looked at`;
    return `${title}: ${counted} · ${what}${more > 0 ? ` and ${more} more` : ""} · ${seconds(Date.now() - began)}`;
  });
  return () => {
    delete plan.onStep;
    terminal.status(undefined);
  };
}

/** What the engine's events of one run amount to: steps on resources, messages, outputs. */
import type { EngineEvent, StepEventMetadata, StepEventStateMetadata } from "@pulumi/pulumi/automation";

export type Operation = "create" | "update" | "delete" | "replace" | "same";
export type Properties = Record<string, unknown>;
export type Changes = Record<Operation, number>;

export interface Step {
  urn: string;
  operation: Operation;
  before?: { inputs: Properties; outputs: Properties };
  after?: { inputs: Properties; outputs: Properties };
  /** Properties that force a replacement. */
  replaces: string[];
  /** Properties that the provider names as changed. */
  named: string[];
  /** The refresh found that it does not exist any more. */
  vanished: boolean;
  /** It is forgotten, and stays on the host (`retainOnDelete`). */
  kept: boolean;
  state: "running" | "done" | "failed";
  began: number;
}

export interface Diagnostic {
  severity: "info" | "warning" | "error";
  message: string;
  urn?: string;
}

const operations: Record<string, Operation> = {
  create: "create",
  import: "create",
  update: "update",
  delete: "delete",
  "discard-replaced": "replace",
  replace: "replace",
  "create-replacement": "replace",
  "delete-replaced": "replace",
  "import-replacement": "replace",
  same: "same",
  read: "same",
};

export class Plan {
  readonly steps = new Map<string, Step>();
  readonly diagnostics: Diagnostic[] = [];
  /** Where every resource of a run stands in the end: its outputs. */
  readonly outputs = new Map<string, Properties>();
  /** Did the refresh or the program's outputs change what the state says, though no resource changes? */
  stateChanged = false;
  stackOutputs: Properties = {};
  refreshing = new Set<string>();
  onStep?: (step: Step) => void;
  onDiagnostic?: (diagnostic: Diagnostic) => void;
  readonly #vanished = new Set<string>();
  #stackBefore: Properties | undefined;
  readonly #ends: ReadonlySet<string>;

  /** Of a refresh, the end of a step says what was found; otherwise refreshing is only the beginning. */
  constructor(readonly kind: "run" | "refresh") {
    this.#ends = kind === "refresh" ? new Set(["update", "delete", "same", "refresh"]) : new Set();
  }

  record(event: EngineEvent): void {
    const message = event.diagnosticEvent;
    if (message) this.#diagnose(message);
    if (event.resourcePreEvent) this.#begin(event.resourcePreEvent.metadata);
    if (event.resOutputsEvent) this.#end(event.resOutputsEvent.metadata, "done");
    if (event.resOpFailedEvent) this.#end(event.resOpFailedEvent.metadata, "failed");
  }

  /** Resources of the program: neither the stack itself nor providers. */
  changes(): Changes {
    const changes: Changes = { create: 0, update: 0, delete: 0, replace: 0, same: 0 };
    for (const step of this.steps.values()) changes[step.operation]++;
    return changes;
  }

  changed(): boolean {
    return [...this.steps.values()].some((step) => step.operation !== "same");
  }

  diagnose(diagnostic: Diagnostic): void {
    const known = this.diagnostics.some(
      (other) =>
        other.severity === diagnostic.severity &&
        other.message === diagnostic.message &&
        other.urn === diagnostic.urn,
    );
    if (known) return;
    this.diagnostics.push(diagnostic);
    this.onDiagnostic?.(diagnostic);
  }

  #diagnose(event: NonNullable<EngineEvent["diagnosticEvent"]>): void {
    const severity = event.severity === "info#err" ? "info" : event.severity;
    if (event.ephemeral || !["info", "warning", "error"].includes(severity)) return;
    const message = event.message.trim();
    // The engine's SDK prints an error of the provider with its (empty) stack, and the engine tells it then.
    if (event.severity === "info#err" && /^TuntapError: .*:$/s.test(message)) return;
    if (message) this.diagnose({ severity, message, ...(event.urn ? { urn: event.urn } : {}) });
  }

  #begin(metadata: StepEventMetadata): void {
    if (isStack(metadata) || isProvider(metadata)) return;
    if (metadata.op === "refresh") this.refreshing.add(metadata.urn);
    else if (this.kind === "run") this.#step(metadata, "running");
  }

  #end(metadata: StepEventMetadata, state: "done" | "failed"): void {
    const refreshed = this.refreshing.delete(metadata.urn) || metadata.op === "refresh";
    if (isStack(metadata)) this.#endStack(metadata);
    if (isStack(metadata) || isProvider(metadata)) return;
    // What a run then deletes, or knows by another name, was refreshed too.
    if (metadata.new?.outputs && !refreshed) this.outputs.set(metadata.urn, metadata.new.outputs);
    if (refreshed && differ(metadata.old?.outputs, metadata.new?.outputs)) this.stateChanged = true;
    if (refreshed && !metadata.new) this.#vanished.add(metadata.urn);
    if (refreshed && this.#ends.has(metadata.op)) this.#step(metadata, state);
    if (!refreshed && this.kind === "run") this.#step(metadata, state);
  }

  #endStack(metadata: StepEventMetadata): void {
    if (metadata.op !== "same") this.stateChanged ||= metadata.op !== "refresh";
    const outputs = metadata.new?.outputs;
    if (!outputs || metadata.op === "refresh") return;
    // The stack ends twice in a preview: as registered, without outputs, and with those of the program.
    this.stackOutputs = outputs;
    this.#stackBefore ??= metadata.old?.outputs ?? {};
  }

  outputsChanged(): boolean {
    return differ(this.#stackBefore ?? {}, this.stackOutputs);
  }

  #step(metadata: StepEventMetadata, state: Step["state"]): void {
    const operation = this.#operation(metadata);
    if (!operation) return;
    const known = this.steps.get(metadata.urn);
    const finished = state !== "running" && !/^(replace|delete-replaced|discard-replaced)$/.test(metadata.op);
    const step: Step = {
      urn: metadata.urn,
      operation,
      ...(metadata.old ? { before: pick(metadata.old) } : known?.before ? { before: known.before } : {}),
      ...(metadata.new ? { after: pick(metadata.new) } : known?.after ? { after: known.after } : {}),
      replaces: metadata.keys ?? known?.replaces ?? [],
      named: Object.keys(metadata.detailedDiff ?? {}).concat(metadata.diffs ?? []),
      vanished: this.#vanished.has(metadata.urn),
      kept: operation === "delete" && metadata.old?.retainOnDelete === true,
      state: state === "failed" ? "failed" : finished ? "done" : "running",
      began: known?.began ?? Date.now(),
    };
    this.steps.set(metadata.urn, step);
    // Recorded only where the run goes on; by whatever program the state was written before.
    if (metadata.old && metadata.new && optionsDiffer(metadata.old, metadata.new)) this.stateChanged = true;
    this.onStep?.(step);
  }

  #operation(metadata: StepEventMetadata): Operation | undefined {
    if (this.kind === "refresh") {
      if (!metadata.new) return "delete";
      return differ(metadata.old?.outputs, metadata.new.outputs) ? "update" : "same";
    }
    return operations[metadata.op];
  }
}

function pick(state: { inputs: Properties; outputs: Properties }): {
  inputs: Properties;
  outputs: Properties;
} {
  return { inputs: state.inputs ?? {}, outputs: state.outputs ?? {} };
}

function isStack(metadata: StepEventMetadata): boolean {
  return metadata.type === "pulumi:pulumi:Stack";
}

function isProvider(metadata: StepEventMetadata): boolean {
  return metadata.type.startsWith("pulumi:providers:");
}

/** Do those options differ that the engine tells of? */
function optionsDiffer(old: StepEventStateMetadata, now: StepEventStateMetadata): boolean {
  const differs = (option: "protect" | "retainOnDelete") => Boolean(old[option]) !== Boolean(now[option]);
  return differs("protect") || differs("retainOnDelete");
}

/** Do two property bags differ, apart from what is hidden? */
function differ(one: Properties | undefined, other: Properties | undefined): boolean {
  const visible = (bag: Properties | undefined) =>
    bag &&
    Object.fromEntries(
      Object.entries(bag)
        .filter(([key]) => !key.startsWith("__"))
        .sort(),
    );
  return JSON.stringify(visible(one)) !== JSON.stringify(visible(other));
}

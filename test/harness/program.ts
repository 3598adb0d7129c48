import { randomBytes } from "node:crypto";
import type { CheckResult } from "../../provider/check";
import { Claims } from "../../provider/claims";
import { Host } from "../../provider/host/host";
import type { Kernel } from "../../provider/kernel/kernel";
import { openKernel } from "../../provider/kernel/open";
import { kinds } from "../../provider/kinds";
import type { Kind } from "../../provider/kinds/kind";
import type { DiffResult } from "../../provider/plan";
import { Reconciler, type Run } from "../../provider/reconcile";
import type { Identity, Notice, Outputs } from "../../provider/request";

/** What happened to one resource in one step. */
export interface Step {
  operation: "create" | "update" | "replace" | "same";
  notices: string[];
  outputs: Outputs;
}

/**
 * Resources driven through the core in the order in which the engine calls it, with real state between the
 * calls, but without the engine: for what must be tried many times. The engine itself is driven in test/engine.
 */
export class Program {
  readonly state = new Map<string, { kind: Kind; id: string; outputs: Outputs }>();
  private reconciler: Reconciler;

  constructor(
    readonly instance: string | undefined = randomBytes(8).toString("hex"),
    readonly stack = "dev",
    readonly project = "test",
    private readonly secrets: readonly string[] = [],
    private readonly calls: Partial<Record<keyof Kernel, number>> = {},
    private readonly run: Run = {},
  ) {
    this.reconciler = this.freshReconciler();
  }

  private freshReconciler(): Reconciler {
    return new Reconciler(new Host(counting(openKernel(), this.calls)), new Claims(), this.run);
  }

  /** As a new run of the engine has it: with a provider process of its own. */
  newRun(): this {
    this.reconciler = this.freshReconciler();
    return this;
  }

  identity(kindName: string, logicalName: string): Identity {
    return {
      urn: `urn:pulumi:${this.stack}::${this.project}::pulumi-nodejs:dynamic/tuntap:${kindName}::${logicalName}`,
      ...(this.instance !== undefined && { instance: this.instance }),
      secrets: this.secrets,
    };
  }

  /** Check, then create, or diff and whatever it asks for. */
  async declare(kindName: string, logicalName: string, inputs: Record<string, unknown> = {}): Promise<Step> {
    const kind = kinds[kindName] as Kind;
    const identity = this.identity(kindName, logicalName);
    const recorded = this.state.get(logicalName);
    const wanted = { identity, inputs, unknown: new Set<string>() };
    const checked = await this.reconciler.check(kind, wanted, recorded === undefined);
    const notices = checked.notices.map(text);
    if (checked.problems.length > 0)
      throw new CheckFailed(checked.problems.map((problem) => problem.message));
    const goal = { ...wanted, inputs: checked.inputs };
    if (!recorded) {
      const { id, outputs } = await this.reconciler.create(kind, goal);
      this.record(logicalName, { kind, id, outputs });
      return { operation: "create", notices, outputs };
    }
    const diff = await this.reconciler.diff(kind, goal, recorded.outputs);
    notices.push(...diff.notices.map(text));
    if (!diff.changes) return { operation: "same", notices, outputs: recorded.outputs };
    if (diff.replaces.length > 0) {
      // The engine checks a replaced resource once more, as if it were new.
      const again = await this.reconciler.check(kind, wanted, true);
      if (again.problems.length > 0) throw new CheckFailed(again.problems.map((problem) => problem.message));
      await this.reconciler.remove(kind, recorded.outputs);
      this.state.delete(logicalName);
      const { id, outputs } = await this.reconciler.create(kind, goal);
      this.record(logicalName, { kind, id, outputs });
      return { operation: "replace", notices, outputs };
    }
    const { outputs } = await this.reconciler.update(kind, goal, recorded.outputs);
    this.record(logicalName, { ...recorded, outputs });
    return { operation: "update", notices, outputs };
  }

  /** Only the check, as of a resource that is not there yet. */
  check(kindName: string, logicalName: string, inputs: Record<string, unknown>): Promise<CheckResult> {
    const identity = this.identity(kindName, logicalName);
    return this.reconciler.check(kinds[kindName] as Kind, { identity, inputs, unknown: new Set() }, true);
  }

  /** Only the making, of inputs that were checked before. */
  create(kindName: string, logicalName: string, inputs: Record<string, unknown>): Promise<unknown> {
    const identity = this.identity(kindName, logicalName);
    return this.reconciler.create(kinds[kindName] as Kind, { identity, inputs, unknown: new Set() });
  }

  /** Only the plan. */
  async plan(
    kindName: string,
    logicalName: string,
    inputs: Record<string, unknown>,
    unknown: string[] = [],
  ): Promise<DiffResult> {
    const kind = kinds[kindName] as Kind;
    const identity = this.identity(kindName, logicalName);
    const recorded = this.state.get(logicalName);
    const checked = await this.reconciler.check(kind, { identity, inputs, unknown: new Set(unknown) }, false);
    if (checked.problems.length > 0)
      throw new CheckFailed(checked.problems.map((problem) => problem.message));
    return this.reconciler.diff(
      kind,
      { identity, inputs: checked.inputs, unknown: new Set(unknown) },
      recorded?.outputs ?? {},
    );
  }

  /** As `refresh` does; undefined where the object is gone. */
  async refresh(logicalName: string): Promise<{ notices: string[]; outputs: Outputs } | undefined> {
    const recorded = this.state.get(logicalName);
    if (!recorded) return undefined;
    const { result, notices } = await this.reconciler.read(recorded.kind, recorded.outputs);
    if (!result) {
      this.state.delete(logicalName);
      return undefined;
    }
    this.record(logicalName, { ...recorded, id: result.id, outputs: result.outputs });
    return { notices: notices.map(text), outputs: result.outputs };
  }

  /** As the engine does, which takes plain values only: undefined is none. */
  private record(logicalName: string, resource: { kind: Kind; id: string; outputs: Outputs }): void {
    const found = undefinedIn(resource.outputs);
    if (found.length > 0) throw new Error(`${logicalName}: undefined in outputs: ${found.join(", ")}`);
    this.state.set(logicalName, resource);
  }

  async remove(logicalName: string): Promise<void> {
    const recorded = this.state.get(logicalName);
    if (!recorded) throw new Error(`${logicalName} is not in the state`);
    await this.reconciler.remove(recorded.kind, recorded.outputs);
    this.state.delete(logicalName);
  }

  /** As after a restart of the host: what is recorded is of another boot. */
  restartHost(): this {
    for (const { outputs } of this.state.values()) outputs.__bootId = "another";
    return this.newRun();
  }

  async removeAll(): Promise<void> {
    for (const logicalName of [...this.state.keys()].reverse()) await this.remove(logicalName);
  }
}

export class CheckFailed extends Error {
  constructor(readonly problems: string[]) {
    super(problems.join("\n"));
  }
}

/** The real kernel, with its calls counted by verb. */
function counting(kernel: Kernel, calls: Partial<Record<keyof Kernel, number>>): Kernel {
  return new Proxy(kernel, {
    get(target, verb: keyof Kernel) {
      const method = target[verb];
      if (typeof method !== "function") return method;
      return (...args: unknown[]) => {
        calls[verb] = (calls[verb] ?? 0) + 1;
        return Reflect.apply(method, target, args);
      };
    },
  });
}

/** Paths of what is undefined in a value. */
function undefinedIn(value: unknown, path = ""): string[] {
  if (value === undefined) return [path];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => undefinedIn(inner, `${path}.${key}`));
}

function text(notice: Notice): string {
  return notice.message;
}

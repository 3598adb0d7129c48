import type { Claims } from "./claims";
import { converge, HalfMade, remove } from "./converge";
import { describeDifference, differences, equal, judge } from "./differences";
import { isTuntapError, TuntapError } from "./errors";
import type { Host } from "./host/host";
import { parseUrn } from "./host/leases";
import type { Inputs, Kind, Problem, Target } from "./kinds/kind";
import {
  declaredOf,
  defaultName,
  type Identity,
  maskSecrets,
  type Notice,
  type Outputs,
  resourceLabel,
  targetOf,
} from "./request";
import { validate } from "./validate";

/** What a face hands over: the inputs that are known, and the names of those that are not yet. */
export interface Wanted {
  identity: Identity;
  inputs: Inputs;
  unknown: ReadonlySet<string>;
}

export interface CheckResult {
  inputs: Record<string, unknown>;
  problems: Problem[];
  notices: Notice[];
}

export interface DiffResult {
  changes: boolean;
  /** Inputs that only a new object can satisfy; it is always deleted before it is made anew. */
  replaces: string[];
  notices: Notice[];
}

export interface ReadResult {
  id: string;
  outputs: Outputs;
  /** The declared inputs, at the kernel's values. */
  inputs: Record<string, unknown>;
}

/** An object is half made and could not be removed; it is kept in state with these outputs. */
export class InitialisationFailure extends Error {
  constructor(
    readonly id: string,
    readonly outputs: Outputs,
    readonly reason: unknown,
  ) {
    super(reason instanceof Error ? reason.message : String(reason), { cause: reason });
  }
}

/** What is done with resources of every kind. One instance serves one engine run on one host. */
export class Reconciler {
  constructor(
    private readonly host: Host,
    private readonly claims: Claims,
  ) {}

  /** Validates, fills in defaults and claims the name. Reads the kernel, never writes. */
  async check(kind: Kind, wanted: Wanted, isNew: boolean): Promise<CheckResult> {
    const { identity, unknown } = wanted;
    const given = { ...wanted.inputs };
    if (given.name === undefined && !unknown.has("name")) given.name = defaultName(kind, identity);
    const { inputs, problems } = validate(kind, given, unknown);
    const notices: Notice[] = [];
    const broken = new Set(problems.map(({ property }) => property));
    const sound = Object.fromEntries(Object.entries(inputs).filter(([name]) => !broken.has(name)));
    problems.push(...((await kind.hostRules?.(sound, this.host)) ?? []));
    if (problems.length === 0) {
      // What is not known yet may turn out to be as it should.
      const about = (message: string) => [...unknown].some((name) => message.includes(`\`${name}\``));
      for (const { message } of kind.warnings?.(inputs) ?? []) {
        if (!about(message)) notices.push({ severity: "warning", message });
      }
      if (!unknown.has("name") && !unknown.has("namespace")) {
        problems.push(...this.claimName(kind, identity, inputs));
        if (isNew && problems.length === 0) {
          const found = await this.lookAtTheName(kind, identity, inputs);
          problems.push(...found.problems);
          notices.push(...found.notices);
        }
      }
    }
    return {
      inputs,
      problems: problems.map((problem) => this.maskProblem(problem, identity, inputs)),
      notices: notices.map((notice) => mask(notice, identity, inputs)),
    };
  }

  private maskProblem(problem: Problem, identity: Identity, inputs: Inputs): Problem {
    if (!identity.secrets?.includes(problem.property)) {
      return { ...problem, message: maskSecrets(problem.message, identity, inputs) };
    }
    const value = inputs[problem.property];
    const message = problem.message
      .replaceAll(JSON.stringify(value), "[secret]")
      .replaceAll(String(value), "[secret]");
    // The engine prints the value of the property that a failure names, so this one names none.
    return { property: "", message: maskSecrets(message, identity, inputs) };
  }

  private claimName(kind: Kind, identity: Identity, inputs: Inputs): Problem[] {
    const name = inputs.name as string;
    const space = claimSpace(kind, inputs.namespace as string | undefined);
    const other = this.claims.claim(identity.urn, space, name);
    if (other === undefined) return [];
    const { kind: otherKind, logicalName } = parseUrn(other);
    return [
      {
        property: "name",
        message: `name ${JSON.stringify(name)} is claimed by ${otherKind} "${logicalName}" of this program already; give one of them another name`,
      },
    ];
  }

  /** Whether somebody else has the name of a resource that is about to be made. */
  private async lookAtTheName(
    kind: Kind,
    identity: Identity,
    inputs: Inputs,
  ): Promise<{ problems: Problem[]; notices: Notice[] }> {
    const target = targetOf(kind, this.host, identity, inputs, undefined);
    const { object, obstacle, namespaceMissing } = await kind.sight(target, this.host);
    if (namespaceMissing && !this.claims.isClaimed("namespace", String(inputs.namespace))) {
      const message = `namespace ${JSON.stringify(inputs.namespace)} does not exist, and no Namespace resource of this program makes it. If one does, pass that resource's \`.name\` instead of text, so that it is made first`;
      return { problems: [], notices: [{ severity: "warning", message }] };
    }
    if (object !== undefined || !obstacle || obstacle.sameStack) return { problems: [], notices: [] };
    const what = kind.describe(obstacle.object);
    if (inputs.adopt === true) {
      return {
        problems: [],
        notices: [{ severity: "warning", message: `takes over ${what}; \`down\` will delete it` }],
      };
    }
    const message = `name ${JSON.stringify(inputs.name)} is taken by ${what}, which this resource did not make`;
    // Whoever has a lease may be about to give the name up in this very run; a stranger is not.
    if (obstacle.leased) return { problems: [], notices: [{ severity: "warning", message }] };
    const { remedy } = new TuntapError(kind.codes.foreign, { message });
    return {
      problems: [{ property: "name", message: `${message} [${kind.codes.foreign}]. ${remedy}` }],
      notices: [],
    };
  }

  /** Compares with the kernel, whatever is recorded. */
  async diff(kind: Kind, wanted: Wanted, recorded: Outputs): Promise<DiffResult> {
    const { identity, inputs, unknown } = wanted;
    const result: DiffResult = { changes: unknown.size > 0, replaces: [], notices: [] };
    const note = (severity: Notice["severity"], message: string) =>
      result.notices.push(mask({ severity, message }, identity, inputs, recorded));
    this.diffWithoutKernel(kind, wanted, recorded, result, note);
    // Where it is to be cannot be looked at before that is known.
    if (unknown.has("name") || unknown.has("namespace")) return result;

    const target = targetOf(kind, this.host, identity, inputs, recorded);
    const sighting = await kind.sight(target, this.host);
    if (sighting.object === undefined) {
      // Nothing is left to replace: an update makes it as it is wanted now, wherever that is.
      result.changes = true;
      result.replaces = [];
      if (
        !sighting.namespaceMissing &&
        sighting.obstacle &&
        !sighting.obstacle.sameStack &&
        inputs.adopt !== true
      ) {
        note(
          "warning",
          `it no longer exists, and its name is taken by ${kind.describe(sighting.obstacle.object)}`,
        );
      } else {
        note("warning", await this.describeLoss(target, "it will be made anew"));
      }
      return result;
    }
    if (sighting.leaseLost) {
      result.changes = true;
      note("warning", `its lease ${target.lease} was taken off; it will be restored`);
    }
    await this.diffProperties(kind, wanted, target, sighting.object, result, note);
    if (result.replaces.length > 0) {
      result.changes = true;
      const reason = await kind.inUse(target, sighting.object, this.host);
      if (reason !== undefined) {
        note(
          "warning",
          `replacing it means deleting ${kind.describe(sighting.object)}, which is ${reason}: ${kind.forced(recorded) ? "it will be pulled from under it" : "this will be refused"}`,
        );
      }
    }
    return result;
  }

  private diffWithoutKernel(
    kind: Kind,
    { identity, inputs, unknown }: Wanted,
    recorded: Outputs,
    result: DiffResult,
    note: (severity: Notice["severity"], message: string) => void,
  ): void {
    const rows = new Set(kind.properties.flatMap((property) => property.inputs));
    for (const [name, schema] of Object.entries(kind.inputs)) {
      if (unknown.has(name) || rows.has(name) || equal(inputs[name], recorded[name])) continue;
      result.changes = true;
      if (schema.change === "replace") result.replaces.push(name);
    }
    if (!equal(identity, recorded.__tuntap)) result.changes = true;
    for (const name of recorded.__declared ?? []) {
      if (inputs[name] !== undefined || unknown.has(name)) continue;
      const property = kind.properties.find((row) => row.inputs.includes(name));
      // Said in other words: a netmask that moved into the address.
      if (property?.inputs.some((input) => inputs[input] !== undefined)) continue;
      result.changes = true;
      const left = property && property.want({} as never, recorded) === undefined;
      if (left)
        note("info", `${name} is no longer declared; it stays as it is, ${JSON.stringify(recorded[name])}`);
    }
  }

  private async diffProperties(
    kind: Kind,
    { identity, inputs, unknown }: Wanted,
    target: Target,
    object: unknown,
    result: DiffResult,
    note: (severity: Notice["severity"], message: string) => void,
  ): Promise<void> {
    const desired = await kind.desire(inputs, this.host);
    const found = differences(kind, target, desired, object, unknown);
    for (const { difference, verdict } of await judge(kind, target, object, found, this.host)) {
      const { property } = difference;
      result.changes = true;
      const text = describeDifference(difference, "declared", inputs, identity.secrets);
      const changed = property.inputs.filter((name) => !equal(inputs[name], target.recorded?.[name]));
      if (changed.length === 0) note("warning", `${text}: changed outside this program, will be set back`);
      if (verdict === "replace") result.replaces.push(...(changed.length > 0 ? changed : property.inputs));
      if (verdict === "blocked") {
        const reason = await kind.inUse(target, object, this.host);
        const consequence = kind.forced(inputs)
          ? "it will be deleted under that process and made anew"
          : "this will be refused until that process ends";
        note(
          "warning",
          `${text}, and it cannot be changed while the interface is ${reason ?? "held"}: ${consequence}`,
        );
      }
    }
  }

  private async describeLoss(target: Target, consequence: string): Promise<string> {
    const restarted = target.recorded?.__bootId !== (await this.host.bootId());
    const where = target.namespace === undefined ? "" : ` in namespace ${target.namespace}`;
    const why = restarted ? "the host was restarted" : "it was deleted outside this program";
    return `${String(target.recorded?.name ?? target.name)}${where} no longer exists (${why}); ${consequence}`;
  }

  /** Makes the object, or takes up what an interrupted run left of it. */
  create(kind: Kind, wanted: Wanted): Promise<ReadResult> {
    return this.apply(kind, wanted, undefined);
  }

  /** Changes the object, or makes it anew where it vanished. */
  update(kind: Kind, wanted: Wanted, recorded: Outputs): Promise<ReadResult> {
    return this.apply(kind, wanted, recorded);
  }

  private async apply(
    kind: Kind,
    { identity, inputs }: Wanted,
    recorded: Outputs | undefined,
  ): Promise<ReadResult> {
    const target = targetOf(kind, this.host, identity, inputs, recorded);
    // A vanished object is made where it is wanted now, not where it was.
    target.name = inputs.name as string;
    target.namespace = inputs.namespace as string | undefined;
    return this.withLabel(kind, identity, [inputs, recorded ?? {}], async () => {
      const desired = await kind.desire(inputs, this.host);
      const leaseIsOurs = identity.instance !== undefined;
      try {
        const object = await converge({ kind, host: this.host, target, inputs, desired, leaseIsOurs });
        return this.result(kind, target, identity, inputs, desired, object);
      } catch (error) {
        if (!(error instanceof HalfMade)) throw error;
        const { id, outputs } = this.result(kind, target, identity, inputs, desired, error.object);
        throw new InitialisationFailure(id, outputs, error.reason);
      }
    });
  }

  /** What the kernel shows of a recorded object; no result where it is gone. */
  async read(kind: Kind, recorded: Outputs): Promise<{ result?: ReadResult; notices: Notice[] }> {
    const identity = identityOf(recorded);
    return this.withLabel(kind, identity, [recorded], async () => {
      const target = targetOf(kind, this.host, identity, recorded, recorded);
      const declared = declaredOf(kind, recorded);
      const { object } = await kind.sight(target, this.host);
      const notices: Notice[] = [];
      const note = (message: string) =>
        notices.push(mask({ severity: "warning", message }, identity, recorded));
      if (object === undefined) {
        note(await this.describeLoss(target, "it will be made anew if the program still declares it"));
        return { notices };
      }
      const desired = await kind.desire(declared, this.host);
      for (const difference of differences(kind, target, desired, object)) {
        note(
          `${describeDifference(difference, "recorded", declared, identity.secrets)}: changed outside this program`,
        );
      }
      return { result: this.result(kind, target, identity, declared, desired, object), notices };
    });
  }

  /** Deletes the object that carries the lease; that it is gone already is success. */
  async remove(kind: Kind, recorded: Outputs): Promise<void> {
    const identity = identityOf(recorded);
    await this.withLabel(kind, identity, [recorded], async () => {
      const target = targetOf(kind, this.host, identity, recorded, recorded);
      const { object } = await kind.sight(target, this.host);
      if (object !== undefined) await remove(kind, target, object, this.host, kind.forced(recorded));
    });
  }

  private result(
    kind: Kind,
    target: Target,
    identity: Identity,
    declared: Inputs,
    desired: unknown,
    object: unknown,
  ): ReadResult {
    const shown = kind.present(object, desired, declared, target.recorded);
    const passed = Object.entries(declared).filter(([name]) => !(name in shown) && !coveredByRow(kind, name));
    const outputs: Outputs = {
      ...Object.fromEntries(passed),
      ...Object.fromEntries(Object.entries(shown).filter(([, value]) => value !== undefined)),
      ...kind.remember(object),
      __tuntap: identity,
      __lease: target.lease,
      __declared: Object.keys(kind.inputs).filter((name) => declared[name] !== undefined),
    };
    hideDerived(kind, outputs, declared, identity);
    const inputs = Object.fromEntries(
      Object.keys(declared).flatMap((name) => (outputs[name] === undefined ? [] : [[name, outputs[name]]])),
    );
    const id = target.namespace === undefined ? String(outputs.name) : `${target.namespace}/${outputs.name}`;
    return { id, outputs, inputs: { ...inputs, __tuntap: identity } };
  }

  /** Every error that leaves says which resource it is about, and tells no secret. */
  private async withLabel<T>(
    kind: Kind,
    identity: Identity,
    sources: Inputs[],
    work: () => Promise<T>,
  ): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isTuntapError(error)) throw error;
      throw error.with({ resource: resourceLabel(kind, identity) }, (text) =>
        maskSecrets(text, identity, ...sources),
      );
    }
  }
}

/** An input whose value comes from the kernel alone, so that the program's words must not stand for it. */
function coveredByRow(kind: Kind, name: string): boolean {
  return kind.properties.some((property) => property.inputs.includes(name));
}

/** Outputs that would tell a secret input by another name are left out. */
function hideDerived(kind: Kind, outputs: Outputs, declared: Inputs, identity: Identity): void {
  for (const property of kind.properties) {
    if (property.inputs.length < 2 || !property.inputs.some((name) => identity.secrets?.includes(name)))
      continue;
    for (const name of [...property.inputs, "broadcast"]) {
      if (declared[name] === undefined) delete outputs[name];
    }
  }
}

function identityOf(recorded: Outputs): Identity {
  const identity = recorded.__tuntap;
  if (identity === undefined) {
    throw new TuntapError("INVALID_INPUT", {
      message: "the recorded state lacks the resource's identity (__tuntap)",
      remedy: "Declare resources with the classes of this package.",
    });
  }
  return identity;
}

/** Links of one namespace share their names; namespaces have theirs for themselves. */
function claimSpace(kind: Kind, namespace: string | undefined): string {
  return kind.naming.format === "namespace-name" ? "namespace" : `link:${namespace ?? ""}`;
}

function mask(notice: Notice, identity: Identity, ...sources: Inputs[]): Notice {
  return { ...notice, message: maskSecrets(notice.message, identity, ...sources) };
}

import { giveBack } from "./adoption";
import { onBusyOf, Patience } from "./busy";
import { Checker, type CheckResult } from "./check";
import type { Claims } from "./claims";
import { namesText } from "./compact";
import { type Converged, converge, type Goal, HalfMade, remove } from "./converge";
import { covered, describeDifference, differences, inputOf } from "./differences";
import { isTuntapError } from "./errors";
import type { Host } from "./host/host";
import { labelOf } from "./host/leases";
import { type AnyKind, type BusyMode, type Inputs, isSet, type Kind, type Target } from "./kinds/kind";
import { Leaseholders } from "./leaseholders";
import { type DiffResult, describeLoss, Planner } from "./plan";
import {
  declaredOf,
  declaredPaths,
  type Identity,
  identityOf,
  type Notice,
  nameOf,
  newLease,
  type Outputs,
  type ReadResult,
  resourceLabel,
  targetOf,
  type Wanted,
} from "./request";
import { mask, maskSecrets, secretsOf } from "./secrets";
import { type Made, Sets } from "./sets";

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

/** What a face says of the run as a whole. */
export interface Run {
  /** What to do with interfaces that a process holds, whatever is declared. */
  onBusy?: BusyMode;
  /** Tells what cannot wait until a call has ended, or is about another resource. */
  tell?(urn: string, notices: readonly Notice[]): unknown;
  /** Whether the run is to end soon, so that no wait should go on. */
  interrupted?(): boolean;
}

/** What became of one resource. */
interface Applied extends Pick<Converged, "origin"> {
  result: ReadResult;
  goal: Goal;
}

/** What is done with resources of every kind. One instance serves one engine run on one host. */
export class Reconciler {
  private readonly checker: Checker;
  private readonly planner: Planner;
  private readonly sets: Sets;
  private readonly leaseholders = new Leaseholders();
  /** What the program declares: a refresh looks at differences of others, too. */
  private readonly declared = new Set<string>();

  constructor(
    private readonly host: Host,
    private readonly claims: Claims,
    private readonly run: Run = {},
  ) {
    this.checker = new Checker(host, claims, run.tell, run.onBusy);
    this.planner = new Planner(host, run.onBusy);
    this.sets = new Sets(host, this, run.onBusy);
  }

  /** Validates, fills in defaults and claims the name. Reads the kernel, never writes. */
  check(kind: AnyKind, wanted: Wanted, isNew: boolean): Promise<CheckResult> {
    const { identity, inputs } = wanted;
    return this.withLabel(identity, [inputs], async () => {
      this.declared.add(identity.urn);
      if (isNew) this.takeLease(kind, newLease(identity, this.host.uid), identity);
      return this.checker.check(kind, wanted, isNew);
    });
  }

  private takeLease(kind: AnyKind, lease: string | undefined, { urn }: Identity, recorded?: Outputs): void {
    // Nothing tells which resource set what is inherited.
    if (lease === undefined || (!isSet(kind) && kind.inherited)) return;
    this.leaseholders.take(lease, urn, recorded?.__tuntap?.urn);
  }

  /** Compares with the kernel, whatever is recorded. Reads, never writes. */
  diff(kind: AnyKind, wanted: Wanted, recorded: Outputs): Promise<DiffResult> {
    const guarded = secretsOf(wanted.identity, recorded);
    return this.withLabel(guarded, [wanted.inputs, recorded], async () => {
      if (this.declared.has(wanted.identity.urn))
        this.takeLease(kind, recorded.__lease, wanted.identity, recorded);
      if (isSet(kind)) return this.sets.diff(kind, wanted, recorded);
      const result = await this.planner.diff(kind, wanted, recorded);
      if (result.leaseLost) this.checker.recognise(wanted.identity.urn);
      return result;
    });
  }

  /** Makes the object, or takes up what an interrupted run left of it. */
  async create(kind: AnyKind, wanted: Wanted): Promise<ReadResult> {
    const { identity, inputs } = wanted;
    if (isSet(kind)) return this.withLabel(identity, [inputs], () => this.sets.create(kind, wanted));
    return (await this.apply(kind, wanted, undefined)).result;
  }

  /** As `create`, with the way back, for who makes several of which one may fail. */
  async make(kind: Kind, wanted: Wanted): Promise<Made> {
    const { result, goal, origin } = await this.apply(kind, wanted, undefined);
    const takeBack = async () => {
      if (origin && "adopted" in origin) return giveBack(goal, origin.adopted);
      if (origin) await this.remove(kind, result.outputs);
      return undefined;
    };
    return { result, takeBack };
  }

  /** Changes the object, or makes it anew where it vanished. */
  async update(kind: AnyKind, wanted: Wanted, recorded: Outputs): Promise<ReadResult> {
    if (!isSet(kind)) return (await this.apply(kind, wanted, recorded)).result;
    const guarded = secretsOf(wanted.identity, recorded);
    return this.withLabel(guarded, [wanted.inputs, recorded], () => this.sets.update(kind, wanted, recorded));
  }

  private async apply(
    kind: Kind,
    { identity, inputs }: Wanted,
    recorded: Outputs | undefined,
  ): Promise<Applied> {
    const target = targetOf(kind, this.host, identity, inputs, recorded);
    // A vanished object is made where it is wanted now, not where it was.
    target.name = nameOf(kind, inputs) as string;
    target.namespace = inputs.namespace as string | undefined;
    const guarded = secretsOf(identity, recorded);
    const sources = [inputs, recorded ?? {}];
    return this.withLabel(guarded, sources, async () => {
      const desired = await kind.desire(inputs, this.host);
      const leaseIsOurs = identity.instance !== undefined;
      const patience = this.patience(kind, identity, inputs, recorded);
      try {
        const goal = { kind, host: this.host, target, inputs, desired, leaseIsOurs, patience };
        const { object, origin } = await converge(goal);
        return { result: this.result(kind, target, identity, inputs, desired, object), goal, origin };
      } catch (error) {
        if (!(error instanceof HalfMade)) throw error;
        // A member of a set is nothing that could be kept by itself; it is found again by its lease.
        if (identity.member !== undefined) throw error.reason;
        const { id, outputs } = this.result(kind, target, identity, inputs, desired, error.object);
        throw new InitialisationFailure(id, outputs, labelled(error.reason, guarded, sources));
      }
    });
  }

  /** What the kernel shows of a recorded object; no result where it is gone. */
  async read(kind: AnyKind, recorded: Outputs): Promise<{ result?: ReadResult; notices: Notice[] }> {
    const identity = identityOf(recorded);
    return this.withLabel(identity, [recorded], async () => {
      if (isSet(kind)) return this.sets.read(kind, recorded);
      const target = { ...targetOf(kind, this.host, identity, recorded, recorded), glance: true as const };
      const declared = declaredOf(kind, recorded);
      const { object } = await kind.sight(target, this.host);
      const notices: Notice[] = [];
      const note = (message: string) =>
        notices.push(mask({ severity: "warning", message }, identity, recorded));
      if (object === undefined) {
        note(
          await describeLoss(
            this.host,
            kind,
            target,
            "it will be made anew if the program still declares it",
          ),
        );
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
  async remove(kind: AnyKind, recorded: Outputs): Promise<void> {
    const identity = identityOf(recorded);
    await this.withLabel(identity, [recorded], async () => {
      const successor = this.leaseholders.successorOf(recorded.__lease ?? "", identity.urn);
      if (successor !== undefined) {
        // Renamed by `aliases`, and declared under its first name again: one lease, and one object.
        const message = `${nameOf(kind, recorded)} stays, as ${labelOf(successor)} of this program has it now`;
        await this.tell(identity, "info", message, recorded);
        return;
      }
      if (isSet(kind)) return this.sets.remove(kind, recorded);
      const target = targetOf(kind, this.host, identity, recorded, recorded);
      const { object } = await kind.sight(target, this.host);
      if (object === undefined) return;
      const heir = this.heirOf(kind, identity, recorded);
      // What is made, and not put back, was made by either.
      if (heir !== undefined && !kind.permanent) return;
      const left =
        heir ?? (await remove(kind, target, object, this.host, this.patience(kind, identity, recorded)));
      if (left !== undefined) await this.tell(identity, "warning", left, recorded);
    });
  }

  /** What nothing tells whose it is is left when it goes, where another resource of the program has it now. */
  private heirOf(kind: Kind, { urn }: Identity, recorded: Outputs): string | undefined {
    const name = kind.inherited && nameOf(kind, recorded);
    if (!name) return undefined;
    const space = kind.naming.space(recorded.namespace as string | undefined);
    const heir = kind.claims?.(recorded, new Set()) ?? [{ space, name }];
    const urns = heir.map((claim) => this.claims.holderOf(claim.space, claim.name));
    const other = urns.find((holder) => holder !== undefined && holder !== urn);
    if (other === undefined) return undefined;
    return `${name} is left as it is, as ${labelOf(other)} of this program declares it now; what was there before either is forgotten`;
  }

  /** For one piece of work on a resource; what it says is told there. */
  patience(kind: Kind, identity: Identity, inputs: Inputs, recorded?: Outputs): Patience {
    const guarded = secretsOf(identity, recorded);
    const tell = (message: string) => void this.tell(guarded, "warning", message, inputs, recorded ?? {});
    return new Patience(onBusyOf(kind, inputs, this.run.onBusy), tell, this.run.interrupted);
  }

  /** Tells it at once, without secrets. @param sources where these stand. */
  private tell(identity: Identity, severity: Notice["severity"], message: string, ...sources: Inputs[]) {
    return this.run.tell?.(identity.urn, [mask({ severity, message }, identity, ...sources)]);
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
    const outputs: Outputs = {};
    const inputs: Record<string, unknown> = { __tuntap: identity };
    // An input that a property covers has its value from the kernel alone, not from the program's words.
    for (const name in declared) {
      if (!(name in shown) && !covered(kind).has(name)) outputs[name] = declared[name];
    }
    for (const name in shown) if (shown[name] !== undefined) outputs[name] = shown[name];
    Object.assign(outputs, kind.remember(object, target), {
      __tuntap: identity,
      __lease: target.lease,
      __declared: namesText(declaredPaths(kind, declared)),
    });
    hideDerived(kind, outputs, declared, identity);
    Object.assign(inputs, declaredOf(kind, outputs));
    const name = nameOf(kind, outputs);
    const id = target.namespace === undefined ? String(name) : `${target.namespace}/${name}`;
    return { id, outputs, inputs };
  }

  /** Every error that leaves says which resource it is about, and tells no secret. */
  private async withLabel<T>(identity: Identity, sources: Inputs[], work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw labelled(error, identity, sources);
    }
  }
}

/** The error of a member of a set has its label already. */
function labelled(error: unknown, identity: Identity, sources: readonly Inputs[]): unknown {
  if (!isTuntapError(error)) return error;
  const resource = error.resource ?? resourceLabel(identity);
  return error.reworded((text) => maskSecrets(text, identity, ...sources), { resource });
}

/** Outputs that would tell a secret input by another name are left out. */
function hideDerived(kind: Kind, outputs: Outputs, declared: Inputs, { secrets = [] }: Identity): void {
  if (secrets.length === 0) return;
  for (const name in kind.outputs)
    if (kind.outputs[name]?.from?.some((input) => secrets.includes(input))) delete outputs[name];
  for (const property of kind.properties) {
    if (property.inputs.length < 2 || !property.inputs.some((name) => secrets.includes(inputOf(name))))
      continue;
    for (const name of property.inputs) {
      if (declared[name] === undefined) delete outputs[name];
    }
  }
}

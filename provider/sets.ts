import { consequence, onBusyOf, type Patience } from "./busy";
import { namesText } from "./compact";
import { equal } from "./differences";
import { isTuntapError, TuntapError } from "./errors";
import { leasedIn } from "./host/census";
import type { Host } from "./host/host";
import type { BusyMode, Inputs, Kind, SetKind } from "./kinds/kind";
import {
  leaseOf,
  listed,
  memberName,
  numberOf,
  recordedMembers,
  rememberMembers,
  summarise,
  unrecordedMember,
  wantedMembers,
} from "./members";
import type { DiffResult } from "./plan";
import {
  declaredOf,
  type Identity,
  identityOf,
  type Notice,
  nameOf,
  newLease,
  type Outputs,
  type ReadResult,
  targetOf,
  type Wanted,
} from "./request";

/** What is done with one object. */
interface Single {
  diff(kind: Kind, wanted: Wanted, recorded: Outputs): Promise<DiffResult>;
  make(kind: Kind, wanted: Wanted): Promise<Made>;
  update(kind: Kind, wanted: Wanted, recorded: Outputs): Promise<ReadResult>;
  read(kind: Kind, recorded: Outputs): Promise<{ result?: ReadResult; notices: Notice[] }>;
  remove(kind: Kind, recorded: Outputs): Promise<void>;
  patience(kind: Kind, identity: Identity, inputs: Inputs): Patience;
}

/** What was made, and the way back from it. */
export interface Made {
  result: ReadResult;
  /** Makes that it is as it was before: gone, another's, or there. @returns what is not so, for people. */
  takeBack(): Promise<string | undefined>;
}

/** Of a member that goes: what is recorded of it, or as little as finds it. */
interface Leaving {
  outputs: Outputs;
  name: string;
}

/**
 * Resources that stand for many objects. Each member is compared, made, changed and deleted as a resource of its own would
 * be; all at once, so that looks and writes are shared.
 */
export class Sets {
  constructor(
    private readonly host: Host,
    private readonly single: Single,
    private readonly onBusy?: BusyMode,
  ) {}

  async diff(kind: SetKind, wanted: Wanted, recorded: Outputs): Promise<DiffResult> {
    const { identity, inputs, unknown } = wanted;
    const result: DiffResult = { changes: unknown.size > 0, replaces: [], notices: [] };
    if (!equal(identity, recorded.__tuntap)) result.changes = true;
    for (const name in kind.inputs) {
      if (unknown.has(name) || equal(inputs[name], recorded[name])) continue;
      result.changes = true;
      if (kind.inputs[name]?.change === "replace") result.replaces.push(name);
    }
    if (kind.shape.some((name) => unknown.has(name))) return result;
    const lease = leaseOf(recorded);
    const before = recordedMembers(kind, recorded);
    const now = wantedMembers(kind, wanted, lease);
    const compared = await Promise.all(
      now.map((member, number) => {
        const was = before.get(number);
        return was ? this.single.diff(kind.member, member, was) : this.lookAtNew(kind.member, member);
      }),
    );
    const said = compared.map(({ notices }, number) => ({ name: memberName(now[number]!.inputs), notices }));
    result.notices.push(...together(said));
    if (compared.some(({ changes }) => changes)) result.changes = true;
    if (compared.some(({ leaseLost }) => leaseLost)) result.leaseLost = true;
    await this.diffLeaving(kind, identity, lease, now.length, before, inputs, result);
    return result;
  }

  /** A member that is to be added: whether its name is free. */
  private async lookAtNew(kind: Kind, { identity, inputs }: Wanted): Promise<DiffResult> {
    const target = { ...targetOf(kind, this.host, identity, inputs, undefined), glance: true as const };
    const { object, obstacle } = await kind.sight(target, this.host);
    const notices: Notice[] = [];
    if (object === undefined && obstacle && !obstacle.sameStack) {
      const what = kind.describe(obstacle.object);
      const follows =
        inputs.adopt === true ? "it is taken over, and `down` will delete it" : "this will be refused";
      notices.push({ severity: "warning", message: `its name is taken by ${what}: ${follows}` });
    }
    return { changes: true, replaces: [], notices };
  }

  private async diffLeaving(
    kind: SetKind,
    identity: Identity,
    lease: string,
    count: number,
    before: ReadonlyMap<number, Outputs>,
    inputs: Inputs,
    result: DiffResult,
  ): Promise<void> {
    const leaving = await this.leaving(kind, identity, lease, count, before, inputs);
    if (leaving.length > 0) result.changes = true;
    const follows = consequence(
      onBusyOf(kind.member, inputs, this.onBusy),
      "it will be deleted all the same",
      "this will be refused",
    );
    for (const text of summarise(await this.held(kind.member, leaving, true)))
      result.notices.push({
        severity: "warning",
        message: `${text}, and is to be deleted: ${follows}`,
      });
  }

  async create(kind: SetKind, wanted: Wanted): Promise<ReadResult> {
    const lease = newLease(wanted.identity, this.host.uid);
    const members = wantedMembers(kind, wanted, lease);
    const made = await Promise.allSettled(members.map((member) => this.single.make(kind.member, member)));
    const failures = failuresOf(made);
    if (failures.length > 0) throw combined(failures, members, await takenBack(made));
    return this.result(kind, wanted.identity, wanted.inputs, lease, resultsOf(made));
  }

  async update(kind: SetKind, wanted: Wanted, recorded: Outputs): Promise<ReadResult> {
    const { identity, inputs } = wanted;
    const lease = leaseOf(recorded);
    const before = recordedMembers(kind, recorded);
    const members = wantedMembers(kind, wanted, lease);
    await this.removeAll(
      kind,
      identity,
      await this.leaving(kind, identity, lease, members.length, before, inputs),
      inputs,
    );
    const changed = await Promise.allSettled(
      members.map(async (member, number): Promise<MadeOrChanged> => {
        const was = before.get(number);
        if (was === undefined) return this.single.make(kind.member, member);
        return { result: await this.single.update(kind.member, member, was) };
      }),
    );
    const failures = failuresOf(changed);
    if (failures.length > 0) {
      // Nothing will be recorded of those that are new.
      const left = await takenBack(changed);
      throw combined(failures, members, ["the others that were there are as they should be", ...left]);
    }
    return this.result(kind, identity, inputs, lease, resultsOf(changed));
  }

  async read(kind: SetKind, recorded: Outputs): Promise<{ result?: ReadResult; notices: Notice[] }> {
    const identity = identityOf(recorded);
    const before = recordedMembers(kind, recorded);
    const numbers = [...before.keys()];
    const found = await Promise.all(
      numbers.map((number) => this.single.read(kind.member, before.get(number) as Outputs)),
    );
    const said = found.map(({ notices }, position) => {
      const was = before.get(numbers[position] as number) as Outputs;
      return { name: memberName(was), notices };
    });
    const notices = together(said);
    const present = new Map(
      found.flatMap(({ result }, position) =>
        result ? [[numbers[position] as number, result] as const] : [],
      ),
    );
    if (present.size === 0) return { notices };
    const inputs: Record<string, unknown> = declaredOf(kind, recorded);
    // What a member has otherwise stands for all: the record differs from the program then, and says how.
    for (const [number, { inputs: seen }] of present) {
      for (const name in inputs) {
        if (name in seen && !equal(seen[name], before.get(number)?.[name])) inputs[name] = seen[name];
      }
    }
    inputs[kind.counted] = present.size;
    return { result: this.result(kind, identity, inputs, leaseOf(recorded), present), notices };
  }

  async remove(kind: SetKind, recorded: Outputs): Promise<void> {
    const identity = identityOf(recorded);
    const before = recordedMembers(kind, recorded);
    const leaving = await this.leaving(kind, identity, leaseOf(recorded), 0, before, recorded);
    await this.removeAll(kind, identity, leaving, recorded);
  }

  /** The members from that number on: those that are recorded, and those that only their leases tell of. */
  private async leaving(
    kind: SetKind,
    identity: Identity,
    lease: string,
    count: number,
    before: ReadonlyMap<number, Outputs>,
    inputs: Inputs,
  ): Promise<Leaving[]> {
    const leaving = new Map<number, Leaving>();
    for (const [number, outputs] of before) {
      if (number >= count) leaving.set(number, { outputs, name: memberName(outputs) });
    }
    const recorded = [...before.values()].map(({ namespace }) => namespace as string | undefined);
    // Of what an update made that was interrupted then, nothing is recorded.
    const others = (await this.host.namespaces.names()).filter((name) => kind.mayBeIn(inputs, name));
    const places = [...recorded, inputs.namespace as string | undefined, ...others];
    const numbered = (leases: readonly string[]) => numberOf(lease, leases);
    for (const { namespace, link } of await leasedIn(this.host, [...new Set(places)])) {
      const number = numbered(link.leases);
      if (number === undefined || number < count || leaving.has(number)) continue;
      const place = { number, name: link.name, namespace };
      leaving.set(number, { outputs: unrecordedMember(kind, identity, lease, place), name: link.name });
    }
    return [...leaving.values()];
  }

  /** All of them, or, where one is held and that is not allowed, or lasts longer than is waited for, none. */
  private async removeAll(
    kind: SetKind,
    identity: Identity,
    leaving: readonly Leaving[],
    inputs: Inputs,
  ): Promise<void> {
    const patience = this.single.patience(kind.member, identity, inputs);
    while (!patience.forced) {
      const held = summarise(await this.held(kind.member, leaving)).join("; ");
      if (held === "") break;
      if (await patience.again(held)) continue;
      throw new TuntapError(kind.member.codes.inUse, {
        message: `nothing is deleted, as some are held. ${held}${patience.waited()}.`,
      });
    }
    // What is asked for now counts, not what was when they were made.
    const { onBusy, busyTimeoutSeconds } = inputs;
    const removed = await Promise.allSettled(
      leaving.map(({ outputs }) =>
        this.single.remove(kind.member, { ...outputs, onBusy, busyTimeoutSeconds }),
      ),
    );
    const failures = failuresOf(removed);
    if (failures.length > 0) throw combined(failures, [], []);
  }

  /** Those that processes use, and by whom. @param glance as of Target. */
  private async held(
    kind: Kind,
    leaving: readonly Leaving[],
    glance?: true,
  ): Promise<{ name: string; text: string }[]> {
    const looked = await Promise.all(
      leaving.map(async ({ outputs, name }) => {
        const target = targetOf(kind, this.host, identityOf(outputs), outputs, outputs);
        const { object } = await kind.sight(glance ? { ...target, glance } : target, this.host);
        const text = object === undefined ? undefined : await kind.inUse(target, object, this.host);
        return text === undefined ? [] : [{ name, text }];
      }),
    );
    return looked.flat();
  }

  private result(
    kind: SetKind,
    identity: Identity,
    declared: Inputs,
    lease: string,
    members: ReadonlyMap<number, ReadResult>,
  ): ReadResult {
    const outputsOf = new Map([...members].map(([number, { outputs }]) => [number, outputs]));
    const given = Object.entries(declared).filter(([, value]) => value !== undefined);
    const outputs: Outputs = {
      ...Object.fromEntries(given),
      ...kind.present(declared, outputsOf, identity.secrets ?? []),
      ...rememberMembers(outputsOf),
      __tuntap: identity,
      __lease: lease,
      __declared: namesText(Object.keys(kind.inputs).filter((name) => declared[name] !== undefined)),
    };
    const name = nameOf(kind, declared);
    const id = declared.namespace === undefined ? String(name) : `${declared.namespace}/${name}`;
    return { id, outputs, inputs: { ...declared, __tuntap: identity } };
  }
}

type Settled = readonly PromiseSettledResult<unknown>[];

function failuresOf(settled: Settled): { number: number; reason: unknown }[] {
  return settled.flatMap((one, number) =>
    one.status === "rejected" ? [{ number, reason: one.reason }] : [],
  );
}

/** A member that was there is only changed: there is no way back. */
type MadeOrChanged = Pick<Made, "result"> & Partial<Made>;

function resultsOf(settled: readonly PromiseSettledResult<MadeOrChanged>[]): Map<number, ReadResult> {
  return new Map(
    settled.flatMap((one, number) =>
      one.status === "fulfilled" ? [[number, one.value.result] as const] : [],
    ),
  );
}

/** Takes back what was made beside what failed. @returns what is to be said of it, as nothing of it is recorded. */
async function takenBack(settled: readonly PromiseSettledResult<MadeOrChanged>[]): Promise<string[]> {
  const ways = settled.flatMap((one) => (one.status === "fulfilled" ? (one.value.takeBack ?? []) : []));
  const taken = await Promise.allSettled(ways.map((takeBack) => takeBack()));
  const left = taken.filter((one) => one.status === "rejected" || one.value !== undefined).length;
  return left === 0 ? [] : [`${left} of those that were made could not be removed again, or given back`];
}

/**
 * The first failure, and how many there are besides.
 * @param notes what else is to be said, for people.
 */
function combined(
  failures: readonly { number: number; reason: unknown }[],
  members: readonly Wanted[],
  notes: readonly string[],
): unknown {
  const [first, ...others] = failures;
  const reason = first?.reason;
  if (!isTuntapError(reason)) return reason;
  const names = others.flatMap(({ number }) => members[number]?.inputs.name ?? []).map(String);
  const more = `${names.length > 0 ? listed(names) : `${others.length} more`} failed too`;
  const said = [...(others.length > 0 ? [more] : []), ...notes];
  return said.length === 0
    ? reason
    : reason.with({ message: `${reason.facts.message} (${said.join("; ")})` });
}

/** The notices of members, those that say the same as one. */
function together(said: readonly { name: string; notices: readonly Notice[] }[]): Notice[] {
  const of = (severity: Notice["severity"]) =>
    said.flatMap(({ name, notices }) =>
      notices
        .filter((notice) => notice.severity === severity)
        .map(({ message }) => ({ name, text: message })),
    );
  return (["warning", "info"] as const).flatMap((severity) =>
    summarise(of(severity)).map((message) => ({ severity, message })),
  );
}

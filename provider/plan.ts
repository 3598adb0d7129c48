import { blockedChange, consequence, onBusyOf } from "./busy";
import { declaredIn } from "./compact";
import {
  type AnyProperty,
  covered,
  describeDifference,
  differences,
  equal,
  inputOf,
  judge,
  unset,
  valueAt,
  within,
} from "./differences";
import type { Host } from "./host/host";
import { placeText } from "./host/namespaces";
import type { BusyMode, Inputs, Kind, Target, ValueSchema } from "./kinds/kind";
import { listed } from "./members";
import { rememberedOf } from "./remember";
import { declaredOf, type Notice, nameOf, type Outputs, targetOf, type Wanted, wasDeclared } from "./request";
import { mask, secretsOf } from "./secrets";

export interface DiffResult {
  changes: boolean;
  /** Inputs that only a new object can satisfy; it is always deleted before it is made anew. */
  replaces: string[];
  notices: Notice[];
  /** The object was recognised, but its lease was gone. */
  leaseLost?: true;
}

/** What an update would do. Reads the kernel, never writes. */
export class Planner {
  /** @param onBusy for this run, whatever is declared. */
  constructor(
    private readonly host: Host,
    private readonly onBusy?: BusyMode,
  ) {}

  /** Compares with the kernel, whatever is recorded. */
  async diff(kind: Kind, wanted: Wanted, recorded: Outputs): Promise<DiffResult> {
    const { inputs, unknown } = wanted;
    const identity = secretsOf(wanted.identity, recorded);
    const result: DiffResult = { changes: unknown.size > 0, replaces: [], notices: [] };
    const note = (severity: Notice["severity"], message: string) =>
      result.notices.push(mask({ severity, message }, identity, inputs, recorded));
    this.diffWithoutKernel(kind, wanted, recorded, result, note);
    // Where it is to be cannot be looked at before that is known.
    if (nameOf(kind, inputs, unknown) === undefined || unknown.has("namespace")) return result;

    const target = { ...targetOf(kind, this.host, wanted.identity, inputs, recorded), glance: true as const };
    const sighting = await kind.sight(target, this.host);
    if (sighting.caution !== undefined) note("warning", sighting.caution);
    if (sighting.object === undefined) {
      // Nothing is left to replace: an update makes it as it is wanted now, wherever that is.
      result.changes = true;
      result.replaces = [];
      if (
        sighting.namespaceMissing === undefined &&
        sighting.obstacle &&
        !sighting.obstacle.sameStack &&
        inputs.adopt !== true
      ) {
        note(
          "warning",
          `it no longer exists, and ${sighting.obstacle.called ?? "its name"} is taken by ${kind.describe(sighting.obstacle.object)}`,
        );
      } else {
        note("warning", await describeLoss(this.host, kind, target, "it will be made anew"));
      }
      return result;
    }
    if (sighting.leaseLost) {
      result.changes = true;
      result.leaseLost = true;
      note("warning", `its lease ${target.lease} was taken off; it will be restored`);
    }
    if (sighting.obstacle && !sighting.obstacle.sameStack) {
      note(
        "warning",
        `${sighting.obstacle.called ?? "its new name"} is taken by ${kind.describe(sighting.obstacle.object)}: this will be refused`,
      );
    }
    await this.diffProperties(kind, wanted, recorded, target, sighting.object, result, note);
    if (result.replaces.length > 0) {
      result.changes = true;
      for (const warning of await this.replacementWarnings(kind, recorded, target, sighting.object))
        note("warning", warning);
    }
    return result;
  }

  /** What is lost with an object that is made anew, and who is in the way. */
  private async replacementWarnings(
    kind: Kind,
    recorded: Outputs,
    target: Target,
    object: unknown,
  ): Promise<string[]> {
    const [reason, lost] = await Promise.all([
      kind.inUse(target, object, this.host),
      kind.losesWith?.(target, object, this.host) ?? [],
    ]);
    const deleting = `replacing it means deleting ${kind.describe(object)}`;
    const warnings: string[] = [];
    if (lost.length > 0) {
      const within = `${listed(lost)}, and all addresses, routes and rules in it`;
      warnings.push(`${deleting} with what is in it: ${within}; what is still declared is made anew`);
    }
    if (reason !== undefined) {
      const asked = onBusyOf(kind, recorded, this.onBusy);
      const follows = consequence(asked, "it will be deleted all the same", "this will be refused");
      warnings.push(`${deleting}, which is ${reason}: ${follows}`);
    }
    return warnings;
  }

  private diffWithoutKernel(
    kind: Kind,
    { identity, inputs, unknown }: Wanted,
    recorded: Outputs,
    result: DiffResult,
    note: (severity: Notice["severity"], message: string) => void,
  ): void {
    for (const name of onlyRecorded(kind)) {
      if (unknown.has(name)) continue;
      // What was never declared may still be an output.
      const before = wasDeclared(recorded, name) ? recorded[name] : undefined;
      if (equal(inputs[name], before)) continue;
      result.changes = true;
      if (kind.inputs[name]?.change === "replace") result.replaces.push(name);
    }
    if (!equal(identity, recorded.__tuntap)) result.changes = true;
    // What is declared as a whole, and no object, is declared still.
    const perhaps = declaredIn(recorded).filter(
      (path) => valueAt(inputs, path) === undefined || schemaAt(kind, path)?.properties !== undefined,
    );
    for (const path of perhaps.flatMap((each) => rowPaths(kind, each, recorded))) {
      if (valueAt(inputs, path) !== undefined || unknown.has(inputOf(path))) continue;
      const property = kind.properties.find((row) => row.inputs.some((input) => within(path, input)));
      // Said in other words: a netmask that moved into the address.
      if (property?.inputs.some((input) => valueAt(inputs, input) !== undefined)) continue;
      result.changes = true;
      const goes = property?.endsWith !== undefined && valueAt(inputs, property.endsWith) === undefined;
      if (property && !goes && property.want({} as never, recorded) === undefined) {
        const value = JSON.stringify(valueAt(recorded, path));
        note("info", `${path} is no longer declared; it stays as it is, ${value}`);
      }
    }
  }

  private async diffProperties(
    kind: Kind,
    { identity, inputs, unknown }: Wanted,
    recorded: Outputs,
    target: Target,
    object: unknown,
    result: DiffResult,
    note: (severity: Notice["severity"], message: string) => void,
  ): Promise<void> {
    const desired = await kind.desire(inputs, this.host);
    const found = differences(kind, target, desired, object, unknown);
    if (unset(kind, target, desired, object).length > 0) result.changes = true;
    if (found.length === 0) {
      result.changes ||= await this.isUnrecorded(kind, inputs, desired, recorded);
      return;
    }
    for (const { difference, verdict } of await judge(kind, target, object, found, this.host)) {
      const { property } = difference;
      result.changes = true;
      const text = describeDifference(difference, "declared", inputs, identity.secrets);
      // An output of that name that the program never declared is what the kernel chose.
      const declared = (path: string) => valueAt(inputs, path) !== undefined || wasDeclared(recorded, path);
      const changed = [...property.inputs, ...(property.follows ?? [])].filter(
        (path) => declared(path) && !equal(valueAt(inputs, path), valueAt(recorded, path)),
      );
      if (changed.length === 0) note("warning", `${text}: changed outside this program, will be set back`);
      const lost = verdict === "replace" ? undefined : property.loses?.(difference);
      if (lost !== undefined) note("warning", `${property.name}: ${lost}`);
      if (verdict === "replace")
        result.replaces.push(...(changed.length > 0 ? changed : property.inputs).map(inputOf));
      if (verdict === "blocked") {
        const reason = await kind.inUse(target, object, this.host);
        note("warning", blockedChange(text, reason, onBusyOf(kind, inputs, this.onBusy)));
      }
    }
  }

  /**
   * Whether what is declared, which the object is as, is not what is recorded: a bridge got another name, or others did the
   * same before. By what is recorded it is decided later what is ours to take back.
   */
  private async isUnrecorded(
    kind: Kind,
    inputs: Inputs,
    desired: unknown,
    recorded: Outputs,
  ): Promise<boolean> {
    const before = declaredOf(kind, recorded);
    const isNew = (name: string) => inputs[name] !== undefined && !equal(inputs[name], before[name]);
    if (![...covered(kind)].some(isNew)) return false;
    // What is recorded may mean nothing any more: an account that is gone.
    const then = await kind.desire(before, this.host).catch(() => undefined);
    if (then === undefined) return true;
    const wanted = (of: unknown) =>
      (kind.properties as readonly AnyProperty[]).map((property) => property.want(of, undefined));
    return !equal(wanted(desired), wanted(then));
  }
}

/** The inputs that no property compares with the object, so that only what is recorded tells a change. */
const onlyRecorded = rememberedOf((kind: Kind) => {
  const compared = covered(kind);
  return Object.keys(kind.inputs).filter((name) => !compared.has(name));
});

/** The schema of what is at a path of inputs. */
function schemaAt(kind: Kind, path: string): ValueSchema | undefined {
  const whole = kind.inputs[path];
  if (whole !== undefined) return whole;
  const [input = "", ...keys] = path.split(".");
  return keys.reduce<ValueSchema | undefined>(
    (outer, key) => outer?.items ?? outer?.properties?.[key],
    kind.inputs[input],
  );
}

/** What was declared of an input: of an object, each value in it, as rows of the kind's table have them. */
function rowPaths(kind: Kind, path: string, recorded: Outputs): string[] {
  if (!schemaAt(kind, path)?.properties) return [path];
  return Object.keys((valueAt(recorded, path) as object | undefined) ?? {}).map((key) => `${path}.${key}`);
}

/** Why an object is gone, as far as can be told, and what follows. */
export async function describeLoss(
  host: Host,
  kind: Kind,
  target: Target,
  consequence: string,
): Promise<string> {
  const restarted = target.recorded?.__bootId !== (await host.bootId());
  const place = (target.recorded ?? target).namespace as string | undefined;
  const what = `${String(target.recorded?.name ?? target.name)}${placeText(place)}`;
  // It is there, but as the host has it.
  if (restarted && kind.permanent)
    return `what was done with ${what} ended when the host was restarted; ${consequence}`;
  const why = restarted
    ? "the host was restarted"
    : !(await host.namespaces.exists(place))
      ? "its namespace is gone"
      : ((await kind.explainLoss?.(target, host)) ?? "it was deleted outside this program");
  return `${what} no longer exists (${why}); ${consequence}`;
}

import type { Host } from "../../host/host";
import { memberLease } from "../../host/leases";
import type { Difference, Inputs, Property, Target } from "../kind";
import type { ObservedLink } from "./link";

/** One of the two links of a resource. */
export type End = 0 | 1;
export const bothEnds = [0, 1] as const satisfies readonly End[];

export interface DesiredPair<D> {
  /** In the order of the input `ends`. */
  ends: readonly [D, D];
}

export interface ObservedPair<O extends ObservedLink = ObservedLink> {
  /** An end that is nowhere to be found, such as one in a namespace without a name, is undefined. */
  ends: readonly [O | undefined, O | undefined];
}

interface Placed {
  name?: string | undefined;
  namespace?: string | undefined;
}

/** What inputs or outputs say of one end; nothing where they do not (yet). */
export function endOf(values: Inputs | undefined, end: End): Inputs {
  const ends = values?.ends;
  return (Array.isArray(ends) ? (ends[end] as Inputs | undefined) : undefined) ?? {};
}

/** The lease of an end: the first carries the resource's own. */
export function endLease(lease: string, end: End): string {
  return end === 0 ? lease : memberLease(lease, "b");
}

/** One end as a target of its own, with what was recorded of it. */
export function endTarget(target: Target, end: End, { name, namespace }: Placed): Target {
  const { lease, recorded, near, glance } = target;
  const facts = (recorded?.__ends as Inputs[] | undefined)?.[end];
  return {
    lease: endLease(lease, end),
    name: name ?? "",
    namespace,
    wanted: endOf(target.wanted, end),
    recorded: recorded && { ...endOf(recorded, end), __bootId: recorded.__bootId, ...facts },
    near,
    glance,
  };
}

/** A row of a link as a row of one end: its name and its inputs are those of `ends[0]` or `ends[1]`. */
function endRow<D extends Placed, O extends ObservedLink, V>(
  row: Property<D, O, V>,
  end: End,
): Property<DesiredPair<D>, ObservedPair<O>, V> {
  type Whole = Difference<DesiredPair<D>, ObservedPair<O>, V>;
  const path = (input: string) => `ends.${end}.${input}`;
  const wanted = (desired: DesiredPair<D>) => desired.ends?.[end] ?? ({} as D);
  const before = (recorded: Inputs | undefined) => recorded && endOf(recorded, end);
  const own = ({ want, is, desired, observed, target }: Whole): Difference<D, O, V> => ({
    property: row,
    want,
    is,
    desired: wanted(desired),
    observed: observed.ends[end] as O,
    target: endTarget(target, end, wanted(desired)),
  });
  const {
    name,
    inputs,
    endsWith,
    verdict,
    needsReplace,
    show,
    first,
    explain,
    back,
    loses,
    messages,
    apply,
  } = row;
  const want = (desired: DesiredPair<D>, recorded: Inputs | undefined) =>
    row.want(wanted(desired), before(recorded));
  return {
    name: `ends[${end}].${name}`,
    inputs: inputs.map(path),
    verdict,
    ...(endsWith !== undefined && { endsWith: path(endsWith) }),
    ...(needsReplace && { needsReplace }),
    ...(show && { show }),
    ...(first && { first }),
    ...(explain && { explain }),
    want,
    // Of an end that is not seen, its own row says all there is to say.
    is: (observed, desired, recorded) =>
      observed.ends[end]
        ? row.is(observed.ends[end], wanted(desired), before(recorded))
        : (want(desired, recorded) as V),
    inside: (observed) => observed.ends[end]?.namespace,
    ...(back && {
      back: (observed: ObservedPair<O>, desired: DesiredPair<D>) => {
        const seen = observed.ends[end];
        return {
          ...desired,
          ends: desired.ends.map((own, which) => (which === end && seen ? back(seen, own) : own)),
        };
      },
    }),
    ...(loses && { loses: (difference: Whole) => loses(own(difference)) }),
    ...(messages && { messages: (difference: Whole) => messages(own(difference)) }),
    ...(apply && { apply: (difference: Whole, host: Host) => apply(own(difference), host) }),
  };
}

/** The rows of a link as rows of both ends, each beside its like. */
export function endRows<D extends Placed, O extends ObservedLink>(
  rows: readonly Property<D, O, never>[],
): Property<DesiredPair<D>, ObservedPair<O>, never>[] {
  return rows.flatMap((row) => bothEnds.map((end) => endRow(row, end)));
}

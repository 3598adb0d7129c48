import { adoption } from "./adoption";
import { blockedChange, onBusyOf } from "./busy";
import type { Claims } from "./claims";
import { describeDifference, type Judged } from "./differences";
import { TuntapError } from "./errors";
import type { Host } from "./host/host";
import { parseUrn } from "./host/leases";
import {
  type AnyKind,
  type BusyMode,
  type Claim,
  type Inputs,
  isSet,
  type Kind,
  type Problem,
  type Target,
} from "./kinds/kind";
import { namespaceSpace } from "./kinds/parts/names";
import { Lint } from "./lint";
import { wantedMembers } from "./members";
import {
  defaultName,
  type Identity,
  type Notice,
  nameOf,
  namingInput,
  newLease,
  targetOf,
  type Wanted,
} from "./request";
import { leaves, mask, masked, maskSecrets } from "./secrets";
import { dependsOn, validate, without } from "./validate";

export interface CheckResult {
  inputs: Record<string, unknown>;
  problems: Problem[];
  notices: Notice[];
}

/** One object that a resource shall be. */
interface Sought {
  kind: Kind;
  identity: Identity;
  inputs: Inputs;
  space: string;
  name: string;
  /** Names of inputs that are not known yet. */
  unknown: ReadonlySet<string>;
}

/** What can be said of a resource before anything is changed. */
export class Checker {
  private readonly recognised = new Set<string>();
  private readonly lint: Lint;

  /**
   * @param tell for what is about a resource that was checked before.
   * @param onBusy of this run, whatever is declared.
   */
  constructor(
    private readonly host: Host,
    private readonly claims: Claims,
    private readonly tell?: (urn: string, notices: readonly Notice[]) => unknown,
    private readonly onBusy?: BusyMode,
  ) {
    this.lint = new Lint(host);
  }

  /** The plan found the resource's own object, without its lease: when it is replaced it is no stranger. */
  recognise(urn: string): void {
    this.recognised.add(urn);
  }

  /** Validates, fills in defaults and claims the name. Reads the kernel, never writes. */
  async check(kind: AnyKind, wanted: Wanted, isNew: boolean): Promise<CheckResult> {
    const { identity, unknown } = wanted;
    const defaulted = withAutomaticNames(kind, wanted);
    const given = kind.complete?.(defaulted, parseUrn(identity.urn).logicalName) ?? defaulted;
    const { inputs, problems } = validate(kind, given, unknown);
    const notices: Notice[] = [];
    const broken = new Set(problems.map(({ property }) => property));
    const sound = without(inputs, broken);
    const found = (await kind.hostRules?.(sound, unknown, this.host, isNew)) ?? [];
    problems.push(...found.filter(({ warning }) => !warning));
    if (problems.length === 0) {
      // What is not known yet may turn out to be as it should.
      const isOpen = dependsOn(kind, unknown);
      for (const problem of [...found.filter(({ warning }) => warning), ...(kind.warnings?.(inputs) ?? [])]) {
        const { message, info, unless = [] } = problem;
        const seenTo = unless.some(({ space, name }) => this.claims.isClaimed(space, name));
        if (!isOpen(problem) && !seenTo) notices.push({ severity: info ? "info" : "warning", message });
      }
      const sought = this.soughtBy(kind, { ...wanted, inputs });
      problems.push(...this.claimNames(kind, { ...wanted, inputs }, sought));
      const isSought = isNew && problems.length === 0 && !this.recognised.has(identity.urn);
      // At once, so that both go by one look at the host.
      const [told, seen] = await Promise.all([
        this.lintOf(kind, { ...wanted, inputs }, sought),
        Promise.all(isSought ? sought.map((object) => this.lookAtTheName(object)) : []),
      ]);
      notices.push(...told, ...once(seen.flatMap((object) => object.notices)));
      const taken = seen.flatMap((object) => object.problems);
      problems.push(...(isSet(kind) ? inOne(kind, taken) : taken));
    }
    return {
      inputs,
      problems: problems.map((problem) => this.finish(problem, identity, inputs)),
      notices: notices.map((notice) => mask(notice, identity, inputs)),
    };
  }

  /** What is told on this resource; what is about one that was checked before is told there. */
  private async lintOf(kind: AnyKind, wanted: Wanted, sought: readonly Sought[]): Promise<Notice[]> {
    const { identity, inputs, unknown } = wanted;
    const derived = isSet(kind) ? kind.derived : {};
    const hidden = [...unknown, ...(identity.secrets ?? [])].flatMap((name) => [
      name,
      ...(derived[name] ?? []),
    ]);
    const members = isSet(kind) ? sought.map((member) => member.inputs) : undefined;
    const notices: Notice[] = [];
    const { urn, instance } = identity;
    const { company } = wanted;
    const told = await this.lint.see({ kind: kind.name, urn, instance, inputs, hidden, members, company });
    for (const { on, message } of told) {
      if (on === identity.urn) notices.push({ severity: "warning", message });
      else await this.tell?.(on, [{ severity: "warning", message }]);
    }
    return notices;
  }

  /** With its code, and without what no message may show. */
  private finish(problem: Problem, identity: Identity, inputs: Inputs): Problem {
    const { property, code = "INVALID_INPUT" } = problem;
    let text = problem.message;
    const secret = identity.secrets?.includes(property);
    if (secret) {
      const shown = leaves(inputs[property]).flatMap((value) => [JSON.stringify(value), String(value)]);
      for (const value of shown.sort((one, other) => other.length - one.length))
        if (value !== "") text = text.replaceAll(value, masked);
    }
    // The engine prints the value of the property that a failure names, so one about a secret names none.
    return {
      property: secret ? "" : property,
      code,
      message: `${maskSecrets(text, identity, inputs)} [${code}]`,
    };
  }

  /** The objects of the resource; none where it is not known yet what they are called. */
  private soughtBy(kind: AnyKind, wanted: Wanted): Sought[] {
    const { identity, inputs, unknown } = wanted;
    if (unknown.has("namespace")) return [];
    const seek = (of: Kind, who: Identity, given: Inputs, name: string): Sought => {
      const space = of.naming.space(given.namespace as string | undefined);
      return { kind: of, identity: who, inputs: given, space, name, unknown };
    };
    if (isSet(kind)) {
      return wantedMembers(kind, wanted, newLease(identity, this.host.uid)).map((member) =>
        seek(kind.member, member.identity, member.inputs, String(member.inputs.name)),
      );
    }
    const name = nameOf(kind, inputs, unknown);
    return name === undefined ? [] : [seek(kind, identity, inputs, name)];
  }

  private claimNames(kind: AnyKind, { identity, inputs, unknown }: Wanted, sought: Sought[]): Problem[] {
    const claims: readonly (Sought | Claim)[] =
      (sought.length > 0 && kind.claims?.(inputs, unknown)) || sought;
    const conflict = this.claims.claim(identity.urn, claims);
    if (conflict === undefined) return [];
    const claim: Partial<Claim> = conflict.wanted;
    const { input, name } = claim;
    const { kind: otherKind, logicalName } = parseUrn(conflict.holder);
    const property = (input && /^\w+/.exec(input)?.[0]) ?? namingInput(kind);
    const words = JSON.stringify(inputs[property]);
    const [what, advice] = input
      ? [`${input} ${JSON.stringify(name)}`, claim.advice ?? "give one of them another name"]
      : isSet(kind)
        ? [`${property} ${words}: name ${JSON.stringify(name)}`, "give one of them other names"]
        : "of" in kind.naming
          ? [`${property} ${words} (${name})`, declareOnce(identity.urn, conflict.holder)]
          : [`name ${JSON.stringify(name)}`, "give one of them another name"];
    return [
      {
        property,
        code: "NAME_CLAIMED",
        message: `${what} is claimed by ${otherKind} "${logicalName}" of this program already; ${advice}`,
      },
    ];
  }

  /** Whether somebody else has the name of an object that is about to be made. */
  private async lookAtTheName(sought: Sought): Promise<Findings> {
    const { kind, identity, inputs } = sought;
    const target = { ...targetOf(kind, this.host, identity, inputs, undefined), glance: true as const };
    const { object, obstacle, namespaceMissing, caution } = await kind.sight(target, this.host);
    if (namespaceMissing !== undefined && !this.claims.isClaimed(namespaceSpace, namespaceMissing)) {
      const message = `namespace ${JSON.stringify(namespaceMissing)} does not exist, and no Namespace resource of this program makes it. If one does, pass that resource's \`.name\` instead of text, so that it is made first`;
      return { problems: [], notices: [{ severity: "warning", message }] };
    }
    if (object !== undefined || !obstacle || obstacle.sameStack) {
      const notices: Notice[] = caution === undefined ? [] : [{ severity: "warning", message: caution }];
      return { problems: [], notices };
    }
    const what = kind.describe(obstacle.object);
    if (inputs.adopt === true) return this.lookAtAdoption(sought, target, obstacle.object);
    const property = namingInput(kind);
    const called = obstacle.called ?? `${property} ${JSON.stringify(inputs[property])}`;
    const message = `${called} is taken by ${what}, which this resource did not make`;
    // Whoever has a lease may be about to give the name up in this very run; a stranger is not.
    if (obstacle.leased) return { problems: [], notices: [{ severity: "warning", message }] };
    const { remedy } = new TuntapError(kind.codes.foreign, { message });
    return {
      problems: [{ property, code: kind.codes.foreign, message: `${message}. ${remedy}` }],
      notices: [],
    };
  }

  /** What a takeover would do, or why it is not possible. */
  private async lookAtAdoption(
    { kind, identity, inputs, unknown }: Sought,
    target: Target,
    object: unknown,
  ): Promise<Findings> {
    const desired = await kind.desire(inputs, this.host);
    const goal = { kind, host: this.host, target, inputs, desired };
    const { refusal, judged } = await adoption(goal, object, unknown);
    if (refusal) {
      const { property = namingInput(kind), message } = refusal.facts;
      const { code, remedy } = refusal;
      return { problems: [{ property, code, message: `${message}. ${remedy}` }], notices: [] };
    }
    const inWords = ({ difference }: Judged) =>
      describeDifference(difference, "declared", inputs, identity.secrets);
    const texts = judged.map(inWords);
    const changes = texts.length > 0 ? `, and it will be changed: ${texts.join("; ")}` : "";
    const notices = [`takes over ${kind.describe(object)}; \`down\` will delete it${changes}`];
    for (const blocked of judged.filter(({ verdict }) => verdict === "blocked")) {
      const reason = await kind.inUse(target, object, this.host);
      notices.push(blockedChange(inWords(blocked), reason, onBusyOf(kind, inputs, this.onBusy)));
    }
    return { problems: [], notices: notices.map((message) => ({ severity: "warning", message })) };
  }
}

interface Findings {
  problems: Problem[];
  notices: Notice[];
}

/** What follows from the logical name where it is not declared. */
function withAutomaticNames(kind: AnyKind, { identity, inputs, unknown }: Wanted): Record<string, unknown> {
  const given = { ...inputs };
  const defaults: Inputs = isSet(kind)
    ? kind.defaults(parseUrn(identity.urn).logicalName)
    : "name" in kind.inputs
      ? { name: defaultName(kind, identity) }
      : {};
  for (const name in defaults) {
    if (given[name] === undefined && !unknown.has(name)) given[name] = defaults[name];
  }
  return given;
}

/** The problems of a set's members as one of the set. */
function inOne(kind: AnyKind, problems: readonly Problem[]): Problem[] {
  const [first] = problems;
  if (first === undefined) return [];
  const others = problems.length - 1;
  const more = others > 0 ? ` (and ${others} more of its members likewise)` : "";
  return [{ ...first, property: namingInput(kind), message: `${first.message}${more}` }];
}

function once(notices: readonly Notice[]): Notice[] {
  const messages = [...new Set(notices.map(({ message }) => message))];
  if (messages.length <= longestList) return messages.map((message) => ({ severity: "warning", message }));
  const rest = messages.length - longestList;
  return [...messages.slice(0, longestList), `and ${rest} more of its members likewise`].map((message) => ({
    severity: "warning",
    message,
  }));
}

const longestList = 5;

/** A VmBridge with an outInterface declares the forwarding of its namespace, which others may have declared too. */
function declareOnce(...urns: string[]): string {
  const ofBridge = urns.some((urn) => urn.includes("tuntap:components:VmBridge$"));
  return `declare it once${ofBridge ? "; a VmBridge with `forwarding: false` leaves it to another" : ""}`;
}

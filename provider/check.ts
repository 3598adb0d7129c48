import type { Claims } from "./claims";
import { TuntapError } from "./errors";
import type { Host } from "./host/host";
import { parseUrn } from "./host/leases";
import type { Inputs, Kind, Problem } from "./kinds/kind";
import { namespaceSpace } from "./kinds/parts/names";
import {
  defaultName,
  type Identity,
  leaves,
  mask,
  maskSecrets,
  type Notice,
  nameOf,
  namingInput,
  targetOf,
  type Wanted,
} from "./request";
import { validate, without } from "./validate";

export interface CheckResult {
  inputs: Record<string, unknown>;
  problems: Problem[];
  notices: Notice[];
}

/** What can be said of a resource before anything is changed. */
export class Checker {
  private readonly recognised = new Set<string>();

  constructor(
    private readonly host: Host,
    private readonly claims: Claims,
  ) {}

  /** The plan found the resource's own object, without its lease: when it is replaced it is no stranger. */
  recognise(urn: string): void {
    this.recognised.add(urn);
  }

  /** Validates, fills in defaults and claims the name. Reads the kernel, never writes. */
  async check(kind: Kind, wanted: Wanted, isNew: boolean): Promise<CheckResult> {
    const { identity, unknown } = wanted;
    const given = { ...wanted.inputs };
    if ("name" in kind.inputs && given.name === undefined && !unknown.has("name"))
      given.name = defaultName(kind, identity);
    const { inputs, problems } = validate(kind, given, unknown);
    const notices: Notice[] = [];
    const broken = new Set(problems.map(({ property }) => property));
    const sound = without(inputs, broken);
    const found = (await kind.hostRules?.(sound, unknown, this.host)) ?? [];
    problems.push(...found.filter(({ warning }) => !warning));
    if (problems.length === 0) {
      // What is not known yet may turn out to be as it should.
      const about = (message: string) => [...unknown].some((name) => message.includes(`\`${name}\``));
      for (const { message } of [
        ...found.filter(({ warning }) => warning),
        ...(kind.warnings?.(inputs) ?? []),
      ]) {
        if (!about(message)) notices.push({ severity: "warning", message });
      }
      const name = nameOf(kind, inputs, unknown);
      if (name !== undefined && !unknown.has("namespace")) {
        problems.push(...this.claimName(kind, identity, inputs, name));
        if (isNew && problems.length === 0 && !this.recognised.has(identity.urn)) {
          const seen = await this.lookAtTheName(kind, identity, inputs);
          problems.push(...seen.problems);
          notices.push(...seen.notices);
        }
      }
    }
    return {
      inputs,
      problems: problems.map((problem) => this.finish(problem, identity, inputs)),
      notices: notices.map((notice) => mask(notice, identity, inputs)),
    };
  }

  /** With its code, and without what no message may show. */
  private finish(problem: Problem, identity: Identity, inputs: Inputs): Problem {
    const { property, code = "INVALID_INPUT" } = problem;
    let text = problem.message;
    const secret = identity.secrets?.includes(property);
    if (secret) {
      const shown = leaves(inputs[property]).flatMap((value) => [JSON.stringify(value), String(value)]);
      for (const value of shown.sort((one, other) => other.length - one.length))
        if (value !== "") text = text.replaceAll(value, "[secret]");
    }
    // The engine prints the value of the property that a failure names, so one about a secret names none.
    return {
      property: secret ? "" : property,
      code,
      message: `${maskSecrets(text, identity, inputs)} [${code}]`,
    };
  }

  private claimName(kind: Kind, identity: Identity, inputs: Inputs, name: string): Problem[] {
    const space = kind.naming.space(inputs.namespace as string | undefined);
    const other = this.claims.claim(identity.urn, space, name);
    if (other === undefined) return [];
    const { kind: otherKind, logicalName } = parseUrn(other);
    const property = namingInput(kind);
    const [what, advice] =
      "of" in kind.naming
        ? [`${property} ${JSON.stringify(inputs[property])} (${name})`, "declare it once"]
        : [`name ${JSON.stringify(name)}`, "give one of them another name"];
    return [
      {
        property,
        code: "NAME_CLAIMED",
        message: `${what} is claimed by ${otherKind} "${logicalName}" of this program already; ${advice}`,
      },
    ];
  }

  /** Whether somebody else has the name of a resource that is about to be made. */
  private async lookAtTheName(
    kind: Kind,
    identity: Identity,
    inputs: Inputs,
  ): Promise<{ problems: Problem[]; notices: Notice[] }> {
    const target = { ...targetOf(kind, this.host, identity, inputs, undefined), glance: true as const };
    const { object, obstacle, namespaceMissing } = await kind.sight(target, this.host);
    if (namespaceMissing && !this.claims.isClaimed(namespaceSpace, String(inputs.namespace))) {
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
    const property = namingInput(kind);
    const message = `${property} ${JSON.stringify(inputs[property])} is taken by ${what}, which this resource did not make`;
    // Whoever has a lease may be about to give the name up in this very run; a stranger is not.
    if (obstacle.leased) return { problems: [], notices: [{ severity: "warning", message }] };
    const { remedy } = new TuntapError(kind.codes.foreign, { message });
    return {
      problems: [{ property, code: kind.codes.foreign, message: `${message}. ${remedy}` }],
      notices: [],
    };
  }
}

import * as pulumi from "@pulumi/pulumi";
import { companyText, identityText, valueOfText } from "../provider/compact";

/** The provider's methods, by the names under which `pulumi-tuntap/provider` exports them. */
const methods = {
  check: "check",
  diff: "diff",
  create: "create",
  read: "read",
  update: "update",
  delete: "remove",
};

/**
 * The provider as the engine's dynamic-provider process runs it. What pulumi.dynamic.Resource serialises of a class is
 * fifteen times as long, and it stands in every request and twice in the state of every resource; so it is written
 * here. It loads the package only when it is called: state keeps no code, and an upgrade changes no state.
 */
function providerText(kind: string): string {
  const calls = Object.entries(methods).map(([method, name]) => `${method}:call("${name}")`);
  return `const call=(name)=>async(...args)=>(await import("pulumi-tuntap/provider"))[name]("${kind}",...args);
exports.handler=()=>({${calls.join()}});`;
}

/** What all resources of this package share: they tell the provider who they are. */
export abstract class TuntapResource extends pulumi.CustomResource {
  /**
   * @param kind the resource kind, e.g. `TunInterface`.
   * @param outputs names of all properties that the class has.
   * @param texts those of them that are recorded as one text each.
   */
  protected constructor(
    kind: string,
    name: string,
    given: object | undefined,
    outputs: readonly string[],
    options: pulumi.CustomResourceOptions | undefined,
    texts: readonly string[] = [],
  ) {
    const args = given ?? {};
    refuseWhatIsNoValue(`${kind} ${name}`, args);
    if (options?.deleteBeforeReplace === false) {
      throw new Error(
        `${kind} ${name}: deleteBeforeReplace: false is not possible, as two of one name cannot be on a host at once; take it out`,
      );
    }
    const type = `pulumi-nodejs:dynamic/tuntap:${kind}`;
    const unset = Object.fromEntries(outputs.map((output) => [output, undefined]));
    const __tuntap = identityOf(urnOf(name, type, options?.parent), args);
    const around = countDeclared(kind);
    const properties = {
      ...unset,
      ...args,
      __tuntap,
      __provider: providerText(kind),
      ...(looksAround.has(kind) && { __company: companyOf(around) }),
    };
    // Pulumi notes a stack trace for each of the promises behind an output, and looks up its source map.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    try {
      // Also where the program or the engine asks for the replacement, not the provider.
      super(type, name, properties, { ...options, deleteBeforeReplace: true });
    } catch (error) {
      Error.stackTraceLimit = stackTraceLimit;
      if (error instanceof Error) Error.captureStackTrace(error, new.target);
      throw error;
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
    const recorded = this as unknown as Record<string, pulumi.Output<string>>;
    for (const name of texts) Object.assign(this, { [name]: recorded[name]?.apply(valueOfText) });
  }
}

/** What the engine would drop, or send as something else, without a word. */
function refuseWhatIsNoValue(what: string, value: unknown, path = ""): void {
  if (typeof value === "function") throw new Error(`${what}: ${path} is a function; give a value`);
  if (typeof value !== "object" || value === null) return;
  if (pulumi.Output.isInstance(value) || value instanceof Promise) return;
  if (pulumi.Resource.isInstance(value))
    throw new Error(`${what}: ${path} is a resource; pass its \`.name\``);
  for (const [key, inner] of Object.entries(value)) {
    const step = Array.isArray(value) ? `[${key}]` : path === "" ? key : `.${key}`;
    refuseWhatIsNoValue(what, inner, path + step);
  }
}

/**
 * The resource's own URN. As an output it would depend on the parent, and on a component depends who waits for all its
 * children: the resource would wait for itself.
 */
function urnOf(name: string, type: string, parent: pulumi.Resource | undefined): Promise<pulumi.URN> {
  return new Promise((resolve) => void pulumi.createUrn(name, type, parent).apply(resolve));
}

/** What the provider cannot know but from the program. */
async function identityOf(urn: Promise<pulumi.URN>, args: object): Promise<string> {
  const instance = new pulumi.Config("tuntap").get("instance") ?? process.env.TUNTAP_INSTANCE;
  return identityText({ urn: await urn, instance, secrets: await secretNames(args) });
}

/** Kinds whose plan says more where it is known what else will be declared. */
const looksAround: ReadonlySet<string> = new Set(["Nat", "Bridge"]);

/** How many of a kind a run of a program has declared so far, by the kind. A process may run several. */
const declared = new WeakMap<object, Map<string, number>>();
const noStack = {};

function countDeclared(kind: string): ReadonlyMap<string, number> {
  const stack = pulumi.runtime.getStackResource() ?? noStack;
  const counts = declared.get(stack) ?? new Map<string, number>();
  declared.set(stack, counts.set(kind, (counts.get(kind) ?? 0) + 1));
  return counts;
}

/** Once the program has declared what stands behind the resource, in the same go. */
async function companyOf(counts: ReadonlyMap<string, number>): Promise<string> {
  await new Promise(setImmediate);
  return companyText(counts);
}

/** The engine does not tell a dynamic provider which inputs are secret, so the program does. */
async function secretNames(args: object): Promise<string[]> {
  const marked = await Promise.all(
    Object.entries(args)
      .filter(([, value]) => typeof value === "object" && value !== null)
      .map(async ([name, value]) => ((await pulumi.isSecret(pulumi.output(value))) ? [name] : [])),
  );
  return marked.flat().sort();
}

import type { ErrorCode, TuntapError } from "../errors";
import type { Host } from "../host/host";
import type { ProcessInfo } from "../kernel/kernel";

/** What a change of an input means for the object: written to it as it is, or made anew, or read by the provider only. */
export type Change = "live" | "replace" | "control";

/** A value, of an input or inside one: its JSON Schema (draft-07). */
export interface ValueSchema {
  type: string | readonly string[];
  default?: unknown;
  enum?: readonly (string | number)[];
  minimum?: number;
  maximum?: number;
  /** Why it has that maximum, for the message about a value above it. */
  because?: string;
  /** A checker of `formats.ts`. */
  format?: string;
  /** Of a list. */
  items?: ValueSchema;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  /** Of an object: it has these and no others. */
  properties?: Readonly<Record<string, FieldSchema>>;
}

/** A value that has a name. */
export interface FieldSchema extends ValueSchema {
  /** For reference pages, doc comments and schema.json; states the unit. */
  description: string;
  required?: true;
  /** The object always has a value of it, so the output of that name is there even if it is not declared. */
  observed?: true;
  /** Inside an object: only read back, and cannot be given. */
  output?: true;
}

/** One input, and how a change of it, or of anything in it, is taken. */
export interface InputSchema extends FieldSchema {
  change: Change;
}

/** An output that is no input. */
export interface OutputSchema {
  type: string;
  description: string;
  /** Not every object has it. */
  optional?: true;
  /** It may have thousands of values in it: recorded as one text, and taken apart where a program asks for it. */
  asText?: true;
  /** Of a list. */
  items?: ValueSchema;
  /** Of an object. */
  properties?: Readonly<Record<string, FieldSchema>>;
  /** The inputs whose values it tells: where one of them is secret, it is left out. */
  from?: readonly string[];
}

/** Something wrong with the inputs. */
export interface Problem {
  property: string;
  /** Value, limit and what to do, in one or two sentences that name the field. */
  message: string;
  /** INVALID_INPUT unless given. */
  code?: ErrorCode;
  /** It may still turn out well: said, but not refused. */
  warning?: true;
  /** Inputs on which it depends, beside those that the message names in backticks: not said while one is not known. */
  dependsOn?: readonly string[];
  /** Of a warning: nothing need be done about it. */
  info?: true;
  /** Not said where another resource of the program has claimed one of these: that one sees to it. */
  unless?: readonly { space: string; name: string }[];
}

export type Inputs = Readonly<Record<string, unknown>>;

/** Which object is meant, and what is remembered of it. */
export interface Target {
  lease: string;
  /** Where it is, or shall be: undefined for the host's namespace. */
  namespace: string | undefined;
  /** Its name, or the text that stands for it where it has none (`StatedNaming`). */
  name: string;
  /** The long logical name, where the automatic name had to be shortened. */
  longName?: string;
  /** What the program declares; what is recorded where it declares nothing (any more). */
  wanted?: Inputs;
  /** Outputs recorded at the last change; absent before the first. */
  recorded?: Inputs;
  /** What `create` of this very call gave back; afterwards it is in `recorded`. */
  made?: Inputs;
  /** Only where it is expected, not wherever someone may have moved it. */
  near?: true;
  /** For a plan: what was seen a moment ago will do, unless something was written since. */
  glance?: true;
}

/** What the kernel shows of a target. */
export interface Sighting<Observed> {
  /** Ours: it carries the lease, or is certainly the recorded one. */
  object?: Observed;
  /** Ours, but without its lease. */
  leaseLost?: boolean;
  /** Another object under the wanted name. */
  obstacle?: Obstacle<Observed>;
  /** A namespace that does not exist. */
  namespaceMissing?: string;
  /** What others may have to do with it, for plans; it hinders nothing. */
  caution?: string;
}

export interface Obstacle<Observed> {
  object: Observed;
  /** It carries a lease of this stack, so it is another resource's, perhaps on its way to another name. */
  sameStack: boolean;
  /** It carries a lease, of whomever. */
  leased: boolean;
  /** The input whose value is taken, and that value, for messages; of the naming input unless given. */
  called?: string;
}

/** Whether processes hold the object: none, by its only queue, or by one of several. */
export type Attachment = "idle" | "single" | "multi";

/** What to do where a process holds an object that must go, or blocks a change of it. */
export type BusyMode = "fail" | "wait" | "force";

export interface OnBusy {
  mode: BusyMode;
  /** How long `wait` waits at most. */
  seconds: number;
}

/** Where an object is and who uses it, for people. */
export interface Whereabouts {
  /** The namespace in which its lease stands: undefined for the host's. */
  namespace: string | undefined;
  /** Further leases of it, of a kind with several links, and where they stand. */
  members?: readonly { lease: string; namespace: string | undefined }[];
  /** Whether somebody is at the other end; absent for what has no carrier. */
  carrier?: boolean;
  /** The processes that use it. */
  processes: readonly ProcessInfo[];
}

/** Whether a property can be changed now: written, only after the holder is gone, or only by making the object anew. */
export type Verdict = "live" | "blocked" | "replace";

/** A difference between what is wanted and what is. */
export interface Difference<Desired, Observed, Value = unknown> {
  property: Property<Desired, Observed, Value>;
  want: Value;
  is: Value;
  desired: Desired;
  observed: Observed;
  target: Target;
}

/** One netlink message that writes something. */
export interface Write {
  bytes: Buffer;
  /** What it writes, where a refusal should name less than the whole property. */
  what?: string;
  /** An errno that means that it is so already. */
  alreadySo?: number;
}

/** One thing of an object that is compared and written by itself. */
export interface Property<Desired, Observed, Value = unknown> {
  name: string;
  /** The inputs that declare it; a dot leads into an object (`port.cost`). */
  inputs: readonly string[];
  /** Further inputs by whose change another value is wanted, though these stay as they are: then no other hand is suspected. */
  follows?: readonly string[];
  /** By attachment; from the measured table of the tun driver. */
  verdict: Readonly<Record<Attachment, Verdict>>;
  /** Values between which only making anew leads, whatever the attachment. */
  needsReplace?(want: Value, is: Value): boolean;
  /** undefined where it is not declared, and so not managed. What was written for an earlier declaration may go. */
  want(desired: Desired, recorded: Inputs | undefined): Value | undefined;
  is(observed: Observed, desired: Desired, recorded: Inputs | undefined): Value;
  /** The input without which the object has no such thing any more: settings of a port end with its `bridge`. */
  endsWith?: string;
  /** Text for people. */
  show?(value: Value): string;
  /** Netlink messages that write it, sent together with those of other properties. */
  messages?(difference: Difference<Desired, Observed, Value>): Write[];
  /**
   * Must be written once although it reads as it is wanted: the kernel treats what was set otherwise than what came
   * about, and does not show which it is.
   */
  unset?(desired: Desired, recorded: Inputs | undefined): boolean;
  /** Must be written before the properties above it in the table. */
  first?(want: Value): boolean;
  /**
   * What must be wanted for it to be as it was, where its messages are about more than `want`; for an object that was
   * taken over and is given back.
   */
  back?(before: Observed, desired: Desired): unknown;
  /** The namespace in which its messages are sent, where it is not that of all of the kind. */
  inside?(observed: Observed): string | undefined;
  /** What to do where the kernel refuses the messages with that errno, if more is known than the error's code says. */
  explain?(errno: number): string | undefined;
  /** What of others is lost by the change, for plans. */
  loses?(difference: Difference<Desired, Observed, Value>): string | undefined;
  /** Writes what netlink messages cannot; done before any messages are sent. */
  apply?(difference: Difference<Desired, Observed, Value>, host: Host): Promise<void>;
}

/** How objects are named whose name is free to choose: by the input `name`, else after the logical name. */
export interface ChosenNaming {
  /** The longest name, in bytes. */
  bytes: number;
  /** Why a text is no name of this kind; undefined if it is one. */
  problem(name: string): string | undefined;
  /** Names of one space must differ; a space may be shared with other kinds. */
  space(namespace: string | undefined): string;
}

/** How objects are told apart that are what their inputs say: a setting, a route. */
export interface StatedNaming {
  /**
   * The text that stands for it, of inputs or outputs, beside its namespace.
   * @returns undefined while an input that decides on it is not known.
   */
  of(inputs: Inputs, unknown?: ReadonlySet<string>): string | undefined;
  /** The input that messages about it name. */
  property: string;
  /** The form of that text, for the reference page. */
  form: string;
  /** As of ChosenNaming. */
  space(namespace: string | undefined): string;
}

/** A name that a resource must have for itself in a program. */
export interface Claim {
  space: string;
  name: string;
  /** The input that gives it, for messages: `ends[1].name`; none where it is what the resource is named by. */
  input?: string;
  /** Whether it leaves no room for another one of the space, where that is not only one of the same name. */
  clashes?(other: string): boolean;
  /** What to do about two, for messages; another name unless given. */
  advice?: string;
}

/** What a resource kind says of its inputs and outputs, whatever stands behind them. */
export interface Declaration {
  name: string;
  /** One paragraph for reference pages and doc comments. */
  description: string;
  /** A short program that declares one, without its import; for reference pages and doc comments. */
  example: string;
  inputs: Readonly<Record<string, InputSchema>>;
  outputs: Readonly<Record<string, OutputSchema>>;
  naming: ChosenNaming | StatedNaming;
  /** Inputs with what goes by the logical name, where that is more than `name`. They may still be invalid. */
  complete?(inputs: Inputs, logicalName: string): Inputs;
  /** What it claims in a program, where it is not its one name. @param unknown as of hostRules. */
  claims?(inputs: Inputs, unknown: ReadonlySet<string>): Claim[];
  /** What JSON Schema cannot say. Sees only inputs that are known and valid by themselves. */
  rules?(inputs: Inputs): Problem[];
  /**
   * What only the host can say. Reads, never writes.
   * @param unknown names of inputs that are not known yet.
   * @param isNew the resource is to be made.
   */
  hostRules?(inputs: Inputs, unknown: ReadonlySet<string>, host: Host, isNew?: boolean): Promise<Problem[]>;
  /** What is allowed but probably not meant. */
  warnings?(inputs: Inputs): Problem[];
}

/**
 * What a resource kind is: one file states this, and everything else is derived from it: validation, schema.json,
 * SDK classes, reference pages, diff, convergence and read-back.
 */
// biome-ignore lint/suspicious/noExplicitAny: kinds of all types share one registry
export interface Kind<Desired = any, Observed = any> extends Declaration {
  /** Its objects carry no lease: what they are tells whose they are. */
  unleased?: true;
  /** Their leases stand on no link, so that who looks at all links does not see them. */
  leasedApart?: true;
  /** Its objects are there whoever declares them: they are set, and put back by `remove`, not made and deleted. */
  permanent?: true;
  /**
   * Nothing tells which resource set or made it, so it is not put back, or removed, where another one of the program
   * declares it now.
   */
  inherited?: true;
  /** The leases of its further links, if a resource has several. */
  memberLeases?(lease: string): string[];
  /** The namespace in which the messages of its properties are sent. */
  inside(target: Target): string | undefined;
  /** Canonical values, names resolved on the host; what is not declared (or not known yet) stays undefined. */
  desire(inputs: Inputs, host: Host): Promise<Desired>;
  sight(target: Target, host: Host): Promise<Sighting<Observed>>;
  /** The object in a few words, for messages. */
  describe(observed: Observed): string;
  properties: readonly Property<Desired, Observed, never>[];
  attachment?(target: Target, observed: Observed, host: Host): Promise<Attachment>;
  /**
   * Makes the object with its lease. On failure nothing of it is left.
   * @returns what only the making knows, if anything; it is there as `target.made`.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: most kinds give nothing back
  create(target: Target, desired: Desired, host: Host): Promise<Inputs | void>;
  /**
   * What the kernel makes of it each time, right after `create`: spares a look before the first writes. Where that is
   * wrong, the look after them finds it.
   * @returns undefined where it depends on more than that.
   */
  asMade?(target: Target, desired: Desired): Observed | undefined;
  /** Writes all that differs, where an object can be written as a whole only; instead of what its properties say. */
  rewrite?(target: Target, observed: Observed, desired: Desired, host: Host): Promise<void>;
  /** Why it cannot be taken over from others, whatever its properties are; nothing is written before. */
  unfit?(target: Target, observed: Observed, host: Host): Promise<TuntapError | undefined>;
  /** Puts the lease on an object that has it not, and any other lease away. */
  takeOver(target: Target, observed: Observed, host: Host): Promise<void>;
  /** First settings, which are written once and not compared later, of what was just taken over from others. */
  settle?(target: Target, before: Observed, host: Host): Promise<void>;
  /** Undoes `takeOver` and `settle` of what others made. @param before as it was then. */
  giveBack?(target: Target, before: Observed, host: Host): Promise<void>;
  /** Moves another resource's object of the same stack out of the way of the wanted name. */
  makeWay?(target: Target, host: Host): Promise<void>;
  /** Why it should not be deleted, for people; undefined where nothing speaks against it. */
  inUse(target: Target, observed: Observed, host: Host): Promise<string | undefined>;
  /** Names of the links of this stack inside that end with it, for plans of a replacement. */
  losesWith?(target: Target, observed: Observed, host: Host): Promise<string[]>;
  /** Why it is gone, if more is known than that it is; for plans. Its namespace is there. */
  explainLoss?(target: Target, host: Host): Promise<string | undefined>;
  whereabouts(target: Target, observed: Observed, host: Host): Promise<Whereabouts>;
  codes: { inUse: ErrorCode; foreign: ErrorCode };
  /** What to do where it does not stay as it was written, if that is not what VERIFY_FAILED says, of links. */
  otherHands?: string;
  /** What the inputs ask for where it is in use. */
  onBusy(inputs: Inputs): OnBusy;
  /** @returns what it leaves as it is, and why, for people; nothing where all is gone. */
  // biome-ignore lint/suspicious/noConfusingVoidType: most kinds give nothing back
  remove(target: Target, observed: Observed, host: Host): Promise<string | void>;
  /** Outputs as observed, where equal in the words of `declared`. */
  present(
    observed: Observed,
    desired: Desired,
    declared: Inputs,
    recorded: Inputs | undefined,
  ): Record<string, unknown>;
  /** Facts that recognise it when its lease is lost, and those of `create`; kept in the outputs. */
  remember(observed: Observed, target: Target): Record<string, unknown>;
}

/**
 * A kind of which one resource stands for many objects of another kind. They are told apart by their numbers, from 0, and
 * each is compared, written and read back by itself, all in one go.
 */
export interface SetKind extends Declaration {
  naming: StatedNaming;
  member: Kind;
  /** Inputs that are not declared, and follow from the logical name. */
  defaults(logicalName: string): Inputs;
  /** The inputs of each member; called with inputs that are valid, and of which `shape` are known. */
  expand(inputs: Inputs): Inputs[];
  /** The inputs that must be known to tell which members there are. */
  shape: readonly string[];
  /** By the input of the set, the inputs of its members that are made from it. */
  derived: Readonly<Record<string, readonly string[]>>;
  /** Whether members may be in that namespace, each having one of its own. */
  mayBeIn(inputs: Inputs, namespace: string): boolean;
  /** An output for the number of members, by which a refresh tells that some are gone. */
  counted: string;
  /**
   * The outputs of the set, from those of its members by their numbers.
   * @param secrets names of inputs of the set that must not be told.
   */
  present(
    inputs: Inputs,
    members: ReadonlyMap<number, Inputs>,
    secrets: readonly string[],
  ): Record<string, unknown>;
  /** Of what `present` gave: what is recorded of each member, in the same order. */
  recall(outputs: Inputs): Inputs[];
}

export type AnyKind = Kind | SetKind;

export function isSet(kind: AnyKind): kind is SetKind {
  return "member" in kind;
}

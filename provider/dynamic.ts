/**
 * The dynamic face: what the SDK's classes call in the engine's dynamic-provider process. State keeps a small
 * text that imports this module, so the names exported here never change.
 */
import { existsSync } from "node:fs";
import { Claims } from "./claims";
import { companyOfText, identityOfText, identityText } from "./compact";
import { withDefaults, withoutDefaults } from "./defaults";
import { Engine } from "./engine";
import { TuntapError } from "./errors";
import { Host } from "./host/host";
import { openKernel } from "./kernel/open";
import { kinds } from "./kinds";
import type { AnyKind, BusyMode } from "./kinds/kind";
import { busyModes } from "./kinds/parts/busy";
import { printable } from "./printable";
import { InitialisationFailure, Reconciler } from "./reconcile";
import { recordedOf, recordOf } from "./record";
import type { Identity, Notice, Outputs, Wanted } from "./request";
import { compileLate } from "./tiering";

compileLate();

/** What stands for an input whose value is not known yet (sdk/nodejs/runtime/rpc.ts of the engine's SDK). */
const unknownValue = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

type Properties = Record<string, unknown>;

let shared: { reconciler: Reconciler; engine: Engine | undefined } | undefined;

function core(): { reconciler: Reconciler; engine: Engine | undefined } {
  if (!shared) {
    const onBusy = onBusyOfRun();
    // The engine starts its dynamic provider with the address of its own endpoint.
    const address = process.argv[2];
    const engine = address && /^[\w.[\]:-]+:\d+$/.test(address) ? new Engine(address) : undefined;
    engine?.endWithIt();
    const run = {
      onBusy,
      tell: (urn: string, notices: readonly Notice[]) => engine?.tell(urn, notices),
      interrupted,
    };
    shared = { reconciler: new Reconciler(new Host(openKernel()), new Claims(), run), engine };
  }
  return shared;
}

/** `--on-busy` comes through the environment: it is of this run, so no input and nothing to record. */
function onBusyOfRun(): BusyMode | undefined {
  const given = process.env.TUNTAP_ON_BUSY;
  if (given === undefined || given === "") return undefined;
  const mode = busyModes.find((candidate) => candidate === given);
  if (mode) return mode;
  throw new TuntapError("INVALID_INPUT", {
    message: `TUNTAP_ON_BUSY is ${JSON.stringify(given)}, which is not one of ${busyModes.join(", ")}.`,
    remedy: "Set it to one of them, or unset it.",
  });
}

/** The engine tells a dynamic provider nothing of a Ctrl-C, so the command leaves a sign. */
function interrupted(): boolean {
  const sign = process.env.TUNTAP_INTERRUPTED_FILE;
  return sign !== undefined && existsSync(sign);
}

export async function check(kindName: string, olds: Properties, news: Properties) {
  return face(kindName, async (kind) => {
    const { reconciler, engine } = core();
    const wanted = wantedOf(news);
    const isNew = Object.keys(olds ?? {}).length === 0;
    const { inputs, problems, notices } = await reconciler.check(kind, wanted, isNew);
    await engine?.tell(wanted.identity.urn, notices);
    const unknown = Object.fromEntries([...wanted.unknown].map((name) => [name, news[name]]));
    return {
      inputs: {
        ...withoutDefaults(kind, inputs, news, olds ?? {}),
        ...unknown,
        __tuntap: identityText(wanted.identity),
      },
      failures: problems.map(({ property, message }) => ({ property, reason: printable(message) })),
    };
  });
}

export async function diff(kindName: string, _id: string, olds: Properties, news: Properties) {
  return face(kindName, async (kind) => {
    const { reconciler, engine } = core();
    const wanted = checkedOf(kind, news);
    const { changes, replaces, notices } = await reconciler.diff(kind, wanted, recordedOf(kind, olds));
    await engine?.tell(wanted.identity.urn, notices);
    return { changes, replaces, deleteBeforeReplace: true };
  });
}

export async function create(kindName: string, inputs: Properties) {
  return face(kindName, async (kind) => {
    const { id, outputs } = await core().reconciler.create(kind, checkedOf(kind, inputs));
    return { id, outs: recordOf(kind, outputs) };
  });
}

export async function update(kindName: string, _id: string, olds: Properties, news: Properties) {
  return face(kindName, async (kind) => {
    const { reconciler } = core();
    const { outputs } = await reconciler.update(kind, checkedOf(kind, news), recordedOf(kind, olds));
    return { outs: recordOf(kind, outputs) };
  });
}

export async function read(kindName: string, _id: string, props: Properties) {
  return face(kindName, async (kind) => {
    const { reconciler, engine } = core();
    const recorded = recordedOf(kind, props);
    const { result, notices } = await reconciler.read(kind, recorded);
    await engine?.tell(recorded.__tuntap?.urn ?? "", notices);
    // No id means that it is gone.
    if (!result) return {};
    const inputs = withoutDefaults(kind, result.inputs, {}, {});
    return { id: result.id, props: recordOf(kind, result.outputs), inputs: recordOf(kind, inputs) };
  });
}

export async function remove(kindName: string, _id: string, props: Properties): Promise<void> {
  await face(kindName, (kind) => core().reconciler.remove(kind, recordedOf(kind, props)));
}

function kindOf(name: string): AnyKind {
  const kind = kinds[name];
  if (kind) return kind;
  throw new TuntapError("INVALID_INPUT", {
    message: `this version of pulumi-tuntap has no kind ${name}`,
    remedy: "Install the version that made the resource, or a newer one.",
  });
}

function wantedOf(properties: Properties): Wanted {
  const { __tuntap, __provider, __company, ...inputs } = properties;
  const identity = identityOfText(__tuntap) as Identity | undefined;
  if (typeof identity?.urn !== "string") {
    throw new TuntapError("INVALID_INPUT", {
      message: "the resource does not say who it is (__tuntap)",
      remedy: "Declare resources with the classes of this package.",
    });
  }
  const unknown = new Set(Object.keys(inputs).filter((name) => holdsUnknown(inputs[name])));
  const known = Object.entries(inputs).filter(
    ([name, value]) => !unknown.has(name) && value !== undefined && value !== null,
  );
  const company = __company === undefined ? undefined : companyOfText(__company as string);
  return { identity, inputs: Object.fromEntries(known), unknown, company };
}

/** Of inputs that went through {@link check}. */
function checkedOf(kind: AnyKind, properties: Properties): Wanted {
  const wanted = wantedOf(properties);
  return { ...wanted, inputs: withDefaults(kind, wanted.inputs, wanted.unknown) };
}

function holdsUnknown(value: unknown): boolean {
  if (value === unknownValue) return true;
  if (typeof value !== "object" || value === null) return false;
  return Object.values(value).some(holdsUnknown);
}

/** The engine prints an error's text and its stack; only the text is for the user. */
async function face<T>(kindName: string, work: (kind: AnyKind) => Promise<T>): Promise<T> {
  try {
    return await work(kindOf(kindName));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const shown: Error & { id?: string; properties?: Outputs; reasons?: string[] } = new Error(
      printable(error.message),
      { cause: error },
    );
    if (error instanceof TuntapError) shown.stack = "";
    if (error instanceof InitialisationFailure) {
      shown.id = error.id;
      shown.properties = recordOf(kindOf(kindName), error.outputs);
      shown.reasons = [shown.message];
    }
    shown.name = error.name;
    throw shown;
  }
}

import { identityOfText, identityText, valueOfText, valueText } from "./compact";
import type { AnyKind } from "./kinds/kind";
import type { Identity, Outputs } from "./request";

type Properties = Record<string, unknown>;

/** For the engine, which takes every value of a record apart several times in each run. */
export function recordOf(kind: AnyKind, outputs: Properties): Properties {
  const { __tuntap } = outputs as Outputs;
  return {
    ...turnTexts(kind, outputs, valueText),
    ...(__tuntap !== undefined && { __tuntap: identityText(__tuntap) }),
  };
}

/** Of what the engine has recorded, by this version or by one that had lists and objects in it. */
export function recordedOf(kind: AnyKind | undefined, record: Properties): Outputs {
  const __tuntap = identityOfText(record.__tuntap) as Identity | undefined;
  return { ...turnTexts(kind, record, valueOfText), __tuntap };
}

/** Turns what is recorded as a text, into it or out of it. */
function turnTexts(
  kind: AnyKind | undefined,
  properties: Properties,
  turn: (value: unknown) => unknown,
): Properties {
  const turned = { ...properties };
  for (const name in kind?.outputs)
    if (kind.outputs[name]?.asText && turned[name] !== undefined) turned[name] = turn(turned[name]);
  return turned;
}

/**
 * Inputs with and without what is their default. The engine takes every value of a resource apart several times in each
 * run, so that what nobody has declared is not recorded among its inputs; its outputs have it.
 */
import type { AnyKind, Inputs } from "./kinds/kind";
import { rememberedOf } from "./remember";

/** The inputs of a kind that have a default, all of them plain values. */
const defaultsOf = rememberedOf((kind: AnyKind): readonly (readonly [string, unknown])[] =>
  Object.entries(kind.inputs).flatMap(([name, schema]) =>
    schema.default === undefined || typeof schema.default === "object"
      ? []
      : [[name, schema.default] as const],
  ),
);

/**
 * Inputs without those defaults that neither the program says, nor the record says otherwise: from something else to the
 * default is a change that a plan shows.
 */
export function withoutDefaults(kind: AnyKind, inputs: Inputs, said: Inputs, recorded: Inputs): Inputs {
  const spare: Record<string, unknown> = { ...inputs };
  for (const [name, value] of defaultsOf(kind)) {
    const before = recorded[name];
    if (inputs[name] === value && !(name in said) && (before === undefined || before === value))
      delete spare[name];
  }
  return spare;
}

/** Those inputs again with their defaults. */
export function withDefaults(kind: AnyKind, inputs: Inputs, unknown: ReadonlySet<string>): Inputs {
  const whole: Record<string, unknown> = { ...inputs };
  for (const [name, value] of defaultsOf(kind))
    if (whole[name] === undefined && !unknown.has(name)) whole[name] = value;
  return whole;
}

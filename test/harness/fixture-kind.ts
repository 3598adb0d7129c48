import { createRequire } from "node:module";
import ts from "typescript";
import * as formats from "../../provider/formats";
import type { InputSchema, Kind } from "../../provider/kinds/kind";
import { validators } from "../../provider/validators";
import { validatorModule } from "../../tools/generate/validators";

const inputs = {
  name: { type: "string", format: "link-name", change: "live", description: "A name." },
  ends: {
    type: "array",
    minItems: 2,
    maxItems: 2,
    change: "live",
    description: "Both ends.",
    items: {
      type: "object",
      properties: {
        name: { type: "string", format: "link-name", required: true, description: "Its name." },
        netmask: { type: ["string", "integer"], format: "netmask", description: "Its netmask." },
        up: { type: "boolean", default: true, description: "Its state." },
        port: {
          type: "object",
          description: "Its port.",
          properties: {
            cost: { type: "integer", minimum: 0, maximum: 65535, description: "Its cost." },
            state: { type: "string", enum: ["on", "off"], default: "on", description: "Its switch." },
          },
        },
      },
    },
  },
  port: {
    type: "object",
    change: "live",
    description: "One port.",
    properties: {
      cost: { type: "integer", minimum: 0, maximum: 65535, description: "Its cost." },
      delay: { type: "number", minimum: 0, maximum: 1.5, description: "Its delay in seconds." },
      groups: { type: "array", items: { type: "integer" }, description: "Its groups." },
    },
  },
} as const satisfies Record<string, InputSchema>;

/** A kind with every shape of input that the kind interface knows, whether or not a real kind has it. */
export const fixtureKind = {
  name: "Fixture",
  description: "For tests.",
  example: 'new tuntap.Fixture("a", {});',
  inputs,
  outputs: { ifindex: { type: "integer", description: "An output." } },
  naming: { bytes: 15, problem: () => undefined, space: () => "fixture" },
  properties: [],
} as unknown as Kind;

/** Its generated validator, run as it is written to a file for a real kind. */
export function addFixtureKind(): void {
  const { outputText } = ts.transpileModule(validatorModule(fixtureKind), {
    compilerOptions: { module: ts.ModuleKind.CommonJS, esModuleInterop: true },
  });
  const require = createRequire(__filename);
  const exports: Record<string, never> = {};
  const find = (path: string) => (path === "../formats" ? formats : require(path));
  new Function("require", "exports", outputText)(find, exports);
  Object.assign(validators, { Fixture: exports.Fixture });
}

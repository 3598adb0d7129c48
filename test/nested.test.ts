/** Objects and lists of objects as inputs, through everything that is derived from a kind. */

import { beforeAll, describe, expect, test } from "vitest";
import * as face from "../provider/dynamic";
import type { Inputs } from "../provider/kinds/kind";
import { maskSecrets } from "../provider/secrets";
import { validate } from "../provider/validate";
import { packageSchema } from "../tools/generate/package-schema";
import { referencePage } from "../tools/generate/reference";
import { sdkClass } from "../tools/generate/sdk";
import { typeErrors } from "./harness/compile";
import { addFixtureKind, fixtureKind } from "./harness/fixture-kind";

beforeAll(addFixtureKind);

const check = (inputs: Inputs, unknown: string[] = []) => validate(fixtureKind, inputs, new Set(unknown));
const messages = (inputs: Inputs) => check(inputs).problems.map(({ message }) => message);
const ends = (second: Record<string, unknown>) => ({ ends: [{ name: "a" }, { name: "b", ...second }] });

describe("what is wrong is said with its path", () => {
  test.each<[string, Inputs, RegExp]>([
    ["below", { port: { cost: -1 } }, /^port\.cost -1 is below the limit; give a number from 0 to 65535$/],
    [
      "above",
      { port: { cost: 65536 } },
      /^port\.cost 65536 is above the limit; give a number from 0 to 65535$/,
    ],
    [
      "a fraction",
      { port: { cost: 1.5 } },
      /^port\.cost 1\.5 is no whole number; give a whole number from 0 to/,
    ],
    ["text", { port: { delay: "1" } }, /^port\.delay "1" is a string; give a number from 0 to 1\.5, without/],
    ["no object", { port: 5 }, /^port 5 is a number; give an object with any of `cost`, `delay`, `groups`$/],
    ["a list", { port: [] }, /^port \[\] is a list; give an object with any of/],
    [
      "in a list in it",
      { port: { groups: [1, "x"] } },
      /^port\.groups\[1\] "x" is a string; give a whole number/,
    ],
    ["of an element", ends({ name: "a/b" }), /^ends\[1\]\.name "a\/b" contains "\/" or ":"/],
    ["a missing one", { ends: [{ name: "a" }, {}] }, /^ends\[1\]\.name is required; give it$/],
    [
      "deeper",
      ends({ port: { cost: -1 } }),
      /^ends\[1\]\.port\.cost -1 is below the limit; give a number from 0/,
    ],
    [
      "a choice",
      ends({ port: { state: "x" } }),
      /^ends\[1\]\.port\.state "x" is not one of "on", "off"; choose/,
    ],
    ["a number's format", ends({ netmask: 33 }), /^ends\[1\]\.netmask 33 is no prefix length from 0 to 32$/],
    ["too few", { ends: [{ name: "a" }] }, /^ends .* has 1 elements; give exactly 2$/],
    [
      "too many",
      { ends: ["a", "b", "c"].map((name) => ({ name })) },
      /^ends .* has 3 elements; give exactly 2$/,
    ],
    [
      "no objects in it",
      { ends: ["a", { name: "b" }] },
      /^ends\[0\] "a" is a string; give an object with any of/,
    ],
    ["null", { port: { cost: null } }, /^port\.cost null is null; give a whole number/],
    [
      "a typing error",
      { port: { kost: 5 } },
      /^port\.kost is no property of port; did you mean `port\.cost`\?$/,
    ],
    [
      "another",
      ends({ nmae: "x" }),
      /^ends\[1\]\.nmae is no property of ends\[1\]; did you mean `ends\[1\]\.name`\?$/,
    ],
    [
      "a stranger",
      { port: { colour: "red" } },
      /^port\.colour is no property of port; it has `cost`, `delay`, `groups`$/,
    ],
    ["of Object", { port: { constructor: 1 } }, /^port\.constructor is no property of port; it has/],
  ])("%s", (_, inputs, expected) => {
    expect(messages(inputs)).toEqual([expect.stringMatching(expected)]);
    expect(check(inputs).problems.map(({ property }) => property)).toEqual([Object.keys(inputs)[0]]);
  });

  test("each thing once, and all of them", () => {
    expect(messages({ port: { cost: -1, delay: 2, kost: 1 }, ...ends({ up: 1 }) })).toHaveLength(4);
  });

  test.each<[string, Inputs]>([
    ["nothing", {}],
    ["an empty object", { port: {} }],
    ["limits", { port: { cost: 0, delay: 0 } }],
    ["upper limits", { port: { cost: 65535, delay: 1.5, groups: [] } }],
    ["all", ends({ netmask: 32, up: false, port: { cost: 1, state: "off" } })],
  ])("%s is right", (_, inputs) => expect(messages(inputs)).toEqual([]));
});

test("defaults are filled in wherever they are, and the program's own objects stay as they are", () => {
  const given = { ends: [{ name: "a" }, { name: "b", port: {} }], port: { cost: 5 } };
  const before = structuredClone(given);
  expect(check(given).inputs).toEqual({
    ends: [
      { name: "a", up: true },
      { name: "b", up: true, port: { state: "on" } },
    ],
    port: { cost: 5 },
  });
  expect(given).toEqual(before);
});

test("an input that is not known as a whole is no problem", () => {
  expect(check({}, ["port", "ends"])).toEqual({ inputs: {}, problems: [] });
});

test("an input with something unknown inside is not known as a whole, and handed on as it came", async () => {
  const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
  const port = { isolated: true, cost: unknown, priority: -1 };
  const urn = "urn:pulumi:dev::lab::pulumi-nodejs:dynamic/tuntap:TunInterface::nested0";
  const news = { owner: 0, bridge: unknown, port, __tuntap: { urn } };
  const { inputs, failures } = await face.check("TunInterface", {}, news);
  expect(failures).toEqual([]);
  expect(inputs).toMatchObject({ port, bridge: unknown });
});

test("what is inside a secret input is in no message", () => {
  const identity = { urn: "urn:pulumi:dev::lab::x:y:Fixture::a", secrets: ["ends"] };
  const text = "end b7 of 2001:db8::7, cost 4711, state yes";
  const inputs = {
    ends: [{ name: "b7" }, { name: "hush", port: { address: "2001:DB8::7/64", cost: 4711 } }],
  };
  expect(maskSecrets(`${text} hush`, identity, inputs)).toBe(
    "end b7 of [secret], cost [secret], state yes [secret]",
  );
});

describe("generated from it", () => {
  const schema = JSON.parse(
    packageSchema([fixtureKind], {
      name: "x",
      version: "1.0.0",
      description: "x",
      keywords: [],
      license: "x",
    }),
  );

  test("types of the package schema", () => {
    expect(schema.types).toEqual({
      "tuntap:index:FixtureEndPortState": {
        type: "string",
        description: "Its switch.",
        enum: [{ value: "on" }, { value: "off" }],
      },
      "tuntap:index:FixtureEndPort": {
        type: "object",
        description: "Its port.",
        properties: {
          cost: { type: "integer", description: "Its cost." },
          state: {
            $ref: "#/types/tuntap:index:FixtureEndPortState",
            description: "Its switch.",
            default: "on",
          },
        },
        required: [],
      },
      "tuntap:index:FixtureEnd": {
        type: "object",
        description: "Both ends.",
        properties: {
          name: { type: "string", description: "Its name." },
          netmask: { oneOf: [{ type: "string" }, { type: "integer" }], description: "Its netmask." },
          up: { type: "boolean", description: "Its state.", default: true },
          port: { $ref: "#/types/tuntap:index:FixtureEndPort", description: "Its port." },
        },
        required: ["name"],
      },
      "tuntap:index:FixturePort": {
        type: "object",
        description: "One port.",
        properties: {
          cost: { type: "integer", description: "Its cost." },
          delay: { type: "number", description: "Its delay in seconds." },
          groups: { type: "array", items: { type: "integer" }, description: "Its groups." },
        },
        required: [],
      },
    });
    expect(schema.resources["tuntap:index:Fixture"].inputProperties).toMatchObject({
      ends: { type: "array", items: { $ref: "#/types/tuntap:index:FixtureEnd" } },
      port: { $ref: "#/types/tuntap:index:FixturePort" },
    });
  });

  test("rows of the reference page, in the same table", () => {
    const rows = referencePage(fixtureKind).split("\n");
    for (const row of [
      "| `ends` | list (2) of object |  | live | Both ends. |",
      "| `ends[].name` | interface name | required | live | Its name. |",
      '| `ends[].port.state` | `"on"`, `"off"` | `"on"` | live | Its switch. |',
      "| `port` | object |  | live | One port. |",
      "| `port.delay` | 0 to 1.5 |  | live | Its delay in seconds. |",
      "| `port.groups` | list of whole number |  | live | Its groups. |",
    ])
      expect(rows).toContain(row);
  });

  test("types of the SDK: outputs may be given wherever inputs are", () => {
    const heading =
      'import * as pulumi from "@pulumi/pulumi";\nimport { Fixture } from "./resources/fixture";\nconst later = pulumi.output(5);\n';
    const good = [
      "{ port: { cost: later } }",
      "{ port: pulumi.output({ cost: 5 }) }",
      '{ ends: [{ name: "a", port: { state: "off", cost: later } }, pulumi.output({ name: "b" })] }',
    ];
    const bad = [
      "{ port: { kost: 5 } }",
      "{ port: 5 }",
      "{ ends: [{}] }",
      '{ ends: [{ name: "a", port: { state: "x" } }] }',
    ];
    const programs = Object.fromEntries(
      [...good, ...bad].map((args, position) => [`uses-${position}`, `${heading}new Fixture("a", ${args});`]),
    );
    const reads = `${heading}const made = new Fixture("a");
      export const cost: pulumi.Output<number | undefined> = made.port.apply((port) => port?.cost);
      export const names: pulumi.Output<string[] | undefined> = made.ends.apply((ends) => ends?.map(({ name }) => name));`;
    const errors = typeErrors({ "resources/fixture": sdkClass(fixtureKind), ...programs, reads });
    expect(errors["resources/fixture"]).toEqual([]);
    expect(errors.reads).toEqual([]);
    for (const [position, args] of [...good, ...bad].entries()) {
      const found = errors[`uses-${position}`] ?? ["not compiled"];
      if (position < good.length) expect(found, args).toEqual([]);
      else expect(found.length, args).toBeGreaterThan(0);
    }
  });
});

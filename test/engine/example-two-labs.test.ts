import { afterAll, beforeAll, expect, test } from "vitest";
import { clientOwner } from "../harness/client";
import { Example } from "../harness/example";
import { Lab } from "../harness/lab";
import { attempt } from "../harness/shell";

/** Only its name is used, as the beginning of the two that the program makes. */
let lab: Lab;
let example: Example;
let commands: string[];

beforeAll(async () => {
  lab = await Lab.open(false);
  example = new Example("two-labs");
  commands = example.commands("npx tuntap up").trim().split("\n");
});

afterAll(async () => {
  example.close();
  for (const stack of ["red", "blue"]) await attempt("ip", "netns", "del", `${lab.name}-${stack}`);
});

/** Flags of a line of the README. */
function plainFlags(line: number): string[] {
  const words = (commands[line] ?? "").replace(/#.*/, "").trim().split(/\s+/).slice(4);
  expect(words[0]).toBe("--stack");
  return words;
}

/** The same, and what keeps its namespaces apart from those of others. */
function flags(line: number): string[] {
  return [...plainFlags(line), "--config", `prefix=${lab.name}`];
}

const inside = (stack: string) => Lab.named(`${lab.name}-${stack}`);

test("the README's commands bring up both, the same in each, with leases and MACs of their own", async () => {
  const outputs = [];
  for (const line of [0, 1]) outputs.push((await example.succeed("up", ...flags(line))).outputs);
  expect(outputs.map(({ namespace }) => namespace)).toEqual([`${lab.name}-red`, `${lab.name}-blue`]);
  expect(outputs[0]?.addresses).toEqual(outputs[1]?.addresses);
  const leases = new Set<string>();
  for (const stack of ["red", "blue"]) {
    expect(await inside(stack).addresses("lab")).toEqual(["10.20.0.1/24"]);
    for (const name of ["lab-web", "lab-db"]) {
      const tap = await inside(stack).mustHave(name);
      expect(tap).toMatchObject({
        master: "lab",
        linkinfo: {
          info_data: { user: clientOwner },
          info_slave_data: { isolated: stack === "blue" },
        },
      });
      leases.add(tap.altnames?.[0] ?? "");
    }
  }
  expect(leases.size).toBe(4);
});

test("neither is changed by the other: one is changed and the other has no changes", async () => {
  const blue = await inside("blue").snapshot();
  await example.succeed(
    "up",
    "--stack",
    "red",
    "--config",
    "isolated=true",
    "--config",
    `prefix=${lab.name}`,
  );
  expect(await inside("red").mustHave("lab-web")).toMatchObject({
    linkinfo: { info_slave_data: { isolated: true } },
  });
  expect(await inside("blue").snapshot()).toBe(blue);
  await example.succeed("up", "--expect-no-changes", ...flags(1));
});

test("down of one leaves the other, then down of that leaves nothing", async () => {
  const { status } = await example.status(...plainFlags(2));
  expect(status.orphans).toEqual([]);
  const blue = await inside("blue").snapshot();
  await example.succeed("down", ...flags(3));
  await expect(inside("red").links()).rejects.toThrow(/No such file|Cannot open network namespace/);
  expect(await inside("blue").snapshot()).toBe(blue);
  await example.succeed("down", "--stack", "blue", "--config", `prefix=${lab.name}`);
  await expect(inside("blue").links()).rejects.toThrow(/No such file|Cannot open network namespace/);
});

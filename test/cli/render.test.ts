import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import Table from "cli-table3";
import stringWidth from "string-width";
import { describe, expect, it } from "vitest";
import { atLeast, findVersion } from "../../cli/engine/version";
import { Plan } from "../../cli/plan";
import { shortenStack } from "../../cli/program";
import { outcome, stepsOf } from "../../cli/render/outcome";
import { renderPlan } from "../../cli/render/plan";
import { drawTable, renderTable, rowsOf } from "../../cli/render/table";
import { listOf, nameOf, plain, show } from "../../cli/render/value";
import { parseConfig } from "../../cli/settings";
import { quote } from "../../cli/shell";
import { fileUrl, folderOf } from "../../cli/state";
import { presentable, Terminal } from "../../cli/terminal";

const secret = {
  "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
  ciphertext: "[secret]",
};
const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const urn = (name: string) => `urn:pulumi:dev::lab::pulumi-nodejs:dynamic/tuntap:TunInterface::${name}`;

type Event = Parameters<Plan["record"]>[0];
const step = (
  kind: "resourcePreEvent" | "resOutputsEvent" | "resOpFailedEvent",
  op: string,
  old?: object,
  next?: object,
) =>
  ({
    [kind]: {
      metadata: {
        op,
        urn: urn("tap0"),
        type: "pulumi-nodejs:dynamic/tuntap:TunInterface",
        old: old && { inputs: old, outputs: old },
        new: next && { inputs: next, outputs: next },
      },
    },
  }) as unknown as Event;

describe("values", () => {
  it("mask secrets at any depth, say what is unknown, hide what begins with __", () => {
    const value = { a: secret, b: [secret, { c: unknown }], __lease: "x" };
    expect(plain(value)).toEqual({ a: "[secret]", b: ["[secret]", { c: "[known after up]" }] });
    expect([show(undefined), show(secret), show("tap"), show([1])]).toEqual([
      "unset",
      "[secret]",
      '"tap"',
      "[1]",
    ]);
  });

  it("name a resource by its kind and logical name, whatever the name holds", () => {
    expect(nameOf(urn("a::b"))).toEqual({ kind: "TunInterface", name: "a::b" });
    expect(nameOf("urn:pulumi:dev::lab::my:mod:Bridge$tuntap:index:TunInterface::x")).toEqual({
      kind: "TunInterface",
      name: "x",
    });
  });
});

describe("a list of resources", () => {
  it("names ten, and counts the others", () => {
    const urns = Array.from({ length: 61 }, (_, at) => urn(`tap${at}`));
    expect(listOf(urns.slice(0, 2))).toBe("TunInterface tap0, TunInterface tap1");
    expect(listOf(urns)).toMatch(/^TunInterface tap0, .*, TunInterface tap9 and 51 more$/);
  });
});

describe("a plan", () => {
  it("counts a drifted resource as an update, from the kernel's value", () => {
    const plan = new Plan("run");
    plan.record(step("resourcePreEvent", "refresh", { mtu: 1500 }, { mtu: 1500 }));
    plan.record(step("resOutputsEvent", "refresh", { mtu: 1500 }, { mtu: 9000 }));
    plan.record(step("resourcePreEvent", "update", { mtu: 9000, __x: 1 }, { mtu: 1500, __x: 2 }));
    plan.record(step("resOutputsEvent", "update", { mtu: 9000 }, { mtu: 1500 }));
    expect(plan.changes()).toEqual({ create: 0, update: 1, delete: 0, replace: 0, same: 0 });
    expect(plan.stateChanged).toBe(true);
    const lines = renderPlan(plan, new Terminal(true), false);
    expect(lines).toEqual(["  ~  TunInterface tap0  update", "       mtu: 9000 => 1500"]);
  });

  it("lists of a creation what the program says, and defaults only on request", () => {
    const plan = new Plan("run");
    const inputs = { name: "tap0", mode: "tap", up: true, adopt: false, onBusy: "force", owner: "alice" };
    plan.record(step("resourcePreEvent", "create", undefined, inputs));
    const lines = (full: boolean) => renderPlan(plan, new Terminal(true), full).map((line) => line.trim());
    const said = ['name: "tap0"', 'onBusy: "force"', 'owner: "alice"'];
    expect(lines(false)).toEqual(["+  TunInterface tap0  create", ...said]);
    expect(lines(true)).toEqual(expect.arrayContaining([...said, "adopt: false", 'mode: "tap"', "up: true"]));
  });

  it("shows scripts and files as their length, and whole on request", () => {
    const plan = new Plan("run");
    plan.record(step("resourcePreEvent", "update", { script: "one\n" }, { script: "one\ntwo\n" }));
    const lines = (full: boolean) => renderPlan(plan, new Terminal(true), full)[1]?.trim();
    expect(lines(false)).toBe('script: "one\\n" => [2 lines, shown by --diff]');
    expect(lines(true)).toBe('script: "one\\n" => "one\\ntwo\\n"');
  });

  it("counts a replacement once, and as running until its last step", () => {
    const plan = new Plan("run");
    plan.record(step("resourcePreEvent", "delete-replaced", { mode: "tap" }));
    plan.record(step("resOutputsEvent", "delete-replaced", { mode: "tap" }));
    plan.record(step("resOutputsEvent", "replace", { mode: "tap" }, { mode: "tun" }));
    expect([...plan.steps.values()].map((one) => one.state)).toEqual(["running"]);
    plan.record(step("resOutputsEvent", "create-replacement", { mode: "tap" }, { mode: "tun" }));
    expect(plan.changes().replace).toBe(1);
    expect([...plan.steps.values()].map((one) => one.state)).toEqual(["done"]);
  });

  it("shows a message on its resource once, also on one that does not change", () => {
    const plan = new Plan("run");
    const event = { severity: "warning", message: "owner is unset\n", urn: urn("tap0"), color: "never" };
    for (let i = 0; i < 2; i++) plan.record({ diagnosticEvent: event } as unknown as Event);
    plan.record(step("resOutputsEvent", "same", { mtu: 1500 }, { mtu: 1500 }));
    expect(plan.diagnostics).toHaveLength(1);
    expect(renderPlan(plan, new Terminal(true), false)).toEqual([
      "  =  TunInterface tap0  unchanged",
      "       warning: owner is unset",
    ]);
  });

  it("tells an error once, which the provider prints before the engine tells it", () => {
    const plan = new Plan("run");
    const said = "Namespace lab: it is not deleted [NAMESPACE_IN_USE] Stop what the message names.";
    for (const event of [
      { severity: "info#err", message: `TuntapError: ${said}:\n`, urn: urn("lab") },
      { severity: "error", message: `${said}\n`, urn: urn("lab") },
      { severity: "info#err", message: "printed by the program:\n" },
    ])
      plan.record({ diagnosticEvent: event } as unknown as Event);
    expect(plan.diagnostics.map(({ severity, message }) => [severity, message])).toEqual([
      ["error", said],
      ["info", "printed by the program:"],
    ]);
  });
});

describe("the steps of the one object", () => {
  const made = (...events: Event[]) => {
    const plan = new Plan("run");
    for (const event of events) plan.record(event);
    return stepsOf(plan.steps);
  };

  it("mask secrets before and after, at any depth", () => {
    const before = { password: secret, list: [{ key: secret, mtu: 1 }], mtu: 1500 };
    const after = { password: secret, list: [{ key: secret, mtu: 2 }], mtu: 1400 };
    const [one] = made(step("resourcePreEvent", "update", before, after));
    expect(one?.properties).toEqual([
      { name: "list", before: [{ key: "[secret]", mtu: 1 }], after: [{ key: "[secret]", mtu: 2 }] },
      { name: "mtu", before: 1500, after: 1400 },
    ]);
    const [gone] = made(step("resourcePreEvent", "delete", before));
    expect(JSON.stringify(gone)).not.toContain("ciphertext");
    expect(gone?.properties).toContainEqual({ name: "password", before: "[secret]", after: null });
  });

  it("say why a resource is replaced, and leave out what stays", () => {
    const event = step("resourcePreEvent", "replace", { mode: "tap" }, { mode: "tun" });
    Object.assign(event.resourcePreEvent?.metadata ?? {}, { keys: ["mode"] });
    expect(made(event)).toEqual([
      {
        urn: urn("tap0"),
        kind: "TunInterface",
        name: "tap0",
        operation: "replace",
        state: "planned",
        replaces: ["mode"],
        properties: [{ name: "mode", before: "tap", after: "tun" }],
      },
    ]);
    expect(made(step("resOutputsEvent", "same", { mtu: 1500 }, { mtu: 1500 }))).toEqual([]);
  });

  it("have keys that are documented", () => {
    const text = readFileSync(join(__dirname, "../../docs/json.md"), "utf8");
    const keys = Object.keys(made(step("resourcePreEvent", "delete", { mtu: 1500 }))[0] ?? {});
    expect(keys).toHaveLength(7);
    for (const key of keys) expect(text).toContain(`\n| \`${key}\` |`);
  });
});

describe("the table", () => {
  it("shows what the outputs of our resources say, without empty columns", () => {
    const outputs = new Map<string, Record<string, unknown>>([
      [urn("two"), { name: "tap2", mode: "tap", address: "10.0.0.2", netmask: "255.255.255.0", up: true }],
      [
        urn("one"),
        {
          name: "tap1",
          mode: "tun",
          address: "10.0.0.1/24",
          addresses: ["fd00::1/64"],
          up: false,
          owner: secret,
        },
      ],
      ["urn:pulumi:dev::lab::random:index:Pet::p", { name: "pet" }],
    ]);
    const table = renderTable(rowsOf(outputs));
    expect(table).not.toContain("pet");
    expect(table.split("\n").filter((line) => line.startsWith("│"))).toEqual([
      "│ kind         │ name │ mode │ owner    │ address                │ up  │",
      "│ TunInterface │ tap1 │ tun  │ [secret] │ 10.0.0.1/24 fd00::1/64 │ no  │",
      "│ TunInterface │ tap2 │ tap  │ -        │ 10.0.0.2/255.255.255.0 │ yes │",
    ]);
  });
});

describe("a default that is among the recorded inputs and not among the new ones", () => {
  const shown = (old: object, next: object) => {
    const plan = new Plan("run");
    plan.record(step("resourcePreEvent", "update", old, next));
    return renderPlan(plan, new Terminal(true), false).slice(1);
  };

  it("is no change, unless it was something else", () => {
    const next = { name: "tap0", mtu: 1400 };
    expect(shown({ name: "tap0", mode: "tap", up: true, adopt: false }, next)).toEqual([
      expect.stringMatching(/mtu: .* => 1400$/),
    ]);
    expect(shown({ name: "tap0", mtu: 1400, persistence: "process" }, next)).toEqual([
      expect.stringMatching(/persistence: "process" => "runtime"$/),
    ]);
    expect(shown({ name: "tap0", mtu: 1400, alias: "old" }, next)).toEqual([
      expect.stringMatching(/alias: "old" => /),
    ]);
  });
});

describe("a long table is as if it had been drawn in one go", () => {
  const cells = Array.from({ length: 137 }, (_, at) => [
    `tap${at}`,
    at % 9 === 0 ? "müller 東京" : "-",
    at === 120 ? "the widest comes late\nand has two lines" : `${at * 7919}`,
  ]);
  const rows = cells.map(([name = "", alias = "", drift = ""]) => ({ name, alias, drift }));

  it.each([false, true])("with lines between rows: %s", (separated) => {
    for (const count of [0, 1, 49, 50, 51, 100, 137]) {
      const whole = new Table({
        head: count === 0 ? [] : ["name", "alias", "drift"],
        style: { head: [], border: [], compact: !separated },
      });
      whole.push(...cells.slice(0, count));
      const drawn = drawTable(["name", "alias", "drift"], rows.slice(0, count), separated);
      expect(drawn.split("\n"), `${count} rows`).toEqual(whole.toString().split("\n"));
    }
  });
});

describe("a table of very long texts", () => {
  const long = "x".repeat(500);
  const table = drawTable(
    ["resource", "property", "declared"],
    [{ resource: `Thing ${long}`, property: "alias\nmtu", declared: `\u001b[33m${long}\u001b[0m\n1500` }],
    true,
  );

  it("has long lines on several, and loses nothing", () => {
    const lines = table.split("\n");
    expect(Math.max(...lines.map((line) => stringWidth(line)))).toBeLessThan(160);
    expect(table.match(/x/g)).toHaveLength(1000);
  });

  it("keeps side by side what was so", () => {
    expect(table).toMatch(/mtu +│ 1500 /);
  });

  it("breaks a line at a space where there is one", () => {
    const addresses = Array.from({ length: 20 }, (_, at) => `2001:db8::${at}/64`);
    const drawn = drawTable(["address"], [{ address: addresses.join(" ") }]);
    for (const address of addresses) expect(drawn).toContain(address);
  });
});

describe("small parts", () => {
  it("the one object has the documented fields in their order", () => {
    const changes = { create: 0, update: 0, delete: 0, replace: 0, same: 1 };
    const parts = {
      command: "up",
      stack: "dev",
      result: "succeeded" as const,
      changes,
      steps: [],
      durationMs: 3,
    };
    const made = outcome({
      ...parts,
      outputs: { a: secret },
      diagnostics: [{ severity: "warning", message: "m" }],
    });
    expect(JSON.stringify(made)).toBe(
      '{"command":"up","stack":"dev","result":"succeeded","changes":{"create":0,"update":0,"delete":0,"replace":0,' +
        '"same":1},"steps":[],"outputs":{"a":"[secret]"},"diagnostics":[{"severity":"warning","message":"m","urn":""}],"durationMs":3}',
    );
  });

  it("versions are compared as numbers", () => {
    expect(findVersion("go version go1.26.8 linux/amd64")).toBe("1.26.8");
    expect(atLeast("3.1000.0", "3.206.0")).toBe(true);
    expect(atLeast("3.99.9", "3.206.0")).toBe(false);
    expect(atLeast("1.25", "1.25.0")).toBe(true);
  });

  it("a text brings its colours to a terminal, and nothing else", () => {
    expect(presentable("\u001b[31merror:\u001b[0m a\u001b[8m\u009b2J\u202e\r\n\tb")).toBe(
      "\u001b[31merror:\u001b[0m a\\u001b[8m\\u009b2J\\u202e\\u000d\n\tb",
    );
  });

  it("words are quoted for a shell, folders for a URL", () => {
    expect(quote("/a/b-c_d.e")).toBe("/a/b-c_d.e");
    expect(quote("it's $HOME")).toBe(`'it'\\''s $HOME'`);
    // What would not print: the bytes as the shell takes them.
    const odd = "it's\u001b[2J\u009b ü\n\udcff";
    expect(quote(odd)).toMatch(/^[ -~]*$/);
    const bytes = execFileSync("bash", ["-c", `printf %s ${quote(odd)}`]);
    expect(bytes).toEqual(Buffer.concat([Buffer.from("it's\u001b[2J\u009b ü\n"), Buffer.of(0xff)]));
    for (const folder of ["/a b/ü", "/100%/x?y#z"]) expect(folderOf(fileUrl(folder), "/")).toBe(folder);
    expect(folderOf("s3://bucket", "/")).toBe(undefined);
    expect(folderOf("file://./state", "/root")).toBe("/root/state");
  });

  it("a configuration value may hold =, its key a namespace", () => {
    expect(parseConfig("lab", "a=b=c")).toEqual(["lab:a", "b=c"]);
    expect(parseConfig("lab", "other:a=")).toEqual(["other:a", ""]);
    expect(() => parseConfig("lab", "=a")).toThrow(/expected key=value/);
  });

  it("a stack trace shrinks to the user's line", () => {
    const trace =
      "Error: x\n    at f (/lab/node_modules/p/i.js:1:2)\n    at g (/lab/index.ts:3:4)\n    at node:internal/a:5:6";
    expect(shortenStack(trace)).toBe("Error: x\n    at /lab/index.ts:3:4");
  });
});

import { existsSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { beforeEach, describe, expect, test } from "vitest";
import { kinds } from "../../provider/kinds";
import type { Inputs, Kind } from "../../provider/kinds/kind";
import { validate } from "../../provider/validate";
import { Program } from "../harness/program";
import { said } from "./tun-lab";

const kind = "KernelModule";
let program: Program;
beforeEach(() => {
  program = new Program();
});

/** Whether vxlan is a module of its own, so that its parameters can be given when it is loaded. */
const isModular = existsSync("/sys/module/vxlan/initstate");
/** Whether what is not there is known not to be. */
const canTell = existsSync("/proc/modules") && existsSync(`/lib/modules/${release()}`);
const port = readFileSync("/sys/module/vxlan/parameters/udp_port", "utf8").trim();

test.each(["tun", "veth", "bridge", "vxlan", "nf_tables", "x_tables", "stp", "ifb", "ext4"])(
  "%s is there, left alone, and stays",
  async (name) => {
    const made = await program.declare(kind, "one", { name, unload: true });
    expect(made).toMatchObject({ operation: "create", outputs: { name, unload: true } });
    expect(["built-in", "loaded"]).toContain(made.outputs.state);
    expect(program.state.get("one")?.id).toBe(name);
    expect((await program.newRun().declare(kind, "one", { name, unload: true })).operation).toBe("same");
    expect((await program.refresh("one"))?.notices).toEqual([]);
    await program.remove("one");
    expect((await program.declare(kind, "one", { name })).outputs.state).toBe(made.outputs.state);
  },
);

test("parameters that it has are no change, in whatever words", async () => {
  const parameters = [`udp_port=0x${Number(port).toString(16)}`, "log_ecn_error=on"];
  const { outputs } = await program.declare(kind, "one", { name: "vxlan", parameters });
  expect(outputs.parameters).toEqual(parameters);
  const step = await program
    .newRun()
    .declare(kind, "one", { name: "vxlan", parameters: [...parameters].reverse() });
  expect(step.operation).toBe("same");
});

test.skipIf(isModular)(
  "others of one that is built in are refused in the plan, with what to do",
  async () => {
    await expect(program.declare(kind, "one", { name: "vxlan", parameters: ["udp_port=1"] })).rejects.toThrow(
      new RegExp(
        `^module vxlan is built into the kernel, with udp_port=${port}\\. Give them on the kernel's boot command line \\(vxlan\\.udp_port=1\\) and reboot.*\\[MODULE_REFUSED\\]`,
      ),
    );
    expect(program.state.size).toBe(0);
  },
);

test("one that the kernel does not show is warned of", async () => {
  const { notices } = await program.declare(kind, "one", { name: "vxlan", parameters: ["nosuch=1"] });
  expect(notices.join()).toMatch(
    /the kernel shows no value of nosuch of module vxlan, so it is not compared/,
  );
});

test.skipIf(!canTell)(
  "(needs /lib/modules of the kernel) a module that does not exist is refused in the plan",
  async () => {
    await expect(program.declare(kind, "one", { name: "tt-nosuch" })).rejects.toThrow(
      /there is no module tt_nosuch of kernel.*\[MODULE_MISSING\]/,
    );
  },
);

test.skipIf(canTell)(
  "where a kernel does not show what it has, and loads none, that is warned of in each plan",
  async () => {
    const made = await program.declare(kind, "one", { name: "tt-nosuch", parameters: ["a=1"], unload: true });
    expect(made.notices.join()).toMatch(
      /(as in a container|does not show whether tt_nosuch is built in): it is taken to be/,
    );
    expect(made).toMatchObject({ operation: "create", outputs: { state: "unknown" } });
    const next = await program
      .newRun()
      .declare(kind, "one", { name: "tt-nosuch", parameters: ["a=1"], unload: true });
    expect([next.operation, next.notices]).toEqual(["same", made.notices]);
    await program.remove("one");
  },
);

test("two resources of one module are refused, also in other words", async () => {
  await program.declare(kind, "one", { name: "nf_conntrack" });
  await expect(program.declare(kind, "two", { name: "nf-conntrack" })).rejects.toThrow(
    /^name "nf-conntrack" \(nf_conntrack\) is claimed by KernelModule "one" of this program already; declare it once/,
  );
});

test("what is not known yet is not looked for", async () => {
  await program.declare(kind, "one", { name: "tun" });
  expect(said(await program.plan(kind, "one", {}, ["name"]))).toBe("");
});

describe("bad input", () => {
  const messages = (inputs: Inputs) =>
    validate(kinds.KernelModule as Kind, { name: "tun", ...inputs }, new Set()).problems.map(
      ({ message }) => message,
    );
  test.each<[Inputs, RegExp]>([
    [{ name: undefined }, /^name is required; give it$/],
    [{ name: "" }, /^name "" is empty; give a name such as br_netfilter$/],
    [{ name: "a".repeat(56) }, /^name .* has 56 characters; the kernel allows 55\. Check the name$/],
    [{ name: "-r" }, /^name "-r" is no name of a module/],
    [{ name: "../tun" }, /^name .* is no name of a module/],
    [{ name: "tun.ko" }, /^name .* is no name of a module; give it without path and "\.ko"/],
    [{ parameters: "a=1" }, /^parameters "a=1" is a string; give a list$/],
    [{ parameters: ["a"] }, /^parameters\[0\] "a" is no parameter with its value; write NAME=VALUE/],
    [{ parameters: ["-C=x"] }, /^parameters\[0\] "-C=x" is no parameter with its value/],
    [{ parameters: ["=1"] }, /^parameters\[0\] "=1" is no parameter with its value/],
    [
      { parameters: ["a=1 b=2"] },
      /^parameters\[0\] .* has a blank, a quotation mark or a character beyond ASCII/,
    ],
    [{ parameters: ['a="'] }, /^parameters\[0\] .* has a blank, a quotation mark/],
    [{ parameters: ["a=1", "a=1"] }, /^parameters .* has an element twice; give each once$/],
    [{ unload: "yes" }, /^unload "yes" is a string; give true or false$/],
    [
      { state: "loaded" },
      /^state is no property of KernelModule; `state` is an output, which cannot be given/,
    ],
  ])("%j", (inputs, expected) => expect(messages(inputs)).toEqual([expect.stringMatching(expected)]));
  test.each<[Inputs]>([
    [{ name: "a".repeat(55) }],
    [{ name: "8021q" }],
    [{ parameters: ["a=", "b.c=x,y=z", "d=0x10"] }],
    [{ parameters: [] }],
  ])("nothing with %j", (inputs) => expect(messages(inputs)).toEqual([]));
});

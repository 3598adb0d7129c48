/** What follows from what is known of a module; the reading is tested with trees of files in native/test. */

import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { Host } from "../../provider/host/host";
import { isConfigured } from "../../provider/host/module-config";
import { moduleName, moduleState } from "../../provider/host/modules";
import type { ModuleChange, ModuleFacts } from "../../provider/kernel/kernel";
import { kinds } from "../../provider/kinds";
import type { Kind } from "../../provider/kinds/kind";
import { isValueOf } from "../../provider/kinds/parts/module-checks";
import { ScriptedKernel } from "../harness/scripted-kernel";

const facts = (more: Partial<ModuleFacts> = {}): ModuleFacts => ({
  release: "6.1.0-7",
  modular: true,
  present: false,
  builtIn: false,
  available: false,
  initialised: false,
  releases: ["6.1.0-7"],
  users: [],
  parameters: {},
  ...more,
});

test.each<[string, Partial<ModuleFacts>]>([
  ["loaded", { present: true, state: "live", available: true }],
  ["loaded", { present: true, state: "coming" }],
  ["built-in", { present: true }],
  ["built-in", { builtIn: true }],
  ["built-in", { modular: false, initialised: true, releases: [] }],
  ["loadable", { available: true }],
  ["built-in", { initialised: true, releases: [] }],
  ["built-in", { modular: false, config: Buffer.from("CONFIG_STP=y\n"), releases: [] }],
  ["built-in", { config: Buffer.from("CONFIG_STP=y\n"), releases: ["6.1.0-8"] }],
  ["absent", {}],
  ["unknown", { releases: [] }],
  ["unknown", { releases: [], config: Buffer.from("CONFIG_STP=m\nCONFIG_STP_MORE=y\n") }],
  ["unknown", { modular: false, available: true }],
  ["other-kernel", { releases: ["6.1.0-8", "6.1.0-9"] }],
  ["unknown", { modular: false, releases: ["6.1.0-8"] }],
])("%s: %j", (state, more) => expect(moduleState("stp", facts(more))).toBe(state));

test.each([
  ["nf_tables", "NF_TABLES=y", true],
  ["nf_tables", "NF_TABLES=m", false],
  ["nf_tables", "NF_TABLES_INET=y", false],
  ["ext4", "EXT4_FS=y", true],
  ["x_tables", "NETFILTER_XTABLES=y", true],
  ["br_netfilter", "BRIDGE_NETFILTER=y", true],
  ["8021q", "VLAN_8021Q=y", true],
  ["xt_mark", "NETFILTER_XT_MARK=y", true],
  ["xt_comment", "NETFILTER_XT_MATCH_COMMENT=y", true],
  ["sch_fq", "NET_SCH_FQ=y", true],
  ["tcp_bbr", "TCP_CONG_BBR=y", true],
])("%s by CONFIG_%s is built in: %s", (name, line, there) => {
  const text = Buffer.from(`# made\nCONFIG_ONE=y\nCONFIG_${line}\nCONFIG_TWO=m\n`);
  expect(isConfigured(text, name)).toBe(there);
  expect(isConfigured(gzipSync(text), name)).toBe(there);
  expect(isConfigured(gzipSync(text).subarray(0, 12), name)).toBe(false);
});

test("a dash is an underscore", () => expect(moduleName("nf-nat")).toBe("nf_nat"));

test.each([
  ["1", "Y", true],
  ["y", "Y", true],
  ["0", "Y", false],
  ["N", "N", true],
  ["n", "Y", false],
  ["on", "Y", true],
  ["Off", "N", true],
  ["off", "Y", false],
  ["true", "Y", true],
  ["f", "N", true],
  ["0x10", "16", true],
  ["16", "0x00000010", true],
  // The kernel reads it as octal.
  ["010", "8", true],
  ["010", "10", false],
  ["-0x10", "-16", true],
  ["0x1f", "0x00001f", true],
  ["false", "N", true],
  ["-1", "-1", true],
  ["16", "17", false],
  ["a,b", "a,b", true],
  ["", "0", false],
])("the value %j shown as %j is the same: %s", (want, shown, same) =>
  expect(isValueOf(want, shown)).toBe(same),
);

test("a module of another kernel is refused with both versions and what to do", async () => {
  const kernel = new ScriptedKernel();
  kernel.module = async () => facts({ releases: ["6.1.0-8"] });
  const kind = kinds.KernelModule as Kind;
  const problems = await kind.hostRules?.({ name: "tun" }, new Set(), new Host(kernel));
  expect(problems).toEqual([
    {
      property: "name",
      code: "MODULE_MISSING",
      message:
        "there is no module tun of the kernel that runs, 6.1.0-7: /lib/modules has those of 6.1.0-8 only. Reboot into the installed kernel, or install the modules of the one that runs.",
    },
  ]);
});

test("one that was loaded before a restart only is not unloaded, as others may have loaded it since", async () => {
  const kernel = new ScriptedKernel();
  const changes: unknown[] = [];
  kernel.module = async (_name?: string, change?: ModuleChange) => {
    if (change) changes.push(change);
    return facts({ present: true, state: "live" });
  };
  const kind = kinds.KernelModule as Kind;
  const host = new Host(kernel);
  const recorded = { name: "tun", unload: true, __found: "loadable", __bootId: await host.bootId() };
  const target = { lease: "", namespace: undefined, name: "tun", recorded };
  const { object } = await kind.sight(target, host);
  await kind.remove(target, object, host);
  expect(changes).toEqual([{ operation: "unload" }]);
  const earlier = { ...target, recorded: { ...recorded, __bootId: "another" } };
  expect((await kind.sight(earlier, host)).object).toBeUndefined();
  await kind.remove(earlier, object, host);
  expect(changes).toHaveLength(1);
});

test.each([
  [
    "a container without /lib/modules",
    { releases: [] },
    "module tun is not loaded, kernel 6.1.0-7 does not show that it is built in, and /lib/modules is missing or empty, as in a container: it is taken to be built in. Where it is not, load it on the host (`modprobe tun`), or give the container the host's /lib/modules (`-v /lib/modules:/lib/modules:ro`) and CAP_SYS_MODULE",
  ],
  [
    "a kernel without modules",
    { modular: false },
    "kernel 6.1.0-7 loads no modules and does not show whether tun is built in: it is taken to be. Check the name; if it is right and something is missing that the module would bring, run a kernel that has it",
  ],
])("%s: what cannot be known is warned of, and not refused", async (_, more, message) => {
  const kernel = new ScriptedKernel();
  kernel.module = async () => facts(more);
  const kind = kinds.KernelModule as Kind;
  const host = new Host(kernel);
  expect(await kind.hostRules?.({ name: "tun" }, new Set(), host)).toEqual([
    { property: "name", message, warning: true },
  ]);
});

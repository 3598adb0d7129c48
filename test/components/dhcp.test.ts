/** How VmBridge hands its server to `@pulumi/command`. The plugin is not here, so the engine is a mock; the commands run for real in dnsmasq.live.test.ts. */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { dnsmasqCommands } from "../../sdk/components/dnsmasq";
import { run, until } from "../harness/shell";

interface Registered {
  type: string;
  name: string;
  inputs: Record<string, unknown>;
  parent: string;
  dependencies: string[];
  deleteBeforeReplace: boolean;
  replaceOnChanges: string[];
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tt-dhcp-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/**
 * What the program registers, whether it loaded `@pulumi/command`, and what its declaration throws.
 * @param instance by the way it is given.
 */
async function register(
  args: string,
  instance: { configured?: string; environment?: string } = {},
): Promise<{ resources: Registered[]; loaded: boolean; error?: string }> {
  const output = await run(
    "env",
    `TUNTAP_INSTANCE=${instance.environment ?? ""}`,
    "node",
    "--import",
    "tsx",
    "--input-type=commonjs",
    "-e",
    `
    const pulumi = require("@pulumi/pulumi");
    const { MockMonitor } = require("@pulumi/pulumi/runtime/mocks");
    const resources = [];
    pulumi.runtime.setMocks({
      newResource: ({ type, name, inputs }) => {
        Object.assign(resources.find((each) => each.type === type && each.name === name) ?? {}, { inputs });
        return { id: name, state: { name, ...inputs, ifindex: 7 } };
      },
      call: () => ({}),
    }, "project", "stack", false);
    pulumi.runtime.setAllConfig(${JSON.stringify({ "tuntap:instance": instance.configured })});
    // What mocks are not told of.
    const { registerResource } = MockMonitor.prototype;
    MockMonitor.prototype.registerResource = function (request, callback) {
      if (request.getType() !== "pulumi:pulumi:Stack") {
        resources.push({
          type: request.getType(),
          name: request.getName(),
          parent: request.getParent(),
          dependencies: request.getDependenciesList(),
          deleteBeforeReplace: request.getDeletebeforereplace(),
          replaceOnChanges: request.getReplaceonchangesList(),
        });
      }
      return registerResource.call(this, request, callback);
    };
    const { VmBridge } = require("./sdk");
    const say = (more) => console.log(JSON.stringify({ resources, ...more }));
    try {
      const lab = new VmBridge("lab", ${args});
      const parts = [lab.bridge.urn, lab.dhcp?.urn, ...Object.values(lab.taps).map((tap) => tap.urn)];
      const loaded = Object.keys(require.cache).some((file) => file.includes("@pulumi/command"));
      pulumi.all(parts).apply(() => say({ loaded }));
    } catch ({ message }) {
      // What is registered is registered a little later.
      setTimeout(() => say({ error: message }), 100);
    }
  `,
  );
  return JSON.parse(output);
}

const common = `subnet: "10.20.0.0/24", namespace: "blue", mtu: 1400, vms: { web: { address: "10.20.0.7" } }`;
const settings = () =>
  `{ stateDirectory: ${JSON.stringify(folder)}, domain: "lab.test", upstream: ["9.9.9.9"] }`;

function commandOf(resources: Registered[]): Registered & { inputs: Record<string, string> } {
  const found = resources.find(({ type }) => type === "command:local:Command");
  if (!found) throw new Error("no command is registered");
  return found as Registered & { inputs: Record<string, string> };
}

test("without dhcp neither the package nor a resource of it is there", async () => {
  const { resources, loaded } = await register(`{ ${common} }`);
  expect(loaded).toBe(false);
  expect(resources.map(({ name }) => name)).toEqual(["lab", "lab", "lab-web"]);
});

test("with dhcp the very commands of the builder are handed over, before the taps and after the bridge", async () => {
  const { resources, loaded } = await register(`{ ${common}, dhcp: ${settings()} }`);
  expect(loaded).toBe(true);
  const command = commandOf(resources);
  const generation = /^generation='([0-9a-f]{16})'$/m.exec(command.inputs.create ?? "")?.[1] ?? "";
  const tap = resources.find(({ name }) => name === "lab-web");
  const expected = dnsmasqCommands({
    folder,
    bridge: "lab",
    namespace: "blue",
    address: "10.20.0.1",
    network: "10.20.0.0",
    netmask: "255.255.255.0",
    domain: "lab.test",
    leaseSeconds: 43200,
    mtu: 1400,
    upstream: ["9.9.9.9"],
    hosts: [{ name: "web", address: "10.20.0.7", macAddress: command.inputs.stdin?.split(",")[0] ?? "" }],
    generation,
  });
  expect(command).toMatchObject({
    name: "lab-dhcp",
    inputs: {
      ...expected,
      environment: { TUNTAP_BRIDGE_IFINDEX: "7" },
      addPreviousOutputInEnv: false,
      triggers: [folder],
    },
    deleteBeforeReplace: true,
    // Also where the recorded ones have no triggers at all.
    replaceOnChanges: expect.arrayContaining(["triggers"]),
  });
  // Without an update of its own, create runs for updates too.
  expect(command.inputs).not.toHaveProperty("update");
  expect(command.parent).toMatch(/::tuntap:components:VmBridge::lab$/);
  expect(command.dependencies).toContainEqual(expect.stringMatching(/dynamic\/tuntap:Bridge::lab$/));
  expect(tap?.dependencies).toContainEqual(expect.stringMatching(/command:local:Command::lab-dhcp$/));
});

test("true takes the defaults: a folder in /run of this bridge's own, and the component's name as the domain", async () => {
  const { resources } = await register(`{ ${common}, dhcp: true }`);
  const { create, delete: remove } = commandOf(resources).inputs;
  for (const text of [create, remove]) expect(text).toMatch(/^folder='\/run\/tuntap\/lab-[0-9a-f]{8}'$/m);
  expect(create).toMatch(/'domain=lab\.internal'/);
});

test("the default folder is the bridge's, wherever the name of the instance comes from", async () => {
  const of = async (args: string, instance = {}) => {
    const { inputs } = commandOf((await register(`{ ${common}, dhcp: true, ${args} }`, instance)).resources);
    return (inputs.triggers as unknown as string[])[0];
  };
  const folder = await of("");
  expect(folder).toMatch(/^\/run\/tuntap\/lab-[0-9a-f]{8}$/);
  expect(await of("", { environment: "mine" })).toBe(folder);
  expect(await of("", { configured: "mine" })).toBe(folder);
  expect(await of(`bridge: { name: "br7" }`)).toMatch(/^\/run\/tuntap\/br7-[0-9a-f]{8}$/);
  const others = [await of(`namespace: "red"`), await of("namespace: undefined")];
  expect(new Set([folder, ...others]).size).toBe(3);
});

test.each<[string, string, RegExp]>([
  ["leaseSeconds", "leaseSeconds: 5", /^dhcp\.leaseSeconds 5 does not suit dnsmasq; give a whole number/],
  ["domain", `domain: "Lab"`, /^dhcp\.domain "Lab" does not suit dnsmasq/],
  ["upstream", `upstream: ["dns.example"]`, /^dhcp\.upstream "dns\.example" does not suit dnsmasq/],
  ["stateDirectory", `stateDirectory: "state"`, /^dhcp\.stateDirectory "state" does not suit dnsmasq/],
])("a wrong dhcp.%s is thrown by the declaration, and nothing is registered", async (_, setting, message) => {
  const { resources, error } = await register(`{ ${common}, dhcp: { ${setting} } }`);
  expect(error).toMatch(message);
  expect(resources).toEqual([]);
});

test("so is a bridge's name that dnsmasq cannot take; without dhcp it is a name like others", async () => {
  const named = `${common}, bridge: { name: "br0,lo" }`;
  expect(await register(`{ ${named}, dhcp: true }`)).toMatchObject({
    error: expect.stringMatching(/^the bridge's name "br0,lo" does not suit dnsmasq/),
    resources: [],
  });
  expect((await register(`{ ${named} }`)).error).toBeUndefined();
});

test("bridge, taps and machines agree on the mtu, whichever input gives it", async () => {
  for (const [args, mtu] of [
    ["bridge: { mtu: 1300 }, mtu: undefined", 1300],
    ["bridge: { mtu: 1300 }", 1300],
    ["bridge: { stp: true }", 1400],
  ] as const) {
    const { resources } = await register(`{ ${common}, dhcp: true, ${args} }`);
    const parts = resources.filter(({ type }) => /:(Bridge|TunInterface)$/.test(type));
    expect(parts.map(({ inputs }) => inputs.mtu)).toEqual([mtu, mtu]);
    expect(commandOf(resources).inputs.create).toContain(`'dhcp-option=option:mtu,${mtu}'`);
  }
});

test("while the server runs nothing differs from run to run; when it died, the command is another", async () => {
  const generation = async () => {
    const { resources } = await register(`{ ${common}, dhcp: ${settings()} }`);
    return /^generation='(.*)'$/m.exec(commandOf(resources).inputs.create ?? "")?.[1];
  };
  const first = await generation();
  // As the command leaves it.
  const argument = `--conf-file=${folder}/dnsmasq.conf`;
  const child = spawn("sh", ["-c", "sleep 600; :", "dnsmasq", argument], { stdio: "ignore", detached: true });
  await until("it runs", async () => (await run("cat", `/proc/${child.pid}/cmdline`)).includes(argument));
  writeFileSync(join(folder, "pid"), `${child.pid}\n`);
  writeFileSync(join(folder, "generation"), `${first}\n`);
  expect(await generation()).toBe(first);
  expect(await generation()).toBe(first);
  const ended = new Promise((resolve) => child.once("exit", resolve));
  process.kill(-(child.pid as number));
  await ended;
  expect(await generation()).not.toBe(first);
});

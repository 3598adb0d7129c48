import { TuntapError } from "../errors";
import type { Host } from "../host/host";
import { type Module, moduleName } from "../host/modules";
import type { InputSchema, Inputs, Kind, Problem, Property, Sighting, Target } from "./kind";
import { isValueOf, splitParameter } from "./parts/module-checks";
import { live } from "./parts/verdicts";

interface Desired {
  /** `name=value`, sorted. */
  parameters: readonly string[] | undefined;
  unload: boolean;
}

interface Observed {
  module: Module;
  bootId: string;
}

const inputs = {
  name: {
    type: "string",
    format: "module-name",
    change: "replace",
    required: true,
    description:
      "Name of the module, as modprobe(8) takes it: `br_netfilter`. A dash is the same as an underscore.",
  },
  parameters: {
    type: "array",
    items: { type: "string", format: "module-parameter" },
    uniqueItems: true,
    change: "live",
    description:
      'Parameters that it is loaded with, as modprobe(8) takes them: `["udp_port=8472"]`. Those that the kernel shows are compared. One that is loaded already with others is loaded anew if `unload` allows that and nobody uses it; one that is built in has them from the boot command line only. Default: none are managed.',
  },
  unload: {
    type: "boolean",
    default: false,
    change: "control",
    description:
      "Unload it when the resource goes, if this resource loaded it since the host was started; and where only that gives it other parameters. It is refused while something uses it.",
  },
} as const satisfies Record<string, InputSchema>;

const parameters: Property<Desired, Observed, readonly string[]> = {
  name: "parameters",
  inputs: ["parameters"],
  verdict: live,
  want: (desired) => desired.parameters,
  is: ({ module }, desired) => shownParameters(module, desired.parameters ?? []),
  show: (list) => list.join(", ") || "none",
  apply: ({ observed, desired }, host) => giveParameters(observed.module, desired, host),
};

/** In the words of the program where they say the same; those that the kernel does not show are as they are wanted. */
function shownParameters({ facts }: Module, wanted: readonly string[]): string[] {
  return wanted.map((text) => {
    const [name, value] = splitParameter(text);
    const shown = facts.parameters[name];
    return shown === undefined || isValueOf(value, shown) ? text : `${name}=${shown}`;
  });
}

/** They are for the moment of loading. */
async function giveParameters(
  module: Module,
  { parameters: wanted = [], unload }: Desired,
  host: Host,
): Promise<void> {
  if (module.state === "built-in") throw bootParameters(module, wanted);
  if (!unload) {
    throw new TuntapError("MODULE_REFUSED", {
      message: `module ${module.name} is loaded with ${differing(module, wanted).join(", ")}, and gets other parameters only when it is loaded anew`,
      property: "parameters",
      remedy: `Unload it by hand (modprobe -r ${module.name}), or allow that with \`unload: true\`.`,
    });
  }
  await host.modules.unload(module.name);
  await host.modules.load(module.name, wanted);
}

function differing(module: Module, wanted: readonly string[]): string[] {
  return shownParameters(module, wanted).filter((text) => !wanted.includes(text));
}

function bootParameters(module: Module, wanted: readonly string[]): TuntapError {
  const words = wanted.map((text) => `${module.name}.${text}`);
  return new TuntapError("MODULE_REFUSED", {
    message: `module ${module.name} is built into the kernel, with ${differing(module, wanted).join(", ")}`,
    property: "parameters",
    remedy: `Give them on the kernel's boot command line (${words.join(" ")}) and reboot, or do not declare them.`,
  });
}

function missing({ name, state, facts }: Module): TuntapError {
  const { release, releases } = facts;
  if (state === "other-kernel") {
    return new TuntapError("MODULE_MISSING", {
      message: `there is no module ${name} of the kernel that runs, ${release}: /lib/modules has those of ${releases.join(", ")} only`,
      property: "name",
      remedy: "Reboot into the installed kernel, or install the modules of the one that runs.",
    });
  }
  return new TuntapError("MODULE_MISSING", {
    message: `there is no module ${name} of kernel ${release}`,
    property: "name",
  });
}

/** Where neither can be proved, that it is there or that it is not, nothing is refused. */
function unproven({ name, facts: { release, modular } }: Module): Problem {
  const message = modular
    ? `module ${name} is not loaded, kernel ${release} does not show that it is built in, and /lib/modules is missing or empty, as in a container: it is taken to be built in. Where it is not, load it on the host (\`modprobe ${name}\`), or give the container the host's /lib/modules (\`-v /lib/modules:/lib/modules:ro\`) and CAP_SYS_MODULE`
    : `kernel ${release} loads no modules and does not show whether ${name} is built in: it is taken to be. Check the name; if it is right and something is missing that the module would bring, run a kernel that has it`;
  return { property: "name", message, warning: true };
}

/** Or there is no way to tell. */
const isThere = ({ state }: Module) => ["built-in", "loaded", "unknown"].includes(state);

/** What was found before this resource did anything since the host was started. */
function foundState({ recorded, made }: Target, bootId: string): unknown {
  const kept = recorded?.__bootId === bootId ? recorded.__found : undefined;
  return made?.__found ?? kept;
}

/** It is this resource's from the first run on: before, and again after a restart, it is the host's. */
async function sight(target: Target, host: Host): Promise<Sighting<Observed>> {
  const bootId = await host.bootId();
  if (foundState(target, bootId) === undefined) return {};
  const module = await host.modules.find(target.name);
  return isThere(module) ? { object: { module, bootId } } : {};
}

async function hostRules(
  { name, parameters: wanted }: Inputs,
  _unknown: unknown,
  host: Host,
): Promise<Problem[]> {
  if (typeof name !== "string") return [];
  const module = await host.modules.find(name);
  if (module.state === "unknown") return [unproven(module)];
  const list = (wanted ?? []) as string[];
  const refusal =
    module.state === "absent" || module.state === "other-kernel"
      ? missing(module)
      : module.state === "built-in" && differing(module, list).length > 0
        ? bootParameters(module, list)
        : undefined;
  if (refusal === undefined) return hiddenParameters(module, list);
  const { code, facts, remedy } = refusal;
  return [{ property: facts.property ?? "name", code, message: `${facts.message}. ${remedy}` }];
}

function hiddenParameters(module: Module, wanted: readonly string[]): Problem[] {
  if (!isThere(module)) return [];
  const hidden = wanted
    .map((text) => splitParameter(text)[0])
    .filter((name) => !(name in module.facts.parameters));
  if (hidden.length === 0) return [];
  const message = `the kernel shows no value of ${hidden.join(", ")} of module ${module.name}, so it is not compared; check the name (modinfo -p ${module.name})`;
  return [{ property: "parameters", message, warning: true }];
}

export const kernelModule: Kind<Desired, Observed> = {
  name: "KernelModule",
  description:
    "A module of the kernel: loaded by modprobe where it is not there, left alone where it is loaded or built in. It stays when the resource goes, unless `unload` says otherwise. A module that is of another kernel than the one that runs, as after an upgrade without a reboot, is told from one that does not exist. What is built in is told by /sys/module, modules.builtin, and the names and the configuration that the kernel shows of itself; where none of them says so and none can be loaded (a kernel without modules, a container without /lib/modules), that is warned of, and it is taken to be built in.",
  example: `const filter = new tuntap.KernelModule("filter", { name: "br_netfilter" });

export const state = filter.state;`,
  inputs,
  outputs: {
    state: {
      type: "string",
      description:
        'How it is there: `"built-in"`, `"loaded"`, or `"unknown"` where the kernel does not show whether it is.',
    },
  },
  naming: {
    of: (values, unknown) =>
      unknown?.has("name") || values.name === undefined ? undefined : moduleName(String(values.name)),
    property: "name",
    form: "`NAME`, with underscores: `br_netfilter`.",
    space: () => "module",
  },
  unleased: true,
  permanent: true,
  inherited: true,
  inside: () => undefined,
  hostRules,
  async desire({ parameters: list, unload }: Inputs) {
    return {
      parameters: list === undefined ? undefined : [...(list as string[])].sort(),
      unload: unload === true,
    };
  },
  sight,
  describe: ({ module: { name, state } }) => `module ${name} (${state})`,
  properties: [parameters as Property<Desired, Observed, never>],
  async create(target, desired, host) {
    const module = await host.modules.find(target.name);
    if (isThere(module)) return { __found: module.state };
    if (module.state !== "loadable") throw missing(module);
    await host.modules.load(module.name, desired.parameters ?? []);
    return { __found: module.state };
  },
  async takeOver() {},
  async inUse() {
    return undefined;
  },
  async whereabouts() {
    return { namespace: undefined, processes: [] };
  },
  async explainLoss() {
    return "it was unloaded";
  },
  codes: { inUse: "MODULE_REFUSED", foreign: "MODULE_REFUSED" },
  otherHands:
    "Look for what else loads and unloads modules (udev, a script) and for options in /etc/modprobe.d.",
  onBusy: () => ({ mode: "fail", seconds: 0 }),
  async remove(target, { module, bootId }, host) {
    const loadedHere = foundState(target, bootId) === "loadable";
    if (target.recorded?.unload === true && loadedHere && module.state === "loaded")
      await host.modules.unload(module.name);
  },
  present: ({ module }, desired, declared) => {
    const shown = desired.parameters && shownParameters(module, desired.parameters);
    const same = shown?.every((text, index) => text === desired.parameters?.[index]);
    return {
      name: declared.name ?? module.name,
      parameters: same ? declared.parameters : shown,
      state: module.state,
    };
  },
  remember: ({ bootId }, target) => ({ __bootId: bootId, __found: foundState(target, bootId) }),
};

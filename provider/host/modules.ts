import { TuntapError } from "../errors";
import type { Kernel, ModuleChange, ModuleFacts } from "../kernel/kernel";
import { isConfigured } from "./module-config";

/**
 * `other-kernel`: there are modules, but none of the kernel that runs, as after an upgrade without a reboot.
 * `unknown`: it is not loaded, and none can be loaded here: the kernel has none, or no folder of modules is there. It
 * may be built in all the same, as not every kernel shows of everything that it is.
 */
export type ModuleState = "built-in" | "loaded" | "loadable" | "absent" | "other-kernel" | "unknown";

export interface Module {
  /** As the kernel has it, with underscores. */
  name: string;
  state: ModuleState;
  facts: ModuleFacts;
}

/** Modules of the kernel. */
export class Modules {
  /** @param uid of this process: root is refused for other reasons than others. */
  constructor(
    private readonly kernel: Kernel,
    private readonly uid: number,
  ) {}

  async find(name: string): Promise<Module> {
    return moduleOf(name, await this.kernel.module(name));
  }

  /** Errors: KMOD_MISSING, MODULE_REFUSED, PERMISSION_DENIED. @param parameters `name=value` */
  load(name: string, parameters: readonly string[]): Promise<Module> {
    return this.change(name, { operation: "load", parameters }, "loaded");
  }

  /** Errors: as `load`. */
  unload(name: string): Promise<Module> {
    return this.change(name, { operation: "unload" }, "unloaded");
  }

  private async change(name: string, change: ModuleChange, what: string): Promise<Module> {
    const facts = await this.kernel.module(name, change);
    const { status = 0, errors = "" } = facts.change ?? {};
    if (status === 0) return moduleOf(name, facts);
    const said = errors.trim().split("\n").slice(0, 3).join(" ") || `it ended with ${status}`;
    throw new TuntapError(this.uid === 0 ? "MODULE_REFUSED" : "PERMISSION_DENIED", {
      message: `module ${name} was not ${what}; modprobe says: ${said}`,
      operation: "modprobe",
      property: "name",
    });
  }
}

/** One name for one module: the kernel takes dashes for underscores. */
export function moduleName(text: string): string {
  return text.replaceAll("-", "_");
}

function moduleOf(name: string, facts: ModuleFacts): Module {
  return { name: moduleName(name), state: moduleState(moduleName(name), facts), facts };
}

/** @param name with underscores. */
export function moduleState(name: string, facts: ModuleFacts): ModuleState {
  const { modular, present, state, builtIn, available, initialised, config, release, releases } = facts;
  if (state !== undefined) return "loaded";
  if (present || builtIn || initialised) return "built-in";
  if (config !== undefined && isConfigured(config, name)) return "built-in";
  if (!modular) return "unknown";
  if (available) return "loadable";
  if (releases.length === 0) return "unknown";
  return releases.includes(release) ? "absent" : "other-kernel";
}

/** What the state of a stack says, as the engine exports it: without a lock, and while another run goes on. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { kinds } from "../provider/kinds";
import { recordedOf } from "../provider/record";
import type { Outputs } from "../provider/request";
import { complain } from "./complaint";
import type { Engine } from "./engine/installed";
import { runProcess } from "./engine/process";
import { Failure, messageOf } from "./failure";
import { shortName } from "./options";
import type { Project } from "./project";
import { ours } from "./render/table";
import { isSecret, nameOf, typeOf } from "./render/value";
import type { State } from "./state";
import { parseYaml } from "./yaml";

/** The engine's exit code for a stack that does not exist; engines before 3.220 have only the words. */
const noSuchStack = 6;

export interface Deployment {
  resources: {
    urn: string;
    outputs: Outputs;
    /** Names of outputs that are secret. */
    secrets: string[];
  }[];
  /** Resources whose making was begun, and whose end is not recorded. */
  creating: { urn: string; instance: string | undefined }[];
}

interface Exported {
  deployment?: {
    resources?: Resource[];
    pending_operations?: { type: string; resource: Resource }[];
  };
}

interface Resource {
  urn: string;
  inputs?: Record<string, unknown>;
  outputs?: Record<string, unknown>;
}

/** Our resources in the state of a stack; undefined where there is no such stack. */
export async function readDeployment(
  project: Project,
  state: State,
  engine: Engine,
  stack: string,
): Promise<Deployment | undefined> {
  const args = ["stack", "export", "--show-secrets", "--non-interactive", "--stack", stack];
  const finished = await runProcess(engine.path, args, {
    cwd: project.root,
    env: { ...process.env, ...state.env },
  });
  if (finished.code === 0) return parse(finished.stdout);
  if (finished.code === noSuchStack || /no stack named/.test(finished.stderr)) return undefined;
  const committed = join(project.settingsFolder, `Pulumi.${shortName(stack)}.yaml`);
  throw complain({ settings: { committed, secrets: false, folder: "" }, state }, { commandResult: finished });
}

function parse(text: string): Deployment {
  const { deployment } = JSON.parse(text) as Exported;
  const known = (deployment?.resources ?? []).filter(({ urn }) => ours.test(typeOf(urn)));
  const urns = new Set(known.map(({ urn }) => urn));
  const creating = (deployment?.pending_operations ?? [])
    .filter(({ type, resource }) => type === "creating" && ours.test(typeOf(resource.urn)))
    .filter(({ resource }) => !urns.has(resource.urn));
  return {
    resources: known.map(({ urn, outputs = {} }) => ({
      urn,
      outputs: outputsOf(urn, outputs),
      secrets: Object.keys(outputs).filter((name) => holdsSecret(outputs[name])),
    })),
    creating: creating.map(({ resource }) => ({
      urn: resource.urn,
      instance: outputsOf(resource.urn, resource.inputs ?? {}).__tuntap?.instance,
    })),
  };
}

function outputsOf(urn: string, recorded: object): Outputs {
  return recordedOf(kinds[nameOf(urn).kind], reveal(recorded) as Record<string, unknown>);
}

/** Secrets as what they stand for: values are compared with the kernel's, and masked where they are shown. */
function reveal(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reveal);
  if (!value || typeof value !== "object") return value;
  if (isSecret(value)) return JSON.parse(String((value as { plaintext?: string }).plaintext ?? "null"));
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, reveal(inner)]));
}

function holdsSecret(value: unknown): boolean {
  if (!value || typeof value !== "object") return false;
  return isSecret(value) || Object.values(value).some(holdsSecret);
}

/** `tuntap:instance` of the stack's configuration, which stands before the instance of this folder. */
export function configuredInstance(project: Project, stack: string): string | undefined {
  const file = join(project.settingsFolder, `Pulumi.${shortName(stack)}.yaml`);
  if (!existsSync(file)) return undefined;
  let content: unknown;
  try {
    content = parseYaml(readFileSync(file, "utf8"), file);
  } catch (error) {
    throw new Failure(`${file} cannot be read: ${messageOf(error)}`);
  }
  const value = (content as { config?: Record<string, unknown> } | null)?.config?.["tuntap:instance"];
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}

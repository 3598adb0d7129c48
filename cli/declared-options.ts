/**
 * The options of the resources that a program declares. The engine records them, but tells nobody that they changed, so
 * where nothing else does, this says whether the run must go on. Their hash is kept beside the state.
 */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type * as Pulumi from "@pulumi/pulumi";
import { makeFolder } from "./ownership";

/** Those that stand in the state, or say what is done with what stands there. */
const noted = [
  "aliases",
  "additionalSecretOutputs",
  "customTimeouts",
  "deletedWith",
  "dependsOn",
  "protect",
  "replaceWith",
  "replacementTrigger",
  "retainOnDelete",
] as const;

export class DeclaredOptions {
  private declared: string[] = [];
  private readonly file: string;

  /** @param home `.tuntap` of the project. @param stack without its organisation. */
  constructor(home: string, stack: string) {
    this.file = join(home, "options", stack);
  }

  /** Watches the run of a program that is about to begin. */
  watch(pulumi: typeof Pulumi): void {
    this.declared = [];
    pulumi.runtime.registerStackTransformation(({ type, name, opts }) => {
      const values = noted.map((option) => plain((opts as Record<string, unknown>)[option]));
      this.declared.push(JSON.stringify([type, name, ...values]));
      return undefined;
    });
  }

  /** Whether the last run that was carried out had the same. */
  areRecorded(): boolean {
    try {
      return readFileSync(this.file, "utf8") === this.hash();
    } catch {
      return false;
    }
  }

  record(): void {
    makeFolder(dirname(this.file), 0o700);
    writeFileSync(this.file, this.hash(), { mode: 0o600 });
  }

  private hash(): string {
    return createHash("sha256").update(this.declared.sort().join("\n")).digest("hex");
  }
}

/** Resources by their names; what is known later only, as that. */
function plain(value: unknown): unknown {
  if (value === null || typeof value !== "object") return typeof value === "function" ? "function" : value;
  if (Array.isArray(value)) return value.map(plain);
  const { __pulumiType, __name, __pulumiOutput, then } = value as Record<string, unknown>;
  if (__pulumiType !== undefined) return [__pulumiType, __name];
  if (__pulumiOutput || typeof then === "function") return "later";
  return Object.entries(value).map(([key, inner]) => [key, plain(inner)]);
}

import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { makeFolder } from "./ownership";

/**
 * Makes a folder to work in beside the final one, which it is renamed to at the end: so what is there is whole, also
 * when two work at once. What processes that were killed left beside it is removed.
 * @param parent made where it is missing.
 * @param version the name of the final folder; digits and dots.
 */
export function makeWorkFolder(parent: string, version: string): string {
  makeFolder(parent);
  for (const name of readdirSync(parent)) {
    const pid = /^\.[\d.]+-(\d+)-/.exec(name)?.[1];
    if (pid && !existsSync(`/proc/${pid}`)) rmSync(join(parent, name), { recursive: true, force: true });
  }
  return mkdtempSync(join(parent, `.${version}-${process.pid}-`));
}

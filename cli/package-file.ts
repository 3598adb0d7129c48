import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A JSON file at the root of this package, whether this runs from the sources or from `dist/`. */
export function readPackageFile(name: string): unknown {
  for (const root of ["..", "../.."]) {
    try {
      return JSON.parse(readFileSync(join(__dirname, root, name), "utf8"));
    } catch {
      // It is in the other place.
    }
  }
  return undefined;
}

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { kinds } from "../../provider/kinds";
import { shapes } from "../../sdk/components/shapes";
import { errorsPage } from "./errors-page";
import { type PackageFacts, packageSchema } from "./package-schema";
import { referencePage } from "./reference";
import { sdkClass, sdkIndex } from "./sdk";
import { fileName } from "./shape";
import { shapeModule, validatorIndex, validatorModule } from "./validators";

export const root = join(__dirname, "..", "..");

/** Folders in which every file is generated, so that any other file there is a left-over. */
export const generatedFolders = [
  "sdk/resources",
  "docs/reference",
  "provider/validators",
  "sdk/components/validators",
];

/** Everything that is generated: path from the repository's root, and text. */
export function artefacts(): Map<string, string> {
  const all = Object.values(kinds);
  const facts = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as PackageFacts;
  const files = new Map<string, string>();
  for (const kind of all) {
    files.set(`sdk/resources/${fileName(kind)}.ts`, sdkClass(kind));
    files.set(`provider/validators/${fileName(kind)}.ts`, validatorModule(kind));
    files.set(`docs/reference/${fileName(kind)}.md`, referencePage(kind));
  }
  for (const [name, shape] of Object.entries(shapes))
    files.set(`sdk/components/validators/${fileName({ name })}.ts`, shapeModule(name, shape));
  files.set("sdk/resources/index.ts", sdkIndex(all));
  files.set("provider/validators/index.ts", validatorIndex(all));
  files.set("schema.json", packageSchema(all, facts));
  files.set("docs/errors.md", errorsPage());
  return files;
}

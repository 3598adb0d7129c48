/** `npm run generate`: writes what follows from provider/kinds, provider/errors.ts and sdk/components/shapes.ts. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { artefacts, generatedFolders, root } from "./artefacts";

const files = artefacts();
for (const [path, text] of files) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}
for (const folder of generatedFolders) {
  for (const name of readdirSync(join(root, folder))) {
    if (!files.has(`${folder}/${name}`)) rmSync(join(root, folder, name));
  }
}

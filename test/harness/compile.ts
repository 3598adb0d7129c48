import { join } from "node:path";
import ts from "typescript";

const root = join(__dirname, "..", "..");

/** Type errors of programs that exist only in memory, beside the SDK, with the project's own settings; by name. */
export function typeErrors(programs: Readonly<Record<string, string>>): Record<string, string[]> {
  const paths = new Map(Object.keys(programs).map((name) => [join(root, "sdk", `${name}.ts`), name]));
  const settings = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile).config;
  const { options } = ts.parseJsonConfigFileContent({ ...settings, include: [], files: [] }, ts.sys, root);
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists } = host;
  const text = (path: string) => programs[paths.get(path) ?? ""];
  host.fileExists = (path) => text(path) !== undefined || fileExists(path);
  host.readFile = (path) => text(path) ?? readFile(path);
  const program = ts.createProgram([...paths.keys()], { ...options, noEmit: true }, host);
  return Object.fromEntries(
    [...paths].map(([path, name]) => [
      name,
      ts
        .getPreEmitDiagnostics(program, program.getSourceFile(path))
        .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n")),
    ]),
  );
}

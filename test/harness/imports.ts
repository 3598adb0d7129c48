import { posix } from "node:path";
import ts from "typescript";

/** Sources by their path from the repository's root. */
export type Sources = ReadonlyMap<string, string>;

/** What the package's own names stand for (`exports` of package.json). */
const ownNames: Readonly<Record<string, string>> = {
  "pulumi-tuntap": "sdk/index.ts",
  "pulumi-tuntap/provider": "provider/dynamic.ts",
};

/** Every file of the tree that a file imports, by whatever syntax, types included. */
export function importGraph(sources: Sources): Map<string, string[]> {
  return new Map(
    [...sources].map(([path, text]) => [
      path,
      specifiers(parse(path, text)).flatMap((specifier) => resolve(path, specifier, sources) ?? []),
    ]),
  );
}

export function parse(path: string, text: string): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
}

/** Calls `visit` for every node of a file. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** The texts after `from`, and in `import()`, `import x = require()`, `require()` and `import("…").Type`. */
export function specifiers(file: ts.SourceFile): string[] {
  const found: string[] = [];
  const take = (node: ts.Node | undefined): void => {
    if (node && ts.isStringLiteralLike(node)) found.push(node.text);
  };
  walk(file, (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) take(node.moduleSpecifier);
    else if (ts.isExternalModuleReference(node)) take(node.expression);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) take(node.argument.literal);
    else if (ts.isCallExpression(node) && isLoader(node.expression)) take(node.arguments[0]);
  });
  return found;
}

function isLoader(callee: ts.Expression): boolean {
  return (
    callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === "require")
  );
}

/** undefined for what is not of this tree: Node's own modules and dependencies. */
function resolve(from: string, specifier: string, sources: Sources): string | undefined {
  const own = ownNames[specifier];
  if (own !== undefined) return own;
  if (!specifier.startsWith(".")) return undefined;
  const target = posix.join(posix.dirname(from), specifier);
  const candidates = [target, `${target}.ts`, target.replace(/\.js$/, ".ts"), `${target}/index.ts`];
  // A file that is not there is still an import: whoever moves a file must see it here.
  return candidates.find((candidate) => sources.has(candidate)) ?? target;
}

/** Circles of imports, each once, as the files along it. */
export function circles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const follow = (file: string): void => {
    const position = path.indexOf(file);
    if (position >= 0) {
      found.push([...path.slice(position), file]);
      return;
    }
    if (done.has(file)) return;
    path.push(file);
    for (const next of graph.get(file) ?? []) follow(next);
    path.pop();
    done.add(file);
  };
  for (const file of graph.keys()) follow(file);
  return found;
}

import ts from "typescript";
import { circles, importGraph, parse, type Sources, specifiers, walk } from "./imports";

/** A room is a folder, or files that belong together. */
interface Room {
  name: string;
  holds(path: string): boolean;
}

const folder = (name: string): Room => ({ name, holds: (path) => path.startsWith(`${name}/`) });
const files = (...paths: string[]): Room => ({
  name: paths.join(" and "),
  holds: (path) => paths.some((each) => path === `${each}.ts`),
});

/** From the top; a room imports only from rooms of lower floors. */
const floors: readonly (readonly Room[])[] = [
  [folder("cli"), folder("plugin")],
  [folder("sdk")],
  [files("provider/dynamic", "provider/defaults", "provider/engine", "provider/record")],
  [
    files(
      "provider/reconcile",
      "provider/check",
      "provider/plan",
      "provider/adoption",
      "provider/converge",
      "provider/writing",
      "provider/busy",
      "provider/inspect",
      "provider/differences",
      "provider/request",
      "provider/secrets",
      "provider/members",
      "provider/sets",
    ),
  ],
  [files("provider/validate"), files("provider/claims", "provider/leaseholders"), folder("provider/lint")],
  [folder("provider/validators")],
  [files("provider/formats"), files("provider/wording")],
  [folder("provider/kinds")],
  [folder("provider/host")],
  [folder("provider/netlink"), folder("provider/kernel")],
  [files("provider/errors"), files("provider/compact")],
  [files("provider/remember"), files("provider/tiering"), files("provider/printable")],
];

const longestFile = 500;
/** Generated: a class is as long as its kind has properties. */
const generated = "sdk/resources/";
/** The only file that may load native code. */
const nativeDoor = "provider/kernel/load.ts";

/** Everything in a tree that is against the rules of the house, one sentence each. */
export function violations(sources: Sources): string[] {
  const modules = new Map([...sources].filter(([path]) => path.endsWith(".ts")));
  const graph = importGraph(modules);
  return [
    ...[...graph].flatMap(([path, targets]) => targets.flatMap((target) => climbs(path, target))),
    ...circles(graph).map((circle) => `circle of imports: ${circle.join(" → ")}`),
    ...[...modules].flatMap(([path, text]) => [...loadsNative(path, text), ...prints(path, text)]),
    ...[...sources].flatMap(([path, text]) => tooLong(path, text)),
  ];
}

function climbs(path: string, target: string): string[] {
  const from = placeOf(path);
  const to = placeOf(target);
  if (!from) return [`${path} is in no room`];
  if (!to) return [`${path} imports ${target}, which is in no room`];
  if (from.room === to.room || from.floor < to.floor) return [];
  return [`${path} (${from.room.name}) imports ${target} (${to.room.name}), which is not below it`];
}

function placeOf(path: string): { room: Room; floor: number } | undefined {
  for (const [floor, rooms] of floors.entries()) {
    const room = rooms.find((candidate) => candidate.holds(path));
    if (room) return { room, floor };
  }
  return undefined;
}

function loadsNative(path: string, text: string): string[] {
  if (path === nativeDoor) return [];
  const file = parse(path, text);
  const found = specifiers(file).filter((specifier) => /(^|\/)(native|prebuilds)\//.test(specifier));
  walk(file, (node) => {
    if (ts.isStringLiteralLike(node) && node.text.endsWith(".node")) found.push(node.text);
    if (ts.isPropertyAccessExpression(node) && node.name.text === "dlopen") found.push(node.getText(file));
    // Programs of users are loaded by the command line; the provider loads nothing but the addon.
    if (path.startsWith("provider/") && ts.isIdentifier(node) && node.text === "createRequire")
      found.push(node.text);
  });
  return [...new Set(found)].map(
    (what) => `${path} may not load native code (${what}); only ${nativeDoor} does`,
  );
}

/** The core and the faces tell the engine, they do not print. */
function prints(path: string, text: string): string[] {
  if (!path.startsWith("provider/")) return [];
  const found: string[] = [];
  const file = parse(path, text);
  walk(file, (node) => {
    if (!ts.isPropertyAccessExpression(node)) return;
    const what = node.getText(file);
    if (/^console\.|^process\.(stdout|stderr)$/.test(what)) found.push(`${path} prints (${what})`);
  });
  return found;
}

function tooLong(path: string, text: string): string[] {
  if (path.startsWith(generated)) return [];
  const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  return lines > longestFile ? [`${path} has ${lines} lines; ${longestFile} is the limit`] : [];
}

/** Processes that hold an interface, in few words and as data. */
import type { NamedProcess } from "../../provider/host/survey";

/** A command line may be as long as a page. */
const longestCommand = 40;

/** `4711 qemu-system-x86_64 -m 512 … (alice)`, one in a line. */
export function holderLines(holders: readonly NamedProcess[]): string {
  return holders
    .map(({ pid, command, uid, user }) => `${pid} ${shorten(command)} (${user ?? `uid ${uid}`})`)
    .join("\n");
}

export function holderObjects(holders: readonly NamedProcess[]): object[] {
  return holders.map(({ pid, command, uid, user }) => ({ pid, command, uid, user: user ?? null }));
}

/** Without the program's folder, which would be all that is left of some. */
function shorten(command: string): string {
  const letters = [...command.replace(/^\S*\//, "")];
  return letters.length <= longestCommand
    ? letters.join("")
    : `${letters.slice(0, longestCommand - 1).join("")}…`;
}

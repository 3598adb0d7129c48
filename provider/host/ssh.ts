import { readFileSync } from "node:fs";
import { canonicalAddress } from "./addresses";

/** Enough for a shell in a shell in a sudo; a circle cannot be, but a long chain costs. */
const mostAncestors = 64;

/** The addresses of the two ends of an ssh connection; canonical, without zones. */
export interface SshConnection {
  client: string;
  /** This host's. */
  server: string;
}

/**
 * The ssh connections by which this process was started: SSH_CONNECTION, of this process and of
 * those that started it, as sudo and su drop it. Not found are connections to a terminal multiplexer that was started
 * before them, and those of processes whose environment may not be read.
 */
export function sshConnections(): SshConnection[] {
  const found = new Map<string, SshConnection>();
  let environment = process.env.SSH_CONNECTION;
  let pid = process.pid;
  for (let steps = 0; steps < mostAncestors; steps++) {
    const connection = readConnection(environment);
    if (connection !== undefined) found.set(`${connection.client} ${connection.server}`, connection);
    const parent = parentOf(pid);
    if (parent === undefined || parent < 1) break;
    pid = parent;
    environment = connectionOf(pid);
  }
  return [...found.values()];
}

/** Of `CLIENT PORT SERVER PORT` (ssh(1)). */
function readConnection(text: string | undefined): SshConnection | undefined {
  const [client, , server] = (text ?? "")
    .split(" ")
    .map((word) => canonicalAddress(word.split("%")[0] ?? ""));
  return client === undefined || server === undefined ? undefined : { client, server };
}

function connectionOf(pid: number): string | undefined {
  const name = "SSH_CONNECTION=";
  const variables = read(`/proc/${pid}/environ`)?.split("\0") ?? [];
  return variables.find((variable) => variable.startsWith(name))?.slice(name.length);
}

/** The parent's pid: the second field behind the command, which is in brackets and may hold anything (proc(5)). */
function parentOf(pid: number): number | undefined {
  const text = read(`/proc/${pid}/stat`);
  return text === undefined ? undefined : Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[1]);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}

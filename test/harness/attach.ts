import type { ChildProcess } from "node:child_process";
import type { Lab } from "./lab";

/** Flags of linux/if_tun.h by the names of our inputs; without `packetInformation` it is IFF_NO_PI. */
const flagBits = { packetInformation: 0, vnetHeader: 0x4000, multiQueue: 0x0100, oneQueue: 0x2000 } as const;

export interface Attached {
  process: ChildProcess;
  pid: number;
  end(): Promise<void>;
}

type Flag = keyof typeof flagBits;

interface How {
  mode?: "tun" | "tap";
  /** It gives its privilege up after opening the node, before it attaches. */
  uid?: number;
  /** It keeps its queue without using it. */
  detach?: boolean;
  /** It sets or clears the persist flag. */
  persist?: boolean;
}

/**
 * A real process that attaches to an interface of the lab and keeps it, as a consumer with these flags would.
 * @throws with what the kernel said, where it is refused.
 */
export async function attached(
  lab: Lab,
  name: string,
  { flags = [], ...how }: How & { flags?: Flag[] } = {},
): Promise<Attached> {
  const child = await lab.start("end", "python3", "-c", attachScript(name, flags, how));
  if (!child.printed.startsWith("attached")) throw new Error(child.printed);
  return { process: child, pid: child.pid as number, end: () => lab.release(child) };
}

/** What such a process does, in Python: prints `attached … end` or `refused … end`. */
export function attachScript(
  name: string,
  flags: Flag[],
  { mode = "tap", uid, detach, persist }: How = {},
): string {
  const bits = flags.reduce((sum, flag) => sum | flagBits[flag], mode === "tun" ? 1 : 2);
  const all = bits | (flags.includes("packetInformation") ? 0 : 0x1000);
  return [
    "import fcntl, os, struct, sys, time",
    "fd = os.open('/dev/net/tun', os.O_RDWR)",
    ...(uid === undefined ? [] : [`os.setuid(${uid})`]),
    "try:",
    `  fcntl.ioctl(fd, 0x400454ca, struct.pack('16sH22s', b'${name}', ${all}, b''))`,
    ...(detach ? ["  fcntl.ioctl(fd, 0x400454d9, struct.pack('16sH22s', b'', 0x0400, b''))"] : []),
    ...(persist === undefined ? [] : [`  fcntl.ioctl(fd, 0x400454cb, ${persist ? 1 : 0})`]),
    "except OSError as error:",
    "  print('refused:', error.strerror, 'end', flush=True)",
    "  sys.exit(1)",
    "print('attached end', flush=True)",
    "time.sleep(600)",
  ].join("\n");
}

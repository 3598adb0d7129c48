import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Lab } from "./lab";
import { until } from "./shell";

/** Who runs the clients unless a test says otherwise: the owner that the programs declare. */
export const clientOwner = "nobody";

/** IFF_TUN, IFF_TAP and IFF_NO_PI of linux/if_tun.h. */
const modeFlags = { tun: 0x1001, tap: 0x1002 };

/**
 * A real program in a lab that attaches to an interface as its users would have it: as somebody who is not root and has
 * no capability. The device node that it finds is one of its own, world-accessible as udev makes it, in a mount
 * namespace of its own; the host's stays as it is.
 */
export class Client {
  /** Everything it printed, on either stream. */
  printed = "";
  private readonly child: ChildProcess;
  private readonly exit: Promise<number | string>;

  constructor(
    private readonly lab: Lab,
    command: readonly string[],
    user = clientOwner,
  ) {
    const prepare = 'mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 && exec setpriv "$@"';
    const privileges = `--reuid ${user} --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all`;
    // Each of these becomes the next, so in the end the child is the client itself.
    const chain = ["netns", "exec", lab.name, "unshare", "--mount", "sh", "-c", prepare, "sh"];
    this.child = spawn("ip", [...chain, ...privileges.split(" "), ...command], {
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    });
    lab.keep(this.child);
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on("data", (data) => {
        this.printed += data;
      });
    }
    // Whoever ends does not read what is still on its way to it.
    this.child.stdin?.on("error", () => {});
    this.exit = new Promise((resolve) =>
      this.child.once("close", (code, signal) => resolve(code ?? signal ?? "unknown")),
    );
  }

  /** socat, which opens the device node itself and attaches by the plain ioctl: its `TUN:` address needs privilege. */
  static socat(
    lab: Lab,
    name: string,
    mode: keyof typeof modeFlags,
    other: string,
    ...options: string[]
  ): Client {
    const request = Buffer.alloc(40);
    request.write(name);
    request.writeUInt16LE(modeFlags[mode], 16);
    const device = `OPEN:/dev/net/tun,rdwr,ioctl-bin=0x400454ca:x${request.toString("hex")}`;
    return new Client(lab, ["socat", ...options, device, other]);
  }

  /** Waits until it has printed `sign`. */
  async says(sign: string | RegExp, milliseconds?: number): Promise<void> {
    const found = () => (typeof sign === "string" ? this.printed.includes(sign) : sign.test(this.printed));
    await this.orEnds(`"${sign}" is printed`, found, milliseconds);
  }

  /** Waits until an interface has a carrier, which it has from its client alone. */
  async attached(name: string): Promise<void> {
    const hasCarrier = async () => (await this.lab.mustHave(name)).flags.includes("LOWER_UP");
    await this.orEnds(`${name} has a carrier`, hasCarrier);
  }

  /** Types a line. */
  type(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }

  /** Its user and its capabilities, as the kernel has them. */
  credentials(): { uids: string[]; capabilities: string } {
    const status = readFileSync(`/proc/${this.child.pid}/status`, "utf8");
    const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "";
    return { uids: [...new Set(field("Uid").split(/\s+/))], capabilities: field("CapEff") };
  }

  /** The exit code, or the signal that ended it, once it has ended. */
  ended(): Promise<number | string> {
    return this.exit;
  }

  /** Ends it, with what it started: it leads a process group of its own. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.running) process.kill(-(this.child.pid as number), signal);
    await this.exit;
  }

  private get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  private async orEnds(
    what: string,
    ask: () => Promise<boolean> | boolean,
    milliseconds?: number,
  ): Promise<void> {
    try {
      await until(
        what,
        async () => {
          if (await ask()) return true;
          if (!this.running) throw new Error("it ended before that");
          return false;
        },
        milliseconds,
      );
    } catch (error) {
      throw new Error(`${what}: ${(error as Error).message}; the client said:\n${this.printed}`);
    }
  }
}

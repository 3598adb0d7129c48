import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { attempt, run, until } from "./shell";

/** A link as `ip -j -d link show` prints it. */
export interface WitnessedLink {
  ifindex: number;
  ifname: string;
  flags: string[];
  mtu: number;
  address?: string;
  altnames?: string[];
  master?: string;
  operstate: string;
  promiscuity: number;
  group: string;
  txqlen?: number;
  ifalias?: string;
  linkinfo?: {
    info_kind: string;
    info_data?: {
      type: string;
      pi: boolean;
      vnet_hdr: boolean;
      multi_queue: boolean;
      numqueues?: number;
      numdisabled?: number;
      persist: boolean;
      user?: string;
      group?: string;
    };
    info_slave_kind?: string;
    /** Of a bridge's port. */
    info_slave_data?: Record<string, unknown>;
  };
}

/**
 * A network namespace of a test's own, with an outside witness: what is read here comes from `ip`, never from
 * the code under test.
 */
export class Lab {
  private readonly children: ChildProcess[] = [];

  private constructor(readonly name: string) {}

  /** @param made false if the namespace is made by what is tested. */
  static async open(made = true): Promise<Lab> {
    const lab = new Lab(`tt-${randomBytes(4).toString("hex")}`);
    return made ? lab.make() : lab;
  }

  /** Makes a namespace of that name. */
  static make(name: string): Promise<Lab> {
    return new Lab(name).make();
  }

  private async make(): Promise<Lab> {
    await run("ip", "netns", "add", this.name);
    await this.ip("link", "set", "lo", "up");
    return this;
  }

  /** The witness of a namespace that what is tested makes and takes away. */
  static named(name: string): Lab {
    return new Lab(name);
  }

  ip(...args: string[]): Promise<string> {
    return run("ip", "-n", this.name, ...args);
  }

  /** Runs a program inside. */
  exec(...command: string[]): Promise<string> {
    return run("ip", "netns", "exec", this.name, ...command);
  }

  async links(): Promise<WitnessedLink[]> {
    const links = JSON.parse(await this.ip("-j", "-d", "link", "show")) as WitnessedLink[];
    return links.filter((link) => link.ifname !== "lo");
  }

  /** Deletes all links but `lo`. */
  async empty(): Promise<void> {
    for (const { ifname } of await this.links()) {
      // One may go with another: the other end of a veth, or what lies on top.
      if (await this.link(ifname)) await this.ip("link", "del", ifname);
    }
  }

  async link(name: string): Promise<WitnessedLink | undefined> {
    return (await this.links()).find((link) => link.ifname === name);
  }

  async mustHave(name: string): Promise<WitnessedLink> {
    const link = await this.link(name);
    if (!link)
      throw new Error(`no link ${name} in ${this.name}: ${(await this.links()).map((each) => each.ifname)}`);
    return link;
  }

  /** What `ip -d` shows of a bridge; times in hundredths of a second. */
  async bridge(name: string): Promise<Record<string, unknown>> {
    return { ...(await this.mustHave(name)).linkinfo?.info_data };
  }

  /** `address/length` of a link, without what the kernel made itself. */
  async addresses(name: string): Promise<string[]> {
    const [shown] = JSON.parse(await this.ip("-j", "addr", "show", "dev", name)) as {
      addr_info: { local: string; prefixlen: number; scope: string; family: string }[];
    }[];
    return (shown?.addr_info ?? [])
      .filter((address) => !(address.family === "inet6" && address.scope === "link"))
      .map((address) => `${address.local}/${address.prefixlen}`)
      .sort();
  }

  /** Everything about links and addresses that only a write can change, as text to compare. */
  async snapshot(): Promise<string> {
    const shown = JSON.parse(await this.ip("-j", "-d", "addr")) as Record<string, unknown>[];
    // Carrier, a port's state after it, duplicate address detection and the timers of bridges go on by themselves.
    const changing = new Set([
      "operstate",
      "state",
      "valid_life_time",
      "preferred_life_time",
      "tentative",
      "qdisc",
    ]);
    const isTimer = (key: string) => key.endsWith("_timer");
    const carrier = new Set(["NO-CARRIER", "LOWER_UP"]);
    return JSON.stringify(
      shown,
      (key, value) =>
        changing.has(key) || isTimer(key)
          ? undefined
          : key === "flags"
            ? value.filter((flag: string) => !carrier.has(flag))
            : value,
      1,
    );
  }

  /**
   * A real `socat` that holds a TUN or TAP, as root: it opens the device and attaches by the TUNSETIFF ioctl.
   * @param mode flags of linux/if_tun.h with IFF_NO_PI.
   */
  async hold(name: string, mode: "tun" | "tap" = "tap"): Promise<ChildProcess> {
    const request = Buffer.alloc(40);
    request.write(name);
    request.writeUInt16LE((mode === "tun" ? 1 : 2) | 0x1000, 16);
    const child = spawn(
      "ip",
      [
        "netns",
        "exec",
        this.name,
        "socat",
        `OPEN:/dev/net/tun,rdwr,ioctl-bin=0x400454ca:x${request.toString("hex")}`,
        "EXEC:sleep 600",
      ],
      { stdio: "ignore", detached: true },
    );
    this.children.push(child);
    await until(
      `socat holds ${name}`,
      async () =>
        (await this.mustHave(name)).flags.includes("LOWER_UP") || (await holds(child.pid as number, name)),
    );
    return child;
  }

  /** Starts a program inside and waits until it has printed `sign`; gives what it printed till then, too. */
  async start(sign: string, ...command: string[]): Promise<ChildProcess & { printed: string }> {
    const child = spawn("ip", ["netns", "exec", this.name, ...command], {
      stdio: ["ignore", "pipe", "inherit"],
      detached: true,
    });
    this.children.push(child);
    let printed = "";
    child.stdout.on("data", (data) => {
      printed += data;
    });
    await until(`${command[0]} prints ${sign}`, () => printed.includes(sign));
    return Object.assign(child, { printed });
  }

  /** Sees to it that a child ends with the lab at the latest. */
  keep(child: ChildProcess): void {
    this.children.push(child);
  }

  async release(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    // With what it started: such a process leads a group of its own.
    process.kill(-(child.pid as number), "SIGTERM");
    await ended;
  }

  async close(): Promise<void> {
    for (const child of this.children) await this.release(child);
    await attempt("ip", "netns", "del", this.name);
  }
}

async function holds(pid: number, name: string): Promise<boolean> {
  const { output } = await attempt("sh", "-c", `grep -l '^iff:.*${name}$' /proc/${pid}/fdinfo/* 2>/dev/null`);
  return output.trim() !== "";
}

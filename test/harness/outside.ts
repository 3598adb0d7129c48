import { type ChildProcess, spawn } from "node:child_process";
import { Lab } from "./lab";
import { attempt, until } from "./shell";

/**
 * A router between guests and the outside, three namespaces joined by veth pairs: guest 192.0.2.10 – in0 | router |
 * out0 198.51.100.1 – server 198.51.100.2, and the same in IPv6. The server has no way back to the guests' networks,
 * so it answers only what comes from the router's address.
 */
export class Outside {
  readonly #children: ChildProcess[] = [];

  private constructor(
    readonly guest: Lab,
    readonly router: Lab,
    readonly server: Lab,
  ) {}

  static async open(): Promise<Outside> {
    const net = new Outside(await Lab.open(), await Lab.open(), await Lab.open());
    const { guest, router, server } = net;
    for (const [peer, link] of [
      [guest, "in0"],
      [server, "out0"],
    ] as const) {
      await router.ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", peer.name);
      await router.ip("link", "set", link, "up");
      await peer.ip("link", "set", "eth0", "up");
    }
    const add = (where: Lab, link: string, ...addresses: string[]) =>
      Promise.all(addresses.map((address) => where.ip("addr", "add", address, "dev", link, "nodad")));
    await add(guest, "eth0", "192.0.2.10/24", "2001:db8:1::10/64");
    await add(router, "in0", "192.0.2.1/24", "2001:db8:1::1/64");
    await add(router, "out0", "198.51.100.1/24", "2001:db8:2::1/64");
    await add(server, "eth0", "198.51.100.2/24", "2001:db8:2::2/64");
    await guest.ip("route", "add", "default", "via", "192.0.2.1");
    await guest.ip("route", "add", "default", "via", "2001:db8:1::1");
    await router.exec("sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
    return net;
  }

  /** A real server that answers each connection (or datagram) with the address that it comes from. */
  async serve(where: Lab, protocol: "tcp" | "udp", port: number): Promise<void> {
    const listen = protocol === "tcp" ? "TCP6-LISTEN" : "UDP6-RECVFROM";
    // What came is read first: else the end of the connection overtakes the answer.
    const answer = "SYSTEM:read line; echo $SOCAT_PEERADDR";
    const listener = `${listen}:${port},fork,reuseaddr,ipv6-v6only=0`;
    const child = spawn("ip", ["netns", "exec", where.name, "socat", listener, answer], {
      stdio: "ignore",
      detached: true,
    });
    this.#children.push(child);
    const ask = protocol === "tcp" ? "-Htln" : "-Huln";
    await until(`a ${protocol} server on ${port}`, async () =>
      (await where.exec("ss", ask, `sport = :${port}`)).includes(`:${port}`),
    );
  }

  /** What that server says to a client in `where`; undefined where no answer comes within two seconds. */
  async ask(where: Lab, protocol: "tcp" | "udp", address: string, port: number): Promise<string | undefined> {
    const target = `${address.includes(":") ? `[${address}]` : address}:${port}`;
    const connect = protocol === "tcp" ? `TCP:${target},connect-timeout=2` : `UDP:${target}`;
    const script = `echo hello | timeout 4 socat -t1 -T2 - ${connect} 2>/dev/null`;
    const { output } = await attempt("ip", "netns", "exec", where.name, "sh", "-c", script);
    // Mapped, as a socket of both families shows IPv4.
    const answer = output.trim().replace(/^\[?(.*?)\]?$/, "$1");
    if (answer === "") return undefined;
    const groups = answer.split(":");
    return answer.includes("ffff:") ? mapped(groups) : shortened(groups);
  }

  async close(): Promise<void> {
    for (const child of this.#children) await this.router.release(child);
    for (const lab of [this.guest, this.router, this.server]) await lab.close();
  }
}

/** `0000:…:ffff:c633:6401` or `…:ffff:198.51.100.1` */
function mapped(groups: string[]): string {
  const last = groups.at(-1) ?? "";
  if (last.includes(".")) return last;
  const bytes = groups.slice(-2).flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 255];
  });
  return bytes.join(".");
}

function shortened(groups: string[]): string {
  return groups
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":")
    .replace(/(^|:)0(:0)+(?=:|$)/, ":");
}

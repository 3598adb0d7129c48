import { randomBytes } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { Lab } from "../lab";
import { run } from "../shell";
import { card, type ExpectedLink, type Place, places } from "./topology";

/** A link and its addresses as `ip -j -d addr` prints them. */
export interface SeenLink {
  ifindex: number;
  ifname: string;
  flags: string[];
  altnames?: string[];
  master?: string;
  addr_info: {
    family: string;
    local: string;
    /** Of the peer. */
    address?: string;
    prefixlen: number;
    scope: string;
    broadcast?: string;
  }[];
  [shown: string]: unknown;
}

export type SeenRoute = Record<string, unknown> & { dst: string };

/** Three namespaces, seen from outside: by `ip` and sysctl(8), never by the code under test. */
export class Witness {
  private constructor(private readonly labs: Record<Place, Lab>) {}

  static async open(): Promise<Witness> {
    const names = `tt-${randomBytes(4).toString("hex")}`;
    const [here, there] = [await Lab.make(`${names}0`), await Lab.make(`${names}1`)];
    await here.ip("tuntap", "add", "dev", card, "mode", "tap");
    await here.ip("link", "set", card, "up");
    return new Witness({ here, there, made: Lab.named(`${names}2`) });
  }

  lab(place: Place): Lab {
    return this.labs[place];
  }

  /** Inputs, or text, with the names of the namespaces in them. */
  named<T>(value: T): T {
    const pattern = this.labs.here.name.replace(/0$/, "%d");
    const text = JSON.stringify(value).replace(/@(here|there|made|each)\b/g, (_, place: Place | "each") =>
      place === "each" ? pattern : this.labs[place].name,
    );
    return JSON.parse(text);
  }

  exists(place: Place): boolean {
    return existsSync(`/run/netns/${this.labs[place].name}`);
  }

  async links(place: Place): Promise<SeenLink[]> {
    return this.exists(place) ? JSON.parse(await this.labs[place].ip("-j", "-d", "addr", "show")) : [];
  }

  /** Of both families and all tables. */
  async routes(place: Place): Promise<SeenRoute[]> {
    return this.exists(place)
      ? JSON.parse(await this.labs[place].ip("-j", "route", "show", "table", "all"))
      : [];
  }

  async sysctl(place: Place, name: string): Promise<string> {
    return (await this.labs[place].exec("sysctl", "-n", name)).trim();
  }

  /** All that a topology may change, as text to compare; links that it made have gone. */
  async snapshot(sysctls: readonly string[]): Promise<string> {
    const here = await Promise.all(
      (["here", "there"] as const).map(async (place) => {
        const lab = this.labs[place];
        const [links, routes, tables, values] = await Promise.all([
          lab.snapshot(),
          this.routes(place),
          lab.exec("nft", "list", "ruleset"),
          lab.exec("sysctl", "-e", ...sysctls),
        ]);
        return `${links}\n${JSON.stringify(routes, undefined, 1)}\n${tables}\n${values}`;
      }),
    );
    const names = readdirSync("/run/netns").filter((name) =>
      name.startsWith(this.labs.here.name.slice(0, -1)),
    );
    return [...here, ...names].join("\n");
  }

  async close(): Promise<void> {
    for (const place of places) await this.labs[place].close();
  }
}

/** `address/length`, without what the kernel made itself. */
export function addressesOf({ addr_info }: SeenLink): string[] {
  return addr_info
    .filter(({ family, scope }) => !(family === "inet6" && scope === "link"))
    .map(({ local, address, prefixlen }) => `${local}${address ? ` peer ${address}` : ""}/${prefixlen}`)
    .sort();
}

/**
 * What of a link is not as it is declared.
 * @param strangers addresses that others gave it; undefined before anybody else was at it.
 */
export function linkFaults(
  { name, shown, first, flags = {}, up, addresses = [], broadcast }: ExpectedLink,
  seen: readonly SeenLink[],
  strangers: readonly string[] | undefined,
): string[] {
  const link = seen.find(({ ifname }) => ifname === name);
  if (!link) return [`${name}: it is not there`];
  const faults: string[] = [];
  const compare = (what: string, is: unknown, declared: unknown) => {
    if (isDeepStrictEqual(is, declared)) return;
    faults.push(`${name}: ${what} is ${JSON.stringify(is)}, declared ${JSON.stringify(declared)}`);
  };
  compare("up", link.flags.includes("UP"), up);
  const leases = (link.altnames ?? []).filter((altname) => altname.startsWith("tuntap-"));
  compare("the number of its leases", leases.length, 1);
  compare("addresses", addressesOf(link), [...new Set([...addresses, ...(strangers ?? [])])].sort());
  for (const [flag, is] of Object.entries(flags)) compare(flag, link.flags.includes(flag), is);
  if (broadcast !== undefined) {
    const [local] = (addresses[0] as string).split("/");
    const primary = link.addr_info.find((address) => address.local === local);
    compare("the broadcast address", primary?.broadcast, broadcast);
  }
  for (const [path, declared] of Object.entries({ ...shown, ...(strangers ? {} : first) })) {
    const is = path
      .split(".")
      .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], link);
    compare(path, is, declared);
  }
  return faults;
}

/** What `ip` shows of the whole host's namespaces, for a message. */
export async function overview(witness: Witness): Promise<string> {
  const shown = places
    .filter((place) => witness.exists(place))
    .map(async (place) => {
      const { name } = witness.lab(place);
      return `${place}:\n${await run("ip", "-n", name, "addr")}${await run("ip", "-n", name, "route", "show", "table", "all")}`;
    });
  return (await Promise.all(shown)).join("\n");
}

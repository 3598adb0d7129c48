import { readdirSync, readFileSync } from "node:fs";
import { type Attached, attached } from "../attach";
import { attempt, until } from "../shell";
import type { ExpectedLink, Place } from "./topology";
import type { Witness } from "./witness";

interface Whereabouts {
  name: string;
  place: Place;
  peer?: string;
  /** It went, by whatever hand. */
  gone?: boolean;
  /** It is where, or as, only its lease tells that it is ours. */
  displaced?: boolean;
  /** It has no lease, so that only its name and place tell. */
  unleased?: boolean;
  /** What only an attached descriptor can change was changed: while another holds it, nobody could change it back. */
  adjusted?: boolean;
}

interface Holder {
  process: Attached;
  /** Of the link, as it is declared. */
  name: string;
  /** Where it opened the device. */
  place: Place;
}

/** Another hand on the host: it knows where it put things. */
export class Hand {
  readonly did: string[] = [];
  private readonly links = new Map<string, Whereabouts>();
  /** By which its own things are taken away at the end. */
  private readonly undoings: (() => Promise<unknown>)[] = [];
  private holders: Holder[] = [];

  constructor(
    readonly witness: Witness,
    links: readonly ExpectedLink[],
  ) {
    for (const { name, place, peer } of links) this.links.set(name, { name, place, peer });
  }

  /** Where a declared link is now; undefined where it is no more. */
  at(name: string): Whereabouts | undefined {
    const found = this.links.get(name);
    return found?.gone ? undefined : found;
  }

  /** Whether what is done is done; it may be so that there is nothing to do it to. */
  async run(place: Place, ...command: string[]): Promise<boolean> {
    const { name } = this.witness.lab(place);
    const ip =
      command[0] === "ip"
        ? ["ip", "-n", name, ...command.slice(1)]
        : ["ip", "netns", "exec", name, ...command];
    const { code, output } = await attempt(...(ip as [string, ...string[]]));
    this.did.push(`${place}: ${command.join(" ")}${code === 0 ? "" : ` (refused: ${output.trim()})`}`);
    return code === 0;
  }

  /** `ip link set NAME …`, of a declared link. */
  async set(name: string, ...words: string[]): Promise<boolean> {
    const at = this.at(name);
    return at !== undefined && this.run(at.place, "ip", "link", "set", at.name, ...words);
  }

  async delete(name: string): Promise<boolean> {
    const at = this.at(name);
    if (!at || !(await this.run(at.place, "ip", "link", "del", at.name))) return false;
    await this.look();
    return true;
  }

  async rename(name: string, to: string): Promise<boolean> {
    const at = this.at(name);
    if (!at || at.unleased || !(await this.set(name, "name", to))) return false;
    Object.assign(at, { name: to, displaced: true });
    return true;
  }

  async move(name: string, to: Place): Promise<boolean> {
    const at = this.at(name);
    if (!at || at.unleased || at.place === to || !this.witness.exists(to)) return false;
    if (!(await this.set(name, "netns", this.witness.lab(to).name))) return false;
    Object.assign(at, { place: to, displaced: true });
    await this.look();
    return true;
  }

  /** Takes the lease off. One of which then nothing tells whose it is would be a stranger's from then on. */
  async unlease(name: string): Promise<boolean> {
    const at = this.at(name);
    if (!at || at.displaced) return false;
    const link = (await this.witness.links(at.place)).find(({ ifname }) => ifname === at.name);
    const lease = link?.altnames?.find((altname) => altname.startsWith("tuntap-"));
    if (lease === undefined) return false;
    at.unleased = true;
    return this.run(at.place, "ip", "link", "property", "del", "dev", at.name, "altname", lease);
  }

  /** Attaches to it, and stays; refused where its only queue is taken. */
  async hold(name: string, how: Parameters<typeof attached>[2]): Promise<boolean> {
    const at = this.at(name);
    if (!at || at.adjusted) return false;
    try {
      const process = await attached(this.witness.lab(at.place), at.name, how);
      this.did.push(`${at.place}: ${at.name} is held by pid ${process.pid}`);
      this.holders.push({ process, name, place: at.place });
      return true;
    } catch (refusal) {
      this.did.push(`${at.place}: ${at.name} is not held: ${refusal}`);
      return false;
    }
  }

  /** Those that no longer hold what they attached to, though it is still there under its declared name. */
  lost(): string[] {
    return this.holders
      .filter(({ name, process }) => this.at(name) !== undefined && !holds(process, name))
      .map(({ name, process }) => `${name}: pid ${process.pid} holds it no longer`);
  }

  /** Deletes a namespace with everything in it; it would live on with a process in it. */
  async deleteNamespace(place: Place): Promise<boolean> {
    if (!this.witness.exists(place)) return false;
    const { name } = this.witness.lab(place);
    await this.release((holder) => holder.place === place);
    const { code } = await attempt("ip", "netns", "del", name);
    this.did.push(`ip netns del @${place}`);
    // The kernel takes its time to delete what was in it, and the other ends of pairs.
    const inside = [...this.links.values()].filter((at) => at.place === place && !at.gone);
    const peers = inside.flatMap(({ peer }) => this.at(peer ?? "") ?? []).filter((at) => at.place !== place);
    await until("the other ends go", async () =>
      (await Promise.all(peers.map((at) => this.sees(at)))).every((is) => !is),
    );
    await this.look();
    return code === 0;
  }

  private async sees({ name, place }: Whereabouts): Promise<boolean> {
    return (await this.witness.links(place)).some(({ ifname }) => ifname === name);
  }

  /** Some links go with others. */
  private async look(): Promise<void> {
    for (const at of this.links.values()) if (!at.gone && !(await this.sees(at))) at.gone = true;
  }

  private async release(which: (holder: Holder) => boolean): Promise<void> {
    for (const { process } of this.holders.filter(which)) await process.end();
    this.holders = this.holders.filter((holder) => !which(holder));
  }

  onEnd(undo: () => Promise<unknown>): void {
    this.undoings.push(undo);
  }

  /** Takes away what it put there; each must still be there. */
  async end(): Promise<void> {
    await this.release(() => true);
    for (const undo of this.undoings.reverse()) await undo();
  }
}

/** As the kernel says it of a process's descriptors. */
function holds({ pid }: Attached, name: string): boolean {
  return readdirSync(`/proc/${pid}/fdinfo`).some((fd) =>
    readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8").includes(`iff:\t${name}\n`),
  );
}

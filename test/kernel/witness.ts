/** What iproute2 says: the outside witness of these tests. */

import { randomBytes } from "node:crypto";
import { execa } from "execa";

export interface WitnessedLink {
  ifindex: number;
  ifname: string;
  mtu: number;
  altnames?: string[];
  linkinfo?: {
    info_kind: string;
    info_data: { type: string; persist?: boolean; user?: string; group?: string; multi_queue?: boolean };
  };
}

export async function links(namespace: string): Promise<WitnessedLink[]> {
  const { stdout } = await execa("ip", ["-n", namespace, "-j", "-d", "link", "show"]);
  // iproute2 prints empty objects for what a filter leaves out.
  return (JSON.parse(stdout) as WitnessedLink[]).filter((link) => link.ifname !== undefined);
}

export async function link(namespace: string, name: string): Promise<WitnessedLink | undefined> {
  return (await links(namespace)).find((found) => found.ifname === name);
}

export async function namespaces(): Promise<string[]> {
  const { stdout } = await execa("ip", ["-j", "netns", "list"]);
  return (JSON.parse(stdout || "[]") as { name: string }[]).map((entry) => entry.name);
}

/** A name that no other test run uses. */
export const randomName = () => `tt-${randomBytes(5).toString("hex")}`;

/** Namespaces of these tests, however they end. */
export async function dropNamespace(name: string): Promise<void> {
  await execa("ip", ["netns", "del", name], { reject: false });
}

export async function eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what} did not happen within 5 s`);
}

/** What iproute2 says: the outside witness of these tests. */

import { randomBytes } from "node:crypto";
import type { WitnessedLink } from "../harness/lab";
import { attempt, run } from "../harness/shell";

export async function links(namespace: string): Promise<WitnessedLink[]> {
  return JSON.parse(await run("ip", "-n", namespace, "-j", "-d", "link", "show"));
}

export async function link(namespace: string, name: string): Promise<WitnessedLink | undefined> {
  return (await links(namespace)).find((found) => found.ifname === name);
}

export async function namespaces(): Promise<string[]> {
  const listed = await run("ip", "-j", "netns", "list");
  return (JSON.parse(listed || "[]") as { name: string }[]).map((entry) => entry.name);
}

/** A name that no other test run uses. */
export const randomName = () => `tt-${randomBytes(5).toString("hex")}`;

/** Removes the namespace, or the file that is left of one. */
export async function dropNamespace(name: string): Promise<void> {
  await attempt("ip", "netns", "del", name);
}

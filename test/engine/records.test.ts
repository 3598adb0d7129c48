/** What earlier versions recorded in other words is understood: no change is planned for it, and nothing is lost. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { namesOf, numbersOf } from "../../provider/compact";
import { Lab } from "../harness/lab";
import { Workspace } from "../harness/workspace";

let lab: Lab;
let workspace: Workspace;

beforeAll(async () => {
  lab = await Lab.open();
  workspace = new Workspace("records");
  declare(1400);
});

function declare(mtu: number): void {
  const namespace = lab.name;
  workspace.declare(
    { kind: "TunInterface", name: "tap0", args: { namespace, mtu, address: { $secret: "192.0.2.1/24" } } },
    { kind: "VethPair", name: "cable", args: { ends: [{ namespace, mtu: 1400 }, { namespace }] } },
    { kind: "TunPool", name: "fc", args: { namespace, count: 3 } },
  );
}

afterAll(async () => {
  workspace.close();
  await lab.close();
});

type Properties = Record<string, unknown>;

/** What the engine has recorded of each of our resources. */
function records(change: (properties: Properties) => void): void {
  const path = join(workspace.folder, ".tuntap/state/.pulumi/stacks/records/dev.json");
  const state = JSON.parse(readFileSync(path, "utf8"));
  const resources = state.checkpoint.latest.resources as { inputs?: Properties; outputs?: Properties }[];
  for (const { inputs, outputs } of resources)
    for (const properties of [inputs, outputs]) if (properties?.__tuntap) change(properties);
  writeFileSync(path, JSON.stringify(state));
}

/** As version 0.1.0 had them first: objects and lists. */
function asBefore(): number {
  let changed = 0;
  records((properties) => {
    changed += 1;
    const { __tuntap, __declared, __ifindexes, members } = properties;
    if (typeof __tuntap === "string") properties.__tuntap = JSON.parse(__tuntap);
    if (typeof __declared === "string") properties.__declared = namesOf(__declared);
    if (typeof __ifindexes === "string") properties.__ifindexes = numbersOf(__ifindexes);
    if (typeof members === "string") properties.members = JSON.parse(members);
  });
  return changed;
}

const identities = async () =>
  (await lab.links()).map(({ ifname, ifindex, altnames }) => ({ ifname, ifindex, altnames }));

test("a run finds nothing to change", async () => {
  await workspace.succeed("up");
  const links = await identities();
  expect(links.map(({ ifname }) => ifname)).toEqual(expect.arrayContaining(["tap0", "fc0", "fc1", "fc2"]));
  expect(asBefore()).toBe(6);
  await workspace.succeed("up", "--expect-no-changes");
  expect(await identities()).toEqual(links);
  const { code, status } = await workspace.status();
  expect([code, status.orphans]).toEqual([0, []]);
});

test("a change records it as today, of what it changes", async () => {
  declare(1300);
  expect((await workspace.succeed("up")).changes).toMatchObject({ update: 1, same: 2 });
  let texts = 0;
  records(({ __tuntap }) => {
    texts += Number(typeof __tuntap === "string");
  });
  expect(texts).toBeGreaterThan(0);
});

test("down removes all of it", async () => {
  expect(asBefore()).toBe(6);
  const { changes } = await workspace.succeed("down");
  expect(changes.delete).toBe(3);
  expect((await lab.links()).map(({ ifname }) => ifname)).toEqual([]);
});

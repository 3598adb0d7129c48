/**
 * The making of a whole VmBridge, killed at steps of each of its parts: each step on a bridge of its own, in a namespace of
 * its own, where it is held; then one kill hits all.
 */

import { afterAll, beforeAll, expect, test } from "vitest";
import { Crash, exported, leftovers, type Point } from "../harness/crash";
import { Lab } from "../harness/lab";
import { messages, Workspace } from "../harness/workspace";

/** In the order in which the parts are made: bridge, forwarding, translation, taps. */
const steps: [phase: Point["phase"], steps: string][] = [
  ["before", "newlink"],
  ["after", "newlink"],
  ["after", "newlinkprop"],
  ["after", "up"],
  ["after", "open-sysctl"],
  ["after", "sysctl"],
  ["before", "nft-start"],
  ["after", "nft-end"],
  ["after", "tunsetiff"],
  ["after", "persist"],
  ["after", "persist>newlink"],
  ["after", "persist>newlink>getlink"],
];
/** A sysctl carries no mark: what was found is known only once it is recorded. */
const forgotten = steps.findIndex(([, step]) => step === "sysctl");

let labs: Lab[];
let before: string[];
let crash: Crash;
let workspace: Workspace;

const snapshot = async (lab: Lab) =>
  `${await lab.snapshot()}${await lab.exec("nft", "list", "ruleset")}`.replaceAll(
    /"tso_max_size": \d+,/g,
    "",
  );

beforeAll(async () => {
  crash = await Crash.open();
  labs = await Promise.all(steps.map(() => Lab.open()));
  for (const lab of labs) {
    await lab.ip("tuntap", "add", "out0", "mode", "tap");
    await lab.exec("sysctl", "-q", "-w", "net.ipv4.ip_forward=0");
  }
  before = await Promise.all(labs.map(snapshot));
  workspace = new Workspace();
  workspace.write(`import * as tuntap from "pulumi-tuntap";
for (const [at, namespace] of ${JSON.stringify(labs.map(({ name }) => name))}.entries())
  new tuntap.VmBridge("lab" + at, {
    subnet: "10.20.0.0/24",
    namespace,
    owner: "nobody",
    outInterface: "out0",
    vms: { web: { forwards: [{ protocol: "tcp", port: 8080, toPort: 80 }] }, db: {} },
  });
`);
});
afterAll(async () => {
  workspace.close();
  crash.close();
  for (const lab of labs) await lab.close();
});

test("kill -9 of the provider at each step: one up ends right, the next has nothing to do, down leaves nothing", async () => {
  const points = steps.map(([phase, names], at): Point => {
    return { namespace: (labs[at] as Lab).name, phase, action: "hold", steps: names };
  });
  const { code, report } = await crash.kill(workspace, "up", points);
  expect(code).toBe(1);
  expect(messages(report)).not.toBe("");
  crash.arm();

  const again = await workspace.run("up");
  expect(again.code, again.stderr).toBe(0);
  expect(leftovers(workspace)).toMatchObject({ locks: [], pending: [] });
  for (const [at, lab] of labs.entries()) {
    const step = `${steps[at]}`;
    const links = (await lab.links()).filter(({ ifname }) => ifname !== "out0");
    const seen = links.map(({ ifname, flags, master, altnames = [] }) => [
      ifname.replace(String(at), ""),
      flags.includes("UP"),
      master?.replace(String(at), ""),
      altnames.filter((name) => /^tuntap-0-[0-9a-f]{32}$/.test(name)).length,
    ]);
    expect(seen.sort(), step).toEqual([
      ["lab", true, undefined, 1],
      ["lab-db", true, "lab", 1],
      ["lab-web", true, "lab", 1],
    ]);
    expect(await lab.addresses(`lab${at}`), step).toEqual(["10.20.0.1/24"]);
    expect(await lab.exec("sysctl", "-n", "net.ipv4.ip_forward"), step).toBe("1\n");
    const rules = await lab.exec("nft", "list", "ruleset");
    expect(rules.match(/^table /gm), step).toHaveLength(1);
    expect(rules, step).toMatch(/ip saddr 10\.20\.0\.0\/24 .*masquerade/);
    expect(rules, step).toMatch(/tcp dport 8080 .*dnat ip to 10\.20\.0\.\d+:80/);
  }
  await workspace.succeed("up", "--expect-no-changes");

  await workspace.succeed("down");
  for (const [at, lab] of labs.entries()) {
    expect(await snapshot(lab), `${steps[at]}`).toBe(before[at]);
    const left = at === forgotten ? "1\n" : "0\n";
    expect(await lab.exec("sysctl", "-n", "net.ipv4.ip_forward"), `${steps[at]}`).toBe(left);
  }
  expect(await exported(workspace)).toEqual({ pending: 0, resources: 0 });
}, 300_000);

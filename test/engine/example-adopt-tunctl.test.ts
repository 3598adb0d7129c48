import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Client, clientOwner } from "../harness/client";
import { Example } from "../harness/example";
import { Lab } from "../harness/lab";
import { messages } from "../harness/workspace";

let lab: Lab;
let example: Example;
let program: string;
let place: string[];
let before: string;

beforeAll(async () => {
  lab = await Lab.open();
  example = new Example("adopt-tunctl");
  program = readFileSync(join(example.folder, "index.ts"), "utf8");
  place = ["--config", `namespace=${lab.name}`];
  // The old script, word for word.
  await lab.exec("sh", "-ec", example.commands("tunctl"));
  before = await lab.snapshot();
});

afterAll(async () => {
  example.close();
  await lab.close();
});

const takenOver = [
  /takes over tap "tap0" \(ifindex \d+, owner uid 65534, MAC \S+, no lease\); `down` will delete it/,
  /takes over tap "tap1" \(ifindex \d+, owner uid 65534, MAC \S+, no lease\); `down` will delete it/,
  /takes over tun "tun0" \(ifindex \d+, owner uid 65534, no lease\); `down` will delete it/,
];

/** The program, with the word that allows it taken out. */
function withoutAdopt(): string {
  expect(program).toContain("adopt: true");
  return program.replace(/adopt: true,?/g, "");
}

test("the README shows the program as it is", () => {
  expect(program).toContain(example.commands("TunInterface"));
});

test("without adopt the program is refused, and is told how it could take them over", async () => {
  example.write(withoutAdopt());
  const { code, report } = await example.run("up", ...place);
  example.write(program);
  expect(code).toBe(1);
  // The engine stops at the first that it finds.
  expect(messages(report)).toMatch(/name "(tap0|tap1|tun0)" is taken by .*no lease.*adopt: true/);
  expect(await lab.snapshot()).toBe(before);
});

test("the plan for people says what is taken over and that down will delete it, and changes nothing", async () => {
  const plan = await example.print("preview", ...place);
  for (const pattern of takenOver) expect(plan).toMatch(pattern);
  expect(await lab.snapshot()).toBe(before);
});

test("up says the same and takes them over as they stand, under a client that goes on", async () => {
  const client = Client.socat(lab, "tap0", "tap", "OPEN:/dev/null,wronly", "-u");
  await client.attached("tap0");
  const found = await lab.links();
  const report = await example.succeed("up", ...place);
  for (const pattern of takenOver) expect(messages(report)).toMatch(pattern);
  expect(report.outputs.interfaces).toEqual(["tap0", "tap1", "tun0"]);
  for (const { ifname, ifindex } of found) {
    expect(await lab.mustHave(ifname)).toMatchObject({
      ifindex,
      altnames: [expect.stringMatching(/^tuntap-/)],
      linkinfo: { info_data: { persist: true, user: clientOwner } },
    });
  }
  expect(await lab.addresses("tap0")).toEqual(["192.0.2.1/24"]);
  expect(await lab.addresses("tap1")).toEqual(["198.51.100.1/24"]);
  expect(await lab.addresses("tun0")).toEqual(["10.9.0.1/24"]);
  expect((await lab.mustHave("tap1")).mtu).toBe(1400);
  expect((await lab.mustHave("tap0")).flags).toContain("LOWER_UP");
  await client.stop();
});

test("then adopt may go, nothing changes on the host, and down deletes what was taken over", async () => {
  await example.succeed("up", "--expect-no-changes", ...place);
  const managed = await lab.snapshot();
  example.write(withoutAdopt());
  expect((await example.succeed("up", ...place)).changes).toMatchObject({ update: 3 });
  expect(await lab.snapshot()).toBe(managed);
  await example.succeed("down", ...place);
  expect(await lab.links()).toEqual([]);
});

test("a host where the script never ran gets the same interfaces", async () => {
  await example.succeed("up", ...place);
  const made = await lab.links();
  expect(made.map((link) => `${link.ifname} ${link.linkinfo?.info_data?.type}`).sort()).toEqual([
    "tap0 tap",
    "tap1 tap",
    "tun0 tun",
  ]);
  expect(await lab.addresses("tap0")).toEqual(["192.0.2.1/24"]);
  await example.succeed("down", ...place);
});

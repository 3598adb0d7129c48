import { afterAll, beforeAll, expect, test } from "vitest";
import { clientOwner } from "../harness/client";
import { Example } from "../harness/example";
import { Guest, GuestImage } from "../harness/guest";
import { Lab } from "../harness/lab";
import { messages } from "../harness/workspace";

/** Nothing here is measured; emulated machines beside other tests take what they take. */
const patience = 1_200_000;

interface Machine {
  name: string;
  address: string;
  card: string;
}

let lab: Lab;
let example: Example;
let image: GuestImage;
let machines: Machine[];
let guests: Guest[];

beforeAll(async () => {
  // The program makes its namespace itself.
  lab = await Lab.open(false);
  example = new Example("vm-bridge");
  image = new GuestImage();
});

afterAll(async () => {
  example.close();
  image.close();
  await lab.close();
});

const place = () => ["--config", `namespace=${lab.name}`];

test("up says what each machine is started with", async () => {
  const { outputs } = await example.succeed("up", ...place());
  machines = outputs.machines as Machine[];
  expect(machines.map(({ name }) => name)).toEqual(["web", "db"]);
  expect(machines[1]?.address).toBe("10.20.0.10/24");
  for (const { name } of machines) {
    expect(await lab.mustHave(`lab-${name}`)).toMatchObject({
      master: "lab",
      linkinfo: { info_data: { user: clientOwner } },
    });
  }
  await example.succeed("up", "--expect-no-changes", ...place());
});

test("two machines, started so, reach one another and the bridge", { timeout: patience }, async () => {
  expect(example.commands("qemu-system-x86_64")).toMatch(/^sudo -u nobody qemu-system-x86_64 .* CARD$/m);
  guests = machines.map(({ card }) => new Guest(lab, image, card.split(" ")));
  await Promise.all(guests.map((each) => each.ready()));
  for (const [index, { address }] of machines.entries()) {
    await guests[index]?.run(`ip addr add ${address} dev eth0 && ip link set eth0 up`);
  }
  expect(await guests[0]?.run("ping -c 3 10.20.0.10")).toMatch(/ 0% packet loss/);
  expect(await guests[1]?.run("ping -c 3 10.20.0.1")).toMatch(/ 0% packet loss/);
});

test("a third machine changes nothing for those that run, and down is refused", {
  timeout: patience,
}, async () => {
  const stable = async () => {
    const { ifindex, address, mtu, master, flags, altnames } = await lab.mustHave("lab-web");
    return { ifindex, address, mtu, master, flags, altnames };
  };
  const before = await stable();
  example.edit("vms: { web: {},", "vms: { web: {}, mail: {},");
  const { changes, outputs } = await example.succeed("up", ...place());
  expect(changes).toMatchObject({ create: 1, update: 0, replace: 0, delete: 0 });
  expect(outputs.machines).toEqual(expect.arrayContaining(machines));
  expect(await stable()).toEqual(before);
  expect(await guests[0]?.run("ping -c 1 10.20.0.10")).toMatch(/ 0% packet loss/);

  const { code, report } = await example.run("down", ...place());
  expect(code).toBe(1);
  expect(messages(report)).toMatch(/pid \d+.*qemu-system-x86.*nobody/s);
});

test("when they are off, down takes all of it away", { timeout: patience }, async () => {
  for (const each of guests) expect(await each.powerOff()).toBe(0);
  await example.succeed("down", ...place());
  await expect(lab.links()).rejects.toThrow(/No such file|Cannot open network namespace/);
});

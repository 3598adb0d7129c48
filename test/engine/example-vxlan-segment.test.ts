import { afterAll, beforeAll, expect, test } from "vitest";
import { Example } from "../harness/example";
import { Lab } from "../harness/lab";
import { attempt, until } from "../harness/shell";

/** Only its name is used, as the beginning of those that the program makes. */
let lab: Lab;
let example: Example;
let commands: string[];

beforeAll(async () => {
  lab = await Lab.open(false);
  example = new Example("vxlan-segment");
  commands = example.commands("npx tuntap up").trim().split("\n");
});

afterAll(async () => {
  example.close();
  for (const end of ["wire", 1, 2, 3, 4]) await attempt("ip", "netns", "del", `${lab.name}-${end}`);
});

const place = () => ["--config", `prefix=${lab.name}`];
const inside = (end: number | "wire") => Lab.named(`${lab.name}-${end}`);

/** The README's ping, from and to these hosts. */
async function pings(from: number, to: number): Promise<void> {
  const line = (commands[1] ?? "")
    .replace("sudo ip netns exec host-1", "")
    .replace("-c 3", "-c 1 -W 1")
    .replace("10.30.0.3", `10.30.0.${to}`);
  const ping = line.trim().split(/\s+/);
  expect(ping[0]).toBe("ping");
  const answers = async () => (await attempt("ip", "netns", "exec", inside(from).name, ...ping)).code === 0;
  await until(`host ${from} reaches host ${to}`, answers, 60_000);
}

test("three hosts are one network", async () => {
  const { outputs } = await example.succeed("up", ...place());
  expect(outputs.namespaces).toEqual([1, 2, 3].map((number) => inside(number).name));
  expect(outputs.tunnels).toEqual(["vxlan42", "vxlan42", "vxlan42"]);
  for (const [from, to] of [
    [1, 2],
    [1, 3],
    [2, 3],
  ] as const) {
    await pings(from, to);
  }
  expect(await inside(1).mustHave("vxlan42")).toMatchObject({ master: "lan", mtu: 1450 });
  await example.succeed("up", "--expect-no-changes", ...place());
});

test("a fourth changes the others in place, and is reached by all", async () => {
  const { ifindex } = await inside(1).mustHave("vxlan42");
  const more = /--config '(hosts=\S+)'/.exec(commands[2] ?? "")?.[1] ?? "";
  const { changes } = await example.succeed("up", ...place(), "--config", more);
  expect(changes).toMatchObject({ create: 4, update: 3, replace: 0, delete: 0 });
  expect((await inside(1).mustHave("vxlan42")).ifindex).toBe(ifindex);
  for (const from of [1, 2, 3]) await pings(from, 4);
});

test("down takes all of it away", async () => {
  await example.succeed("down", ...place());
  for (const end of ["wire", 1, 2, 3, 4] as const) {
    await expect(inside(end).links()).rejects.toThrow(/No such file|Cannot open network namespace/);
  }
});

import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Lab } from "../harness/lab";
import { Program } from "../harness/program";
import { attempt, run } from "../harness/shell";

const kind = "Namespace";
let lab: Lab;
let program: Program;

beforeEach(async () => {
  lab = await Lab.open(false);
  program = new Program();
});
afterEach(() => lab.close());

async function names(): Promise<string[]> {
  const text = await run("ip", "-j", "netns", "list");
  return (JSON.parse(text || "[]") as { name: string }[]).map((entry) => entry.name);
}

async function loopback(): Promise<{ flags: string[]; altnames?: string[] }> {
  return JSON.parse(await lab.ip("-j", "link", "show", "lo"))[0];
}

test("is made as ip netns makes it, with lo up and a lease, and goes without residue", async () => {
  const { outputs } = await program.declare(kind, "lab", { name: lab.name });
  expect(outputs).toMatchObject({ name: lab.name, loopbackUp: true });
  expect(await names()).toContain(lab.name);
  expect(await loopback()).toMatchObject({
    flags: expect.arrayContaining(["UP"]),
    altnames: [outputs.__lease],
  });
  expect((await program.newRun().declare(kind, "lab", { name: lab.name })).operation).toBe("same");
  await program.remove("lab");
  expect(await names()).not.toContain(lab.name);
  expect(() => statSync(`/run/netns/${lab.name}`)).toThrow(/ENOENT/);
});

test("lo can stay down, is changed live, and its drift is seen and repaired", async () => {
  await program.declare(kind, "lab", { name: lab.name, loopbackUp: false });
  expect((await loopback()).flags).not.toContain("UP");
  expect((await program.declare(kind, "lab", { name: lab.name })).operation).toBe("update");
  expect((await loopback()).flags).toContain("UP");
  await lab.ip("link", "set", "lo", "down");
  const step = await program.declare(kind, "lab", { name: lab.name });
  expect(step.notices.join()).toMatch(/loopbackUp: down on the host, up declared/);
  expect((await loopback()).flags).toContain("UP");
});

test("one that was deleted is made anew, with what lived in it", async () => {
  const inside = { owner: 1, address: "192.0.2.1/24", namespace: lab.name };
  await program.declare(kind, "lab", { name: lab.name });
  await program.declare("TunInterface", "dev0", inside);
  await run("ip", "netns", "del", lab.name);
  expect((await program.plan("TunInterface", "dev0", inside)).notices[0]?.message).toMatch(
    /^dev0 in namespace \S+ no longer exists \(its namespace is gone\)/,
  );
  const step = await program.newRun().declare(kind, "lab", { name: lab.name });
  expect(step.operation).toBe("update");
  expect(step.notices.join()).toMatch(/no longer exists/);
  expect((await program.declare("TunInterface", "dev0", inside)).operation).toBe("update");
  expect(await lab.addresses("dev0")).toEqual(["192.0.2.1/24"]);
  await program.removeAll();
});

test("a link of a namespace that was made anew by somebody else is not taken for the recorded one", async () => {
  await run("ip", "netns", "add", lab.name);
  await program.declare("TunInterface", "dev0", { owner: 1, namespace: lab.name });
  await run("ip", "netns", "del", lab.name);
  await run("ip", "netns", "add", lab.name);
  await lab.exec("tunctl", "-t", "dev0");
  expect((await lab.mustHave("dev0")).ifindex).toBe(program.state.get("dev0")?.outputs.ifindex);
  expect(await program.refresh("dev0")).toBeUndefined();
});

test("one that this program did not make is refused and left as it is", async () => {
  await run("ip", "netns", "add", lab.name);
  await expect(program.declare(kind, "lab", { name: lab.name })).rejects.toThrow(
    /is taken by network namespace.*NAMESPACE_FOREIGN/,
  );
  expect((await loopback()).altnames).toBeUndefined();
});

test("is kept while links that are not ours are in it, unless forced", async () => {
  await program.declare(kind, "lab", { name: lab.name });
  await lab.ip("link", "add", "br0", "type", "bridge");
  await expect(program.remove("lab")).rejects.toMatchObject({
    code: "NAMESPACE_IN_USE",
    message: expect.stringMatching(/holding bridge "br0" .*force: true/),
  });
  expect((await program.declare(kind, "lab", { name: lab.name, force: true })).operation).toBe("update");
  await program.remove("lab");
  expect(await names()).not.toContain(lab.name);
});

test("goes although others look into it meanwhile, each for a moment", async () => {
  await program.declare(kind, "lab", { name: lab.name });
  const look = `while ip netns exec ${lab.name} sh -c "sleep 0.05; echo looked"; do :; done`;
  const looking = spawn("sh", ["-c", look], { stdio: ["ignore", "pipe", "ignore"] });
  await once(looking.stdout, "data");
  try {
    expect((await program.remove("lab")) ?? "gone").toBe("gone");
    expect(await names()).not.toContain(lab.name);
  } finally {
    looking.kill();
  }
});

test("is kept while a process runs in it", async () => {
  await program.declare(kind, "lab", { name: lab.name });
  const sleeper = await lab.start("up", "sh", "-c", "echo up; exec sleep 600");
  await expect(program.remove("lab")).rejects.toMatchObject({
    code: "NAMESPACE_IN_USE",
    message: expect.stringMatching(/holding pid \d+ \(sleep 600\) of root \(uid 0\)/),
  });
  await lab.release(sleeper);
  await program.remove("lab");
});

test("a file without a namespace behind it, as an interrupted `ip netns add` leaves it, is taken over", async () => {
  await attempt("ip", "netns", "add", `${lab.name}x`);
  await attempt("ip", "netns", "del", `${lab.name}x`);
  writeFileSync(`/run/netns/${lab.name}`, "", { mode: 0 });
  expect((await program.declare(kind, "lab", { name: lab.name })).operation).toBe("create");
  expect((await loopback()).flags).toContain("UP");
  await program.remove("lab");
});

test("an orphan of an interrupted run is taken up, a lost lease restored", async () => {
  const { outputs } = await program.declare(kind, "lab", { name: lab.name });
  expect((await new Program(program.instance).declare(kind, "lab", { name: lab.name })).operation).toBe(
    "create",
  );
  await lab.ip("link", "property", "del", "dev", "lo", "altname", outputs.__lease as string);
  expect((await program.newRun().declare(kind, "lab", { name: lab.name })).notices.join()).toMatch(
    /lease .* was taken off/,
  );
  expect((await loopback()).altnames).toEqual([outputs.__lease]);
});

test("that of another resource of the stack cannot be made beside it: said in the plan, with what to do", async () => {
  await program.declare(kind, "old", { name: lab.name });
  program.newRun();
  const { problems, notices } = await program.check(kind, "new", { name: lab.name });
  expect(problems).toEqual([]);
  expect(notices.map(({ message }) => message).join()).toMatch(
    /^network namespace "\S+" \(lease \S+\) is another resource's of this stack: this will be refused unless that goes before/,
  );
  await expect(program.declare(kind, "new", { name: lab.name })).rejects.toMatchObject({
    code: "NAMESPACE_FOREIGN",
    message: expect.stringMatching(
      /^Namespace new, name: network namespace .* is another resource's of this stack .*`aliases`/,
    ),
  });
  await program.remove("old");
  await program.declare(kind, "new", { name: lab.name });
  await program.remove("new");
});

test("another name is another namespace, and what was in the old one ended with it", async () => {
  const other = await Lab.open(false);
  const inside = (name: string) => ({ owner: 1, namespace: name });
  try {
    await program.declare(kind, "lab", { name: lab.name });
    await program.declare("TunInterface", "dev0", inside(lab.name));
    expect((await program.newRun().declare(kind, "lab", { name: other.name })).operation).toBe("replace");
    expect(await names()).not.toContain(lab.name);
    const { notices } = await program.declare("TunInterface", "dev0", inside(other.name));
    expect(notices).toEqual([
      `dev0 in namespace ${lab.name} no longer exists (its namespace is gone); it will be made anew`,
    ]);
    await program.removeAll();
  } finally {
    await other.close();
  }
});

test.each(["../x", "a/b", ".", "..", "", "a b", "-x", "x".repeat(256)])(
  "the name %j is refused",
  async (name) => {
    await expect(program.declare(kind, "lab", { name })).rejects.toThrow(/^name /);
  },
);

test("the provider's own threads are not taken for processes in it", async () => {
  await program.declare(kind, "lab", { name: lab.name });
  // Reading goes on inside the namespace while it is asked who is in there.
  const reading = Promise.all(Array.from({ length: 50 }, () => program.refresh("lab")));
  const outside = spawn("sleep", ["1"]);
  await reading;
  await program.remove("lab");
  outside.kill();
});

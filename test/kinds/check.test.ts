import { constants } from "node:os";
import { describe, expect, test } from "vitest";
import { Claims } from "../../provider/claims";
import { Accounts } from "../../provider/host/accounts";
import { Host } from "../../provider/host/host";
import { refusal } from "../../provider/host/refusals";
import { kinds } from "../../provider/kinds";
import type { Inputs, Kind } from "../../provider/kinds/kind";
import { Reconciler } from "../../provider/reconcile";
import { ScriptedKernel } from "../harness/scripted-kernel";

const tun = kinds.TunInterface as Kind;
const urn = (logicalName: string, kind = "TunInterface") =>
  `urn:pulumi:dev::lab::pulumi-nodejs:dynamic/tuntap:${kind}::${logicalName}`;

/** Checks resources of one program, one after the other, on a host without links. */
function program(kernel = new ScriptedKernel()) {
  const reconciler = new Reconciler(new Host(kernel), new Claims());
  const check = (logicalName: string, inputs: Inputs, unknown: string[] = [], secrets: string[] = []) =>
    reconciler.check(
      tun,
      { identity: { urn: urn(logicalName), secrets }, inputs, unknown: new Set(unknown) },
      true,
    );
  return { check, kernel };
}

function withAccounts(): ScriptedKernel {
  const kernel = new ScriptedKernel();
  kernel.accounts = { "user:alice": { id: 1000, name: "alice" }, "group:kvm": { id: 36, name: "kvm" } };
  return kernel;
}

describe("check", () => {
  test("refuses the second resource that claims a name, naming the first", async () => {
    const { check } = program();
    expect((await check("first", { name: "tap0", owner: 0 })).problems).toEqual([]);
    expect((await check("second", { name: "tap0", owner: 0 })).problems).toEqual([
      {
        property: "name",
        code: "NAME_CLAIMED",
        message:
          'name "tap0" is claimed by TunInterface "first" of this program already; give one of them another name [NAME_CLAIMED]',
      },
    ]);
    // In another namespace it is another name.
    expect((await check("third", { name: "tap0", owner: 0, namespace: "blue" })).problems).toEqual([]);
  });

  test("takes the automatic name for claimed too", async () => {
    const { check } = program();
    expect((await check("tap0", { owner: 0 })).inputs.name).toBe("tap0");
    expect((await check("other", { name: "tap0", owner: 0 })).problems).toHaveLength(1);
  });

  test("refuses an unknown user and an unknown group, with what to do", async () => {
    const { check } = program(withAccounts());
    const { problems } = await check("tap0", { owner: "bob", group: "staff" });
    expect(problems.map(({ message }) => message)).toEqual([
      'owner "bob": no such user on the host. Create it (`useradd bob`), or give a numeric uid. [ACCOUNT_UNKNOWN]',
      'group "staff": no such group on the host. Create it (`groupadd staff`), or give a numeric gid. [ACCOUNT_UNKNOWN]',
    ]);
    expect((await check("tap0", { owner: "alice", group: "kvm" })).problems).toEqual([]);
  });

  test("takes a text of digits for a number, of those that there are", async () => {
    const { check } = program(withAccounts());
    const { problems } = await check("tap0", { owner: "4294967295", group: "99999999999" });
    expect(problems.map(({ message }) => message)).toEqual([
      'owner "4294967295": no such user on the host. Give a name, or a uid from 0 to 4294967294. [ACCOUNT_UNKNOWN]',
      'group "99999999999": no such group on the host. Give a name, or a gid from 0 to 4294967294. [ACCOUNT_UNKNOWN]',
    ]);
    expect((await check("tap0", { owner: "4294967294", group: "0" })).problems).toEqual([]);
  });

  test("tells problems of the host beside those of the schema", async () => {
    const { check } = program(withAccounts());
    const { problems } = await check("tap0", { owner: "bob", mtu: 67 });
    expect(problems.map(({ property }) => property).sort()).toEqual(["mtu", "owner"]);
  });

  test("does not look at the host while the name or the namespace is not known", async () => {
    const { check, kernel } = program();
    await check("tap0", { owner: 0 }, ["name"]);
    await check("tap0", { owner: 0 }, ["namespace"]);
    expect(kernel.dumps).toBe(0);
    await check("tap0", { owner: 0 });
    expect(kernel.dumps).toBeGreaterThan(0);
  });

  test("writes nothing", async () => {
    const { check, kernel } = program();
    await check("tap0", { address: "192.0.2.1/24", mtu: 9000 });
    expect(kernel.requests).toEqual([]);
  });

  test("warns of an interface that anybody may take, and only of that", async () => {
    const { check } = program(withAccounts());
    const warnings = async (inputs: Inputs, unknown: string[] = []) =>
      (await check("tap0", inputs, unknown)).notices.map(({ message }) => message);
    expect(await warnings({})).toEqual([expect.stringMatching(/^neither owner nor group is set: any user/)]);
    expect(await warnings({ owner: -1 })).toHaveLength(1);
    expect(await warnings({ owner: "alice" })).toEqual([]);
    expect(await warnings({ group: "kvm" })).toEqual([]);
    expect(await warnings({ owner: 0 })).toEqual([]);
    // An owner that is not known yet is an owner.
    expect(await warnings({}, ["owner"])).toEqual([]);
    // A limit of a wait that nobody asks for.
    const limit = { owner: 0, busyTimeoutSeconds: 5 };
    expect(await warnings({ ...limit, onBusy: "wait" })).toEqual([]);
    expect(await warnings(limit)).toEqual([
      expect.stringMatching(
        /^busyTimeoutSeconds 5 has no effect while `onBusy` is "fail"; set `onBusy` to "wait"/,
      ),
    ]);
    expect(await warnings({ ...limit, onBusy: "force" })).toHaveLength(1);
    expect(await warnings(limit, ["onBusy"])).toEqual([]);
  });

  test("shows no value of a secret input, and names no property for the engine to show", async () => {
    const { check } = program();
    const { problems } = await check("tap0", { address: "300.1.2.3", netmask: 24 }, [], ["address"]);
    expect(problems).toHaveLength(1);
    expect(JSON.stringify(problems)).not.toContain("300.1.2.3");
    expect(problems[0]?.property).toBe("");
  });
});

test("what is wrong inside a secret object is said without any value of it", async () => {
  const { check } = program();
  const port = { cost: 4711471, priority: 12 };
  const { problems } = await check("tap0", { owner: 0, bridge: "br0", port }, [], ["port"]);
  expect(problems).toEqual([
    {
      property: "",
      code: "INVALID_INPUT",
      message: "port.cost [secret] is above the limit; give a number from 1 to 65535 [INVALID_INPUT]",
    },
  ]);
});

describe("accounts", () => {
  test("a number is itself, a name is looked up, digits are a name before they are a number", async () => {
    const kernel = withAccounts();
    kernel.accounts = { ...kernel.accounts, "user:1234": { id: 7, name: "1234" } };
    const accounts = new Accounts(kernel);
    expect(await accounts.id("user", 4711)).toBe(4711);
    expect(await accounts.id("user", "alice")).toBe(1000);
    expect(await accounts.id("user", "1234")).toBe(7);
    expect(await accounts.id("user", "4711")).toBe(4711);
    await expect(accounts.id("group", "alice")).rejects.toMatchObject({
      code: "ACCOUNT_UNKNOWN",
      property: "group",
    });
  });

  test("are described by name and uid", async () => {
    const kernel = withAccounts();
    kernel.accounts = { "user:1000": { id: 1000, name: "alice" } };
    const accounts = new Accounts(kernel);
    expect(await accounts.describeUser(1000)).toBe("alice (uid 1000)");
    expect(await accounts.describeUser(1001)).toBe("uid 1001");
  });
});

const { EPERM, EACCES, ENODEV, ENOMEM, ENOBUFS, EOPNOTSUPP, EINVAL } = constants.errno;

test.each([
  [EPERM, "PERMISSION_DENIED"],
  [EACCES, "PERMISSION_DENIED"],
  [ENODEV, "LINK_VANISHED"],
  [ENOMEM, "OUT_OF_MEMORY"],
  [ENOBUFS, "RECEIVE_OVERFLOW"],
  [EOPNOTSUPP, "NOT_SUPPORTED"],
  [EINVAL, "KERNEL_REFUSED"],
])("errno %i is refused as %s, with errno, operation and the kernel's words", (errno, code) => {
  const error = refusal({ errno, extack: "bad thing" }, { message: "it failed", operation: "RTM_NEWLINK" });
  expect(error).toMatchObject({ code, errno, operation: "RTM_NEWLINK", extack: "bad thing" });
  expect(error.message).toMatch(
    new RegExp(`^it failed \\[${code}, RTM_NEWLINK, E.*, kernel: "bad thing"\\] .+`),
  );
});

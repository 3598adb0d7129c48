/** What is said and left where the kernel fails at the wrong moment. No kernel does that on demand. */
import { constants } from "node:os";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Claims } from "../../provider/claims";
import { TuntapError } from "../../provider/errors";
import { Host } from "../../provider/host/host";
import type { Kernel } from "../../provider/kernel/kernel";
import { openKernel } from "../../provider/kernel/open";
import { kinds } from "../../provider/kinds";
import { RTM } from "../../provider/netlink/message";
import { InitialisationFailure, Reconciler } from "../../provider/reconcile";
import { pool } from "./pool-lab";
import { base, lab, program, useTunLab } from "./tun-lab";

useTunLab();

const disableIpv6 = (value: 0 | 1) =>
  lab.exec("sysctl", "-qw", `net.ipv6.conf.default.disable_ipv6=${value}`);
/** So that no new interface takes an IPv6 address. */
beforeEach(() => disableIpv6(1));
afterEach(() => disableIpv6(0));

/** The real kernel, but that it deletes no link. */
function keeping(kernel: Kernel): Kernel {
  const isDelete = (message: Buffer) => message.readUInt16LE(4) === RTM.DELLINK;
  const refused = { errno: constants.errno.EPERM };
  return new Proxy(kernel, {
    get: (target, verb: keyof Kernel) =>
      verb === "request"
        ? async (namespace: string | undefined, messages: Buffer[]) =>
            messages.some(isDelete) ? messages.map(() => refused) : target.request(namespace, messages)
        : target[verb],
  });
}

/** The real kernel, but that it cannot be looked at any more when there is a link of an interim name. */
function hidingWhatIsMade(kernel: Kernel): Kernel {
  return new Proxy(kernel, {
    get: (target, verb: keyof Kernel) =>
      verb === "dump"
        ? async (namespace: string | undefined, message: Buffer) => {
            const dump = await target.dump(namespace, message);
            if (!dump.bytes.includes("tt-")) return dump;
            throw new TuntapError("RECEIVE_OVERFLOW", { message: "it was too much" });
          }
        : target[verb],
  });
}

async function failure(
  kernel: Kernel,
  kindName: string,
  logicalName: string,
  inputs: object,
  secrets: string[] = [],
) {
  const kind = kinds[kindName]!;
  const identity = { ...program.identity(kindName, logicalName), secrets };
  const wanted = { identity, inputs: inputs as Record<string, unknown>, unknown: new Set<string>() };
  const reconciler = new Reconciler(new Host(kernel), new Claims());
  const checked = await reconciler.check(kind, wanted, true);
  expect(checked.problems).toEqual([]);
  return reconciler.create(kind, { ...wanted, inputs: checked.inputs }).then(
    () => expect.unreachable(),
    (error: unknown) => error,
  );
}

test("an interface is kept in the state, and the message is that of any other error", async () => {
  const error = await failure(keeping(openKernel()), "TunInterface", "dev0", base(), ["addresses"]);
  expect(error).toBeInstanceOf(InitialisationFailure);
  const { message, id, outputs } = error as InitialisationFailure;
  expect(message).toMatch(/^TunInterface dev0, addresses: /);
  expect(message).not.toContain("2001:db8::1");
  expect(id).toBe(`${lab.name}/dev0`);
  expect(outputs).toMatchObject({ name: "dev0", mtu: 1400 });
  await disableIpv6(0);
  await lab.exec("sysctl", "-qw", "net.ipv6.conf.dev0.disable_ipv6=0");
  expect((await program.declare("TunInterface", "dev0", base())).operation).toBe("create");
});

test("a member of a pool is not kept as if it were the pool", async () => {
  const inputs = pool({ addresses: ["2001:db8::1/64"] });
  const error = await failure(keeping(openKernel()), "TunPool", "fc", inputs);
  expect(error).not.toBeInstanceOf(InitialisationFailure);
  expect(error).toMatchObject({
    code: "PERMISSION_DENIED",
    message: expect.stringMatching(/^TunPool fc\[0\], addresses: .*fc1, fc2, fc3 failed too/),
  });
});

test.each<[string, () => object]>([
  ["Bridge", () => ({ namespace: lab.name })],
  ["Vxlan", () => ({ vni: 42, namespace: lab.name })],
  ["VethPair", () => ({ ends: [{ namespace: lab.name }, { namespace: lab.name }] })],
])("a %s that cannot be looked at when it is made is not left", async (kindName, inputs) => {
  const error = await failure(hidingWhatIsMade(openKernel()), kindName, "dev0", inputs());
  expect(error).toMatchObject({ code: "RECEIVE_OVERFLOW" });
  expect(await lab.links()).toEqual([]);
});

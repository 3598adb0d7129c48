import { constants } from "node:os";
import { TuntapError } from "../../errors";
import { addressText } from "../../host/addresses";
import type { Host } from "../../host/host";
import { interimName, sameStack } from "../../host/leases";
import { setLink } from "../../host/links";
import { freeName, renameLink } from "../../host/names";
import { accepted, refusal } from "../../host/refusals";
import type { Property, Target } from "../kind";
import { type DesiredAddresses, desiredAddresses } from "./addresses";
import { nameTaken, type ObservedLink } from "./link";
import { live } from "./verdicts";

interface Placed {
  name: string | undefined;
  /** undefined: the host's. */
  namespace: string | undefined;
  addresses?: DesiredAddresses | undefined;
}

/** Stands for the host's namespace, whose name is undefined: not declared means that one, not any. */
const hostNamespace = "";

/** The row of `namespace`: the link moves, and whoever holds it goes on holding it (it follows by descriptor). */
export const namespaceProperty: Property<Placed, ObservedLink, string> = {
  name: "namespace",
  inputs: ["namespace"],
  verdict: live,
  want: ({ namespace }) => namespace ?? hostNamespace,
  is: ({ namespace }) => namespace ?? hostNamespace,
  show: (name) => (name === hostNamespace ? "the host's namespace" : name),
  loses: ({ observed, desired, target }) => {
    const ours = [desired, { addresses: desiredAddresses(target.recorded ?? {}) }].flatMap(
      ({ addresses }) => addresses?.all.map(addressText) ?? [],
    );
    const others = observed.addresses
      .filter((address) => !address.kernelMade)
      .map(addressText)
      .filter((address) => !ours.includes(address));
    const addresses = others.length > 0 ? `addresses of others (${others.join(", ")}) and ` : "";
    return `moving it takes away ${addresses}all routes of others over it`;
  },
  apply: ({ observed, target }, host) => moveLink(observed, target, host),
};

/** The row of `name`. */
export const nameProperty: Property<Placed, ObservedLink, string> = {
  name: "name",
  inputs: ["name"],
  verdict: live,
  want: (desired) => desired.name,
  is: ({ link }) => link.name,
  apply: ({ want, observed, target }, host) =>
    renameLink(host, observed.namespace, observed.link, target.lease, want),
};

/**
 * Moves a link to the target's namespace. The kernel keeps MAC, mtu, queue length, alias, alternative names and owner,
 * and takes away addresses, up and bridge; the rows below write these again.
 */
async function moveLink(observed: ObservedLink, target: Target, host: Host): Promise<void> {
  const there = await host.links.table(target.namespace);
  const namesake = there.named(target.name);
  if (namesake) {
    if (!namesake.leases.some((lease) => sameStack(lease, target.lease)))
      throw nameTaken(target.name, namesake);
    await freeName(host, target.namespace, target.name, target.lease);
  }
  const { link, namespace, ifindex } = observed;
  if (link.name !== target.name && there.named(link.name)) {
    // Its old name is taken there, which must not matter. The next row gives it the new one.
    const interim = interimName(target.lease);
    await renameLink(host, namespace, link, target.lease, interim);
  }
  const [reply] = await host.move(namespace, target.namespace, [setLink(ifindex, {})]);
  if (accepted(reply)) return;
  if (reply?.errno === constants.errno.EEXIST) {
    throw new TuntapError("FOREIGN_LINK", {
      message: `it could not be moved, as one of its names (${[link.name, ...link.alternativeNames].join(", ")}) is taken there`,
      errno: reply.errno,
      property: "namespace",
    });
  }
  throw refusal(reply as { errno: number }, {
    message: "it could not be moved to its new namespace",
    operation: "RTM_NEWLINK",
    property: "namespace",
  });
}

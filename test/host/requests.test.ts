/** What the typed writes send, against what `ip` sent for the same request. */

import { expect, test } from "vitest";
import { addAddress, removeAddress } from "../../provider/host/addresses";
import { addAlternativeName, removeAlternativeName, setLink, setLinkUp } from "../../provider/host/links";
import { encodeAddress } from "../../provider/netlink/address";
import { NLM_F, RTM } from "../../provider/netlink/message";
import { anonymous, requests } from "../netlink/fixtures";

/** ifindex of tap0 in the captures. */
const tap0 = 2;

function sent(command: string): Buffer {
  const message = requests.get(command)?.at(-1);
  if (!message) throw new Error(`no capture of ${command}`);
  return anonymous(message);
}

/** The flags by which `ip addr add` refuses an address that is there; ours writes it again instead. */
function asAdd(message: Buffer): Buffer {
  const copy = Buffer.from(message);
  copy.writeUInt16LE((copy.readUInt16LE(6) & ~NLM_F.REPLACE) | NLM_F.EXCL, 6);
  return copy;
}

const observed = (cidr: string) => {
  const [local = "", length] = cidr.split("/");
  const header = { family: 2, prefixLength: Number(length), index: tap0 };
  const received = encodeAddress(RTM.NEWADDR, 0, header, { local, address: local });
  return { cidr, kernelMade: false, secondary: false, received };
};

test.each([
  ["ip link set dev tap0 mtu 1400", () => setLink(tap0, { mtu: 1400 })],
  ["ip link set dev tap0 name tap1", () => setLink(tap0, { ifname: "tap1" })],
  ["ip link set dev tap0 group 7", () => setLink(tap0, { group: 7 })],
  ["ip link set dev tap0 up", () => setLinkUp(tap0, true)],
  ["ip link set dev tap0 down", () => setLinkUp(tap0, false)],
  ["ip link property del dev tap0 altname first", () => removeAlternativeName(tap0, "first")],
  ["ip addr add 192.0.2.1/24 brd + dev tap0", () => asAdd(addAddress(tap0, { cidr: "192.0.2.1/24" }, true))],
  [
    "ip addr add 2001:db8::1/64 dev tap0 nodad",
    () => asAdd(addAddress(tap0, { cidr: "2001:db8::1/64" }, true)),
  ],
  ["ip addr del 192.0.2.1/24 dev tap0", () => removeAddress(tap0, observed("192.0.2.1/24"))],
])("%s", (command, ours) => {
  expect(ours().toString("hex")).toBe(sent(command).toString("hex"));
});

test("an alternative name is added by the message and the flags that ip uses", () => {
  const theirs = sent("ip link property add dev tap0 altname first altname second");
  const ours = addAlternativeName(tap0, "first");
  expect(ours.readUInt16LE(4)).toBe(theirs.readUInt16LE(4));
  expect(ours.readUInt16LE(6)).toBe(theirs.readUInt16LE(6));
  expect(ours.subarray(16, 32)).toEqual(theirs.subarray(16, 32));
});

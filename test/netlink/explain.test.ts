import { expect, test } from "vitest";
import { encodeAddress, IFA_F } from "../../provider/netlink/address";
import { attributeAt, explain } from "../../provider/netlink/explain";
import { encodeLink, IFF } from "../../provider/netlink/link";
import { NLM_F, RTM } from "../../provider/netlink/message";

const request = encodeLink(
  RTM.NEWLINK,
  NLM_F.REQUEST | NLM_F.ACK | NLM_F.CREATE | NLM_F.EXCL,
  { index: 7, flags: IFF.UP, change: IFF.UP },
  {
    ifname: "tap0",
    address: "02:00:00:00:00:01",
    propList: { altIfname: ["one", "two"] },
    linkinfo: { kind: "tun", data: { owner: 1000, unknown: [{ type: 99, bytes: Buffer.from([1, 2]) }] } },
  },
  [{ type: 1234, bytes: Buffer.from([0xff]) }],
);

test("a link", () => {
  expect(explain(request)).toMatchInlineSnapshot(`
    "RTM_NEWLINK REQUEST|ACK|EXCL|CREATE sequence 0 port 0
      header family 0 type 0 index 7 flags 0x1 change 0x1
      ifname "tap0"
      address 02:00:00:00:00:01
      propList
        altIfname "one"
        altIfname "two"
      linkinfo
        kind "tun"
        data
          owner 1000
          attribute 99 (2 bytes) 0102
      attribute 1234 (1 bytes) ff"
  `);
});

test("a veth pair: the other end is a message in the message", () => {
  const message = encodeLink(
    RTM.NEWLINK,
    NLM_F.REQUEST,
    {},
    { linkinfo: { kind: "veth", data: { peer: { header: { flags: IFF.UP }, ifname: "veth1", mtu: 1400 } } } },
  );
  expect(explain(message)).toMatchInlineSnapshot(`
    "RTM_NEWLINK REQUEST sequence 0 port 0
      header family 0 type 0 index 0 flags 0x0 change 0x0
      linkinfo
        kind "veth"
        data
          peer
            header family 0 type 0 index 0 flags 0x1 change 0x0
            ifname "veth1"
            mtu 1400"
  `);
  expect(attributeAt(message, message.length - 8)).toBe("linkinfo.data.peer.mtu");
});

test("an address", () => {
  const message = encodeAddress(
    RTM.DELADDR,
    NLM_F.REQUEST,
    { family: 10, prefixLength: 64, index: 7 },
    {
      address: "2001:db8::1",
      flags: IFA_F.NODAD,
      cacheinfo: { preferred: 1, valid: 2, created: 3, updated: 4 },
    },
  );
  expect(explain(message)).toMatchInlineSnapshot(`
    "RTM_DELADDR REQUEST sequence 0 port 0
      header family 10 prefixLength 64 flags 0x0 scope 0 index 7
      address 2001:db8::1
      flags 2
      cacheinfo preferred 1 valid 2 created 3 updated 4"
  `);
});

test("a dump, a message of no known family, a broken one", () => {
  expect(explain(encodeLink(RTM.GETLINK, NLM_F.REQUEST | NLM_F.DUMP, {})).split("\n")[0]).toBe(
    "RTM_GETLINK REQUEST|DUMP sequence 0 port 0",
  );
  const done = Buffer.from("14000000030002000100000000000000 00000000".replace(" ", ""), "hex");
  expect(explain(done)).toBe("NLMSG_DONE MULTI sequence 1 port 0\n  (4 bytes) 00000000");
  expect(explain(request.subarray(0, 40))).toMatch(/^ {2}malformed: .*MALFORMED_MESSAGE/);
});

test("names the attribute at each offset", () => {
  const found: [number, string][] = [];
  for (let offset = 0; offset <= request.length; offset++) {
    const name = attributeAt(request, offset);
    if (name !== undefined) found.push([offset, name]);
  }
  expect(found).toEqual([
    [32, "ifname"],
    [44, "address"],
    [56, "propList"],
    [60, "propList.altIfname"],
    [68, "propList.altIfname"],
    [76, "linkinfo"],
    [80, "linkinfo.kind"],
    [88, "linkinfo.data"],
    [92, "linkinfo.data.owner"],
    [100, "linkinfo.data.99"],
    [108, "1234"],
  ]);
});

/** Of each format, texts and numbers that are just of it, and such that are just not, with what is said of these. */

interface Values {
  good: readonly (string | number)[];
  bad: readonly (readonly [value: string | number, reason: RegExp])[];
}

const mac = {
  good: ["52:54:00:12:34:56", "02-00-00-00-00-00", "FE:FF:FF:FF:FF:FF", "00:00:00:00:00:01"],
  bad: [
    ["52:54:00:12:34", /is no MAC address; give six bytes/],
    ["52:54:00:12:34:56:78", /is no MAC address; give six bytes/],
    ["52:54:00-12:34:56", /is no MAC address/],
    ["52:54:00:12:34:5g", /is no MAC address/],
    ["", /is no MAC address/],
  ],
} as const;

export const formatValues: Readonly<Record<string, Values>> = {
  "link-name": {
    good: ["x", "abcdefghijklmno", "äääääääx", "-x", "a.b@c"],
    bad: [
      ["", /is empty; give 1 to 15 bytes/],
      ["abcdefghijklmnop", /has 16 bytes; the kernel allows 15/],
      ["ääääääää", /has 16 bytes; the kernel allows 15/],
      ["a/b", /contains "\/" or ":"/],
      ["a:b", /contains "\/" or ":"/],
      ["a b", /contains a blank/],
      ["à", /the byte 0xA0/],
      ["a\0", /contains a NUL byte/],
      ["tap%d", /contains "%"/],
      [".", /is a folder's name/],
      ["..", /is a folder's name/],
      ["all", /is reserved/],
      ["default", /is reserved/],
    ],
  },
  "namespace-name": {
    good: ["n", "n".repeat(255), "a:b", "a%b", "ä"],
    bad: [
      ["", /is empty/],
      ["n".repeat(256), /has 256 bytes; a file name has at most 255/],
      ["a/b", /is no plain name/],
      ["..", /is no plain name/],
      ["a b", /contains a blank/],
      ["a\u0001", /control character/],
      ["-n", /begins with "-"/],
    ],
  },
  ipv4: {
    good: ["1.0.0.0", "223.255.255.255", "192.0.2.1/0", "192.0.2.1/32"],
    bad: [
      ["192.0.2.256", /four numbers from 0 to 255/],
      ["192.0.2", /is no IPv4 address/],
      ["192.0.2.1/33", /no number from 0 to 32/],
      ["192.0.2.1/", /no number from 0 to 32/],
      ["192.0.2.1/24/24", /is no IPv4 address/],
      ["0.255.255.255", /is not an address of one interface/],
      ["224.0.0.0", /is not an address of one interface/],
      ["239.255.255.255", /is not an address of one interface/],
      ["255.255.255.255", /is not an address of one interface/],
      ["2001:db8::1", /is an IPv6 address/],
    ],
  },
  "ipv4-peer": {
    good: ["1.0.0.0", "223.255.255.255"],
    bad: [
      ["192.0.2.256", /four numbers from 0 to 255/],
      ["192.0.2.1/32", /has a prefix length/],
      ["0.255.255.255", /is not an address of one interface/],
      ["224.0.0.0", /is not an address of one interface/],
      ["2001:db8::1", /is an IPv6 address/],
    ],
  },
  "ipv4-broadcast": {
    good: ["0.0.0.1", "255.255.255.255"],
    bad: [
      ["0.0.0.0", /is what the kernel takes for none/],
      ["192.0.2.256", /four numbers from 0 to 255/],
      ["192.0.2.255/24", /has a prefix length/],
      ["2001:db8::1", /is an IPv6 address/],
    ],
  },
  netmask: {
    good: ["0.0.0.0", "128.0.0.0", "255.255.255.255", "0", "32", 0, 32],
    bad: [
      ["33", /is no prefix length from 0 to 32/],
      [33, /is no prefix length from 0 to 32/],
      [-1, /is no prefix length from 0 to 32/],
      ["-1", /is no netmask.*0 to 32/],
      ["255.0.255.0", /ones followed by zeros/],
      ["255.255.255.256", /is no netmask/],
      ["024", /is no netmask/],
      ["", /is no netmask/],
    ],
  },
  cidr: {
    good: ["1.0.0.0/0", "223.255.255.255/32", "::1/128", "2001:db8::1/0", "fe80::1/64"],
    bad: [
      ["192.0.2.1", /has no prefix length/],
      ["2001:db8::1", /has no prefix length/],
      ["192.0.2.1/33", /is no address with a prefix length/],
      ["2001:db8::1/129", /is no address with a prefix length/],
      ["fe80::1%eth0/64", /is no address/],
      ["0.0.0.1/8", /is not an address of one interface/],
      ["224.0.0.1/4", /is not an address of one interface/],
      ["::/64", /is not an address of one interface/],
      ["ff00::/64", /is not an address of one interface/],
    ],
  },
  "ipv4-subnet": {
    good: ["1.0.0.0/8", "223.255.255.255/32", "128.0.0.0/1"],
    bad: [
      ["10.0.0.0", /is no IPv4 subnet/],
      ["10.0.0.0/33", /is no IPv4 subnet/],
      ["2001:db8::/64", /is no IPv4 subnet/],
      ["10.0.0.1/31", /has bits beyond its prefix length/],
      ["0.0.0.0/8", /is no subnet of single hosts/],
      ["224.0.0.0/8", /is no subnet of single hosts/],
    ],
  },
  mac: {
    good: mac.good,
    bad: [
      ...mac.bad,
      ["00:00:00:00:00:00", /is all zeros/],
      ["01:00:00:00:00:00", /is a multicast address/],
      ["ff:ff:ff:ff:ff:ff", /is a multicast address/],
    ],
  },
  "forwarding-mac": { good: [...mac.good, "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"], bad: mac.bad },
  alias: {
    good: ["", "a".repeat(255), "vm 1", "ü"],
    bad: [
      ["a".repeat(256), /has 256 bytes; the kernel allows 255/],
      ["ä".repeat(128), /has 256 bytes; the kernel allows 255/],
      ["a\nb", /contains a control character/],
      ["\u007f", /contains a control character/],
    ],
  },
  destination: {
    good: ["default", "0.0.0.0/0", "255.255.255.255/32", "::/0", "2001:db8::1/128"],
    bad: [
      ["192.0.2.1", /has no prefix length; write it as 192\.0\.2\.1\/32/],
      ["192.0.2.1/31", /has bits beyond its prefix length/],
      ["192.0.2.0/33", /is no network/],
      ["2001:db8::/129", /is no network/],
      ["Default", /is no network/],
    ],
  },
  network: {
    good: ["0.0.0.0/0", "255.255.255.255/32", "::/0", "2001:db8::1/128"],
    bad: [
      ["default", /is no network/],
      ["2001:db8::1", /has no prefix length; write it as 2001:db8::1\/128/],
      ["2001:db8::1/127", /has bits beyond its prefix length/],
      ["192.0.2.0/33", /is no network/],
    ],
  },
  hop: {
    good: ["1.0.0.0", "223.255.255.255", "::1", "fe80::1"],
    bad: [
      ["192.0.2.1/24", /has a prefix length/],
      ["192.0.2.256", /is no address/],
      ["0.255.255.255", /is not an address of one host/],
      ["224.0.0.0", /is not an address of one host/],
      ["255.255.255.255", /is not an address of one host/],
      ["::", /is not an address of one host/],
      ["ff02::1", /is not an address of one host/],
    ],
  },
  "tunnel-end": {
    good: ["1.0.0.0", "223.255.255.255", "::1", "2001:db8::1"],
    bad: [
      ["192.0.2.1/24", /has a prefix length/],
      ["192.0.2.256", /is no IPv4 or IPv6 address/],
      ["0.255.255.255", /is not the address of one host/],
      ["255.255.255.255", /is not the address of one host/],
      ["::", /is not the address of one host/],
      ["224.0.0.0", /is a multicast group/],
      ["ff02::1", /is a multicast group/],
    ],
  },
  "multicast-group": {
    good: ["224.0.0.0", "239.255.255.255", "ff00::1", "ff02::1"],
    bad: [
      ["223.255.255.255", /is no multicast group \(224\.0\.0\.0\/4, ff00::\/8\)/],
      ["240.0.0.0", /is no multicast group/],
      ["fe80::1", /is no multicast group/],
      ["224.0.0.1/4", /has a prefix length/],
      ["all", /is no IPv4 or IPv6 address/],
    ],
  },
  "vlan-range": {
    good: ["1", "4094", "1-4094", "7-7"],
    bad: [
      ["0", /give numbers from 1 to 4094/],
      ["4095", /give numbers from 1 to 4094/],
      ["0-4", /give numbers from 1 to 4094/],
      ["4-4095", /give numbers from 1 to 4094/],
      ["4-3", /begins with the higher number; write it as "3-4"/],
      ["1-2-3", /is neither a number nor a range/],
      ["", /is neither a number nor a range/],
    ],
  },
  "table-name": {
    good: ["n", `n${"0".repeat(254)}`, "a_b.c-d"],
    bad: [
      ["", /is empty/],
      [`n${"0".repeat(255)}`, /has 256 bytes; nftables allows 255/],
      ["0n", /has another form than nft reads/],
      ["a b", /has another form than nft reads/],
      ["table", /is a word of nft's language/],
    ],
  },
  ports: {
    good: ["1", "65535", "1-65535"],
    bad: [
      ["0", /is no port from 1 to 65535/],
      ["65536", /is no port from 1 to 65535/],
      ["0-1", /is no port from 1 to 65535/],
      ["1-65536", /is no port from 1 to 65535/],
      ["080", /is no port from 1 to 65535/],
      ["1-2-3", /is no port from 1 to 65535/],
      ["2-1", /is no range.*write "1-2"/],
      ["2-2", /is no range.*write "2"/],
    ],
  },
  "module-name": {
    good: ["a", "n".repeat(55), "br_netfilter", "8021q"],
    bad: [
      ["", /is empty/],
      ["n".repeat(56), /has 56 characters; the kernel allows 55/],
      ["dummy.ko", /is no name of a module/],
      ["../dummy", /is no name of a module/],
      ["-dummy", /is no name of a module/],
    ],
  },
  "module-parameter": {
    good: ["numdummies=2", "a.b=", "a=b=c", "a=~!"],
    bad: [
      ["numdummies", /is no parameter with its value/],
      ["=2", /is no parameter with its value/],
      ["a-b=2", /is no parameter with its value/],
      ["a=1 b=2", /has a blank, a quotation mark or a character beyond ASCII/],
      ['a="1"', /has a blank, a quotation mark/],
      ["a=ä", /has a blank, a quotation mark/],
    ],
  },
  "sysctl-name": {
    good: ["net.ipv4", "net.ipv4.conf.eth0/1.forwarding"],
    bad: [
      ["", /is empty/],
      ["net", /has one part only/],
      ["net/ipv4", /is a path; write it with dots, as "net\.ipv4"/],
      ["net..ipv4", /has an empty part/],
      ["net.ipv4.", /has an empty part/],
      ["net.//.x", /has a part of slashes only/],
      ["net.ip v4", /contains a blank/],
    ],
  },
  "sysctl-value": {
    good: ["", "0\t5", "a b", -1, 0, 4294967296],
    bad: [
      ["1\n2", /contains a line break/],
      ["\0", /contains a line break or control character/],
      ["\u001f", /contains a line break or control character/],
    ],
  },
  // Values that all times of a bridge may have.
  tenths: {
    good: [6, 6.1, 9.9],
    bad: [
      [6.05, /give whole tenths of a second/],
      [9.999, /give whole tenths of a second/],
    ],
  },
  "group-forward-mask": {
    good: [0, 8, 65528],
    bad: [1, 2, 4, 65535].map((mask) => [mask, /has one of the bits 0 to 2 set/] as const),
  },
};

import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { linkNameProblem } from "../../provider/kinds/parts/names";
import { Lab } from "../harness/lab";

/**
 * Asks the kernel itself: a TUNSETIFF by ioctl for each name, with no tool between that has an opinion of its own.
 * Reads names in hex, one a line; prints for each the errno, or the name that the kernel made of it, in hex.
 */
const asker = `
import fcntl, os, struct, sys
TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_TUN_EXCL = 0x400454ca, 0x2, 0x1000, 0x8000
for line in sys.stdin:
    name = bytes.fromhex(line.strip())
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    try:
        request = struct.pack("16sH22x", name, IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL)
        answer = fcntl.ioctl(device, TUNSETIFF, request)
        print("name", answer[:16].split(b"\\0")[0].hex())
    except OSError as error:
        print("errno", error.errno)
    finally:
        os.close(device)
`;

const edges = [
  "",
  ".",
  "..",
  "...",
  "-",
  "-x",
  "--",
  "all",
  "default",
  "All",
  "all0",
  "lo0",
  "eth0.100",
  "eth0:1",
  "a/b",
  "/",
  "a b",
  " ",
  " a",
  "a ",
  "a\tb",
  "a\nb",
  "a\vb",
  "a\fb",
  "a\rb",
  "\u0001",
  "\u007f",
  "a\u0000b",
  "%",
  "%d",
  "tap%d",
  "a%",
  "a%%b",
  "100%",
  "%s",
  "à",
  "a\u00a0",
  "Ġ",
  "ä",
  "é",
  "ñ",
  "€",
  "日本",
  "😀",
  "\u0085",
  "\u2028",
  "\ufeff",
  "…",
  "abcdefghijklmn",
  "abcdefghijklmno",
  "abcdefghijklmnop",
  "abcdefghijklmnopqrst",
  "äääääää",
  "äääääääx",
  "ääääääää",
  "日本語日本",
  "日本語日本語",
  "😀😀😀",
  "😀😀😀😀",
  "a'b",
  'a"b',
  "a\\b",
  "$(x)",
  "`x`",
  "a;b",
  "a|b",
  "*",
  "?",
  "#",
  "@",
  "~",
  "[x]",
  "{x}",
  "=",
  "+",
  ",",
  "tap0@eth0",
  "_",
  "0",
  "00",
  "-1",
];

const random = fc.sample(
  fc.oneof(
    fc.string({ unit: "binary", minLength: 1, maxLength: 17 }),
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 6 }),
    fc.string({ unit: fc.constantFrom(..."ab/:%. \t\u00a0àé-"), minLength: 1, maxLength: 17 }),
  ),
  { numRuns: 120, seed: 20240229 },
);

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.open();
});
afterAll(() => lab.close());

test("what is said of a name is what the kernel says of it", () => {
  const names = [...new Set([...edges, ...random])];
  const input = names.map((name) => `${Buffer.from(name).toString("hex")}\n`).join("");
  const output = execFileSync("ip", ["netns", "exec", lab.name, "python3", "-c", asker], {
    input,
    encoding: "utf8",
  });
  const answers = output.trim().split("\n");
  expect(answers).toHaveLength(names.length);
  const disagreements = names.flatMap((name, index) => {
    const answer = answers[index] as string;
    // A name that the kernel cuts, numbers or makes up is another than was asked for.
    const accepted = answer === `name ${Buffer.from(name).toString("hex")}`;
    const problem = linkNameProblem(name);
    return accepted === (problem === undefined) ? [] : [{ name, answer, problem }];
  });
  expect(disagreements).toEqual([]);
  // Both answers are really among them.
  const refused = names.filter((name) => linkNameProblem(name) !== undefined).length;
  expect(refused).toBeGreaterThan(40);
  expect(names.length - refused).toBeGreaterThan(40);
});

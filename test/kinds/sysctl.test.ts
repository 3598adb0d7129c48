import { expect, test } from "vitest";
import { kinds } from "../../provider/kinds";
import { isSet } from "../../provider/kinds/kind";
import { isSameValue } from "../../provider/kinds/parts/sysctl-checks";

test.each([
  ["1", "1", true],
  ["01", "1", true],
  ["0x100", "256", true],
  ["0XfF", "255", true],
  ["010", "8", true],
  ["010", "10", false],
  ["08", "8", false],
  ["0", "00", true],
  ["00", "0", true],
  ["-1", "-1", true],
  ["-0x1", "-1", true],
  ["18446744073709551615", "18446744073709551615", true],
  ["0xffffffffffffffff", "18446744073709551615", true],
  ["18446744073709551614", "18446744073709551615", false],
  ["1 0x10 3", "1 16 3", true],
  ["1 2", "1", false],
  ["1", "1 2", false],
  ["cubic", "reno", false],
  ["1,2", "1,2", true],
  ["", "0", false],
  ["0x", "0", false],
])("the value %j shown as %j is the same: %s", (want, is, same) => expect(isSameValue(want, is)).toBe(same));

test("what VERIFY_FAILED says of other managers of links, no kind says that is no link", () => {
  const silent = Object.values(kinds).filter((kind) => !isSet(kind) && kind.otherHands === undefined);
  expect(silent.map(({ name }) => name).sort()).toEqual([
    "Bridge",
    "BridgePort",
    "TunInterface",
    "VethPair",
    "Vxlan",
  ]);
});

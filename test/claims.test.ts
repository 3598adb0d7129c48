import { expect, test } from "vitest";
import { Claims } from "../provider/claims";

test("a name is claimed once; the second is told who has it", () => {
  const claims = new Claims();
  expect(claims.claim("urn:a", [{ space: "link:", name: "tap0" }])).toBeUndefined();
  expect(claims.claim("urn:b", [{ space: "link:", name: "tap0" }])).toMatchObject({ holder: "urn:a" });
  expect(claims.claim("urn:b", [{ space: "link:", name: "tap1" }])).toBeUndefined();
});

test("names of different spaces do not collide", () => {
  const claims = new Claims();
  expect(claims.claim("urn:a", [{ space: "link:", name: "blue" }])).toBeUndefined();
  expect(claims.claim("urn:b", [{ space: "link:blue", name: "blue" }])).toBeUndefined();
  expect(claims.claim("urn:c", [{ space: "namespace", name: "blue" }])).toBeUndefined();
  expect(claims.isClaimed("namespace", "blue")).toBe(true);
  expect(claims.isClaimed("namespace", "red")).toBe(false);
});

test("one resource may claim twice, as a replaced one is checked twice", () => {
  const claims = new Claims();
  expect(claims.claim("urn:a", [{ space: "link:", name: "tap0" }])).toBeUndefined();
  expect(claims.claim("urn:a", [{ space: "link:", name: "tap0" }])).toBeUndefined();
  expect(claims.claim("urn:b", [{ space: "link:", name: "tap0" }])).toMatchObject({ holder: "urn:a" });
});

test("who claims another name gives the former up", () => {
  const claims = new Claims();
  claims.claim("urn:a", [{ space: "link:", name: "tap0" }]);
  expect(claims.claim("urn:a", [{ space: "link:", name: "tap9" }])).toBeUndefined();
  expect(claims.isClaimed("link:", "tap0")).toBe(false);
  expect(claims.claim("urn:b", [{ space: "link:", name: "tap0" }])).toBeUndefined();
});

test("a refused claim leaves what the claimant had", () => {
  const claims = new Claims();
  claims.claim("urn:a", [{ space: "link:", name: "tap0" }]);
  claims.claim("urn:b", [{ space: "link:", name: "tap1" }]);
  expect(claims.claim("urn:b", [{ space: "link:", name: "tap0" }])).toMatchObject({ holder: "urn:a" });
  expect(claims.claim("urn:c", [{ space: "link:", name: "tap1" }])).toMatchObject({ holder: "urn:b" });
});

test("two resources that swap names in a new run both get theirs", () => {
  // Each run of the engine has claims of its own, so what was claimed before the swap is no obstacle.
  const claims = new Claims();
  expect(claims.claim("urn:a", [{ space: "link:", name: "tap1" }])).toBeUndefined();
  expect(claims.claim("urn:b", [{ space: "link:", name: "tap0" }])).toBeUndefined();
});

test("what clashes with another name of the space is refused", () => {
  const even = { space: "number", name: "even", clashes: (other: string) => Number(other) % 2 === 0 };
  const claims = new Claims();
  claims.claim("urn:a", [{ space: "number", name: "4" }]);
  expect(claims.claim("urn:b", [even])).toMatchObject({ wanted: even, holder: "urn:a" });
  expect(claims.claim("urn:a", [even, { space: "number", name: "2" }])).toBeUndefined();
  expect(claims.claim("urn:b", [{ space: "other", name: "4", clashes: () => true }])).toBeUndefined();
});

/** Tables that change names among one another, as the engine has it: all at once. */
import { expect, test } from "vitest";
import { leasesOf, rules, useNatLab } from "./nat-lab";
import { lab, program } from "./tun-lab";

useNatLab();

const kind = "Nat";
const ring = [0, 1, 2, 3];
const inputs = (number: number, name: string) => ({
  source: [`10.${number}.0.0/16`],
  namespace: lab.name,
  name,
});
const next = (number: number) => `nat${(number + 1) % ring.length}`;

test.each([1, 2, 3, 4, 5, 6])("each takes the name of the next one (round %d)", async () => {
  for (const number of ring) await program.declare(kind, `r${number}`, inputs(number, `nat${number}`));
  const leases = await Promise.all(ring.map((number) => leasesOf(`nat${number}`)));
  program.newRun();
  await Promise.all(ring.map((number) => program.declare(kind, `r${number}`, inputs(number, next(number)))));
  for (const number of ring) {
    expect(await leasesOf(next(number))).toEqual(leases[number]);
    expect(await rules(next(number))).toContain(`ip saddr 10.${number}.0.0/16 masquerade`);
  }
  program.newRun();
  for (const number of ring)
    expect((await program.declare(kind, `r${number}`, inputs(number, next(number)))).operation).toBe("same");
  await Promise.all(ring.map((number) => program.remove(`r${number}`)));
  expect(await lab.exec("nft", "list", "tables")).toBe("");
});

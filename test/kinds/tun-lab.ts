import { afterAll, beforeAll, beforeEach } from "vitest";
import { Lab } from "../harness/lab";
import { Program } from "../harness/program";

export const kind = "TunInterface";
/** One namespace for all tests of a file, empty at the start of each. */
export let lab: Lab;
/** A new program for each test. */
export let program: Program;

export function useTunLab(): void {
  beforeAll(async () => {
    lab = await Lab.open();
  });
  afterAll(() => lab.close());
  beforeEach(async () => {
    await lab.empty();
    program = new Program();
  });
}

/** An interface with everything declared. */
export const base = () => ({
  owner: "nobody",
  group: "daemon",
  address: "192.0.2.1",
  netmask: "255.255.255.0",
  addresses: ["2001:db8::1/64", "192.0.2.7/24"],
  mtu: 1400,
  namespace: lab.name,
});

/** All that a plan tells, as one text. */
export function said(plan: { notices: readonly { message: string }[] }): string {
  return plan.notices.map(({ message }) => message).join("\n");
}

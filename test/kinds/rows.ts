import { beforeEach, describe, expect, test } from "vitest";
import type { WitnessedLink } from "../harness/lab";
import { lab, program, kind as tunKind } from "./tun-lab";

/** A managed property of `dev0`: how it is changed by the program, how by hand, and what ip then shows. */
export interface Row {
  name: string;
  /** What must be there before the interface. */
  prepare?: () => Promise<unknown>;
  /** A function where it needs the lab. */
  change: Record<string, unknown> | (() => Record<string, unknown>);
  byHand: () => Promise<unknown>;
  drift: RegExp;
  read: () => Promise<unknown>;
  original: unknown;
  changed: unknown;
}

/** What is promised of every property that can be changed live. @param base the inputs that the rows change. */
export function describeRows(
  base: () => Record<string, unknown>,
  rows: Row[],
  kind = tunKind,
  witnessedKind = "tun",
): void {
  /** The one of the lab, whatever its name. */
  const device = async (): Promise<WitnessedLink | undefined> =>
    (await lab.links()).find((link) => link.linkinfo?.info_kind === witnessedKind);

  describe.each(rows)("$name", ({ prepare, change, byHand, drift, read, original, changed }) => {
    beforeEach(prepare ?? (() => undefined));
    const changedInputs = () => ({ ...base(), ...(typeof change === "function" ? change() : change) });

    test("is changed live, on the same device", async () => {
      await program.declare(kind, "dev0", base());
      const before = await device();
      expect((await program.declare(kind, "dev0", changedInputs())).operation).toBe("update");
      expect(await read()).toEqual(changed);
      expect((await device())?.ifindex).toBe(before?.ifindex);
      expect((await program.declare(kind, "dev0", changedInputs())).operation).toBe("same");
    });

    test("drift is seen with both values, and repaired", async () => {
      await program.declare(kind, "dev0", base());
      await byHand();
      const plan = await program.newRun().plan(kind, "dev0", base());
      expect(plan.changes).toBe(true);
      expect(plan.notices.map((notice) => notice.message).join()).toMatch(drift);
      expect((await program.declare(kind, "dev0", base())).operation).toBe("update");
      expect(await read()).toEqual(original);
      expect((await program.declare(kind, "dev0", base())).operation).toBe("same");
    });

    test("a refresh shows the kernel's value, and the next run sets it back", async () => {
      await program.declare(kind, "dev0", base());
      await byHand();
      const refreshed = await program.newRun().refresh("dev0");
      expect(refreshed?.notices.join()).toMatch(drift);
      expect((await program.declare(kind, "dev0", base())).operation).toBe("update");
      expect(await read()).toEqual(original);
    });
  });
}

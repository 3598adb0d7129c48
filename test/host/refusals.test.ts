import { constants } from "node:os";
import { describe, expect, test } from "vitest";
import { errorTable } from "../../provider/errors";
import { keeperRefusal } from "../../provider/host/refusals";

const { errno } = constants;

describe("a keeper that was not started", () => {
  const facts = { message: "no process could be started", property: "persistence" };
  const refusal = (status: number | undefined, step = "tuntap-helper", number = errno.EPIPE) =>
    keeperRefusal({ errno: number, step, status }, facts);

  test("is told with the signal that ended its program", () => {
    const error = refusal(137);
    expect(error.message).toMatch(
      /^no process could be started: the program that becomes it was ended by SIGKILL before .* \[HELPER_MISSING, tuntap-helper, EPIPE \(32\)\] Run again\. .* SIGKILL/,
    );
    expect(error.property).toBe("persistence");
  });

  test("is told with the exit code of its program", () => {
    const error = refusal(2);
    expect(error.message).toContain(": the program that becomes it ended with exit code 2 before");
    expect(error.remedy).toBe(errorTable.HELPER_MISSING.remedy);
  });

  test("is told as the step that failed, where that is known", () => {
    expect(refusal(undefined, "TUNSETQUEUE", errno.EINVAL)).toMatchObject({
      code: "KERNEL_REFUSED",
      operation: "TUNSETQUEUE",
      property: "persistence",
    });
  });
});

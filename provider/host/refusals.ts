import { constants } from "node:os";
import { type ErrorCode, type ErrorFacts, EXFULL, TuntapError } from "../errors";
import { systemFailureCode } from "../kernel/failures";
import type { HoldResult } from "../kernel/kernel";

const { errno } = constants;

/** What an errno means as the answer to a netlink request about a link. */
const replyCodes: Readonly<Record<number, ErrorCode>> = {
  [errno.ENODEV]: "LINK_VANISHED",
  [errno.EOPNOTSUPP]: "NOT_SUPPORTED",
  [EXFULL]: "BRIDGE_FULL",
};

/** The error for a netlink request that the kernel answered with an errno; `facts.message` says what was asked. */
export function refusal(
  reply: { errno: number; extack?: string },
  facts: Omit<ErrorFacts, "errno" | "extack">,
): TuntapError {
  const code = replyCodes[reply.errno] ?? systemFailureCode({ errno: reply.errno, operation: "sendmsg" });
  return new TuntapError(code, { ...facts, errno: reply.errno, extack: reply.extack });
}

/** The error for a TUN operation that failed at a step. */
export function tunRefusal(
  result: { errno: number; step?: string; extack?: string },
  facts: Omit<ErrorFacts, "errno" | "extack" | "operation">,
): TuntapError {
  const vanished = result.errno === errno.ENODEV && result.step !== "open";
  const code = vanished
    ? "LINK_VANISHED"
    : systemFailureCode({ errno: result.errno, operation: result.step ?? "TUNSETIFF" });
  return new TuntapError(code, {
    ...facts,
    errno: result.errno,
    operation: result.step,
    extack: result.extack,
  });
}

/** The error for a keeper that was not started; says how its program ended where that is all that is known. */
export function keeperRefusal(
  result: HoldResult,
  { message, property }: { message: string; property: string },
): TuntapError {
  if (result.status === undefined) return tunRefusal(result, { message, property });
  const signal = signalNames.get(result.status - 128);
  const how = signal ? `was ended by ${signal}` : `ended with exit code ${result.status}`;
  return tunRefusal(result, {
    message: `${message}: the program that becomes it ${how} before it had taken the interface over`,
    property,
    // A program that is ended from outside is all right.
    remedy: signal && `Run again. If that happens again, see what sends ${signal} (\`dmesg\`).`,
  });
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/**
 * Whether a request was carried out as far as its answer tells. A lost acknowledgement (ENOBUFS) counts as yes:
 * everything that is written is read back, and that decides.
 */
export function accepted(
  reply: { errno: number } | undefined,
  ...alreadySo: (number | undefined)[]
): boolean {
  return reply === undefined || [0, errno.ENOBUFS, ...alreadySo].includes(reply.errno);
}

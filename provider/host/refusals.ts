import { constants } from "node:os";
import { type ErrorCode, type ErrorFacts, TuntapError } from "../errors";

const { errno } = constants;

const codes: Readonly<Record<number, ErrorCode>> = {
  [errno.EPERM]: "PERMISSION_DENIED",
  [errno.EACCES]: "PERMISSION_DENIED",
  [errno.ENODEV]: "LINK_VANISHED",
  [errno.ENOMEM]: "OUT_OF_MEMORY",
  [errno.ENOBUFS]: "RECEIVE_OVERFLOW",
  [errno.EOPNOTSUPP]: "NOT_SUPPORTED",
};

/** The error for a request that the kernel answered with an errno; `facts.message` says what was asked. */
export function refusal(
  reply: { errno: number; extack?: string },
  facts: Omit<ErrorFacts, "errno" | "extack">,
  code: ErrorCode = codes[reply.errno] ?? "KERNEL_REFUSED",
): TuntapError {
  return new TuntapError(code, { ...facts, errno: reply.errno, extack: reply.extack });
}

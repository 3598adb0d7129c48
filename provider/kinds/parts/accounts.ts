import { isTuntapError } from "../../errors";
import { type Database, highestId } from "../../host/accounts";
import type { Host } from "../../host/host";
import type { InputSchema, Inputs, Problem } from "../kind";

/** No owner or group, which is not the same as 0. */
export const none = -1;

export function accountInput(database: Database, ioctl: string): InputSchema {
  const id = database === "user" ? "uid" : "gid";
  return {
    type: ["string", "integer"],
    minimum: none,
    maximum: highestId,
    change: "live",
    observed: true,
    description: `${database === "user" ? "User" : "Group"} that may attach without privilege (${ioctl}), by name or ${id}; a name is resolved on the host. -1 is none, which is not the same as 0. Once set it can be changed, but only a new interface has none again. Where both owner and group are set, a process needs both.`,
  };
}

/** Accounts that do not exist on the host. */
export async function accountProblems(values: Inputs, host: Host): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const [input, database] of [
    ["owner", "user"],
    ["group", "group"],
  ] as const) {
    const account = values[input];
    if (typeof account !== "string") continue;
    try {
      await host.accounts.id(database, account);
    } catch (error) {
      if (!isTuntapError(error) || error.code !== "ACCOUNT_UNKNOWN") throw error;
      problems.push({
        property: input,
        code: error.code,
        message: `${input} ${JSON.stringify(account)}: no such ${database} on the host. ${error.remedy}`,
      });
    }
  }
  return problems;
}

/** The id of an account; undefined also for one that is gone meanwhile, which can only be a recorded one. */
export function accountId(
  host: Host,
  database: Database,
  account: unknown,
): number | undefined | Promise<number | undefined> {
  if (account === undefined || typeof account === "number") return account;
  return host.accounts.id(database, account as string).catch((error) => {
    if (isTuntapError(error) && error.code === "ACCOUNT_UNKNOWN") return undefined;
    throw error;
  });
}

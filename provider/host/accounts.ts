import { TuntapError } from "../errors";
import type { Account, Kernel } from "../kernel/kernel";

export type Database = "user" | "group";

/** uid_t and gid_t are 32 bits wide, and the last value means "none". */
export const highestId = 2 ** 32 - 2;

/** How long an answer is used again: one plan asks for the same few accounts very often. */
const freshMilliseconds = 1000;

/** Users and groups of the host that is managed, which need not be this one. */
export class Accounts {
  private readonly known = new Map<string, { until: number; account: Promise<Account | undefined> }>();

  constructor(private readonly kernel: Kernel) {}

  /**
   * The id of a name, or a number as it is (it needs no entry in the database). A name of digits only is a name
   * if such an account exists, else a number, as chown(1) has it.
   * Errors: ACCOUNT_UNKNOWN.
   */
  async id(database: Database, account: string | number): Promise<number> {
    if (typeof account === "number") return account;
    const known = await this.lookUp(database, account);
    if (known) return known.id;
    const isNumber = /^\d+$/.test(account);
    if (isNumber && Number(account) <= highestId) return Number(account);
    const id = database === "user" ? "uid" : "gid";
    throw new TuntapError("ACCOUNT_UNKNOWN", {
      message: `no ${database} ${JSON.stringify(account)} exists on the host`,
      property: database === "user" ? "owner" : "group",
      remedy: isNumber
        ? `Give a name, or a ${id} from 0 to ${highestId}.`
        : `Create it (\`${database}add ${account}\`), or give a numeric ${id}.`,
    });
  }

  /** `alice (uid 1000)`, or `uid 1000` where it has no name. */
  async describeUser(uid: number): Promise<string> {
    const name = await this.name("user", uid);
    return name === undefined ? `uid ${uid}` : `${name} (uid ${uid})`;
  }

  /** undefined where the database has none for it. */
  async name(database: Database, id: number): Promise<string | undefined> {
    return (await this.lookUp(database, id))?.name;
  }

  private lookUp(database: Database, name: string | number): Promise<Account | undefined> {
    const key = `${database}:${JSON.stringify(name)}`;
    const found = this.known.get(key);
    if (found && found.until > Date.now()) return found.account;
    const account = this.kernel.account(database, name);
    this.known.set(key, { until: Date.now() + freshMilliseconds, account });
    return account;
  }
}

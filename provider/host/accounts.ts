import { TuntapError } from "../errors";
import type { Account, Kernel } from "../kernel/kernel";

export type Database = "user" | "group";

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
    const id =
      (await this.lookUp(database, account))?.id ?? (/^\d+$/.test(account) ? Number(account) : undefined);
    if (id === undefined) {
      throw new TuntapError("ACCOUNT_UNKNOWN", {
        message: `no ${database} ${JSON.stringify(account)} exists on the host`,
        property: database === "user" ? "owner" : "group",
        remedy: `Create it (\`${database}add ${account}\`), or give a numeric ${database === "user" ? "uid" : "gid"}.`,
      });
    }
    return id;
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

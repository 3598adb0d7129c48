import type {
  Account,
  Dump,
  Holder,
  HoldResult,
  Kernel,
  ModuleChange,
  ModuleFacts,
  NamespaceEntry,
  NamespaceName,
  NftResult,
  ProcessInfo,
  Reply,
  TunOperation,
  TunResult,
} from "../../provider/kernel/kernel";

/** A kernel that answers as a test tells it, for what no real kernel does on demand; it remembers what it was asked. */
export class ScriptedKernel implements Kernel {
  readonly requests: { namespace: NamespaceName; messages: Buffer[] }[] = [];
  dumps = 0;
  answer: (messages: Buffer[], namespace: NamespaceName) => Promise<Reply[]> | Reply[] = (messages) =>
    messages.map(() => ({ errno: 0 }));
  answerDump: (attempt: number) => Promise<Dump> | Dump = () => ({
    bytes: Buffer.alloc(0),
    interrupted: false,
  });
  answerTun: (operations: TunOperation[]) => TunResult[] = (operations) =>
    operations.map(() => ({ errno: 0 }));
  accounts: Readonly<Record<string, Account>> = {};

  async request(namespace: NamespaceName, messages: Buffer[]): Promise<Reply[]> {
    this.requests.push({ namespace, messages });
    return this.answer(messages, namespace);
  }

  async dump(): Promise<Dump> {
    this.dumps += 1;
    return this.answerDump(this.dumps);
  }

  async tun(_namespace: NamespaceName, operations: TunOperation[]): Promise<TunResult[]> {
    return this.answerTun(operations);
  }

  async move(): Promise<Reply[]> {
    throw new Error("no test has asked for move yet");
  }

  async hold(): Promise<HoldResult[]> {
    throw new Error("no test has asked for hold yet");
  }

  async listNamespaces(): Promise<NamespaceEntry[]> {
    return [];
  }

  async addNamespace(): Promise<void> {}

  async removeNamespace(): Promise<void> {}

  async namespaceProcesses(): Promise<ProcessInfo[]> {
    return [];
  }

  async holders(): Promise<Holder[]> {
    return [];
  }

  async sysctl(): Promise<string> {
    return "";
  }

  async nft(): Promise<NftResult> {
    throw new Error("no test has asked for nft yet");
  }

  async legacyTables(): Promise<string> {
    return "";
  }

  async module(_name?: string, _change?: ModuleChange): Promise<ModuleFacts> {
    throw new Error("no test has asked for module yet");
  }

  async account(database: "user" | "group", key: string | number): Promise<Account | undefined> {
    return this.accounts[`${database}:${key}`];
  }
}

import * as grpc from "@grpc/grpc-js";
import { EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb";
import { LogRequest, LogSeverity } from "@pulumi/pulumi/proto/engine_pb";
import { printable } from "./printable";
import type { Notice } from "./request";

/** How often the connection is looked at. */
const lookMilliseconds = 250;
/** How many looks in a row must find it broken: looks, not time, which also passes while this process is busy. */
const looksUntilLost = 5;

/** The connection back to the engine that started this provider. */
export class Engine {
  private readonly client: EngineClient;
  private readonly told = new Set<string>();

  /** @param address host:port of the engine's RPC endpoint. */
  constructor(address: string) {
    this.client = new EngineClient(address, grpc.credentials.createInsecure());
  }

  /** Shows notices on their resource, each once. Never fails: what cannot be told is not worth an error. */
  async tell(urn: string, notices: readonly Notice[]): Promise<void> {
    await Promise.all(notices.map((notice) => this.log(urn, notice)));
  }

  private log(urn: string, { severity, message }: Notice): Promise<void> {
    const key = `${urn}\0${message}`;
    if (this.told.has(key)) return Promise.resolve();
    this.told.add(key);
    const request = new LogRequest();
    request.setUrn(urn);
    request.setSeverity(severity === "warning" ? LogSeverity.WARNING : LogSeverity.INFO);
    request.setMessage(printable(message));
    return new Promise((resolve) => {
      this.client.log(request, () => resolve());
    });
  }

  /**
   * Ends this process when the engine is lost: nobody would record what it went on to do. The next run finds
   * whatever is half made by its lease.
   */
  endWithIt(end: () => void = () => process.exit(1)): void {
    const channel = this.client.getChannel();
    let missed = 0;
    const look = (): void => {
      missed = channel.getConnectivityState(true) === grpc.connectivityState.READY ? 0 : missed + 1;
      if (missed < looksUntilLost) return;
      clearInterval(timer);
      end();
    };
    const timer = setInterval(look, lookMilliseconds).unref();
    look();
  }
}

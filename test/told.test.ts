/** What the dynamic face hands to the engine, which shows it on a terminal. */
import * as grpc from "@grpc/grpc-js";
import { EngineService } from "@pulumi/pulumi/proto/engine_grpc_pb";
import type { LogRequest } from "@pulumi/pulumi/proto/engine_pb";
import { expect, test } from "vitest";
import { create } from "../provider/dynamic";
import { Engine } from "../provider/engine";

test("notices say nothing to a terminal", async () => {
  const messages: string[] = [];
  const server = new grpc.Server();
  const { log: method } = EngineService as unknown as { log: grpc.MethodDefinition<LogRequest, object> };
  const log: grpc.handleUnaryCall<LogRequest, object> = ({ request }, done) => {
    messages.push(request.getMessage());
    done(null, method.responseDeserialize(Buffer.alloc(0)));
  };
  server.addService({ log: method }, { log });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  try {
    const engine = new Engine(`127.0.0.1:${port}`);
    await engine.tell("", [{ severity: "warning", message: "alias \u001b[2J\u009b\u202e, in\ntwo lines" }]);
    expect(messages).toEqual(["alias \\u001b[2J\\u009b\\u202e, in\ntwo lines"]);
  } finally {
    server.forceShutdown();
  }
});

test("errors say nothing to a terminal", async () => {
  await expect(create("Kind\u009b2J", {})).rejects.toThrow("no kind Kind\\u009b2J");
});

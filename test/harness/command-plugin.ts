/**
 * Stands in for the plugin of `@pulumi/command`, which is not to be had here: the same calls to a shell at the same steps
 * of the engine, as pulumi-command's commandController.go makes them. Run as a program it is the plugin.
 */

import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import * as grpc from "@grpc/grpc-js";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import * as service from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as messages from "@pulumi/pulumi/proto/provider_pb";
// Pulumi's own, as its messages are made of it.
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";

/** Puts it into a folder that can stand in PATH. */
export function installCommandPlugin(folder: string): string {
  const file = join(folder, "pulumi-resource-command");
  mkdirSync(folder, { recursive: true });
  const tsx = resolve(__dirname, "../../node_modules/.bin/tsx");
  writeFileSync(file, `#!/bin/sh\nexec ${tsx} ${__filename} "$@"\n`);
  chmodSync(file, 0o755);
  return folder;
}

interface Properties {
  create?: string;
  update?: string;
  delete?: string;
  stdin?: string;
  environment?: Record<string, string>;
  [name: string]: unknown;
}

type Call<Request> = grpc.ServerUnaryCall<Request, unknown>;
type Done<Reply> = grpc.sendUnaryData<Reply>;

const read = (struct: Struct | undefined) => (struct?.toJavaScript() ?? {}) as Properties;
const written = (values: Properties) =>
  Struct.fromJavaScript(values as Parameters<typeof Struct.fromJavaScript>[0]);

/** What the resource records: its inputs, and what the command printed. */
function run(
  command: string | undefined,
  given: Properties,
  done: (error: Error | null, all: Properties) => void,
) {
  if (command === undefined) return done(null, given);
  const child = spawn("/bin/sh", ["-c", command], { env: { ...process.env, ...given.environment } });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (data) => {
    stdout += data;
  });
  child.stderr.on("data", (data) => {
    stderr += data;
  });
  child.stdin.on("error", () => {});
  child.stdin.end(given.stdin ?? "");
  child.once("close", (code) => {
    const all = { ...given, stdout: stdout.trim(), stderr: stderr.trim() };
    done(
      code === 0 ? null : new Error(`exit status ${code}: running ${command.slice(0, 20)}…:\n${stderr}`),
      all,
    );
  });
}

/** Paths of what differs: elements of lists by themselves. */
function differences(olds: Properties, news: Properties): string[] {
  const names = new Set([...Object.keys(olds), ...Object.keys(news)]);
  for (const output of ["stdout", "stderr"]) names.delete(output);
  return [...names]
    .filter((name) => !isDeepStrictEqual(olds[name], news[name]))
    .flatMap((name) => {
      const [before, after] = [olds[name], news[name]];
      if (!Array.isArray(before) || !Array.isArray(after)) return [name];
      return after.flatMap((each, at) => (isDeepStrictEqual(each, before[at]) ? [] : [`${name}[${at}]`]));
    });
}

const methods = {
  getPluginInfo(_: Call<Empty>, done: Done<PluginInfo>) {
    const reply = new PluginInfo();
    reply.setVersion("1.2.1");
    done(null, reply);
  },
  checkConfig({ request }: Call<messages.CheckRequest>, done: Done<messages.CheckResponse>) {
    const reply = new messages.CheckResponse();
    reply.setInputs(request.getNews());
    done(null, reply);
  },
  diffConfig(_: Call<messages.DiffRequest>, done: Done<messages.DiffResponse>) {
    done(null, new messages.DiffResponse());
  },
  configure(_: Call<messages.ConfigureRequest>, done: Done<messages.ConfigureResponse>) {
    done(null, new messages.ConfigureResponse());
  },
  check({ request }: Call<messages.CheckRequest>, done: Done<messages.CheckResponse>) {
    const reply = new messages.CheckResponse();
    reply.setInputs(request.getNews());
    done(null, reply);
  },
  diff({ request }: Call<messages.DiffRequest>, done: Done<messages.DiffResponse>) {
    const found = differences(read(request.getOlds()), read(request.getNews()));
    const reply = new messages.DiffResponse();
    const { DIFF_NONE, DIFF_SOME } = messages.DiffResponse.DiffChanges;
    reply.setChanges(found.length > 0 ? DIFF_SOME : DIFF_NONE);
    reply.setDiffsList(found);
    reply.setHasdetaileddiff(true);
    for (const path of found) {
      const difference = new messages.PropertyDiff();
      difference.setKind(messages.PropertyDiff.Kind.UPDATE);
      reply.getDetaileddiffMap().set(path, difference);
    }
    done(null, reply);
  },
  create({ request }: Call<messages.CreateRequest>, done: Done<messages.CreateResponse>) {
    const given = read(request.getProperties());
    run(given.create, given, (error, all) => {
      if (error) return done(error);
      const reply = new messages.CreateResponse();
      reply.setId("command");
      reply.setProperties(written(all));
      done(null, reply);
    });
  },
  update({ request }: Call<messages.UpdateRequest>, done: Done<messages.UpdateResponse>) {
    const given = read(request.getNews());
    run(given.update ?? given.create, given, (error, all) => {
      if (error) return done(error);
      const reply = new messages.UpdateResponse();
      reply.setProperties(written(all));
      done(null, reply);
    });
  },
  delete({ request }: Call<messages.DeleteRequest>, done: Done<Empty>) {
    const recorded = read(request.getProperties());
    run(recorded.delete, recorded, (error) => (error ? done(error) : done(null, new Empty())));
  },
  read({ request }: Call<messages.ReadRequest>, done: Done<messages.ReadResponse>) {
    const reply = new messages.ReadResponse();
    reply.setId(request.getId());
    reply.setProperties(request.getProperties());
    reply.setInputs(request.getInputs());
    done(null, reply);
  },
  cancel(_: Call<Empty>, done: Done<Empty>) {
    done(null, new Empty());
  },
};

if (require.main === module) {
  const server = new grpc.Server();
  server.addService(service.ResourceProviderService as unknown as grpc.ServiceDefinition, methods);
  server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    console.log(port);
  });
}

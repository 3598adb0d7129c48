/**
 * What loading the provider adds to a dynamic-provider process: prints the milliseconds from its first import to its
 * first answer, in a process that has loaded what the launcher of dynamic providers loads.
 */
import { owner } from "./taps";

async function main(): Promise<void> {
  await import("@pulumi/pulumi");
  await import("@pulumi/pulumi/proto/provider_grpc_pb.js");
  const began = performance.now();
  const face = await import("pulumi-tuntap/provider");
  const urn = "urn:pulumi:dev::bench::pulumi-nodejs:dynamic/tuntap:TunInterface::tap0";
  const { failures } = await face.check("TunInterface", {}, { owner, __tuntap: { urn, instance: "bench" } });
  const milliseconds = performance.now() - began;
  if (failures.length > 0) throw new Error(JSON.stringify(failures));
  process.stdout.write(`${milliseconds.toFixed(3)}\n`);
}

void main();

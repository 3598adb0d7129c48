import * as pulumi from "@pulumi/pulumi";

/** Loads the provider only inside its methods, so that state keeps no code of it, and an upgrade changes no state. */
class FaceProvider implements pulumi.dynamic.ResourceProvider {
  constructor(private readonly kind: string) {}

  // biome-ignore lint/suspicious/noExplicitAny: the engine's interface
  async check(olds: any, news: any) {
    const face = await import("pulumi-tuntap/provider");
    return face.check(this.kind, olds, news);
  }

  // biome-ignore lint/suspicious/noExplicitAny: the engine's interface
  async diff(id: string, olds: any, news: any) {
    const face = await import("pulumi-tuntap/provider");
    return face.diff(this.kind, id, olds, news);
  }

  // biome-ignore lint/suspicious/noExplicitAny: the engine's interface
  async create(inputs: any) {
    const face = await import("pulumi-tuntap/provider");
    return face.create(this.kind, inputs);
  }

  // biome-ignore lint/suspicious/noExplicitAny: the engine's interface
  async read(id: string, props?: any) {
    const face = await import("pulumi-tuntap/provider");
    return face.read(this.kind, id, props);
  }

  // biome-ignore lint/suspicious/noExplicitAny: the engine's interface
  async update(id: string, olds: any, news: any) {
    const face = await import("pulumi-tuntap/provider");
    return face.update(this.kind, id, olds, news);
  }

  // biome-ignore lint/suspicious/noExplicitAny: the engine's interface
  async delete(id: string, props: any) {
    const face = await import("pulumi-tuntap/provider");
    await face.remove(this.kind, id, props);
  }
}

const providers = new Map<string, FaceProvider>();

function providerOf(kind: string): FaceProvider {
  const provider = providers.get(kind) ?? new FaceProvider(kind);
  providers.set(kind, provider);
  return provider;
}

/** What all resources of this package share: they tell the provider who they are. */
export abstract class TuntapResource extends pulumi.dynamic.Resource {
  /**
   * @param kind the resource kind, e.g. `TunInterface`.
   * @param outputs names of all properties that the class has.
   */
  protected constructor(
    kind: string,
    name: string,
    args: object,
    outputs: readonly string[],
    options: pulumi.CustomResourceOptions | undefined,
  ) {
    const unset = Object.fromEntries(outputs.map((output) => [output, undefined]));
    const __tuntap = {
      urn: pulumi.createUrn(name, `pulumi-nodejs:dynamic/tuntap:${kind}`, options?.parent),
      instance: new pulumi.Config("tuntap").get("instance") ?? process.env.TUNTAP_INSTANCE,
      secrets: secretNames(args),
    };
    super(providerOf(kind), name, { ...unset, ...args, __tuntap }, options, "tuntap", kind);
  }
}

/** The engine does not tell a dynamic provider which inputs are secret, so the program does. */
async function secretNames(args: object): Promise<string[]> {
  const marked = await Promise.all(
    Object.entries(args).map(async ([name, value]) =>
      (await pulumi.isSecret(pulumi.output(value))) ? [name] : [],
    ),
  );
  return marked.flat().sort();
}

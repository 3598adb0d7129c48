/**
 * Modules that @pulumi/pulumi loads whenever it is loaded, but uses only to serialise functions: the TypeScript
 * compiler, and npm's dependency tree. They are most of what a start costs, in time and in memory; so each is loaded
 * when something of it is first used. Where a version does not have them, nothing is done.
 */
import { createRequire, Module } from "node:module";

const heavy = ["typescript", "@npmcli/arborist", "@pulumi/pulumi/vendor/typescript@3.8.3/typescript.js"];

/**
 * Puts stand-ins into the module cache, which is where `require` looks first.
 * @param file a file that resolves modules as @pulumi/pulumi does.
 */
export function deferHeavyModules(file: string): void {
  const require = createRequire(file);
  for (const id of heavy) {
    const path = resolved(require, id);
    if (path === undefined || require.cache[path]) continue;
    const standIn = defer(() => {
      delete require.cache[path];
      return require(path) as object;
    });
    const module = new Module(path);
    Object.assign(module, { filename: path, loaded: true, exports: standIn });
    require.cache[path] = module;
  }
}

function resolved(require: NodeJS.Require, id: string): string | undefined {
  try {
    return require.resolve(id);
  } catch {
    return undefined;
  }
}

/** An object, and a function and class if need be, that becomes what `open` gives when it is first looked into. */
function defer(open: () => object): object {
  let real: object | undefined;
  // The traps' rules compare with the target, so it takes over every property as it is.
  const target: object = function standIn() {};
  for (const name of ["length", "name"]) Reflect.deleteProperty(target, name);
  const load = (): object => {
    if (!real) {
      real = open();
      Object.setPrototypeOf(target, Object.getPrototypeOf(real));
      Object.defineProperties(target, Object.getOwnPropertyDescriptors(real));
    }
    return real;
  };
  const handler: ProxyHandler<object> = {
    apply: (_target, self, args) => Reflect.apply(load() as () => unknown, self, args),
    construct: (_target, args) => Reflect.construct(load() as new () => object, args),
    // What TypeScript's `import * as` asks first: a module of this mark is used as it is, not copied.
    get: (_target, key) => (key === "__esModule" && !real ? true : Reflect.get(load(), key)),
  };
  for (const trap of ["has", "set", "ownKeys", "getOwnPropertyDescriptor", "deleteProperty"] as const) {
    handler[trap] = (...args: unknown[]) => {
      load();
      return Reflect.apply(Reflect[trap], Reflect, args);
    };
  }
  return new Proxy(target, handler);
}

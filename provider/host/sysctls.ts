import { constants } from "node:os";
import { isTuntapError, TuntapError } from "../errors";
import type { Kernel, NamespaceName } from "../kernel/kernel";

const { errno } = constants;

/** The kernel's settings in /proc/sys, by dotted names. Values are canonical: words with one blank between them. */
export class Sysctls {
  /** @param uid of this process: root is refused for other reasons than others. */
  constructor(
    private readonly kernel: Kernel,
    private readonly uid: number,
  ) {}

  /** undefined where there is none of that name. Errors: NAMESPACE_MISSING, SYSCTL_REFUSED, PERMISSION_DENIED. */
  async find(namespace: NamespaceName, name: string): Promise<string | undefined> {
    try {
      return canonicalValue(await this.kernel.sysctl(namespace, name));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw this.refusal(error, `sysctl ${name} cannot be read`, "name");
    }
  }

  /** Errors: as `find`, and SYSCTL_MISSING. */
  async write(namespace: NamespaceName, name: string, value: string): Promise<void> {
    try {
      await this.kernel.sysctl(namespace, name, value);
    } catch (error) {
      if (isMissing(error)) throw missingSysctl(namespace, name);
      throw this.refusal(error, `sysctl ${name} was not set to ${JSON.stringify(value)}`, "value");
    }
  }

  private refusal(error: unknown, message: string, property: string): unknown {
    if (!isTuntapError(error) || error.code === "NAMESPACE_MISSING" || error.code === "INVALID_INPUT")
      return error;
    const facts = { errno: error.errno, operation: error.operation, property, cause: error };
    const { EACCES, EPERM, EROFS, EISDIR } = errno;
    if (error.errno === EISDIR) {
      const remedy = "Give the name of one of the settings in it.";
      return new TuntapError("SYSCTL_REFUSED", { ...facts, message: `${message}: it is a folder`, remedy });
    }
    if (this.uid !== 0 && (error.errno === EACCES || error.errno === EPERM))
      return new TuntapError("PERMISSION_DENIED", { ...facts, message });
    if (error.errno === EACCES || error.errno === EPERM || error.errno === EROFS) {
      const remedy = "Do not declare it; or, in a container, set it on the host.";
      const sentence = `${message}: the kernel forbids that to root too`;
      return new TuntapError("SYSCTL_REFUSED", { ...facts, message: sentence, remedy });
    }
    return new TuntapError("SYSCTL_REFUSED", { ...facts, message });
  }
}

export function missingSysctl(namespace: NamespaceName, name: string): TuntapError {
  const where = namespace === undefined ? "on this host" : `in namespace ${namespace}`;
  return new TuntapError("SYSCTL_MISSING", {
    message: `there is no sysctl ${name} ${where}`,
    property: "name",
  });
}

/** Several values of one sysctl are read with tabs between them, and written with blanks or tabs. */
export function canonicalValue(text: string): string {
  return text.trim().split(/\s+/).join(" ");
}

function isMissing(error: unknown): boolean {
  // A name that goes on below a setting is ENOTDIR.
  return (
    isTuntapError(error) &&
    error.code !== "NAMESPACE_MISSING" &&
    (error.errno === errno.ENOENT || error.errno === errno.ENOTDIR)
  );
}

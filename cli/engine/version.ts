/** Versions of the engine, and of Go. */
export const engineVersion = "3.259.0";
/** From here on the engine sends its events over gRPC. */
export const minimumEngine = "3.206.0";
export const minimumGo = "1.25";

/** The version in a line such as `v3.259.0` or `go version go1.26.8 linux/amd64`. */
export function findVersion(text: string): string | undefined {
  return /(\d+\.\d+(?:\.\d+)?)/.exec(text)?.[1];
}

export function atLeast(version: string, minimum: string): boolean {
  const have = version.split(".").map(Number);
  const want = minimum.split(".").map(Number);
  for (let at = 0; at < 3; at++) {
    const difference = (have[at] ?? 0) - (want[at] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

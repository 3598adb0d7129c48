/** What the command's exit code says. */
export const exitCode = { done: 0, failed: 1, usage: 2, changes: 3 } as const;
export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/** An end that the user is told in plain words; nothing else about it is printed. */
export class Failure extends Error {
  constructor(
    message: string,
    readonly code: ExitCode = exitCode.failed,
  ) {
    super(message);
    this.name = "Failure";
  }
}

/** The user asked for something that cannot be meant. */
export function usage(message: string): Failure {
  return new Failure(message, exitCode.usage);
}

/** What cannot be read would look as if it were not there. */
export function notYours(path: string): Failure {
  return new Failure(`${path} is not yours to read: run this as its owner, or as root`);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

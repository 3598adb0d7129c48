/** Running another program and waiting for it. */
import { type SpawnOptions, spawn } from "node:child_process";

export interface Finished {
  code: number;
  stdout: string;
  stderr: string;
}

export function runProcess(
  command: string,
  args: readonly string[],
  options: SpawnOptions & { onStderr?: (text: string) => void } = {},
): Promise<Finished> {
  return new Promise((done) => {
    const { onStderr, ...rest } = options;
    const child = spawn(command, args, { ...rest, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout?.on("data", (data: Buffer) => {
      stdout += data;
    });
    child.stderr?.on("data", (data: Buffer) => {
      stderr += data;
      onStderr?.(String(data));
    });
    child.on("error", (error) => done({ code: 127, stdout, stderr: error.message }));
    child.on("close", (code) => done({ code: code ?? 1, stdout, stderr }));
  });
}

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
    // As text, so that a character that is cut by a buffer's end stays one.
    child.stdout?.setEncoding("utf8").on("data", (data: string) => {
      stdout += data;
    });
    child.stderr?.setEncoding("utf8").on("data", (data: string) => {
      stderr += data;
      onStderr?.(data);
    });
    child.on("error", (error) => done({ code: 127, stdout, stderr: error.message }));
    child.on("close", (code) => done({ code: code ?? 1, stdout, stderr }));
  });
}

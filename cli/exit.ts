/**
 * The program runs in this process. If it calls `process.exit`, or throws where nobody listens any more (in a timer,
 * say), that must not end the command in the middle of the engine's work: the engine is asked to end instead, and what
 * happened is told like any other error of the program.
 */
import { locate, type ProgramError } from "./program";

/**
 * Watches until the function it gives is called.
 * @param onEnd told once for every such call, and once for every exception that nobody caught.
 */
export function watchExit(onEnd: (error: ProgramError) => void): () => void {
  const exit = process.exit;
  const told = new WeakSet<Error>();
  const tell = (error: unknown) => {
    if (error instanceof Error) told.add(error);
    onEnd({ text: error instanceof Error ? error.message : String(error), located: locate(error) });
  };
  const refuse = (code?: unknown): never => {
    const error = new Error(`the program called process.exit(${code ?? ""})`);
    tell(error);
    // It never returns: what follows it must not run.
    throw error;
  };
  const onUncaught = (error: unknown) => {
    const known = error instanceof Error && told.has(error);
    // While the program is awaited, the engine's SDK listens too, and reports what it hears.
    if (!known && process.listenerCount("uncaughtException") === 1) tell(error);
  };
  process.exit = refuse;
  process.on("uncaughtException", onUncaught);
  return () => {
    process.exit = exit;
    process.off("uncaughtException", onUncaught);
  };
}
